//! Whether what was promised can be seen in what the engine exports.
//!
//! In: the promise and the newest scrapes. Out: yes, no and what is missing, or not known yet. It must not say no too soon: some
//! engines export a histogram only once there is something in it.

use autoscale::observe::Scrape;
use engine_metrics::engines::Field;
use scraper::Latest;
use serving::plan::Promise;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latency {
    /// No replica has answered yet, or none has served a request.
    Unknown,
    /// Everything that was promised is exported.
    Exported,
    /// It is not; this is missing.
    Missing(&'static str),
    /// Nothing is known of the engine's metrics.
    NoMetrics,
}

/// `latest` is `None` when there is nothing to ask.
pub(crate) fn latency(promise: &Promise, latest: Option<&[Latest]>) -> Latency {
    let Some(latest) = latest else {
        return Latency::NoMetrics;
    };
    let scrapes: Vec<&Scrape> = latest.iter().filter_map(|one| one.scrape.as_deref()).collect();
    if scrapes.is_empty() {
        return Latency::Unknown;
    }
    let any = |has: fn(&Scrape) -> bool| scrapes.iter().any(|scrape| has(scrape));
    let first = any(|scrape| scrape.ttft.is_some());
    let each = any(|scrape| scrape.per_token.is_some() || scrape.inter_token.is_some());
    let (missing, fields) = if promise.time_to_first_token.is_some() && !first {
        ("time to first token", &[Field::Ttft][..])
    } else if !each && (promise.time_per_output_token.is_some() || promise.time_to_first_token.is_none()) {
        ("time per output token", &[Field::PerToken, Field::InterToken][..])
    } else {
        return Latency::Exported;
    };
    let served = any(|scrape| scrape.finished > Some(0.0) || scrape.generation_tokens > Some(0.0));
    let may_come = latest
        .iter()
        .filter_map(|one| one.engine)
        .any(|engine| fields.iter().any(|field| engine.exports(*field)));
    if may_come && !served {
        Latency::Unknown
    } else {
        Latency::Missing(missing)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use autoscale::observe::Histogram;
    use engine_metrics::Engine;

    use super::*;

    #[test]
    fn only_what_was_promised_has_to_be_exported() {
        let time = Some(Duration::from_millis(100));
        let promise = |first: bool, each: bool| Promise {
            time_to_first_token: time.filter(|_| first),
            time_per_output_token: time.filter(|_| each),
            output_tokens_per_second: Some(1),
            attainment_ppm: 990_000,
        };
        let latest = |first: bool, each: bool, requests: f64| {
            let histogram = |has: bool| has.then(Histogram::default);
            let scrape = Scrape {
                ttft: histogram(first),
                inter_token: histogram(each),
                finished: Some(requests),
                ..Scrape::default()
            };
            [Latest {
                id: "a".into(),
                engine: Some(Engine::Sglang),
                scrape: Some(Arc::new(scrape)),
                failure: None,
                failures: 0,
            }]
        };
        let (first, each) = ("time to first token", "time per output token");
        for (promised, exported, expected) in [
            ((true, true), (true, true), Latency::Exported),
            ((true, true), (false, true), Latency::Missing(first)),
            ((true, true), (true, false), Latency::Missing(each)),
            ((false, true), (false, true), Latency::Exported),
            ((true, false), (true, false), Latency::Exported),
            ((false, false), (false, true), Latency::Exported),
            ((false, false), (false, false), Latency::Missing(each)),
        ] {
            let promise = promise(promised.0, promised.1);
            let found = latency(&promise, Some(&latest(exported.0, exported.1, 1.0)));
            assert_eq!(found, expected, "{promised:?} {exported:?}");
            let idle = latency(&promise, Some(&latest(exported.0, exported.1, 0.0)));
            let may_come = match expected {
                Latency::Missing(_) => Latency::Unknown,
                there => there,
            };
            assert_eq!(idle, may_come, "{promised:?} {exported:?}");
        }
        let mut other = latest(false, true, 0.0);
        other[0].engine = Some(Engine::Tgi);
        assert_eq!(
            latency(&promise(true, true), Some(&other)),
            Latency::Missing(first),
            "it never comes"
        );
        other[0].engine = None;
        assert_eq!(
            latency(&promise(true, true), Some(&other)),
            Latency::Missing(first),
            "nobody knows"
        );
        assert_eq!(latency(&promise(true, true), Some(&[])), Latency::Unknown);
        assert_eq!(latency(&promise(true, true), None), Latency::NoMetrics);
    }
}
