//! The targets of one group and what is known of them, as a value.
//!
//! In: targets that come and go, outcomes. Out: the newest of each, and when a round is over: every target was asked since the round
//! before, but those that fail, for which nobody waits. It must not ask.

use std::{collections::HashMap, sync::Arc, time::Duration};

use engine_metrics::Reading;
use tokio::sync::Semaphore;
use tokio_util::sync::DropGuard;

use crate::{Cause, Latest, ScrapeError, Target, Totals};

/// One target and its agent.
#[derive(Debug)]
struct Entry {
    target: Target,
    latest: Latest,
    /// Which agent may report.
    agent: u64,
    /// Whether the round waits for it.
    due: bool,
    /// Ends the agent when the entry goes.
    _stop: DropGuard,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Group {
    entries: HashMap<Arc<str>, Entry>,
    /// How many the round waits for.
    left: usize,
    pub(crate) totals: Totals,
    /// Questions at once.
    pub(crate) gate: Arc<Semaphore>,
    /// Whether the end of a round waits to be told.
    pub(crate) untold: bool,
}

impl Group {
    pub(crate) fn new(concurrency: usize) -> Self {
        Self {
            entries: HashMap::new(),
            left: 0,
            totals: Totals::default(),
            gate: Arc::new(Semaphore::new(concurrency.max(1))),
            untold: false,
        }
    }

    /// Drops what is not among `targets`; true when that ended the round.
    pub(crate) fn retain(&mut self, targets: &HashMap<&Arc<str>, &Target>) -> bool {
        let before = self.left;
        let left = &mut self.left;
        self.entries.retain(|id, entry| {
            let stays = targets.get(id).is_some_and(|target| **target == entry.target);
            *left -= usize::from(!stays && entry.due);
            stays
        });
        let over = before > 0 && self.left == 0 && !self.entries.is_empty();
        if self.left == 0 {
            self.begin();
        }
        over
    }

    pub(crate) fn has(&self, id: &Arc<str>) -> bool {
        self.entries.contains_key(id)
    }

    pub(crate) fn add(&mut self, target: Target, agent: u64, stop: DropGuard) {
        let latest = Latest::unknown(Arc::clone(&target.id), target.engine);
        let entry = Entry {
            latest,
            agent,
            due: true,
            _stop: stop,
            target,
        };
        self.left += 1;
        if let Some(old) = self.entries.insert(Arc::clone(&entry.target.id), entry) {
            self.left -= usize::from(old.due);
        }
    }

    /// Takes an agent's outcome; true when that ended the round.
    pub(crate) fn take(
        &mut self,
        id: &Arc<str>,
        agent: u64,
        at: Duration,
        outcome: Result<Reading, Cause>,
    ) -> bool {
        let Some(entry) = self.entries.get_mut(id).filter(|entry| entry.agent == agent) else {
            return false;
        };
        self.totals.asked += 1;
        let latest = &mut entry.latest;
        match outcome {
            Ok(reading) => {
                latest.engine = latest.engine.or(reading.engine);
                latest.scrape = Some(Arc::new(reading.scrape));
                latest.failure = None;
                latest.failures = 0;
            }
            Err(cause) => {
                self.totals.failed += 1;
                latest.failure = Some(ScrapeError { at, cause });
                latest.failures = latest.failures.saturating_add(1);
            }
        }
        if std::mem::take(&mut entry.due) {
            self.left -= 1;
        }
        if self.left == 0 {
            self.begin();
            return true;
        }
        false
    }

    /// Begins a round: it waits for those that do not fail, or for all when all fail.
    fn begin(&mut self) {
        let failing = |entry: &Entry| entry.latest.failures > 0;
        let all = self.entries.values().all(failing);
        for entry in self.entries.values_mut() {
            entry.due = all || entry.latest.failures == 0;
            self.left += usize::from(entry.due);
        }
    }

    pub(crate) fn latest(&self) -> Vec<Latest> {
        self.entries.values().map(|entry| entry.latest.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoscale::observe::Scrape;
    use tokio_util::sync::CancellationToken;

    fn target(id: &str, port: u16) -> Target {
        Target {
            id: id.into(),
            address: ([127, 0, 0, 1], port).into(),
            path: "/metrics".into(),
            engine: None,
        }
    }

    fn group(ids: &[&str]) -> Group {
        let mut group = Group::new(1);
        for (agent, id) in (0..).zip(ids) {
            group.add(target(id, 1), agent, CancellationToken::new().drop_guard());
        }
        group
    }

    fn told(group: &mut Group, id: &str, agent: u64) -> bool {
        let reading = Reading {
            engine: None,
            scrape: Scrape::default(),
            samples: 1,
            malformed: 0,
        };
        group.take(&id.into(), agent, Duration::ZERO, Ok(reading))
    }

    fn failed(group: &mut Group, id: &str, agent: u64) -> bool {
        let failed = Err(Cause::Status { status: 404 });
        group.take(&id.into(), agent, Duration::ZERO, failed)
    }

    #[test]
    fn a_round_is_over_when_all_were_asked() {
        let mut group = group(&["a", "b", "c"]);
        for _ in 0..3 {
            assert!(!told(&mut group, "a", 0));
            assert!(!told(&mut group, "a", 0));
            assert!(!told(&mut group, "c", 2));
            assert!(told(&mut group, "b", 1));
        }
    }

    #[test]
    fn nobody_waits_for_those_that_fail_unless_all_do() {
        let mut group = group(&["a", "b"]);
        assert!(!failed(&mut group, "b", 1));
        assert!(told(&mut group, "a", 0));
        assert!(told(&mut group, "a", 0));
        assert!(failed(&mut group, "a", 0));
        assert!(!failed(&mut group, "b", 1));
        assert!(failed(&mut group, "a", 0));
        assert_eq!(group.totals, Totals { asked: 6, failed: 4 });
    }

    #[test]
    fn who_goes_is_not_waited_for_and_reports_no_more() {
        let mut group = group(&["a", "b", "c"]);
        assert!(!told(&mut group, "a", 0));
        let stays = [target("a", 1), target("b", 2)];
        let mut left: HashMap<_, _> = stays.iter().map(|t| (&t.id, t)).collect();
        assert!(
            group.retain(&left),
            "b moved, c went: only a is left, and was asked"
        );
        assert!(!told(&mut group, "c", 2));
        assert!(!told(&mut group, "b", 1));
        group.add(target("b", 2), 7, CancellationToken::new().drop_guard());
        assert!(!told(&mut group, "b", 1), "an agent that was replaced");
        assert!(!told(&mut group, "b", 7));
        assert!(told(&mut group, "a", 0));
        left.clear();
        assert!(!group.retain(&left), "nothing is left to be told of");
        assert_eq!((group.left, group.latest().len()), (0, 0));
    }
}
