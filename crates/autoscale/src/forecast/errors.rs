//! How wrong forecasts were.
//!
//! In: forecasts with what came. Out: the factor that a given share of what came stayed below. It must not assume a
//! distribution: it counts.

/// Bins of ln(came / forecast), from -1.5 to 1.5.
const BINS: usize = 300;
const WIDTH: f64 = 0.01;
const LOWEST: f64 = -1.5;
/// Seconds after which an error counts half.
const HALF_LIFE: f64 = 600.0;
/// Seconds that the first belief is worth.
const WORTH: f64 = 120.0;

/// Counts of errors; old ones fade.
#[derive(Clone, Debug)]
pub(super) struct Errors {
    bins: Vec<f64>,
    total: f64,
}

impl Errors {
    /// Believes at first that errors spread by `spread` (a share, standard deviation).
    pub fn new(spread: f64) -> Self {
        let spread = spread.clamp(0.01, 0.5);
        let mut bins: Vec<f64> = (0..BINS)
            .map(|bin| (LOWEST + WIDTH * (crate::num::float(bin) + 0.5)) / spread)
            .map(|z| (-z * z / 2.0).exp())
            .collect();
        let sum: f64 = bins.iter().sum();
        for bin in &mut bins {
            *bin *= WORTH / sum;
        }
        Self { bins, total: WORTH }
    }

    /// Takes one error; `seconds` is how long it stands for.
    pub fn learn(&mut self, forecast: f64, came: f64, seconds: f64) {
        let fade = 0.5_f64.powf(seconds / HALF_LIFE);
        for bin in &mut self.bins {
            *bin *= fade;
        }
        self.total *= fade;
        // Rates of almost nothing compare as equal.
        let error = ((came + 0.01) / (forecast + 0.01)).ln();
        self.bins[crate::num::index((error - LOWEST) / WIDTH, BINS)] += seconds;
        self.total += seconds;
    }

    /// The factor on a forecast that a share of what came stayed below.
    pub fn factor(&self, share: f64) -> f64 {
        let mut left = self.total * share;
        for (bin, weight) in self.bins.iter().enumerate() {
            left -= weight;
            if left <= 0.0 {
                return (LOWEST + WIDTH * (crate::num::float(bin) + 1.0)).exp();
            }
        }
        (LOWEST + WIDTH * crate::num::float(BINS)).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_believes_and_then_counts() {
        let mut errors = Errors::new(0.1);
        assert!(
            (errors.factor(0.95) - 1.18).abs() < 0.02,
            "{}",
            errors.factor(0.95)
        );
        for i in 0..2000u32 {
            errors.learn(10.0, if i % 10 == 0 { 15.0 } else { 10.0 }, 5.0);
        }
        assert!((errors.factor(0.85) - 1.0).abs() < 0.02);
        assert!((errors.factor(0.95) - 1.5).abs() < 0.02);
    }
}
