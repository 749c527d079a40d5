//! What must hold. In: numbers of one run. Out: a line per bar, PASS or OVER.

/// One bar: a number and the most it may be.
#[derive(Debug, Clone)]
pub struct Bar {
    what: String,
    value: f64,
    limit: f64,
    unit: &'static str,
}

impl Bar {
    /// `value` may be `limit` at most.
    pub fn at_most(what: impl Into<String>, value: f64, limit: f64, unit: &'static str) -> Self {
        Self {
            what: what.into(),
            value,
            limit,
            unit,
        }
    }

    /// Whether it holds.
    pub fn holds(&self) -> bool {
        self.value <= self.limit
    }

    /// The line to print.
    pub fn line(&self) -> String {
        let word = if self.holds() { "PASS" } else { "OVER" };
        let Self {
            what,
            value,
            limit,
            unit,
            ..
        } = self;
        let decimals = if unit.is_empty() { 0 } else { 2 };
        format!("{word}  {what}: {value:.decimals$}{unit} (at most {limit}{unit})")
    }
}

#[cfg(test)]
mod tests {
    use super::Bar;

    #[test]
    fn the_limit_itself_passes() {
        assert_eq!(
            Bar::at_most("time", 1.15, 1.15, "x").line(),
            "PASS  time: 1.15x (at most 1.15x)"
        );
        assert_eq!(
            Bar::at_most("writes", 1.0, 0.0, "").line(),
            "OVER  writes: 1 (at most 0)"
        );
    }
}
