//! The work queue as a pure data structure: keys and the current time go in, the next key to work on comes out.
//!
//! One place per key: an object is waiting, delayed or running, never two of these, so no two workers ever hold the
//! same object. It must not read a clock, sleep or know what a reconcile does.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use crate::{jitter::Backoff, key::ObjectKey};

/// Delay per failed attempt of one object: 250 ms to 5 min.
pub const OBJECT_BACKOFF: Backoff = Backoff {
    base: Duration::from_millis(250),
    max: Duration::from_mins(5),
};

/// How a reconcile ended, as far as the queue is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing more to do; the failure count starts again at zero.
    Done,
    /// As `Done`, and look again after this time.
    After(Duration),
    /// Failed: again with the object's own back-off, but not before this time.
    Failed(Duration),
    /// Failed in a way that time hardly heals: again after the longest back-off, or when something changes.
    FailedForGood,
}

#[derive(Debug)]
enum Place {
    Ready {
        since: Instant,
    },
    Delayed {
        due: Instant,
        ticket: u64,
    },
    /// `again`: something changed meanwhile; due at this time.
    Running {
        again: Option<Instant>,
    },
}

#[derive(Debug)]
struct Entry {
    place: Place,
    failures: u32,
}

/// See the module. All times are given by the caller.
#[derive(Debug)]
pub struct Queue {
    entries: HashMap<ObjectKey, Entry>,
    ready: VecDeque<ObjectKey>,
    delayed: BTreeMap<(Instant, u64), ObjectKey>,
    next_ticket: u64,
    backoff: Backoff,
}

impl Default for Queue {
    fn default() -> Self {
        Self::new(OBJECT_BACKOFF)
    }
}

impl Queue {
    /// An empty queue.
    pub fn new(backoff: Backoff) -> Self {
        Self {
            entries: HashMap::new(),
            ready: VecDeque::new(),
            delayed: BTreeMap::new(),
            next_ticket: 0,
            backoff,
        }
    }

    /// Asks for a reconcile of `key` no later than `delay` from `now`. An earlier request wins; a later one changes
    /// nothing. So a burst of events within `delay` costs one reconcile and a constant stream cannot starve it.
    pub fn add(&mut self, key: ObjectKey, now: Instant, delay: Duration) {
        let due = now + delay;
        match self.entries.get_mut(&key) {
            None => self.place(key, 0, due, now),
            Some(entry) => match &mut entry.place {
                Place::Ready { .. } => {}
                Place::Running { again } => *again = Some(again.map_or(due, |known| known.min(due))),
                Place::Delayed { due: known, ticket } => {
                    if due < *known {
                        let (slot, failures) = ((*known, *ticket), entry.failures);
                        self.delayed.remove(&slot);
                        self.place(key, failures, due, now);
                    }
                }
            },
        }
    }

    /// The object that has waited longest, and for how long; it counts as running until [`Queue::finish`].
    pub fn pop(&mut self, now: Instant) -> Option<(ObjectKey, Duration)> {
        self.promote(now);
        let key = self.ready.pop_front()?;
        let entry = self.entries.get_mut(&key)?;
        let waited = match entry.place {
            Place::Ready { since } => now.saturating_duration_since(since),
            Place::Delayed { .. } | Place::Running { .. } => Duration::ZERO,
        };
        entry.place = Place::Running { again: None };
        Some((key, waited))
    }

    /// When [`Queue::pop`] will next have something, if nothing is added: the past when something is ready.
    pub fn next_due(&self) -> Option<Instant> {
        match self.ready.front().and_then(|key| self.entries.get(key)) {
            Some(Entry {
                place: Place::Ready { since },
                ..
            }) => Some(*since),
            _ => self.delayed.keys().next().map(|(due, _)| *due),
        }
    }

    /// Ends the running reconcile of `key`. Returns the delay until the next one, if any is planned.
    pub fn finish(&mut self, key: &ObjectKey, now: Instant, verdict: Verdict) -> Option<Duration> {
        let entry = self.entries.remove(key)?;
        let Place::Running { again } = entry.place else {
            // Not running: a caller's mistake must not lose the request that is pending.
            self.entries.insert(key.clone(), entry);
            return None;
        };
        let (failures, planned) = match verdict {
            Verdict::Done => (0, None),
            Verdict::After(delay) => (0, Some(now + delay)),
            Verdict::Failed(at_least) => (
                entry.failures.saturating_add(1),
                Some(now + self.backoff.delay(entry.failures).max(at_least)),
            ),
            Verdict::FailedForGood => (
                entry.failures.saturating_add(1),
                Some(now + crate::jitter::jittered(self.backoff.max)),
            ),
        };
        let due = match (planned, again) {
            (Some(planned), Some(again)) => planned.min(again),
            (Some(due), None) | (None, Some(due)) => due,
            (None, None) => return None,
        };
        self.place(key.clone(), failures, due, now);
        Some(due.saturating_duration_since(now))
    }

    /// Lets every object that waits for its back-off try now: what made it fail seems to be over.
    pub fn expedite_failed(&mut self, now: Instant) {
        let failed: Vec<(Instant, u64)> = self
            .delayed
            .iter()
            .filter(|(_, key)| self.failures(key) > 0)
            .map(|(slot, _)| *slot)
            .collect();
        for slot in failed {
            if let Some(key) = self.delayed.remove(&slot) {
                let failures = self.failures(&key);
                self.place(key, failures, now, now);
            }
        }
    }

    /// Number of objects that are due and wait for a worker.
    pub fn depth(&self) -> usize {
        self.ready.len()
    }

    /// Number of failures in a row of `key`; zero after a success.
    pub fn failures(&self, key: &ObjectKey) -> u32 {
        self.entries.get(key).map_or(0, |entry| entry.failures)
    }

    /// Number of objects known: waiting, delayed or running.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing waits, is delayed or runs.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn place(&mut self, key: ObjectKey, failures: u32, due: Instant, now: Instant) {
        let place = if due <= now {
            self.ready.push_back(key.clone());
            Place::Ready { since: due }
        } else {
            let ticket = self.next_ticket;
            self.next_ticket += 1;
            self.delayed.insert((due, ticket), key.clone());
            Place::Delayed { due, ticket }
        };
        self.entries.insert(key, Entry { place, failures });
    }

    fn promote(&mut self, now: Instant) {
        while let Some(slot) = self.delayed.first_entry() {
            let due = slot.key().0;
            if due > now {
                break;
            }
            let key = slot.remove();
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.place = Place::Ready { since: due };
                self.ready.push_back(key);
            }
        }
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
