//! The rate that will have come by the time a new replica can serve.
//!
//! In: the arrival rate, sample by sample. Out: for now, half-way and the end of a horizon a rate that is exceeded only so
//! often. It must not trust one model: several look ahead, each is judged by what came, and the best one's own errors make
//! the margin. So a steady service gets a small margin, a bursty one a large one, and nobody sets it.

mod errors;
mod expert;

use std::collections::VecDeque;

use errors::Errors;
use expert::Expert;

/// Half-lives of the experts' memories in seconds, and whether they follow a trend.
const EXPERTS: [(f64, bool); 8] = [
    (10.0, false),
    (40.0, false),
    (120.0, false),
    (600.0, false),
    (60.0, true),
    (150.0, true),
    (400.0, true),
    (1000.0, true),
];
/// Points of the horizon that are forecast, as shares of it. The first is now: what is there until the next decision.
const POINTS: [f64; 3] = [0.0, 0.5, 1.0];
/// Half-life of what counts as the present rate; shorter bursts are smoothed by the batch anyway.
const PRESENT: f64 = 10.0;
/// Seconds after which an expert's loss counts half.
const JUDGED_OVER: f64 = 1200.0;
/// Most forecasts that wait for what comes.
const MOST_OPEN: usize = 4096;

/// Forecasts made and not judged yet.
#[derive(Clone, Debug)]
struct Open {
    due: f64,
    point: usize,
    forecasts: [f64; EXPERTS.len()],
}

/// All experts with their records.
#[derive(Clone, Debug)]
pub struct Forecaster {
    share: f64,
    elapsed: f64,
    experts: Vec<Expert>,
    present: Expert,
    open: VecDeque<Open>,
    errors: Vec<Vec<Errors>>,
    losses: Vec<[f64; EXPERTS.len()]>,
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
    /// `share`: how often what comes may not exceed what was forecast, margin included (0 to 1). `horizon`: seconds, for
    /// how much is believed of the experts at first.
    pub fn new(share: f64, horizon: f64) -> Self {
        let first_belief = |point: f64| {
            Errors::new(0.05 + 0.05 * (crate::num::amount(horizon).unwrap_or(60.0) * point / 60.0).sqrt())
        };
        Self {
            share: if share.is_finite() {
                share.clamp(0.5, 0.999)
            } else {
                0.95
            },
            elapsed: 0.0,
            experts: EXPERTS
                .map(|(half_life, trend)| Expert::new(half_life, trend))
                .to_vec(),
            present: Expert::new(PRESENT, false),
            open: VecDeque::new(),
            errors: POINTS
                .map(|point| vec![first_belief(point); EXPERTS.len()])
                .to_vec(),
            losses: vec![[0.0; EXPERTS.len()]; POINTS.len()],
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
            let mut forecasts = [0.0; EXPERTS.len()];
            for (forecast, expert) in forecasts.iter_mut().zip(&self.experts) {
                *forecast = expert.predict(ahead);
            }
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
        for loss in self.losses.iter_mut().flatten() {
            *loss *= fade;
        }
        let (share, elapsed) = (self.share, self.elapsed);
        let (errors, losses) = (&mut self.errors, &mut self.losses);
        self.open.retain(|open| {
            if open.due > elapsed {
                return true;
            }
            for (expert, forecast) in open.forecasts.iter().enumerate() {
                let record = &mut errors[open.point][expert];
                let ready_for = forecast * record.factor(share);
                // Pinball loss: its least is the forecast that is exceeded exactly so often.
                let short = came - ready_for;
                let loss = if short > 0.0 {
                    share * short
                } else {
                    (share - 1.0) * short
                };
                losses[open.point][expert] += loss * seconds;
                record.learn(*forecast, came, seconds);
            }
            false
        });
    }

    /// What to be ready for until a replica ordered now serves, `lead + horizon` seconds ahead.
    pub fn outlook(&self, lead: f64, horizon: f64) -> Outlook {
        let present = self.present.predict(0.0);
        let mut outlook = Outlook {
            present,
            ..Outlook::default()
        };
        for (point, share) in POINTS.iter().enumerate() {
            let best = self.best(point);
            outlook.expected = self.experts[best].predict(lead + share * horizon);
            let ready_for = outlook.expected * self.errors[point][best].factor(self.share);
            outlook.ready_for = outlook.ready_for.max(ready_for);
        }
        outlook
    }

    /// The expert with the least loss; among equals the second one, a level over the last minute.
    fn best(&self, point: usize) -> usize {
        let losses = &self.losses[point];
        let mut best = 1;
        for (expert, loss) in losses.iter().enumerate() {
            if *loss < losses[best] {
                best = expert;
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn margin_after(rate: impl Fn(f64) -> f64) -> f64 {
        let mut forecaster = Forecaster::new(0.95, 60.0);
        for i in 0..720u32 {
            forecaster.learn(5.0, rate(f64::from(i) * 5.0), 15.0, 60.0);
        }
        let outlook = forecaster.outlook(15.0, 60.0);
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
        let mut forecaster = Forecaster::new(f64::NAN, f64::NAN);
        forecaster.learn(5.0, 10.0, 15.0, 60.0);
        let before = forecaster.outlook(15.0, 60.0);
        for bad in [f64::NAN, f64::INFINITY, -1.0] {
            forecaster.learn(bad, 10.0, 15.0, 60.0);
            forecaster.learn(5.0, bad, 15.0, 60.0);
            forecaster.learn(5.0, 10.0, bad, bad);
        }
        assert_eq!(forecaster.outlook(15.0, 60.0), before);
    }
}
