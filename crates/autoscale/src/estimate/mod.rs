//! What is learned of a model on its GPUs: the step-time line, the mix of lengths, how far the slow lie above the mean,
//! what fills the cache; and from these what one replica sustains.
//!
//! In: intervals. Out: a [`Capacity`]. It must not decide anything.

mod capacity;
mod line;
mod startup;
mod step_time;
mod tail;

pub use capacity::{Bound, Capacity};
pub use startup::Startup;
pub use step_time::{GpuSpeed, ModelSize, StepTime};

use crate::{
    num,
    observe::{Activity, Histogram, Interval},
    targets::Targets,
};
use capacity::Known;
use line::{Learner, Line, Measured, at_mix};
use tail::Tail;

/// Seconds after which what was seen of lengths and waits counts half.
const MIX_HALF_LIFE: f64 = 600.0;
/// Requests that the expected lengths are worth.
const MIX_WORTH: f64 = 20.0;
/// Beyond this utilization, times to first token grow faster than the capacity's line.
const TTFT_BUSIEST: f64 = 0.85;
/// Seconds after which late requests count half.
const LATE_HALF_LIFE: f64 = 1800.0;
/// Seconds that the first belief, as many late as may be, is worth.
const LATE_WORTH: f64 = 300.0;
/// Seconds for which a new replica is not like the others: it is empty, so requests crowd in.
const CROWDED: f64 = 30.0;
/// Requests that must have been seen before their times to first token count.
const TTFT_FEWEST: f64 = 50.0;

/// What is expected before anything is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// The step-time line.
    pub step_time: StepTime,
    /// Mean tokens of a prompt.
    pub prompt_tokens: f64,
    /// Mean tokens of an answer.
    pub output_tokens: f64,
    /// Requests that one replica runs at a time at most, when known.
    pub max_sequences: Option<u32>,
}

/// Everything learned of one model on its GPUs.
#[derive(Clone, Debug)]
pub struct Estimator {
    expected: Expected,
    learner: Learner,
    tail: Tail,
    ttft: Histogram,
    ttft_utilization: Mean,
    prompts: f64,
    prompt: f64,
    outputs: f64,
    output: f64,
    cache_per_request: Mean,
    utilization: f64,
    calm: bool,
    late: Mean,
}

/// A mean whose past fades.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    fn add(&mut self, value: f64, weight: f64) {
        if value.is_finite() && weight.is_finite() && weight > 0.0 {
            self.sum += value * weight;
            self.weight += weight;
        }
    }

    fn fade(&mut self, factor: f64) {
        self.sum *= factor;
        self.weight *= factor;
    }

    fn get(self) -> Option<f64> {
        (self.weight > 1e-9).then(|| self.sum / self.weight)
    }
}

impl Estimator {
    /// Knows nothing but what is expected; `slow_share` of requests count as the slow ones. Expectations that are not positive numbers count as a small model's.
    pub fn new(expected: Expected, slow_share: f64) -> Self {
        let or = |value: f64, otherwise: f64| {
            if value > 1e-12 && value < 1e9 {
                value
            } else {
                otherwise
            }
        };
        let step = expected.step_time;
        let expected = Expected {
            step_time: StepTime {
                base: or(step.base, 0.01),
                per_request: or(step.per_request, 4.4e-6),
                per_context_token: or(step.per_context_token, 1e-7),
                per_prompt_token: or(step.per_prompt_token, 4e-5),
            },
            prompt_tokens: or(expected.prompt_tokens, 1000.0),
            output_tokens: or(expected.output_tokens, 200.0),
            ..expected
        };
        Self {
            expected,
            learner: Learner::new(),
            tail: Tail::new(slow_share),
            ttft: Histogram::default(),
            ttft_utilization: Mean::default(),
            prompts: MIX_WORTH,
            prompt: MIX_WORTH * expected.prompt_tokens,
            outputs: MIX_WORTH,
            output: MIX_WORTH * expected.output_tokens,
            cache_per_request: Mean::default(),
            utilization: 0.0,
            calm: false,
            late: Mean {
                sum: LATE_WORTH * slow_share,
                weight: LATE_WORTH,
            },
        }
    }

    /// Learns from what happened.
    pub fn learn(&mut self, interval: &Interval, targets: &Targets) {
        self.learn_lateness(interval, targets);
        let fade = 0.5_f64.powf(interval.seconds.max(0.0) / MIX_HALF_LIFE);
        self.learner.age(interval.seconds);
        self.ttft.fade(fade);
        self.ttft_utilization.fade(fade);
        self.cache_per_request.fade(fade);
        for sum in [
            &mut self.prompts,
            &mut self.prompt,
            &mut self.outputs,
            &mut self.output,
        ] {
            *sum *= fade;
        }
        for activity in &interval.active {
            self.learn_mix(activity);
        }
        let expected = self.expected_line();
        for measured in interval.active.iter().filter_map(measured) {
            self.learner.learn(&expected, &measured);
        }
        let unloaded = self.line().base;
        for added in interval
            .active
            .iter()
            .filter_map(|activity| activity.per_token.as_ref())
        {
            self.tail.learn(added, unloaded);
        }
        self.learn_waits(interval);
    }

