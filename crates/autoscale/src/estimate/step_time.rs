//! How long a step of a batching engine lasts, before anything was measured.
//!
//! In: a model's size and a GPU's speed. Out: the line `a + b*B + g*K + c*p` (B decoding requests, K tokens of context
//! among them, p prompt tokens in the step). It must not be believed for long: [`super::Line`] corrects it.

use serde::{Deserialize, Serialize};

/// The line. Times in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepTime {
    /// `a`: a step with nothing in it.
    pub base: f64,
    /// `b`: more per decoding request.
    pub per_request: f64,
    /// `g`: more per token of context of decoding requests.
    pub per_context_token: f64,
    /// `c`: more per prompt token.
    pub per_prompt_token: f64,
}

/// What of a model decides its step time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModelSize {
    /// Bytes of the weights that a step reads (active experts only).
    pub weight_bytes: f64,
    /// Parameters that a token passes through.
    pub parameters: f64,
    /// Layers.
    pub layers: u32,
    /// Bytes of key-value cache per token.
    pub cache_bytes_per_token: f64,
}

/// What of the GPUs of one replica decides it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GpuSpeed {
    /// Bytes per second from memory, of one GPU.
    pub bandwidth: f64,
    /// Dense bf16 operations per second, of one GPU.
    pub flops: f64,
    /// Share of `flops` that prompts reach: 0.45 on H100, 0.38 on A100, 0.32 on L40S.
    pub utilization: f64,
    /// GPUs of the replica (tensor parallelism).
    pub gpus: u32,
}

impl StepTime {
    /// The line of a model on GPUs. Coefficients: BLIS's trained-physics fit (inference-sim, `defaults.yaml`); the prompt's
    /// share is arithmetic, two operations per parameter and token.
    pub fn expected(model: &ModelSize, gpu: &GpuSpeed) -> Self {
        let gpus = f64::from(gpu.gpus.max(1));
        let bandwidth = (gpus * gpu.bandwidth).max(1.0);
        Self {
            base: 1.3625 * model.weight_bytes / bandwidth + 32.1e-6 * f64::from(model.layers) + 126e-6,
            per_request: 4.4e-6,
            per_context_token: 1.947 * model.cache_bytes_per_token / bandwidth,
            per_prompt_token: 2.0 * model.parameters / (gpu.utilization * gpu.flops * gpus).max(1.0),
        }
    }

    /// More time per decoding request at a mean context.
    pub fn per_request_at(&self, context_tokens: f64) -> f64 {
        self.per_request + self.per_context_token * context_tokens
    }

    /// The same line with every coefficient times a factor.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        Self {
            base: self.base * factor,
            per_request: self.per_request * factor,
            per_context_token: self.per_context_token * factor,
            per_prompt_token: self.per_prompt_token * factor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of the reference's table (milliseconds, microseconds), whose own cross-checks are measurements.
    #[test]
    fn the_line_is_the_references() {
        let llama_8b = ModelSize {
            weight_bytes: 16.06e9,
            parameters: 7.5e9,
            layers: 32,
            cache_bytes_per_token: 131_072.0,
        };
        for (gpu, base, context, prompt) in [
            (
                GpuSpeed {
                    bandwidth: 3.35e12,
                    flops: 989e12,
                    utilization: 0.45,
                    gpus: 1,
                },
                7.26e-3,
                0.0762e-6,
                33.7e-6,
            ),
            (
                GpuSpeed {
                    bandwidth: 2.039e12,
                    flops: 312e12,
                    utilization: 0.38,
                    gpus: 1,
                },
                11.2e-3,
                0.125e-6,
                127e-6,
            ),
        ] {
            let line = StepTime::expected(&llama_8b, &gpu);
            for (got, wanted) in [
                (line.base, base),
                (line.per_context_token, context),
                (line.per_prompt_token, prompt),
            ] {
                assert!((got / wanted - 1.0).abs() < 0.08, "{got} instead of {wanted}");
            }
        }
    }
}
