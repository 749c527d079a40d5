//! The step-time line as measured.
//!
//! In: the expected line; per replica and interval the mean time between tokens, and the tokens per second. Out: the line
//! that explains both. It must not run away: what is not measured stays at what was expected, and nothing leaves a factor
//! of four around it.
//!
//! In a step of length T a replica that makes G output and P prompt tokens per second makes G*T and P*T of them, so
//! `T = a + beta*G*T + c*P*T`. That is linear in (a, beta, c): a Bayesian linear regression over the three factors by which
//! the expectation is wrong, each believed to be 1 give or take a third, old measurements fading.

use super::StepTime;

/// How wrong an expectation may be (standard deviation of each factor).
const DOUBT: f64 = 0.35;
/// Relative error of one measurement.
const NOISE: f64 = 0.08;
/// Seconds after which a measurement counts half.
const HALF_LIFE: f64 = 900.0;
/// Factors stay in here.
const BOUNDS: (f64, f64) = (0.25, 4.0);

/// What a replica measured in one interval.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Mean seconds between tokens.
    pub token_seconds: f64,
    /// Output tokens per second.
    pub generation: f64,
    /// Prompt tokens per second.
    pub prompt: f64,
}

/// The line that is believed now, for the present mix of lengths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Line {
    /// `a`, seconds.
    pub base: f64,
    /// `beta = b + g*context`, seconds per decoding request.
    pub per_request: f64,
    /// `c`, seconds per prompt token.
    pub per_prompt_token: f64,
}

impl Line {
    /// Share of its time that a replica spends on tokens at these rates; at 1 it can do no more.
    pub fn utilization(&self, generation: f64, prompt: f64) -> f64 {
        self.per_request * generation + self.per_prompt_token * prompt
    }
}

/// The regression.
#[derive(Clone, Debug)]
pub(crate) struct Learner {
    information: [[f64; 3]; 3],
    moment: [f64; 3],
}

impl Learner {
    pub fn new() -> Self {
        Self {
            information: [[0.0; 3]; 3],
            moment: [0.0; 3],
        }
    }

    /// Lets old measurements fade.
    pub fn age(&mut self, seconds: f64) {
        let factor = 0.5_f64.powf((seconds / HALF_LIFE).max(0.0));
        for value in self.information.iter_mut().flatten().chain(&mut self.moment) {
            *value *= factor;
        }
    }

    /// Takes a measurement. `expected` is the expected line at the present mix.
    pub fn learn(&mut self, expected: &Line, measured: &Measured) {
        let time = measured.token_seconds;
        let row = [
            expected.base,
            expected.per_request * measured.generation * time,
            expected.per_prompt_token * measured.prompt * time,
        ];
        let sound = row.iter().all(|x| x.is_finite() && *x >= 0.0) && time.is_finite() && time > 0.0;
        if !sound {
            return;
        }
        let weight = 1.0 / (NOISE * time).powi(2);
        for (i, x) in row.iter().enumerate() {
            self.moment[i] += weight * x * time;
            for (j, y) in row.iter().enumerate() {
                self.information[i][j] += weight * x * y;
            }
        }
    }

    /// The line that is believed now.
    pub fn line(&self, expected: &Line) -> Line {
        let mut information = self.information;
        let mut moment = self.moment;
        for i in 0..3 {
            information[i][i] += DOUBT.powi(-2);
            moment[i] += DOUBT.powi(-2);
        }
        let [base, per_request, per_prompt_token] =
            solve(information, moment).map(|factor| factor.clamp(BOUNDS.0, BOUNDS.1));
        Line {
            base: expected.base * base,
            per_request: expected.per_request * per_request,
            per_prompt_token: expected.per_prompt_token * per_prompt_token,
        }
    }
}

/// Solves a symmetric positive definite system by elimination; ones when the numbers went beyond what floats hold.
fn solve(mut m: [[f64; 3]; 3], mut v: [f64; 3]) -> [f64; 3] {
    for i in 0..3 {
        let pivot = m[i];
        for j in i + 1..3 {
            let factor = m[j][i] / pivot[i];
            for (value, above) in m[j].iter_mut().zip(pivot) {
                *value -= factor * above;
            }
            v[j] -= factor * v[i];
        }
    }
    let mut x = [0.0; 3];
    for i in (0..3).rev() {
        let known: f64 = (i + 1..3).map(|j| m[i][j] * x[j]).sum();
        x[i] = (v[i] - known) / m[i][i];
    }
    if x.iter().all(|value| value.is_finite()) {
        x
    } else {
        [1.0; 3]
    }
}

/// The expected line at a mix of lengths: a decoding request holds its prompt and, on average, half of its output.
pub(crate) fn at_mix(expected: &StepTime, prompt_tokens: f64, output_tokens: f64) -> Line {
    Line {
        base: expected.base,
        per_request: expected.per_request_at(prompt_tokens + output_tokens / 2.0),
        per_prompt_token: expected.per_prompt_token,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_expectation_is_corrected() {
        let truth = Line {
            base: 7.26e-3,
            per_request: 1e-4,
            per_prompt_token: 33.7e-6,
        };
        for wrong in [0.7, 1.3] {
            let expected = Line {
                base: truth.base * wrong,
                per_request: truth.per_request * wrong,
                per_prompt_token: truth.per_prompt_token * wrong,
            };
            let mut learner = Learner::new();
            for rate in [4.0, 6.0, 8.0, 9.0, 10.0, 11.0].repeat(20) {
                let (generation, prompt) = (rate * 211.0, rate * 1155.0);
                let token_seconds = truth.base / (1.0 - truth.utilization(generation, prompt));
                learner.learn(
                    &expected,
                    &Measured {
                        token_seconds,
                        generation,
                        prompt,
                    },
                );
                learner.age(5.0);
            }
            let line = learner.line(&expected);
            let (got, wanted) = (
                line.utilization(2110.0, 11_550.0),
                truth.utilization(2110.0, 11_550.0),
            );
            assert!((line.base / truth.base - 1.0).abs() < 0.1, "{line:?}");
            assert!((got / wanted - 1.0).abs() < 0.06, "{got} instead of {wanted}");
        }
    }

    #[test]
    fn nonsense_teaches_nothing() {
        let expected = Line {
            base: 0.01,
            per_request: 1e-4,
            per_prompt_token: 1e-5,
        };
        let mut learner = Learner::new();
        for bad in [f64::NAN, f64::INFINITY, -1.0, 0.0] {
            learner.learn(
                &expected,
                &Measured {
                    token_seconds: bad,
                    generation: 1.0,
                    prompt: 1.0,
                },
            );
            learner.learn(
                &expected,
                &Measured {
                    token_seconds: 0.02,
                    generation: -bad.abs(),
                    prompt: f64::NAN,
                },
            );
        }
        let line = learner.line(&expected);
        assert!((line.base / 0.01 - 1.0).abs() < 1e-9, "{line:?}");
    }
}
