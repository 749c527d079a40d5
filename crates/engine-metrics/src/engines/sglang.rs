//! `SGLang` (names of 0.5.23, `sglang/srt/observability/metrics_collector.py`).
//!
//! Gauges come from the schedulers, with `tp_rank`, `pp_rank`, `moe_ep_rank` and, with data parallelism, `dp_rank`. Ranks of one
//! data-parallel group hold the same requests: with `--enable-metrics-for-all-schedulers` each tells them again. With priority
//! scheduling there is one sample per `priority` beside the total, and some multi-process collectors add a `pid`. Counters grow when a request ends.

use super::source::{Field, Source};

const RANKS: &[&str] = &["tp_rank", "pp_rank", "moe_ep_rank", "pid"];

const fn gauge(field: Field, name: &'static str) -> Source {
    Source::new(field, name).part_of_total("priority").copies(RANKS)
}

pub(super) const SOURCES: &[Source] = &[
    Source::new(Field::Finished, "sglang:num_requests_total"),
    Source::new(Field::PromptTokens, "sglang:prompt_tokens_total"),
    Source::new(Field::GenerationTokens, "sglang:generation_tokens_total"),
    gauge(Field::Running, "sglang:num_running_reqs"),
    gauge(Field::Waiting, "sglang:num_queue_reqs"),
    gauge(Field::CacheUse, "sglang:token_usage"),
    Source::new(Field::Ttft, "sglang:time_to_first_token_seconds"),
    Source::new(Field::InterToken, "sglang:inter_token_latency_seconds"),
];
