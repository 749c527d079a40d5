//! Two texts of a replica, one after the other, and what the autoscaler sees happened between them.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use autoscale::observe::{Fleet, Interval, Phase, Replica, Snapshot};
use engine_metrics::Reader;

struct Watch {
    reader: Reader,
    fleet: Fleet,
}

impl Watch {
    /// What happened until `at` seconds, when one replica answers this.
    fn see(&mut self, at: u64, text: &str) -> Interval {
        let now = Duration::from_secs(at);
        let reading = self.reader.read(text.as_bytes(), None, now).unwrap();
        self.fleet.observe(&Snapshot {
            now,
            replicas: vec![Replica {
                id: "uid".into(),
                phase: Phase::Serving,
                created: Duration::ZERO,
                ready: Some(Duration::ZERO),
                scrape: Some(reading.scrape),
            }],
            held: 0.0,
        })
    }
}

fn watch() -> Watch {
    Watch {
        reader: Reader::default(),
        fleet: Fleet::default(),
    }
}

fn vllm(finished: u32, running: u32, tokens: u32) -> String {
    let seconds = f64::from(tokens) * 0.0125;
    format!(
        "vllm:request_success_total{{finished_reason=\"stop\"}} {finished}\nvllm:num_requests_running {running}\n\
         vllm:num_requests_waiting 0\nvllm:inter_token_latency_seconds_bucket{{le=\"0.025\"}} {tokens}\n\
         vllm:inter_token_latency_seconds_bucket{{le=\"+Inf\"}} {tokens}\n\
         vllm:inter_token_latency_seconds_sum {seconds}\nvllm:inter_token_latency_seconds_count {tokens}\n"
    )
}

#[test]
fn arrivals_are_what_was_finished_and_what_is_held_more() {
    let mut watch = watch();
    assert_eq!(watch.see(10, &vllm(100, 4, 8000)).arrivals, None);
    let interval = watch.see(15, &vllm(120, 9, 9000));
    assert_eq!(interval.arrivals, Some(5.0));
    assert_eq!(interval.active[0].token_seconds, Some(0.0125));
}

#[test]
fn an_engine_that_restarted_tells_something_from_the_next_look_on() {
    let mut watch = watch();
    watch.see(10, &vllm(100, 4, 8000));
    let interval = watch.see(15, &vllm(10, 5, 400));
    // Since when it counts is not known.
    assert_eq!((interval.arrivals, interval.active.len()), (None, 0));
    let interval = watch.see(20, &vllm(25, 5, 800));
    assert_eq!(interval.arrivals, Some(3.0));
    assert_eq!(interval.active[0].token_seconds, Some(0.0125));
}

#[test]
fn counters_that_appear_with_the_first_request_count_from_zero() {
    let mut watch = watch();
    let idle = "sglang:num_running_reqs{tp_rank=\"0\"} 0\nsglang:num_queue_reqs{tp_rank=\"0\"} 0\n";
    let first = watch.see(10, idle);
    assert_eq!((first.telling, first.arrivals), (1, None));
    let busy = "sglang:num_running_reqs{tp_rank=\"0\"} 2\nsglang:num_queue_reqs{tp_rank=\"0\"} 1\n\
        sglang:num_requests_total 2\nsglang:inter_token_latency_seconds_sum 0.5\n\
        sglang:inter_token_latency_seconds_count 50\n";
    let interval = watch.see(15, busy);
    assert_eq!(interval.arrivals, Some(1.0));
    assert_eq!(interval.active[0].token_seconds, Some(0.01));
}

#[test]
fn llama_cpp_tells_a_mean_time_per_token_but_no_arrivals() {
    let text = |tokens: u32, seconds: f64| {
        format!(
            "llamacpp:tokens_predicted_total {tokens}\nllamacpp:tokens_predicted_seconds_total {seconds}\n\
             llamacpp:requests_processing 1\nllamacpp:requests_deferred 0\n"
        )
    };
    let mut watch = watch();
    watch.see(10, &text(400, 6.0));
    let interval = watch.see(15, &text(800, 14.0));
    assert_eq!(
        (interval.arrivals, interval.in_flight.to_bits()),
        (None, 1.0_f64.to_bits())
    );
    assert_eq!(interval.active[0].token_seconds, Some(0.02));
    assert_eq!(interval.active[0].generation_tokens, Some(80.0));
}
