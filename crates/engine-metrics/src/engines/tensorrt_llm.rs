//! TensorRT-LLM's `trtllm-serve` (1.2, `tensorrt_llm/metrics/collector.py`).
//!
//! Metrics of requests need `return_perf_metrics`, those of iterations (gauges, completed requests) `enable_iter_perf_stats`.
//! `time_per_output_token_seconds` is one value per request; there is none per token.

use super::source::{Field, Source};

pub(super) const SOURCES: &[Source] = &[
    Source::new(Field::Finished, "trtllm_request_success_total"),
    Source::new(Field::Finished, "trtllm_num_requests_completed_total").rank(1),
    Source::new(Field::PromptTokens, "trtllm_prompt_tokens_total"),
    Source::new(Field::GenerationTokens, "trtllm_generation_tokens_total"),
    Source::new(Field::Running, "trtllm_num_requests_running"),
    Source::new(Field::Waiting, "trtllm_num_requests_waiting"),
    Source::new(Field::CacheUse, "trtllm_kv_cache_utilization"),
    Source::new(Field::Ttft, "trtllm_time_to_first_token_seconds"),
    Source::new(Field::PerToken, "trtllm_time_per_output_token_seconds"),
];
