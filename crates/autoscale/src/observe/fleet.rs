//! From snapshots to what happened between them.
//!
//! In: one [`Snapshot`] after the other. Out: an [`Interval`] each. It must not keep more than one scrape per replica, and
//! must not take a counter's reset, a restart of its own, or a replica that came or went for traffic.
//!
//! No engine counts arrivals. What arrived at a replica is what it finished plus what it holds more than before.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{Histogram, Phase, Replica, Scrape, Snapshot};
use crate::num::amount;

/// What one replica did between its last two scrapes. Rates per second.
#[derive(Clone, Debug, PartialEq)]
pub struct Activity {
    /// Seconds between the scrapes.
    pub seconds: f64,
    /// Seconds for which it has served; `None` when that is not known.
    pub served: Option<f64>,
    /// Requests that arrived, per second since the previous snapshot or since the earlier scrape; `None` when the engine does not
    /// count what it finishes.
    pub arrivals: Option<f64>,
    /// Requests finished per second.
    pub finished: Option<f64>,
    /// Requests that had their first token per second; of an engine that does not tell, those that began to run.
    pub started: Option<f64>,
    /// Prompt tokens per second.
    pub prompt_tokens: Option<f64>,
    /// Output tokens per second.
    pub generation_tokens: Option<f64>,
    /// Requests running at the later scrape.
    pub running: f64,
    /// Requests waiting at the later scrape.
    pub waiting: f64,
    /// Share of the cache in use at the later scrape.
    pub cache_use: Option<f64>,
    /// Mean seconds between tokens.
    pub token_seconds: Option<f64>,
    /// Times to first token.
    pub ttft: Option<Histogram>,
    /// Times per output token, one per request.
    pub per_token: Option<Histogram>,
}

/// What all replicas did since the previous snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interval {
    /// Seconds since the previous snapshot; 0 for the first.
    pub seconds: f64,
    /// Replicas that serve or drain and were scraped.
    pub scraped: u32,
    /// Of these, the ones whose engine tells what it holds or what it finished.
    pub telling: u32,
    /// Replicas that serve or drain and could not be scraped.
    pub unseen: u32,
    /// One per replica with two scrapes to compare.
    pub active: Vec<Activity>,
    /// Requests arriving per second at all replicas; those that were not seen count as the mean of the others, unless they
    /// became ready since the previous snapshot. `None` when nothing is known: no replica has two scrapes to compare, or the
    /// engine counts nothing.
    pub arrivals: Option<f64>,
    /// Whether an engine counts what it finishes, so that arrivals are known sooner or later.
    pub counting: bool,
    /// Requests inside all scraped replicas, running or waiting, and those held outside.
    pub in_flight: f64,
    /// Of these, the ones that wait.
    pub waiting: f64,
}

#[derive(Clone, Debug)]
struct Known {
    scrape: Scrape,
    seen: bool,
}

/// The last scrape of each replica.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    known: HashMap<Arc<str>, Known>,
    last: Option<Duration>,
}

impl Fleet {
    /// Takes a snapshot and tells what happened since the one before.
    pub fn observe(&mut self, snapshot: &Snapshot) -> Interval {
        let previous = self.last.replace(snapshot.now);
        let mut interval = Interval {
            seconds: previous.map_or(0.0, |last| snapshot.now.saturating_sub(last).as_secs_f64()),
            in_flight: amount(snapshot.held).unwrap_or(0.0),
            waiting: amount(snapshot.held).unwrap_or(0.0),
            ..Interval::default()
        };
        let mut blind = 0.0;
        for replica in snapshot
            .replicas
            .iter()
            .filter(|replica| replica.phase != Phase::Starting)
        {
            let Some(scrape) = &replica.scrape else {
                interval.unseen += 1;
                // What one that is new receives, the others have received before: their rates tell it already.
                if !became_ready(replica, previous) {
                    blind += 1.0;
                }
                if let Some(known) = self.known.get_mut(&replica.id) {
                    known.seen = true;
                }
                continue;
            };
            interval.scraped += 1;
            interval.telling += u32::from(scrape.running.is_some() || scrape.finished.is_some());
            interval.counting |= scrape.finished.is_some();
            interval.in_flight += gauge(scrape.running) + gauge(scrape.waiting);
            interval.waiting += gauge(scrape.waiting);
            interval.active.extend(self.activity(replica, scrape, previous));
        }
        self.known.retain(|_, known| std::mem::take(&mut known.seen));
        interval.arrivals = fleet_arrivals(&interval.active, blind);
        interval
    }

