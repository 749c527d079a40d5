//! Bounds of the reader, label sets that do not agree, and any text at all.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{fmt::Write as _, sync::Arc, time::Duration};

use autoscale::observe::Scrape;
use engine_metrics::{Engine, MAX_BODY, MAX_BUCKETS, MAX_GROUPS, ReadError, Reader, Reading};
use proptest::prelude::*;

const TTFT: &str = "vllm:time_to_first_token_seconds";

fn read(text: &str) -> Reading {
    Reader::default()
        .read(text.as_bytes(), Some(Engine::Vllm), Duration::ZERO)
        .unwrap()
}

/// The lines of one label set's histogram.
fn histogram(name: &str, engine: usize, bounds: &[f64], values: &[f64]) -> String {
    let mut lines = String::new();
    let at_most = |bound: f64| values.iter().filter(|value| **value <= bound).count();
    for bound in bounds {
        let values = at_most(*bound);
        writeln!(
            lines,
            "{name}_bucket{{engine=\"{engine}\",le=\"{bound}\"}} {values}"
        )
        .unwrap();
    }
    let (count, sum) = (values.len(), values.iter().sum::<f64>());
    writeln!(lines, "{name}_bucket{{engine=\"{engine}\",le=\"+Inf\"}} {count}").unwrap();
    writeln!(lines, "{name}_count{{engine=\"{engine}\"}} {count}").unwrap();
    writeln!(lines, "{name}_sum{{engine=\"{engine}\"}} {sum}").unwrap();
    lines
}

#[test]
fn a_body_is_read_up_to_its_bound_and_refused_beyond() {
    let line = b"vllm:num_requests_running{engine=\"0\"} 1\n";
    let body = |bytes: usize| {
        let lines = line.iter().copied().cycle().take(bytes - bytes % line.len());
        lines
            .chain(std::iter::repeat_n(b'\n', bytes % line.len()))
            .collect::<Vec<u8>>()
    };
    let at_most = Reader::default()
        .read(&body(MAX_BODY), None, Duration::ZERO)
        .unwrap();
    assert_eq!(at_most.samples, MAX_BODY / line.len());
    for bytes in [MAX_BODY + 1, 10 * 1024 * 1024] {
        let refused = Reader::default().read(&body(bytes), None, Duration::ZERO);
        assert_eq!(refused, Err(ReadError::TooLarge { bytes }));
    }
}

#[test]
fn an_empty_answer_is_an_empty_scrape_and_a_page_is_an_error() {
    let mut reader = Reader::default();
    let empty = reader
        .read(b"# TYPE a counter\n\n", None, Duration::ZERO)
        .unwrap();
    assert_eq!(
        (empty.scrape, empty.samples, empty.malformed),
        (Scrape::default(), 0, 0)
    );
    let page = reader.read(b"<html>\n<body>404\n", None, Duration::ZERO);
    assert_eq!(page, Err(ReadError::NotMetrics { lines: 2 }));
}

#[test]
fn garbage_is_counted_and_the_rest_is_read() {
    let reading = read(
        "vllm:num_requests_running 4\n!!\nvllm:num_requests_waiting four\nvllm:kv_cache_usage_perc 0.5\n",
    );
    assert_eq!((reading.samples, reading.malformed), (2, 2));
    assert_eq!(reading.scrape.running, Some(4.0));
    assert_eq!(reading.scrape.waiting, None);
    assert_eq!(reading.scrape.cache_use, Some(0.5));
}

#[test]
fn what_is_no_amount_is_left_out() {
    let text = "vllm:num_requests_running{engine=\"0\"} NaN\nvllm:num_requests_running{engine=\"1\"} 4\n\
        vllm:num_requests_waiting +Inf\nvllm:kv_cache_usage_perc -1\n";
    let scrape = read(text).scrape;
    assert_eq!(
        (scrape.running, scrape.waiting, scrape.cache_use),
        (Some(4.0), None, None)
    );
}

#[test]
fn bounds_that_not_all_label_sets_have_are_left_out() {
    let text = histogram(TTFT, 0, &[0.1, 0.2, 0.4], &[0.05, 0.3, 9.0])
        + &histogram(TTFT, 1, &[0.1, 0.3, 0.4], &[0.15, 0.35]);
    let ttft = read(&text).scrape.ttft.unwrap();
    assert_eq!(ttft.bounds[..], [0.1, 0.4]);
    assert_eq!(ttft.cumulative, [1.0, 4.0]);
    assert_eq!(ttft.count.to_bits(), 5.0_f64.to_bits());
}

#[test]
fn a_histogram_without_its_sum_or_count_is_none_and_infinity_stands_for_the_count() {
    let whole = histogram(TTFT, 0, &[0.1], &[0.05, 0.3]);
    let without = |parts: &[&str]| {
        let kept = |line: &&str| !parts.iter().any(|part| line.contains(part));
        read(&whole.lines().filter(kept).collect::<Vec<_>>().join("\n"))
            .scrape
            .ttft
    };
    assert!(without(&[]).is_some());
    assert_eq!(without(&["_count"]), without(&[]));
    assert_eq!(without(&["_count", "+Inf"]), None);
    assert_eq!(without(&["_sum"]), None);
    // A summary of the same name has no buckets; its quantiles are not believed.
    let summary = format!("{TTFT}{{quantile=\"0.5\"}} 0.2\n{TTFT}_sum 3\n{TTFT}_count 6\n");
    let summary = read(&summary).scrape.ttft.unwrap();
    assert_eq!((summary.bounds.len(), summary.mean()), (0, Some(0.5)));
}