    /// Tokens belong to requests that are under way, not only to those that end: while load rises, far more begin. A prompt is
    /// computed when its first token comes; an answer's tokens count for the mean of those that began and those that ended.
    fn learn_mix(&mut self, activity: &Activity) {
        if let Some((finished, started)) = activity.finished.zip(activity.started) {
            let seconds = activity.seconds;
            if let Some(prompt) = activity.prompt_tokens {
                self.prompts += started * seconds;
                self.prompt += prompt * seconds;
            }
            if let Some(output) = activity.generation_tokens {
                self.outputs += f64::midpoint(finished, started) * seconds;
                self.output += output * seconds;
            }
        }
        if let Some(used) = activity.cache_use.filter(|_| activity.running >= 1.0) {
            self.cache_per_request
                .add(used / activity.running, activity.running);
        }
    }

    /// Times to first token count while nothing waits for a place, now and an interval ago: in an overload, and right after
    /// it, they tell how long it lasted. Nor do those of replicas that have just begun to serve.
    fn learn_waits(&mut self, interval: &Interval) {
        let line = self.line();
        let busy: Vec<f64> = interval
            .active
            .iter()
            .filter_map(|activity| {
                Some(line.utilization(activity.generation_tokens?, activity.prompt_tokens?))
            })
            .collect();
        if busy.is_empty() {
            return;
        }
        self.utilization = busy.iter().sum::<f64>() / num::float(busy.len());
        let calm = interval.waiting <= 0.05 * interval.in_flight && self.utilization <= TTFT_BUSIEST;
        if !std::mem::replace(&mut self.calm, calm) || !calm {
            return;
        }
        for added in interval
            .active
            .iter()
            .filter(|activity| activity.served.is_none_or(|seconds| seconds > CROWDED))
            .filter_map(|activity| activity.ttft.as_ref())
        {
            self.ttft.merge(added);
            self.ttft_utilization.add(self.utilization, added.count);
        }
    }

    /// Share of requests beyond the targets, as far as buckets tell.
    fn learn_lateness(&mut self, interval: &Interval, targets: &Targets) {
        self.late
            .fade(0.5_f64.powf(interval.seconds.max(0.0) / LATE_HALF_LIFE));
        let total = |pick: fn(&Activity) -> Option<&Histogram>| {
            let mut sum = Histogram::default();
            interval
                .active
                .iter()
                .filter_map(pick)
                .for_each(|added| sum.merge(added));
            sum
        };
        let late = |histogram: &Histogram, target: Option<std::time::Duration>| {
            target.and_then(|target| histogram.share_late(target.as_secs_f64()))
        };
        let ttft = late(&total(|activity| activity.ttft.as_ref()), targets.ttft);
        let per_token = late(&total(|activity| activity.per_token.as_ref()), targets.per_token);
        if ttft.is_some() || per_token.is_some() {
            let either = ttft.unwrap_or(0.0) + per_token.unwrap_or(0.0);
            self.late.add(either.min(1.0), interval.seconds);
        }
    }

    /// Share of requests that were late lately. Before enough was seen, as many as may be.
    pub fn late(&self, targets: &Targets) -> f64 {
        self.late.get().unwrap_or(targets.allowance())
    }

    fn mix(&self) -> (f64, f64) {
        let mean = |tokens: f64, requests: f64| (tokens / requests.max(1e-6)).max(1.0);
        (mean(self.prompt, self.prompts), mean(self.output, self.outputs))
    }

    fn expected_line(&self) -> Line {
        let (prompt, output) = self.mix();
        at_mix(&self.expected.step_time, prompt, output)
    }

    fn line(&self) -> Line {
        self.learner.line(&self.expected_line())
    }

    /// What one replica sustains within the promises.
    pub fn capacity(&self, targets: &Targets) -> Capacity {
        let (prompt, output) = self.mix();
        let allowance = targets.allowance();
        let ttft = self
            .ttft
            .quantile(1.0 - allowance)
            .filter(|_| self.ttft.count >= TTFT_FEWEST);
        let known = Known {
            line: self.line(),
            prompt,
            output,
            tail: self.tail.factor(),
            ttft: ttft.zip(self.ttft_utilization.get()),
            cache_requests: self
                .cache_per_request
                .get()
                .filter(|share| *share > 1e-6)
                .map(f64::recip),
            sequences: self.expected.max_sequences.map(f64::from),
        };
        capacity::capacity(&known, targets)
    }

    /// Mean prompt and output tokens of a request.
    pub fn lengths(&self) -> (f64, f64) {
        self.mix()
    }

    /// Seconds of a step with nothing in it, and share of their time that replicas spent on tokens in the last interval.
    pub fn load(&self) -> (f64, f64) {
        (self.line().base, self.utilization)
    }
}

fn measured(activity: &Activity) -> Option<Measured> {
    Some(Measured {
        token_seconds: activity.token_seconds?,
        generation: activity.generation_tokens.filter(|tokens| *tokens > 1.0)?,
        prompt: activity.prompt_tokens?,
    })
}
