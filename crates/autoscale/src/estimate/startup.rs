//! How long a replica takes from being ordered to serving.
//!
//! In: replicas with the times they were ordered and became ready. Out: the time to plan with. It must not be fooled by the
//! fastest: planning too short is late, and lateness costs latency.

use std::{collections::HashSet, collections::VecDeque, sync::Arc, time::Duration};

use crate::observe::{Phase, Snapshot};

/// Start-ups remembered.
const MEMORY: usize = 16;

/// Learned start-up time.
#[derive(Clone, Debug)]
pub struct Startup {
    expected: f64,
    measured: VecDeque<f64>,
    counted: HashSet<Arc<str>>,
    pending: f64,
}

impl Startup {
    /// With an expectation (for example bytes of weights over the storage's speed) until something is measured.
    pub fn new(expected: Duration) -> Self {
        Self {
            expected: expected.as_secs_f64(),
            measured: VecDeque::new(),
            counted: HashSet::new(),
            pending: 0.0,
        }
    }

    /// Looks at all replicas.
    pub fn observe(&mut self, snapshot: &Snapshot) {
        self.pending = 0.0;
        for replica in &snapshot.replicas {
            match (replica.phase, replica.ready) {
                (Phase::Starting, _) => {
                    self.pending = self
                        .pending
                        .max(snapshot.now.saturating_sub(replica.created).as_secs_f64());
                }
                (_, Some(ready)) if !self.counted.contains(&replica.id) => {
                    self.counted.insert(Arc::clone(&replica.id));
                    self.measured
                        .push_back(ready.saturating_sub(replica.created).as_secs_f64());
                    if self.measured.len() > MEMORY {
                        self.measured.pop_front();
                    }
                }
                _ => {}
            }
        }
        self.counted
            .retain(|id| snapshot.replicas.iter().any(|replica| &replica.id == id));
    }

    /// Seconds to plan with: four of five start-ups were not slower. A replica that is starting for longer than that says
    /// that times have changed.
    pub fn seconds(&self) -> f64 {
        let mut sorted: Vec<f64> = self.measured.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let learned = sorted
            .get(sorted.len() * 4 / 5)
            .or(sorted.last())
            .copied()
            .unwrap_or(self.expected);
        learned.max(self.pending)
    }

    /// Start-ups that were measured.
    pub fn samples(&self) -> usize {
        self.measured.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Replica;

    fn replica(id: u32, created: u64, ready: Option<u64>) -> Replica {
        Replica {
            id: Arc::from(id.to_string()),
            phase: if ready.is_some() {
                Phase::Serving
            } else {
                Phase::Starting
            },
            created: Duration::from_secs(created),
            ready: ready.map(Duration::from_secs),
            scrape: None,
        }
    }

    #[test]
    fn it_is_learned_once_per_replica_and_a_slow_start_counts_at_once() {
        let mut startup = Startup::new(Duration::from_secs(100));
        assert!((startup.seconds() - 100.0).abs() < 1e-9);
        let mut replicas: Vec<Replica> = (0..10).map(|i| replica(i, 0, Some(20 + u64::from(i)))).collect();
        let see = |startup: &mut Startup, now: u64, replicas: &[Replica]| {
            startup.observe(&Snapshot {
                now: Duration::from_secs(now),
                replicas: replicas.to_vec(),
                held: 0.0,
            });
        };
        for _ in 0..50 {
            see(&mut startup, 40, &replicas);
        }
        assert_eq!(startup.samples(), 10);
        assert!((startup.seconds() - 28.0).abs() < 1e-9, "{}", startup.seconds());
        replicas.push(replica(99, 40, None));
        see(&mut startup, 140, &replicas);
        assert!(
            (startup.seconds() - 100.0).abs() < 1e-9,
            "a replica waits for 100 s already"
        );
    }
}
