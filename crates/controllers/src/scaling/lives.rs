//! When each Pod first became ready: its condition only tells since when it is ready this time.
//!
//! In: Pods, look by look. Out: the first time of each that is still there, if it can be known. It must not believe a time that may
//! be one of a later recovery.

use std::{collections::HashMap, time::Duration};

use diagnosis::facts::PodFacts;

use super::Clocks;

#[derive(Clone, Copy, Debug, Default)]
struct Life {
    /// It was ready once.
    served: bool,
    first_ready: Option<Duration>,
    seen: bool,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lives(HashMap<Box<str>, Life>);

impl Lives {
    /// Looks at a Pod: whether it was ever ready, and when first. `longest`: a start that took longer, of a Pod that was not watched
    /// while it started, is taken for a recovery.
    pub fn look(&mut self, pod: &PodFacts, clocks: Clocks, longest: Duration) -> (bool, Option<Duration>) {
        let watched = self.0.contains_key(&pod.uid);
        let life = self.0.entry(pod.uid.clone()).or_default();
        life.seen = true;
        if pod.ready && !life.served {
            life.served = true;
            let ready = pod.ready_since.map(|since| clocks.of_day(since));
            let created = pod.created.map(|created| clocks.of_day(created));
            let restarted = pod.containers.iter().any(|container| container.restarts > 0);
            life.first_ready = ready.zip(created).and_then(|(ready, created)| {
                let soon = ready.saturating_sub(created) <= longest;
                (watched || (soon && !restarted)).then_some(ready)
            });
        }
        (life.served, life.first_ready)
    }

    /// Forgets Pods that were not looked at since the last time.
    pub fn forget(&mut self) {
        self.0.retain(|_, life| std::mem::take(&mut life.seen));
    }
}
