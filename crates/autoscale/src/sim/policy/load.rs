//! Dynamo's load rule (planner-design.md): one more when every engine is over a target, one fewer when every engine is
//! below it times a sensitivity, nothing while a change is under way.
//!
//! Dynamo estimates each engine's times by regression; here the engine's measured means of the last period stand for them.
//! Its period and the sensitivity of 0.8 are recalled, not verified.

use std::{collections::HashMap, sync::Arc};

use super::Policy;
use crate::observe::{Histogram, Phase, Snapshot};

const SENSITIVITY: f64 = 0.8;
const PERIOD: f64 = 15.0;

/// Scales on measured times.
#[derive(Clone, Debug)]
pub struct Load {
    /// Target for the time to first token, in seconds.
    pub ttft: f64,
    /// Target for the time per output token, in seconds.
    pub per_token: f64,
    before: HashMap<Arc<str>, (Option<Histogram>, Option<Histogram>)>,
    next: f64,
    standing: Option<u32>,
}

impl Load {
    /// With targets in seconds.
    pub fn new(ttft: f64, per_token: f64) -> Self {
        Self {
            ttft,
            per_token,
            before: HashMap::new(),
            next: 0.0,
            standing: None,
        }
    }
}

impl Policy for Load {
    fn desired(&mut self, snapshot: &Snapshot) -> u32 {
        let now = snapshot.now.as_secs_f64();
        let starting = snapshot.count(Phase::Starting);
        let current = starting + snapshot.count(Phase::Serving);
        let standing = *self.standing.get_or_insert(current);
        if now < self.next {
            return standing;
        }
        self.next = now + PERIOD;
        let mut after = HashMap::new();
        let mut shares = Vec::new();
        for replica in snapshot
            .replicas
            .iter()
            .filter(|replica| replica.phase == Phase::Serving)
        {
            let Some(scrape) = &replica.scrape else { continue };
            let (ttft, token) = self.before.remove(&replica.id).unwrap_or_default();
            let mean = |new: &Option<Histogram>, old: Option<Histogram>| {
                new.as_ref()?.since(old.as_ref()).and_then(|added| added.mean())
            };
            let over = [
                mean(&scrape.ttft, ttft).map(|seconds| seconds / self.ttft),
                mean(&scrape.inter_token, token).map(|seconds| seconds / self.per_token),
            ];
            shares.push(over.into_iter().flatten().fold(0.0, f64::max));
            after.insert(
                Arc::clone(&replica.id),
                (scrape.ttft.clone(), scrape.inter_token.clone()),
            );
        }
        self.before = after;
        let draining = snapshot.count(Phase::Draining) > 0;
        let desired = if starting > 0 || draining || shares.is_empty() {
            current
        } else if shares.iter().all(|share| *share > 1.0) {
            current + 1
        } else if shares.iter().all(|share| *share < SENSITIVITY) {
            current - 1
        } else {
            current
        };
        self.standing = Some(desired.max(1));
        desired.max(1)
    }
}
