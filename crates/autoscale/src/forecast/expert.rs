//! One way to look ahead: a line through the past, the older the fainter.
//!
//! In: samples of a rate. Out: the rate some seconds ahead. It must not know how well it does.

/// A level, with or without a trend, over a memory of a given half-life.
#[derive(Clone, Debug)]
pub(crate) struct Expert {
    half_life: f64,
    trend: bool,
    age: f64,
    /// Weighted sums over samples at time t (now is 0, the past negative): 1, t, t², y, t·y.
    sums: [f64; 5],
}

impl Expert {
    pub fn new(half_life: f64, trend: bool) -> Self {
        Self {
            half_life,
            trend,
            age: 0.0,
            sums: [0.0; 5],
        }
    }

    /// Time passes, and a rate was seen over it.
    pub fn learn(&mut self, seconds: f64, rate: f64) {
        let [n, t, tt, y, ty] = self.sums;
        let shifted = [
            n,
            t - seconds * n,
            tt - 2.0 * seconds * t + seconds * seconds * n,
            y,
            ty - seconds * y,
        ];
        let fade = 0.5_f64.powf(seconds / self.half_life);
        self.sums = shifted.map(|sum| sum * fade);
        self.age += seconds;
        // The sample stands for the middle of the time it was taken over.
        let middle = -seconds / 2.0;
        for (sum, added) in self
            .sums
            .iter_mut()
            .zip([1.0, middle, middle * middle, rate, middle * rate])
        {
            *sum += seconds * added;
        }
    }

    /// The rate `ahead` seconds from now: never negative, never more than thrice the level.
    pub fn predict(&self, ahead: f64) -> f64 {
        let [n, t, tt, y, ty] = self.sums;
        if n <= 0.0 {
            return 0.0;
        }
        let level = y / n;
        let spread = n * tt - t * t;
        // A slope is only as good as the record is long: short ones count as flat.
        let trust = (self.age / (2.0 * self.half_life)).min(1.0).powi(2);
        let slope = if self.trend && spread > 0.0 {
            trust * (n * ty - t * y) / spread
        } else {
            0.0
        };
        let ahead_of_mean = ahead - t / n;
        (level + slope * ahead_of_mean).clamp(0.0, 3.0 * level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_continued_and_a_level_is_kept() {
        let (mut line, mut level) = (Expert::new(120.0, true), Expert::new(120.0, false));
        for i in 0..400u32 {
            line.learn(5.0, 10.0 + 0.01 * 5.0 * f64::from(i));
            level.learn(5.0, 10.0);
        }
        assert!((level.predict(300.0) - 10.0).abs() < 1e-6);
        let ahead = line.predict(300.0);
        assert!((ahead - 33.0).abs() < 1.0, "{ahead}");
        assert!(Expert::new(10.0, true).predict(60.0).abs() < 1e-9);
    }
}
