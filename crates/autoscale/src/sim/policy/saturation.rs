//! llm-d's saturation rule (workload-variant-autoscaler, `docs/saturation-analyzer.md`).
//!
//! A replica is saturated when its cache or its queue reaches a threshold, by the highest value of the last minute. One more
//! when the mean spare of those that are not falls below a trigger, or all are saturated; one fewer when the load spread
//! over one fewer would leave that spare. Its period of 60 s is recalled, not verified.

use std::{collections::VecDeque, sync::Arc};

use super::Policy;
use crate::{
    num,
    observe::{Phase, Snapshot},
};

const QUEUE_THRESHOLD: f64 = 5.0;
const CACHE_SPARE: f64 = 0.1;
const QUEUE_SPARE: f64 = 3.0;
const PERIOD: f64 = 60.0;

/// A replica with its cache use and queue.
type Seen = (Arc<str>, f64, f64);

/// Scales on the spare of cache and queue.
#[derive(Clone, Debug)]
pub struct Saturation {
    /// Share of the cache at which a replica counts as saturated; 0.8 by default.
    pub cache_threshold: f64,
    seen: VecDeque<(f64, Vec<Seen>)>,
    next: f64,
    standing: Option<u32>,
}

impl Saturation {
    /// With a threshold for the cache.
    pub fn new(cache_threshold: f64) -> Self {
        Self {
            cache_threshold,
            seen: VecDeque::new(),
            next: 0.0,
            standing: None,
        }
    }

    /// Highest cache use and queue of a replica in the last minute.
    fn highest(&self, id: &str) -> (f64, f64) {
        let of = self
            .seen
            .iter()
            .flat_map(|(_, replicas)| replicas)
            .filter(|(seen, ..)| &**seen == id);
        of.fold((0.0, 0.0), |(cache, queue), (_, c, q)| {
            (c.max(cache), q.max(queue))
        })
    }
}

impl Policy for Saturation {
    fn desired(&mut self, snapshot: &Snapshot) -> u32 {
        let now = snapshot.now.as_secs_f64();
        let serving = || {
            snapshot
                .replicas
                .iter()
                .filter(|replica| replica.phase == Phase::Serving)
        };
        let scrapes = serving().filter_map(|replica| {
            let scrape = replica.scrape.as_ref()?;
            Some((replica.id.clone(), scrape.cache_use?, scrape.waiting?))
        });
        self.seen.push_back((now, scrapes.collect()));
        while self.seen.front().is_some_and(|(at, _)| *at <= now - 60.0) {
            self.seen.pop_front();
        }
        let starting = snapshot.count(Phase::Starting);
        let current = starting + snapshot.count(Phase::Serving);
        let standing = *self.standing.get_or_insert(current);
        if now < self.next {
            return standing;
        }
        self.next = now + PERIOD;
        let highest: Vec<(f64, f64)> = serving().map(|replica| self.highest(&replica.id)).collect();
        let calm: Vec<(f64, f64)> = highest
            .into_iter()
            .filter(|(c, q)| *c < self.cache_threshold && *q < QUEUE_THRESHOLD)
            .collect();
        let count = num::float(calm.len());
        let mean = |pick: fn(&(f64, f64)) -> f64| calm.iter().map(pick).sum::<f64>() / count.max(1.0);
        let (cache, queue) = (mean(|r| r.0), mean(|r| r.1));
        let spare_is_low = |cache: f64, queue: f64| {
            self.cache_threshold - cache < CACHE_SPARE || QUEUE_THRESHOLD - queue < QUEUE_SPARE
        };
        let spread = count / (count - 1.0).max(1e-9);
        let desired = if calm.is_empty() || spare_is_low(cache, queue) {
            if starting == 0 { current + 1 } else { current }
        } else if count >= 2.0 && starting == 0 && !spare_is_low(cache * spread, queue * spread) {
            current - 1
        } else {
            current
        };
        self.standing = Some(desired.max(1));
        desired.max(1)
    }
}
