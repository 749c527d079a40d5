//! What is expected of a model on its GPUs before anything was measured.
//!
//! In: sizes and speeds, as far as they are known. Out: what a planner begins with. It must not be exact: the planner corrects it
//! within minutes.

use std::time::Duration;

use autoscale::estimate::{Expected, GpuSpeed, ModelSize, StepTime};
use serving::sizing::Performance;

/// Mean tokens of a prompt and of an answer while nothing was seen: between chat and code of the public traces.
const TOKENS: (f64, f64) = (1000.0, 200.0);
/// Seconds of a start without the weights: node, image, imports, graphs.
const START: f64 = 60.0;
/// Bytes per second at which weights come from a disk or a network volume.
const LOADING: f64 = 500e6;
/// Seconds of a start when not even the weights are known.
const UNKNOWN_START: f64 = 120.0;

/// What a planner is told of a resource's model and GPUs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expectation {
    /// The step-time line, the mix of lengths, the most requests at a time.
    pub expected: Expected,
    /// From order to serving.
    pub startup: Duration,
}

impl Expectation {
    /// From what is known; `sequences`: requests that the engine runs at a time at most.
    pub fn new(model: Option<&ModelSize>, gpu: Option<&GpuSpeed>, sequences: Option<u32>) -> Self {
        let step_time = match (model, gpu) {
            (Some(model), Some(gpu)) => StepTime::expected(model, gpu),
            _ => UNKNOWN,
        };
        let start = model.map_or(UNKNOWN_START, |model| START + model.weight_bytes / LOADING);
        Self {
            expected: Expected {
                step_time,
                prompt_tokens: TOKENS.0,
                output_tokens: TOKENS.1,
                max_sequences: sequences,
            },
            startup: Duration::try_from_secs_f64(start).unwrap_or(Duration::from_mins(2)),
        }
    }
}

impl From<&Performance> for Expectation {
    fn from(performance: &Performance) -> Self {
        let model = ModelSize {
            weight_bytes: float(performance.weight_bytes),
            parameters: float(performance.active_parameters),
            layers: performance.layers,
            cache_bytes_per_token: float(performance.kv_bytes_per_token),
        };
        let gpu = GpuSpeed {
            bandwidth: float(performance.bandwidth_bytes_per_second),
            flops: float(performance.flops),
            utilization: f64::from(performance.prompt_percent) / 100.0,
            gpus: performance.gpus,
        };
        Self::new(Some(&model), Some(&gpu), Some(performance.max_sequences))
    }
}

fn float(number: u64) -> f64 {
    let half = |bits: u64| f64::from(u32::try_from(bits & u64::from(u32::MAX)).unwrap_or_default());
    half(number >> 32) * 4_294_967_296.0 + half(number)
}

impl Default for Expectation {
    fn default() -> Self {
        Self::new(None, None, None)
    }
}

/// A model of 8 billion parameters on an A100, in seconds: nothing is known.
const UNKNOWN: StepTime = StepTime {
    base: 0.012,
    per_request: 4.4e-6,
    per_context_token: 0.125e-6,
    per_prompt_token: 127e-6,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sizing_says_it_all() {
        let performance = Performance {
            weight_bytes: 141_000_000_000,
            active_parameters: 70_000_000_000,
            layers: 80,
            kv_bytes_per_token: 327_680,
            gpus: 4,
            bandwidth_bytes_per_second: 3_350_000_000_000,
            flops: 989_000_000_000_000,
            prompt_percent: 45,
            max_sequences: 256,
        };
        let expectation = Expectation::from(&performance);
        let base = expectation.expected.step_time.base;
        assert!((0.015..0.02).contains(&base), "{expectation:?}");
        assert_eq!(expectation.expected.max_sequences, Some(256));
        assert_eq!(expectation.startup.as_secs(), 342);
    }

    #[test]
    fn what_is_known_counts() {
        let model = ModelSize {
            weight_bytes: 141e9,
            parameters: 70e9,
            layers: 80,
            cache_bytes_per_token: 327_680.0,
        };
        let gpu = GpuSpeed {
            bandwidth: 3.35e12,
            flops: 989e12,
            utilization: 0.45,
            gpus: 4,
        };
        let known = Expectation::new(Some(&model), Some(&gpu), Some(256));
        assert!((0.01..0.03).contains(&known.expected.step_time.base), "{known:?}");
        assert_eq!(known.startup.as_secs(), 342);
        let unknown = Expectation::default();
        assert_eq!(unknown.startup.as_secs(), 120);
        assert_eq!(unknown.expected.step_time, UNKNOWN);
        assert_eq!(
            Expectation::new(Some(&model), None, None).expected.step_time,
            UNKNOWN
        );
    }
}
