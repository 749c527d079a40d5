//! vLLM (V1 engine; names of 0.33.0, `vllm/v1/metrics/loggers.py`, and those that older versions used).
//!
//! Labels: `model_name`, and `engine` (one per data-parallel rank). `request_success_total` has one sample per reason a
//! request ended for, aborted ones included. `num_requests_waiting_by_reason` splits up what `num_requests_waiting` says.

use super::source::{Field, Source};

pub(super) const SOURCES: &[Source] = &[
    Source::new(Field::Finished, "vllm:request_success_total"),
    Source::new(Field::PromptTokens, "vllm:prompt_tokens_total"),
    Source::new(Field::GenerationTokens, "vllm:generation_tokens_total"),
    Source::new(Field::Running, "vllm:num_requests_running"),
    Source::new(Field::Waiting, "vllm:num_requests_waiting"),
    Source::new(Field::CacheUse, "vllm:kv_cache_usage_perc"),
    Source::new(Field::CacheUse, "vllm:gpu_cache_usage_perc").rank(1),
    Source::new(Field::Ttft, "vllm:time_to_first_token_seconds"),
    Source::new(Field::PerToken, "vllm:request_time_per_output_token_seconds"),
    Source::new(Field::InterToken, "vllm:inter_token_latency_seconds"),
    // Its former name. For all its wording it is one value per token, not one per request.
    Source::new(Field::InterToken, "vllm:time_per_output_token_seconds").rank(1),
];
