//! How long one scrape takes to read, and what share of a core 500 replicas every 5 seconds need.
//!
//! `cargo bench -p engine-metrics`. The text is of the size and shape that a vLLM server exports: 25 histograms of 20 buckets,
//! 80 counters and gauges, the helps and types of all.

use std::{
    fmt::Write as _,
    hint::black_box,
    time::{Duration, Instant},
};

use engine_metrics::{Engine, Reader};

const REPLICAS: u32 = 500;
const EVERY: Duration = Duration::from_secs(5);

fn text() -> String {
    let labels = "engine=\"0\",model_name=\"meta-llama/Llama-3.1-8B-Instruct\"";
    let mut text = String::from(include_str!("../tests/expositions/vllm.txt"));
    for metric in 0..80 {
        let name = format!("vllm:counter_number_{metric}_total");
        let _ = writeln!(
            text,
            "# HELP {name} A counter of something that is not asked for."
        );
        let _ = writeln!(text, "# TYPE {name} counter\n{name}{{{labels}}} {metric}12345.0");
    }
    for metric in 0..22 {
        let name = format!("vllm:histogram_number_{metric}_seconds");
        let _ = writeln!(
            text,
            "# HELP {name} A histogram of something that is not asked for."
        );
        let _ = writeln!(text, "# TYPE {name} histogram");
        for bucket in 1..=20 {
            let bound = f64::from(bucket) * 0.025;
            let _ = writeln!(
                text,
                "{name}_bucket{{{labels},le=\"{bound}\"}} {}.0",
                bucket * 1234
            );
        }
        let _ = writeln!(
            text,
            "{name}_sum{{{labels}}} 1234.5678901234\n{name}_count{{{labels}}} 24680.0"
        );
    }
    text
}

fn main() {
    let text = text();
    // Without it (`cargo test --benches`) one read shows that it works.
    let most = if std::env::args().any(|word| word == "--bench") {
        Duration::from_secs(2)
    } else {
        Duration::ZERO
    };
    let mut reader = Reader::default();
    for (told, engine) in [("told", Some(Engine::Vllm)), ("detected", None)] {
        let began = Instant::now();
        let mut reads = 0_u32;
        while reads == 0 || began.elapsed() < most {
            let _ = black_box(reader.read(black_box(text.as_bytes()), engine, Duration::ZERO));
            reads += 1;
        }
        let each = began.elapsed() / reads;
        let share = f64::from(REPLICAS) * each.as_secs_f64() / EVERY.as_secs_f64();
        println!(
            "engine {told}: {each:?} for {} kB; {REPLICAS} replicas every {EVERY:?}: {:.2} % of a core",
            text.len() / 1000,
            share * 100.0,
        );
    }
}
