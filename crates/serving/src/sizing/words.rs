//! Numbers for people, and the arithmetic in sentences.

use std::fmt;

/// `131.4 GiB`.
pub fn gib(bytes: u64) -> String {
    let mib = bytes / (1 << 20) + u64::from(bytes % (1 << 20) >= 1 << 19);
    let tenths = (mib * 10 + 512) / 1024;
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

/// `one`, `two or three`, `a, b or c`.
pub(super) fn either(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Why the choice is as it is, in sentences without a full stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arithmetic {
    /// What was chosen.
    pub chosen: String,
    /// What that needs on each GPU.
    pub needs: String,
    /// What of it was free; `None` when no node was looked at. Changes with every Pod of the cluster.
    pub free: Option<String>,
    /// What would fit otherwise.
    pub otherwise: Option<String>,
}

impl Arithmetic {
    /// The sentences, in order.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        let optional = self.free.as_deref().into_iter().chain(self.otherwise.as_deref());
        [self.chosen.as_str(), self.needs.as_str()]
            .into_iter()
            .chain(optional)
    }
}

impl fmt::Display for Arithmetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, line) in self.lines().enumerate() {
            let before = if position == 0 { "" } else { ". " };
            write!(f, "{before}{line}")?;
        }
        f.write_str(".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_to_tenths() {
        assert_eq!(gib(141_100_000_000), "131.4 GiB");
        assert_eq!(gib(0), "0.0 GiB");
        assert_eq!(gib(u64::MAX), "17179869184.0 GiB");
    }
}
