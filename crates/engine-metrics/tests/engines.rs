//! Expositions as each engine writes them, read into a scrape: the names, and the traps of each.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use autoscale::observe::{Histogram, Scrape};
use engine_metrics::{Engine, Reader, Reading, engines::Field};

const AT: Duration = Duration::from_secs(7);

fn read(text: &str, engine: Option<Engine>) -> Reading {
    Reader::default().read(text.as_bytes(), engine, AT).unwrap()
}

/// Reads it with the engine told and not told, which must be the same.
fn both(text: &str, engine: Engine) -> Scrape {
    let told = read(text, Some(engine));
    assert_eq!(told, read(text, None));
    assert_eq!(told.malformed, 0);
    assert_eq!(told.scrape.at, AT);
    told.scrape
}

fn histogram(bounds: &[f64], cumulative: &[f64], sum: f64, count: f64) -> Histogram {
    Histogram {
        bounds: bounds.into(),
        cumulative: cumulative.to_vec(),
        sum,
        count,
    }
}

#[test]
fn vllm() {
    let text = include_str!("expositions/vllm.txt");
    let scrape = both(text, Engine::Vllm);
    let expected = Scrape {
        at: AT,
        // Every reason counts, over both ranks.
        finished: Some(100.0 + 20.0 + 3.0 + 90.0),
        prompt_tokens: Some(51_200.0 + 40_000.0),
        generation_tokens: Some(20_000.0 + 18_000.0),
        running: Some(12.0 + 10.0),
        // Not those by reason once more.
        waiting: Some(3.0),
        // The mean of the ranks.
        cache_use: Some(0.375),
        ttft: Some(histogram(&[0.1, 0.25, 0.5], &[80.0, 180.0, 210.0], 33.5, 213.0)),
        per_token: Some(histogram(&[0.01, 0.025], &[0.0, 190.0], 4.5, 213.0)),
        inter_token: Some(histogram(&[0.01, 0.025], &[0.0, 36_000.0], 750.0, 37_700.0)),
    };
    assert_eq!(scrape, expected);
}

#[test]
fn vllm_of_former_versions() {
    let text = "vllm:gpu_cache_usage_perc{model_name=\"m\"} 0.5\n\
        vllm:time_per_output_token_seconds_bucket{le=\"0.01\",model_name=\"m\"} 4.0\n\
        vllm:time_per_output_token_seconds_bucket{le=\"+Inf\",model_name=\"m\"} 9.0\n\
        vllm:time_per_output_token_seconds_count{model_name=\"m\"} 9.0\n\
        vllm:time_per_output_token_seconds_sum{model_name=\"m\"} 0.25\n";
    let scrape = both(text, Engine::Vllm);
    assert_eq!(scrape.cache_use, Some(0.5));
    // It was a time between tokens, whatever its name.
    assert_eq!(scrape.inter_token, Some(histogram(&[0.01], &[4.0], 0.25, 9.0)));
    assert_eq!(scrape.per_token, None);
    // A version that exports both says the same twice.
    let new = text.replace("time_per_output_token", "inter_token_latency");
    for text in [format!("{text}{new}"), format!("{new}{text}")] {
        assert_eq!(both(&text, Engine::Vllm).inter_token, scrape.inter_token);
    }
}

#[test]
fn sglang() {
    let scrape = both(include_str!("expositions/sglang.txt"), Engine::Sglang);
    let expected = Scrape {
        at: AT,
        finished: Some(41.0),
        prompt_tokens: Some(9000.0),
        generation_tokens: Some(5000.0),
        // Two data-parallel ranks of two tensor-parallel ones each; the latter hold the same requests, and priorities are
        // parts of the total.
        running: Some(8.0 + 5.0),
        waiting: Some(2.0),
        cache_use: Some(f64::midpoint(0.5, 0.25)),
        ttft: Some(histogram(&[0.1, 0.2, 0.4], &[11.0, 30.0, 40.0], 6.5, 41.0)),
        per_token: None,
        inter_token: Some(histogram(&[0.002, 0.004], &[100.0, 2000.0], 40.5, 4959.0)),
    };
    assert_eq!(scrape, expected);
}

#[test]
fn tgi() {
    let scrape = both(include_str!("expositions/tgi.txt"), Engine::Tgi);
    let expected = Scrape {
        at: AT,
        finished: Some(50.0 + 4.0 + 1.0),
        prompt_tokens: Some(12_345.0),
        generation_tokens: Some(6789.0),
        running: Some(6.0),
        waiting: Some(2.0),
        per_token: Some(histogram(&[0.0127, 0.0191], &[10.0, 45.0], 0.875, 50.0)),
        ..Scrape::default()
    };
    assert_eq!(scrape, expected);
}

