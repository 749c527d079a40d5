//! NVIDIA Triton (metrics on a port of their own, 8002 unless told).
//!
//! The core counts requests per model and version and knows nothing of tokens. An ensemble counts each request at every step
//! of it, so if there is a model of the name that the TensorRT-LLM backend's repositories give to the LLM, only that one counts.
//! The TensorRT-LLM backend adds `nv_trt_llm_*` gauges, the vLLM backend passes on metrics of vLLM's under their former names.

use super::source::{Field, Source};

const LLM: &str = "tensorrt_llm";

pub(super) const SOURCES: &[Source] = &[
    Source::new(Field::Finished, "nv_inference_request_success").only("model", LLM),
    Source::new(Field::Finished, "nv_inference_request_failure").only("model", LLM),
    Source::new(Field::Finished, "nv_inference_request_success").rank(1),
    Source::new(Field::Finished, "nv_inference_request_failure").rank(1),
    Source::new(Field::Running, "nv_trt_llm_request_metrics").only("request_type", "scheduled"),
    Source::new(Field::Running, "vllm:num_requests_running").rank(1),
    Source::new(Field::Waiting, "nv_trt_llm_request_metrics").only("request_type", "waiting"),
    Source::new(Field::Waiting, "vllm:num_requests_waiting").rank(1),
    Source::new(Field::Waiting, "nv_inference_pending_request_count").rank(2),
    Source::new(Field::CacheUse, "nv_trt_llm_kv_cache_block_metrics").only("kv_cache_block_type", "fraction"),
    Source::new(Field::CacheUse, "vllm:kv_cache_usage_perc").rank(1),
    Source::new(Field::PromptTokens, "vllm:prompt_tokens_total"),
    Source::new(Field::GenerationTokens, "vllm:generation_tokens_total"),
    Source::new(Field::Ttft, "vllm:time_to_first_token_seconds"),
    Source::new(Field::PerToken, "vllm:request_time_per_output_token_seconds"),
    Source::new(Field::InterToken, "vllm:inter_token_latency_seconds"),
    Source::new(Field::InterToken, "vllm:time_per_output_token_seconds").rank(1),
];