    fn activity(
        &mut self,
        replica: &Replica,
        scrape: &Scrape,
        previous: Option<Duration>,
    ) -> Option<Activity> {
        let now = Known {
            scrape: scrape.clone(),
            seen: true,
        };
        let before = self
            .known
            .insert(Arc::clone(&replica.id), now)
            .map(|known| known.scrape);
        // It became ready since the last look: its counters began at zero then.
        let new = before.is_none() && became_ready(replica, previous);
        let since = match (&before, replica.ready) {
            (Some(before), _) => before.at,
            (None, Some(ready)) if new => ready,
            _ => return None,
        };
        // Repeated or reordered scrapes tell nothing.
        let seconds = scrape
            .at
            .checked_sub(since)
            .filter(|time| !time.is_zero())?
            .as_secs_f64();
        let before = before.unwrap_or_default();
        // A counter that fell has begun anew, at a time that nobody knows.
        let counters = |scrape: &Scrape| [scrape.finished, scrape.prompt_tokens, scrape.generation_tokens];
        if counters(scrape)
            .iter()
            .zip(counters(&before))
            .any(|(now, before)| *now < before)
        {
            return None;
        }
        // Its requests went to the others for the rest of the time that their rates are of.
        let shared = previous
            .filter(|_| new)
            .and_then(|previous| scrape.at.checked_sub(previous));
        let shared = shared.map_or(seconds, |shared| shared.as_secs_f64().max(seconds));
        let finished = increase(scrape.finished, before.finished);
        let more = gauge(scrape.running) - gauge(before.running);
        let more_held = more + gauge(scrape.waiting) - gauge(before.waiting);
        let count = |scrape: &Scrape| scrape.ttft.as_ref().map(|ttft| ttft.count);
        let first_tokens = increase(count(scrape), count(&before));
        let per_second = |count: f64| count / seconds;
        let added = |now: &Option<Histogram>, old: &Option<Histogram>| now.as_ref()?.since(old.as_ref());
        let inter_token = added(&scrape.inter_token, &before.inter_token);
        let per_token = added(&scrape.per_token, &before.per_token);
        Some(Activity {
            seconds,
            served: replica
                .ready
                .map(|ready| scrape.at.saturating_sub(ready).as_secs_f64()),
            arrivals: finished.map(|finished| (finished + more_held).max(0.0) / shared),
            finished: finished.map(per_second),
            started: first_tokens
                .or(finished.map(|finished| (finished + more).max(0.0)))
                .map(per_second),
            prompt_tokens: increase(scrape.prompt_tokens, before.prompt_tokens).map(per_second),
            generation_tokens: increase(scrape.generation_tokens, before.generation_tokens).map(per_second),
            running: gauge(scrape.running),
            waiting: gauge(scrape.waiting),
            cache_use: scrape.cache_use.and_then(amount).filter(|used| *used <= 1.0),
            token_seconds: inter_token
                .as_ref()
                .or(per_token.as_ref())
                .and_then(Histogram::mean),
            ttft: added(&scrape.ttft, &before.ttft),
            per_token,
        })
    }
}

/// Whether a replica began to serve since the previous look.
fn became_ready(replica: &Replica, previous: Option<Duration>) -> bool {
    replica
        .ready
        .zip(previous)
        .is_some_and(|(ready, previous)| ready >= previous)
}

/// What a counter grew by; one that was not there before counted nothing.
fn increase(now: Option<f64>, before: Option<f64>) -> Option<f64> {
    let now = now.and_then(amount)?;
    Some((now - before.and_then(amount).unwrap_or(0.0)).max(0.0))
}

fn gauge(value: Option<f64>) -> f64 {
    value.and_then(amount).unwrap_or(0.0)
}

/// The sum over replicas, `blind` ones more counted as the mean of the others.
fn fleet_arrivals(active: &[Activity], blind: f64) -> Option<f64> {
    let rates: Vec<f64> = active.iter().filter_map(|activity| activity.arrivals).collect();
    let seen = crate::num::float(rates.len());
    let sum: f64 = rates.iter().sum();
    (seen > 0.0).then(|| sum * (seen + blind) / seen)
}

#[cfg(test)]
#[path = "fleet_tests.rs"]
mod tests;
