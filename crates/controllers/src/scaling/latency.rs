//! Whether what was promised can be seen in what the engine exports.
//!
//! In: the promise and the newest scrapes. Out: yes, no and what is missing, or not known yet. It must not look at values: an engine
//! that was not asked anything yet exports its histograms all the same.

use autoscale::observe::Scrape;
use scraper::Latest;
use serving::plan::Promise;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latency {
    /// No replica has answered yet.
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
    if promise.time_to_first_token.is_some() && !first {
        Latency::Missing("time to first token")
    } else if !each && (promise.time_per_output_token.is_some() || promise.time_to_first_token.is_none()) {
        Latency::Missing("time per output token")
    } else {
        Latency::Exported
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use autoscale::observe::Histogram;

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
        let latest = |first: bool, each: bool| {
            let histogram = |has: bool| has.then(Histogram::default);
            let scrape = Scrape {
                ttft: histogram(first),
                inter_token: histogram(each),
                ..Scrape::default()
            };
            [Latest {
                id: "a".into(),
                engine: None,
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
            let found = latency(&promise, Some(&latest(exported.0, exported.1)));
            assert_eq!(found, expected, "{promised:?} {exported:?}");
        }
        assert_eq!(latency(&promise(true, true), Some(&[])), Latency::Unknown);
        assert_eq!(latency(&promise(true, true), None), Latency::NoMetrics);
    }
}
