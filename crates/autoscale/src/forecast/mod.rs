//! The rate that will have come by the time a new replica can serve.
//!
//! In: the arrival rate, sample by sample. Out: for now, half-way and the end of a horizon a rate that is exceeded only so
//! often. It must not trust one model: several look ahead, each is judged by what came, the better ones count more, and the errors of their mean make
//! the margin. So a steady service gets a small margin, a bursty one a large one, and nobody sets it.

mod errors;
mod expert;

use std::collections::VecDeque;

use errors::Errors;
pub(crate) use expert::Expert;

/// Half-lives of the experts' memories in seconds, and whether they follow a trend.
const EXPERTS: [(f64, bool); 7] = [
    (15.0, false),
    (60.0, false),
    (180.0, false),
    (60.0, true),
    (150.0, true),
    (400.0, true),
    (1000.0, true),
];
/// Points of the horizon that are forecast, as shares of it. The first is now: what is there until the next decision.
const POINTS: [f64; 3] = [0.0, 0.5, 1.0];
/// Half-life of what counts as the present rate; shorter bursts are smoothed by the batch anyway.
const PRESENT: f64 = 10.0;
/// Seconds after which an expert's miss counts half.
const JUDGED_OVER: f64 = 900.0;
/// How much more the better experts count: weights go with the inverse of the mean miss to this power.
const SHARPNESS: i32 = 4;
/// Most forecasts that wait for what comes.
const MOST_OPEN: usize = 4096;

/// Forecasts made for one time and not judged yet.
#[derive(Clone, Debug)]
struct Open {
    due: f64,
    point: usize,
    forecasts: [f64; EXPERTS.len()],
}

/// All experts with their records.
#[derive(Clone, Debug)]
pub struct Forecaster {
    elapsed: f64,
    experts: Vec<Expert>,
    present: Expert,
    open: VecDeque<Open>,
    misses: [[f64; EXPERTS.len()]; POINTS.len()],
    errors: Vec<Errors>,
}

/// What to be ready for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outlook {
    /// The present rate.
    pub present: f64,
    /// The forecast for the end of the horizon, without margin.
    pub expected: f64,
    /// The highest of the forecasts with their margins.
    pub ready_for: f64,
}

impl Forecaster {
    /// `horizon`: seconds, for how much is believed of forecasts at first.
    pub fn new(horizon: f64) -> Self {
        let horizon = crate::num::amount(horizon).unwrap_or(60.0);
        Self {
            elapsed: 0.0,
            experts: EXPERTS
                .map(|(half_life, trend)| Expert::new(half_life, trend))
                .to_vec(),
            present: Expert::new(PRESENT, false),
            open: VecDeque::new(),
            misses: [[0.0; EXPERTS.len()]; POINTS.len()],
            errors: POINTS
                .map(|point| Errors::new(0.05 + 0.05 * (horizon * point / 60.0).sqrt()))
                .to_vec(),
        }
    }

    /// Takes a rate that was seen over some seconds, and makes forecasts for the horizon to be judged later. `lead`: seconds
    /// until a decision takes effect at all.
    pub fn learn(&mut self, seconds: f64, rate: f64, lead: f64, horizon: f64) {
        let sound = [seconds, rate, lead, horizon]
            .iter()
            .all(|value| value.is_finite() && *value >= 0.0);
        if !sound || seconds <= 0.0 {
            return;
        }
        self.elapsed += seconds;
        self.present.learn(seconds, rate);
        for expert in &mut self.experts {
            expert.learn(seconds, rate);
        }
        self.judge(seconds);
        for (point, share) in POINTS.iter().enumerate() {
            let ahead = lead + share * horizon;
            let forecasts = self.forecasts(ahead);
            self.open.push_back(Open {
                due: self.elapsed + ahead,
                point,
                forecasts,
            });
        }
        while self.open.len() > MOST_OPEN {
            self.open.pop_front();
        }
    }