#[test]
fn tensorrt_llm() {
    let text = include_str!("expositions/tensorrt_llm.txt");
    let scrape = both(text, Engine::TensorRtLlm);
    let expected = Scrape {
        at: AT,
        finished: Some(30.0 + 2.0),
        prompt_tokens: Some(4096.0),
        generation_tokens: Some(2048.0),
        running: Some(5.0),
        waiting: Some(1.0),
        cache_use: Some(0.625),
        ttft: Some(histogram(&[0.1, 0.25], &[20.0, 31.0], 3.5, 32.0)),
        per_token: Some(histogram(&[0.01, 0.025], &[0.0, 32.0], 0.5, 32.0)),
        inter_token: None,
    };
    assert_eq!(scrape, expected);
    // Without metrics of requests, iterations still count what they complete.
    let only_iterations: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains("request_success"))
        .collect();
    assert_eq!(
        both(&only_iterations.join("\n"), Engine::TensorRtLlm).finished,
        Some(33.0)
    );
    // A proxy that writes a colon after the prefix.
    let colon = text.replace("trtllm_", "trtllm:");
    assert_eq!(both(&colon, Engine::TensorRtLlm), expected);
}

#[test]
fn the_json_that_tensorrt_llm_serves_under_metrics_is_an_error() {
    let answer = Reader::default().read(
        b"[{\"iter\": 3, \"gpuMemUsage\": 1}]",
        Some(Engine::TensorRtLlm),
        AT,
    );
    let error = answer.unwrap_err().to_string();
    assert!(
        error.contains("none of 1 lines") && error.contains("/prometheus/metrics"),
        "{error}"
    );
    assert_eq!(Engine::TensorRtLlm.path(), Some("/prometheus/metrics"));
}

#[test]
fn llama_cpp() {
    let scrape = both(include_str!("expositions/llama_cpp.txt"), Engine::LlamaCpp);
    let expected = Scrape {
        at: AT,
        prompt_tokens: Some(16_185.0),
        generation_tokens: Some(400.0),
        running: Some(1.0),
        waiting: Some(3.0),
        // Without buckets; its mean is all it tells.
        inter_token: Some(histogram(&[], &[], 6.0, 400.0)),
        ..Scrape::default()
    };
    assert_eq!(scrape, expected);
    assert_eq!(scrape.inter_token.unwrap().mean(), Some(0.015));
}

#[test]
fn triton_with_tensorrt_llm_counts_the_ensemble_once() {
    let scrape = both(
        include_str!("expositions/triton_tensorrt_llm.txt"),
        Engine::Triton,
    );
    let expected = Scrape {
        at: AT,
        finished: Some(24.0 + 1.0),
        running: Some(4.0),
        waiting: Some(3.0),
        cache_use: Some(0.6),
        ..Scrape::default()
    };
    assert_eq!(scrape, expected);
}

#[test]
fn triton_with_vllm_is_triton_though_it_passes_vllms_metrics_on() {
    let text = "vllm:prompt_tokens_total{model=\"m\",version=\"1\"} 10\n\
        vllm:generation_tokens_total{model=\"m\",version=\"1\"} 16\n\
        vllm:time_to_first_token_seconds_count{model=\"m\",version=\"1\"} 1\n\
        vllm:time_to_first_token_seconds_sum{model=\"m\",version=\"1\"} 0.25\n\
        vllm:time_to_first_token_seconds_bucket{model=\"m\",version=\"1\",le=\"0.5\"} 1\n\
        vllm:time_to_first_token_seconds_bucket{model=\"m\",version=\"1\",le=\"+Inf\"} 1\n\
        nv_inference_request_success{model=\"m\",version=\"1\"} 1\n\
        nv_inference_request_success{model=\"n\",version=\"2\"} 5\n\
        nv_inference_request_failure{model=\"m\",version=\"1\",reason=\"CANCELED\"} 2\n\
        nv_inference_pending_request_count{model=\"m\",version=\"1\"} 3\n\
        nv_inference_pending_request_count{model=\"n\",version=\"2\"} 1\n";
    let expected = Scrape {
        at: AT,
        finished: Some(8.0),
        prompt_tokens: Some(10.0),
        generation_tokens: Some(16.0),
        waiting: Some(4.0),
        ttft: Some(histogram(&[0.5], &[1.0], 0.25, 1.0)),
        ..Scrape::default()
    };
    assert_eq!(both(text, Engine::Triton), expected);
}

#[test]
fn engines_without_metrics_have_none() {
    let text = "# TYPE api_call histogram\napi_call_sum{method=\"POST\",path=\"/v1/chat/completions\"} 12.5\n\
        api_call_count{method=\"POST\",path=\"/v1/chat/completions\"} 3\ngo_goroutines 12\n";
    let empty = Scrape {
        at: AT,
        ..Scrape::default()
    };
    for engine in [Engine::Ollama, Engine::LocalAi, Engine::DeepSpeedMii] {
        assert_eq!(read(text, Some(engine)).scrape, empty);
        assert_eq!(engine.path(), None);
        assert!(!engine.exports(Field::Finished));
    }
    let unknown = read(text, None);
    assert_eq!(
        (unknown.engine, unknown.samples, unknown.scrape),
        (None, 3, empty)
    );
}

#[test]
fn an_engine_told_wrongly_finds_nothing_rather_than_something_wrong() {
    let scrape = read(include_str!("expositions/vllm.txt"), Some(Engine::Sglang)).scrape;
    assert_eq!(
        scrape,
        Scrape {
            at: AT,
            ..Scrape::default()
        }
    );
}