#[test]
fn memory_stays_bounded_whatever_an_engine_exports() {
    let mut text = String::new();
    for index in 0..4 * MAX_BUCKETS {
        writeln!(text, "{TTFT}_bucket{{le=\"{index}\"}} {index}").unwrap();
    }
    writeln!(text, "{TTFT}_sum 1\n{TTFT}_count 1").unwrap();
    assert_eq!(read(&text).scrape.ttft.unwrap().bounds.len(), MAX_BUCKETS);
    let mut text = String::new();
    for index in 0..4 * MAX_GROUPS {
        writeln!(text, "sglang:num_running_reqs{{model_name=\"m{index}\"}} 1").unwrap();
    }
    let running = Reader::default()
        .read(text.as_bytes(), None, Duration::ZERO)
        .unwrap()
        .scrape
        .running;
    assert_eq!(running.map(f64::to_bits), Some(256.0_f64.to_bits()));
}

#[test]
fn one_reader_shares_bounds_and_carries_nothing_over() {
    let mut reader = Reader::default();
    let mut read = |text: &str, engine| reader.read(text.as_bytes(), engine, Duration::ZERO).unwrap();
    let text = histogram(TTFT, 0, &[0.1, 0.2], &[0.05]) + "vllm:num_requests_running 3\n";
    let first = read(&text, None).scrape;
    let second = read(&text, None).scrape;
    assert_eq!(first, second);
    let (first, second) = (first.ttft.unwrap(), second.ttft.unwrap());
    assert!(Arc::ptr_eq(&first.bounds, &second.bounds));
    let other = read("sglang:token_usage 0.5\n", None);
    assert_eq!(other.engine, Some(Engine::Sglang));
    let expected = Scrape {
        cache_use: Some(0.5),
        ..Scrape::default()
    };
    assert_eq!(other.scrape, expected);
    assert_eq!(read("", None).scrape, Scrape::default());
}

#[test]
fn a_comment_or_a_strangers_name_is_no_sign_of_an_engine() {
    let engine = |text: &str| {
        Reader::default()
            .read(text.as_bytes(), None, Duration::ZERO)
            .unwrap()
            .engine
    };
    assert_eq!(engine("# TYPE vllm:num_requests_running gauge\nup 1\n"), None);
    assert_eq!(
        engine("vllm:something_of_a_router 1\nnv_gpu_utilization 1\n"),
        None
    );
    assert_eq!(engine("up 1\nvllm_num_requests_running 1\n"), Some(Engine::Vllm));
    for (engine_told, source) in Engine::ALL
        .into_iter()
        .filter_map(|engine| engine.sources().first().map(|source| (engine, source)))
    {
        assert_eq!(
            engine(&format!("{}{{model=\"m\"}} 1\n", source.name)),
            Some(engine_told)
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        for engine in [None, Some(Engine::Vllm), Some(Engine::Triton)] {
            let _ = Reader::default().read(&bytes, engine, Duration::ZERO);
        }
    }

    /// A real exposition with bytes changed at some places, cut off somewhere.
    #[test]
    fn a_damaged_exposition_gives_an_answer_with_amounts_only(
        which in 0_usize..6,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let whole = [
            include_str!("expositions/vllm.txt"),
            include_str!("expositions/sglang.txt"),
            include_str!("expositions/tgi.txt"),
            include_str!("expositions/tensorrt_llm.txt"),
            include_str!("expositions/llama_cpp.txt"),
            include_str!("expositions/triton_tensorrt_llm.txt"),
        ][which];
        let mut bytes = whole.as_bytes().to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(whole.len()) + 1);
        if let Ok(reading) = Reader::default().read(&bytes, None, Duration::ZERO) {
            let scrape = reading.scrape;
            let numbers = [scrape.finished, scrape.prompt_tokens, scrape.generation_tokens, scrape.running, scrape.waiting, scrape.cache_use];
            prop_assert!(numbers.into_iter().flatten().all(|number| number >= 0.0));
            for histogram in [scrape.ttft, scrape.per_token, scrape.inter_token].into_iter().flatten() {
                prop_assert_eq!(histogram.bounds.len(), histogram.cumulative.len());
                prop_assert!(histogram.bounds.windows(2).all(|pair| pair[0] < pair[1]));
            }
        }
    }

    /// Label sets added up are the histogram of all values, in whatever order lines stand.
    #[test]
    fn label_sets_merge_into_one_histogram(
        sets in proptest::collection::vec(proptest::collection::vec(0_u32..1000, 0..20), 1..5),
        order in any::<u64>(),
    ) {
        let bounds = [0.125, 0.25, 0.5];
        let values: Vec<Vec<f64>> = sets
            .iter()
            .map(|set| set.iter().map(|value| f64::from(*value) / 1024.0).collect())
            .collect();
        let text: String = values
            .iter()
            .enumerate()
            .map(|(engine, values)| histogram(TTFT, engine, &bounds, values))
            .collect();
        let mut lines: Vec<&str> = text.lines().collect();
        let turns = usize::try_from(order % 97).unwrap() % lines.len();
        lines.rotate_left(turns);
        if order % 2 == 0 {
            lines.reverse();
        }
        let merged = read(&lines.join("\n")).scrape.ttft.unwrap();
        let all = read(&histogram(TTFT, 0, &bounds, &values.concat())).scrape.ttft.unwrap();
        prop_assert_eq!(merged, all);
    }
}