    /// Compares what is due with what came.
    fn judge(&mut self, seconds: f64) {
        let came = self.present.predict(0.0);
        let fade = 0.5_f64.powf(seconds / JUDGED_OVER);
        for miss in self.misses.iter_mut().flatten() {
            *miss *= fade;
        }
        let elapsed = self.elapsed;
        let mut due = Vec::new();
        self.open.retain(|open| {
            let is_due = open.due <= elapsed;
            if is_due {
                due.push(open.clone());
            }
            !is_due
        });
        for open in due {
            // Judged by what today's mixture would have said: early on, nobody knew whom to believe.
            let combined = self.combine(open.point, &open.forecasts);
            self.errors[open.point].learn(combined, came, seconds);
            for (miss, forecast) in self.misses[open.point].iter_mut().zip(&open.forecasts) {
                *miss += (came - forecast).abs() * seconds;
            }
        }
    }

    /// What to be ready for until a replica ordered now serves, `lead + horizon` seconds ahead. `risk`: how often what comes
    /// may exceed it (0 to 1). `most`: the factor that margins stay below.
    pub fn outlook(&self, lead: f64, horizon: f64, risk: f64, most: f64) -> Outlook {
        let mut outlook = Outlook {
            present: self.present.predict(0.0),
            ..Outlook::default()
        };
        for (point, share) in POINTS.iter().enumerate() {
            outlook.expected = self.combine(point, &self.forecasts(lead + share * horizon));
            let ready_for = outlook.expected * self.errors[point].factor(1.0 - risk).min(most);
            outlook.ready_for = outlook.ready_for.max(ready_for);
        }
        outlook
    }

    fn forecasts(&self, ahead: f64) -> [f64; EXPERTS.len()] {
        let mut forecasts = [0.0; EXPERTS.len()];
        for (forecast, expert) in forecasts.iter_mut().zip(&self.experts) {
            *forecast = expert.predict(ahead);
        }
        forecasts
    }

    /// The mean of the experts, the better ones counting more.
    fn combine(&self, point: usize, forecasts: &[f64]) -> f64 {
        let misses = &self.misses[point];
        // Until somebody was judged, all are equal; a perfect record does not silence the others.
        let least = misses.iter().copied().fold(f64::INFINITY, f64::min) + 1e-6;
        let weights = misses.iter().map(|miss| (least / (miss + 1e-6)).powi(SHARPNESS));
        let (sum, weight) = weights
            .zip(forecasts)
            .fold((0.0, 0.0), |(sum, all), (weight, forecast)| {
                (sum + weight * forecast, all + weight)
            });
        sum / weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn margin_after(rate: impl Fn(f64) -> f64) -> f64 {
        let mut forecaster = Forecaster::new(60.0);
        for i in 0..720u32 {
            forecaster.learn(5.0, rate(f64::from(i) * 5.0), 15.0, 60.0);
        }
        let outlook = forecaster.outlook(15.0, 60.0, 0.05, 2.0);
        outlook.ready_for / rate(720.0 * 5.0 + 75.0)
    }

    #[test]
    fn steady_rates_get_small_margins_and_bursty_ones_large_ones() {
        let steady = margin_after(|_| 50.0);
        assert!((0.98..1.06).contains(&steady), "{steady}");
        let rising = margin_after(|t| 50.0 + 0.05 * t);
        assert!((0.98..1.06).contains(&rising), "{rising}");
        let bursty = margin_after(|t| {
            if (t / 20.0).rem_euclid(10.0) < 1.0 {
                100.0
            } else {
                50.0
            }
        });
        assert!(bursty > 1.2, "{bursty}");
    }

    #[test]
    fn nonsense_changes_nothing() {
        let mut forecaster = Forecaster::new(f64::NAN);
        forecaster.learn(5.0, 10.0, 15.0, 60.0);
        let before = forecaster.outlook(15.0, 60.0, 0.05, 2.0);
        for bad in [f64::NAN, f64::INFINITY, -1.0] {
            forecaster.learn(bad, 10.0, 15.0, 60.0);
            forecaster.learn(5.0, bad, 15.0, 60.0);
            forecaster.learn(5.0, 10.0, bad, bad);
        }
        assert_eq!(forecaster.outlook(15.0, 60.0, 0.05, 2.0), before);
    }
}
