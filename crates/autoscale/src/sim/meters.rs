//! What a simulated engine is made of and what it measures.
//!
//! In: the step-time line of a model on a GPU; events of a replica. Out: the counters and histograms that vLLM exports,
//! with vLLM's buckets. It must not know more than a real engine's metrics tell.

use std::sync::{Arc, LazyLock};

use super::trace::Request;
use crate::observe::Histogram;

/// A model on a GPU, as the batching latency model knows it. Times in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Engine {
    /// Time of a step with nothing in it.
    pub base: f64,
    /// More time per decoding request.
    pub per_request: f64,
    /// More time per token of context of decoding requests.
    pub per_context_token: f64,
    /// More time per prompt token.
    pub per_prompt_token: f64,
    /// Tokens that the cache holds.
    pub cache_tokens: f64,
    /// Requests that run at a time (vLLM's `--max-num-seqs`).
    pub max_sequences: usize,
    /// Tokens in a step (vLLM's `--max-num-batched-tokens`).
    pub chunk_tokens: u32,
}

impl Default for Engine {
    /// Llama-3.1-8B on one H100 (the reference's table; 51.38 GiB of cache at 131072 B per token).
    fn default() -> Self {
        Self {
            base: 7.26e-3,
            per_request: 4.4e-6,
            per_context_token: 0.0762e-6,
            per_prompt_token: 33.7e-6,
            cache_tokens: 420_900.0,
            max_sequences: 256,
            chunk_tokens: 2048,
        }
    }
}

impl Engine {
    /// Seconds of a replica's time that a request takes.
    pub(super) fn work(&self, request: &Request) -> f64 {
        let (prompt, output) = (f64::from(request.prompt), f64::from(request.output));
        let per_request = self.per_request + self.per_context_token * (prompt + output / 2.0);
        per_request * output + self.per_prompt_token * prompt
    }

    /// How long a step lasts.
    pub fn step_seconds(&self, batch: f64, context: f64, prompt_tokens: f64) -> f64 {
        self.base
            + self.per_request * batch
            + self.per_context_token * context
            + self.per_prompt_token * prompt_tokens
    }
}

/// vLLM 0.33 `vllm:time_to_first_token_seconds`.
static TTFT_BOUNDS: LazyLock<Arc<[f64]>> = LazyLock::new(|| {
    Arc::from(
        [
            0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0,
            40.0, 80.0, 160.0, 640.0, 2560.0,
        ]
        .as_slice(),
    )
});
/// vLLM 0.33 `vllm:request_time_per_output_token_seconds`.
static TOKEN_BOUNDS: LazyLock<Arc<[f64]>> = LazyLock::new(|| {
    Arc::from(
        [
            0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0,
            40.0, 80.0,
        ]
        .as_slice(),
    )
});

/// Counters and histograms of one replica since it started.
#[derive(Clone, Debug)]
pub struct Meters {
    /// Requests answered to the end.
    pub finished: f64,
    /// Prompt tokens computed.
    pub prompt_tokens: f64,
    /// Tokens generated.
    pub generation_tokens: f64,
    /// Time to first token.
    pub ttft: Histogram,
    /// Mean time per output token of each finished request.
    pub per_token: Histogram,
    /// Time between tokens; sum and count only (its buckets would tell nothing that `per_token` does not).
    pub inter_token: Histogram,
}

impl Meters {
    pub(super) fn new() -> Self {
        Self {
            finished: 0.0,
            prompt_tokens: 0.0,
            generation_tokens: 0.0,
            ttft: Histogram::empty(&TTFT_BOUNDS),
            per_token: Histogram::empty(&TOKEN_BOUNDS),
            inter_token: Histogram::empty(&Arc::from([].as_slice())),
        }
    }

    pub(super) fn decoded(&mut self, batch: f64, seconds: f64) {
        if batch > 0.0 {
            self.generation_tokens += batch;
            self.inter_token.record(seconds, batch);
        }
    }

    pub(super) fn first_token(&mut self, ttft: f64) {
        self.generation_tokens += 1.0;
        self.ttft.record(ttft, 1.0);
    }

    pub(super) fn finished(&mut self, per_token: f64, tokens_after_first: f64) {
        self.finished += 1.0;
        if tokens_after_first > 0.0 {
            self.per_token.record(per_token, 1.0);
        }
    }
}
