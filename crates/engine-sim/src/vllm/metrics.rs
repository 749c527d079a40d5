//! vLLM's Prometheus metrics: a scheduler's load and counts in, text under the real names out.

use super::config::Config;
use super::memory::{self, Fit};
use crate::prometheus::{Exposition, escaped};
use crate::scheduler::Scheduler;
use crate::stats::Finish;

/// What `/metrics` answers.
pub(crate) fn render(scheduler: &Scheduler, config: &Config, fit: &Fit) -> String {
    let name = escaped(config.served_names.first().map_or("", String::as_str));
    let mut out = Exposition::new(format!("engine=\"0\",model_name=\"{name}\""));
    if !config.log_stats {
        return out.finish();
    }
    gauges(&mut out, scheduler);
    cache_config(&mut out, config, fit);
    counters(&mut out, scheduler);
    histograms(&mut out, scheduler);
    out.finish()
}

#[allow(clippy::cast_precision_loss)]
fn gauges(out: &mut Exposition, scheduler: &Scheduler) {
    let load = scheduler.load();
    let waiting = load.waiting as f64;
    out.gauge(
        "vllm:num_requests_running",
        "Number of requests in model execution batches.",
        load.running as f64,
    );
    out.gauge(
        "vllm:num_requests_waiting",
        "Number of requests waiting to be processed.",
        waiting,
    );
    out.family(
        "vllm:num_requests_waiting_by_reason",
        "Number of requests waiting to be processed, by reason.",
        "gauge",
        &[
            ("reason=\"capacity\"".into(), waiting),
            ("reason=\"deferred\"".into(), 0.0),
        ],
    );
    out.gauge(
        "vllm:kv_cache_usage_perc",
        "KV-cache usage. 1 means 100 percent usage.",
        scheduler.kv_usage(),
    );
}

fn cache_config(out: &mut Exposition, config: &Config, fit: &Fit) {
    let labels = format!(
        "block_size=\"{}\",cache_dtype=\"{}\",gpu_memory_utilization=\"{}\",num_gpu_blocks=\"{}\"",
        memory::BLOCK,
        if config.kv_bytes == 1 { "fp8" } else { "auto" },
        config.utilization,
        fit.tokens / memory::BLOCK,
    );
    out.family(
        "vllm:cache_config_info",
        "Information of the LLMEngine CacheConfig",
        "gauge",
        &[(labels, 1.0)],
    );
}

fn counters(out: &mut Exposition, scheduler: &Scheduler) {
    let counts = scheduler.stats.lock();
    out.counter(
        "vllm:prefix_cache_queries_total",
        "Prefix cache queries, in number of tokens.",
        counts.prompt_tokens,
    );
    out.counter(
        "vllm:prefix_cache_hits_total",
        "Prefix cache hits, in terms of number of cached tokens.",
        0,
    );
    out.counter(
        "vllm:num_preemptions_total",
        "Cumulative number of preemption from the engine.",
        0,
    );
    out.counter(
        "vllm:prompt_tokens_total",
        "Number of prefill tokens processed.",
        counts.prompt_tokens,
    );
    out.counter(
        "vllm:prompt_tokens_cached_total",
        "Number of cached prompt tokens (local + external).",
        0,
    );
    out.counter(
        "vllm:generation_tokens_total",
        "Number of generation tokens processed.",
        counts.generation_tokens,
    );
    #[allow(clippy::cast_precision_loss)]
    let finished = Finish::ALL.map(|reason| {
        (
            format!("finished_reason=\"{}\"", reason.word()),
            counts.finished(reason) as f64,
        )
    });
    out.family(
        "vllm:request_success_total",
        "Count of successfully processed requests.",
        "counter",
        &finished,
    );
}

fn histograms(out: &mut Exposition, scheduler: &Scheduler) {
    let counts = scheduler.stats.lock();
    let all = [
        (
            "vllm:request_prompt_tokens",
            "Number of prefill tokens processed.",
            &counts.request_prompt,
        ),
        (
            "vllm:request_generation_tokens",
            "Number of generation tokens processed.",
            &counts.request_generation,
        ),
        (
            "vllm:time_to_first_token_seconds",
            "Histogram of time to first token in seconds.",
            &counts.first_token,
        ),
        (
            "vllm:inter_token_latency_seconds",
            "Histogram of inter-token latency in seconds.",
            &counts.inter_token,
        ),
        (
            "vllm:request_time_per_output_token_seconds",
            "Histogram of time_per_output_token_seconds per request.",
            &counts.per_output_token,
        ),
        (
            "vllm:e2e_request_latency_seconds",
            "Histogram of e2e request latency in seconds.",
            &counts.request,
        ),
        (
            "vllm:request_queue_time_seconds",
            "Histogram of time spent in WAITING phase for request.",
            &counts.queue,
        ),
        (
            "vllm:request_inference_time_seconds",
            "Histogram of time spent in RUNNING phase for request.",
            &counts.inference,
        ),
        (
            "vllm:request_prefill_time_seconds",
            "Histogram of time spent in PREFILL phase for request.",
            &counts.prefill,
        ),
        (
            "vllm:request_decode_time_seconds",
            "Histogram of time spent in DECODE phase for request.",
            &counts.decode,
        ),
    ];
    for (name, help, histogram) in all {
        out.histogram(name, help, histogram);
    }
}
