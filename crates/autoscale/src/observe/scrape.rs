//! What one scrape of one replica says, as numbers.
//!
//! In: numbers that a parser found under an engine's own metric names. Out: one type for all engines. It must not parse
//! text, and must not fill in what an engine does not export: that is `None`.

use std::{sync::Arc, time::Duration};

use super::Histogram;

/// One scrape. Counters count since the replica's process started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scrape {
    /// When the answer came. Any clock that does not go backwards, the same for all calls.
    pub at: Duration,
    /// Requests answered, whatever the reason they ended for (`vllm:request_success_total`).
    pub finished: Option<f64>,
    /// Prompt tokens computed (`vllm:prompt_tokens_total`).
    pub prompt_tokens: Option<f64>,
    /// Output tokens generated (`vllm:generation_tokens_total`).
    pub generation_tokens: Option<f64>,
    /// Requests that run now (`vllm:num_requests_running`).
    pub running: Option<f64>,
    /// Requests that wait now (`vllm:num_requests_waiting`).
    pub waiting: Option<f64>,
    /// Share of the key-value cache in use, 0 to 1 (`vllm:kv_cache_usage_perc`).
    pub cache_use: Option<f64>,
    /// Time to first token (`vllm:time_to_first_token_seconds`).
    pub ttft: Option<Histogram>,
    /// Mean time per output token of each finished request (`vllm:request_time_per_output_token_seconds`).
    pub per_token: Option<Histogram>,
    /// Time between two tokens (`vllm:inter_token_latency_seconds`); its mean follows a change sooner than `per_token`'s.
    pub inter_token: Option<Histogram>,
}

/// Where a replica is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Ordered, not ready yet.
    Starting,
    /// Ready.
    Serving,
    /// Told to go; finishes what it has.
    Draining,
}

/// One replica at the time of a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Replica {
    /// Identity that no other replica ever has (a Pod's uid).
    pub id: Arc<str>,
    /// Where it is in its life.
    pub phase: Phase,
    /// When it was ordered.
    pub created: Duration,
    /// When it first became ready.
    pub ready: Option<Duration>,
    /// Its newest scrape; `None` when it could not be scraped.
    pub scrape: Option<Scrape>,
}

/// All replicas of one deployment at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Now, on the clock of [`Scrape::at`].
    pub now: Duration,
    /// Every replica that exists, scraped or not.
    pub replicas: Vec<Replica>,
    /// Requests that wait outside for any replica (a gateway's, while there is none).
    pub held: f64,
}

impl Snapshot {
    /// How many replicas are in a phase.
    pub fn count(&self, phase: Phase) -> u32 {
        let n = self
            .replicas
            .iter()
            .filter(|replica| replica.phase == phase)
            .count();
        u32::try_from(n).unwrap_or(u32::MAX)
    }
}
