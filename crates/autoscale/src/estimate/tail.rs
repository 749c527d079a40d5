//! How far slow requests lie above the mean.
//!
//! In: histograms of times per output token, with coarse buckets. Out: the factor between a quantile and the mean. It must
//! not read a quantile out of a bucket: it fits the one number that the buckets can tell, the spread of a log-normal
//! distribution whose mean is known exactly (sum over count).
//!
//! The factor is about what load adds: a request without neighbours takes the unloaded time, however slow "slow" is.

use crate::observe::Histogram;

/// Expected factor for the slowest 1 %; the reference's simulation and ours have 1.9 to 2.1 at every load.
const EXPECTED: f64 = 2.0;
/// What the expectation is worth, in requests.
const WORTH: f64 = 500.0;
/// Most requests whose memory is kept.
const MEMORY: f64 = 20_000.0;
/// Fewest requests that are fitted at a time.
const FEWEST: f64 = 100.0;
/// The mean must lie this much above the unloaded time: before, nothing of it comes from load.
const LOADED: f64 = 1.2;
/// Factors stay in here.
const BOUNDS: (f64, f64) = (1.0, 4.0);

/// The learned factor: what load adds to a slow request's time, over what it adds to the mean.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    beyond: f64,
    pending: Histogram,
    factor: f64,
    weight: f64,
}

impl Tail {
    /// For requests that are slower than all but a share `beyond`.
    pub fn new(beyond: f64) -> Self {
        let z = upper_quantile(beyond) / upper_quantile(0.01);
        Self {
            beyond,
            pending: Histogram::default(),
            factor: EXPECTED.powf(z),
            weight: WORTH,
        }
    }

    /// Takes what was measured since the last call; `unloaded` is the time per token without load. Fits are made over few
    /// requests each, so that the spread among requests of one time is not mixed with how the load changes over time.
    pub fn learn(&mut self, added: &Histogram, unloaded: f64) {
        self.pending.merge(added);
        if self.pending.count < FEWEST {
            return;
        }
        let pending = std::mem::take(&mut self.pending);
        let Some(mean) = pending.mean().filter(|mean| *mean > LOADED * unloaded) else {
            return;
        };
        if let Some(spread) = fit(&pending, mean) {
            let slow = mean * (spread * upper_quantile(self.beyond) - spread * spread / 2.0).exp();
            let factor = ((slow - unloaded) / (mean - unloaded)).clamp(BOUNDS.0, BOUNDS.1);
            let weight = pending.count.min(MEMORY / 10.0);
            self.factor = (self.factor * self.weight + factor * weight) / (self.weight + weight);
            self.weight = (self.weight + weight).min(MEMORY);
        }
    }

    /// The factor.
    pub fn factor(&self) -> f64 {
        self.factor
    }
}

/// The spread that makes the buckets' counts most likely, or `None` when all values lie in one bucket, which any small
/// spread explains.
fn fit(histogram: &Histogram, mean: f64) -> Option<f64> {
    let inner = histogram
        .cumulative
        .iter()
        .any(|c| *c > 0.0 && *c < histogram.count);
    if !inner {
        return None;
    }
    let candidates = (1..=40u32).map(|step| 0.025 * f64::from(step));
    candidates
        .map(|spread| (spread, likelihood(histogram, mean, spread)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|best| best.0)
}

/// Log-likelihood of bucket counts under a log-normal distribution.
fn likelihood(histogram: &Histogram, mean: f64, spread: f64) -> f64 {
    let centre = mean.ln() - spread * spread / 2.0;
    let mut total = 0.0;
    let (mut seen, mut share) = (0.0, 0.0);
    for (bound, cumulative) in histogram.bounds.iter().zip(&histogram.cumulative) {
        let up_to = if *bound > 0.0 {
            below((bound.ln() - centre) / spread)
        } else {
            0.0
        };
        total += (cumulative - seen) * (up_to - share).max(1e-9).ln();
        (seen, share) = (*cumulative, up_to);
    }
    total + (histogram.count - seen) * (1.0 - share).max(1e-9).ln()
}

/// Share of a standard normal distribution below `z` (Zelen and Severo's polynomial, error below 1e-7).
fn below(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let polynomial = t
        * (0.319_381_53
            + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let above = (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt() * polynomial;
    if z < 0.0 { above } else { 1.0 - above }
}

/// The value that a share of a standard normal distribution exceeds (Abramowitz and Stegun 26.2.23, error below 5e-4).
fn upper_quantile(share: f64) -> f64 {
    let share = if share.is_finite() {
        share.clamp(1e-6, 0.5)
    } else {
        0.01
    };
    let t = (-2.0 * share.ln()).sqrt();
    t - (2.515_517 + t * (0.802_853 + t * 0.010_328))
        / (1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn vllm() -> Histogram {
        Histogram::empty(&Arc::from([0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2].as_slice()))
    }

    #[test]
    fn a_spread_is_found_through_coarse_buckets() {
        for (mean, spread) in [(0.018, 0.2), (0.03, 0.3), (0.04, 0.15)] {
            let mut tail = Tail::new(0.01);
            for _ in 0..100 {
                let mut histogram = vllm();
                for i in 0..400u32 {
                    let share = (f64::from(i) + 0.5) / 400.0;
                    let z = if share > 0.5 {
                        upper_quantile(1.0 - share)
                    } else {
                        -upper_quantile(share)
                    };
                    histogram.record(mean * (spread * z - spread * spread / 2.0).exp(), 1.0);
                }
                tail.learn(&histogram, 0.008);
            }
            let slow: f64 = mean * (spread * 2.326 - spread * spread / 2.0_f64).exp();
            let wanted = (slow - 0.008) / (mean - 0.008);
            assert!(
                (tail.factor() / wanted - 1.0).abs() < 0.06,
                "{} instead of {wanted}",
                tail.factor()
            );
        }
    }

    #[test]
    fn one_bucket_tells_nothing() {
        let mut tail = Tail::new(0.01);
        let mut histogram = vllm();
        histogram.record(0.015, 1000.0);
        tail.learn(&histogram, 0.008);
        assert!((tail.factor() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn the_normal_distribution_is_right() {
        for (z, share) in [
            (0.0, 0.5),
            (1.0, 0.841_345),
            (-1.96, 0.024_998),
            (2.326, 0.989_99),
        ] {
            assert!((below(z) - share).abs() < 1e-5);
        }
        assert!((upper_quantile(0.01) - 2.326).abs() < 1e-3);
    }
}
