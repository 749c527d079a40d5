//! The loop: decides every 15 s and sooner when more requests wait, marks the Pods that go, takes workloads to zero and back, publishes.
//!
//! In: subjects, the world. Out: decisions on the board, and a wake-up for each resource whose status has something new to say. It must
//! not decide on what is stale, publish a smaller number before the Pods to go are marked, or let one resource's trouble hold up another.
//!
//! To zero and back is the one number that no autoscaler carries: Kubernetes' leaves a workload at zero alone, and never takes it there.
//! It is written here, once each time, and never by the reconcile, which would fight over it with whoever wakes the model.

use std::sync::Arc;

use autoscale::idle::Course;
use diagnosis::facts::PodFacts;
use jiff::Timestamp;
use reconcile::{ObjectKey, WorkQueue};
use scraper::Latest;
use tokio::{task::JoinSet, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{
    Clocks, CostWrites, Decided, Subjects, World,
    costs::{CostWrite, costs},
    planner::View,
    scale::ScaleWrites,
};
use crate::workload::WorkloadKind;

/// The loop of one leadership.
pub struct Scaling<W, C, S> {
    subjects: Subjects,
    world: W,
    costs: C,
    scale: S,
    queue: WorkQueue,
}

/// A decision on its way.
struct Verdict {
    key: ObjectKey,
    decided: Decided,
    writes: Vec<CostWrite>,
    set: Option<SetTo>,
}

/// A number that is set on the workload itself.
struct SetTo {
    kind: WorkloadKind,
    workload: Arc<str>,
    replicas: u32,
}

impl<W: World, C: CostWrites, S: ScaleWrites> Scaling<W, C, S> {
    /// A loop about these subjects; `queue` is where resources are woken.
    pub fn new(subjects: Subjects, world: W, (costs, scale): (C, S), queue: WorkQueue) -> Self {
        Self {
            subjects,
            world,
            costs,
            scale,
            queue,
        }
    }

    /// Decides until `stop`; then nothing is on the board any more.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut looks = tokio::time::interval(self.subjects.pace().look);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut publishing = JoinSet::new();
        loop {
            let verdicts: Vec<Verdict> = tokio::select! {
                () = stop.cancelled() => break,
                key = self.subjects.round() => self.decide(&key, true).into_iter().collect(),
                _ = looks.tick() => self.due(),
                Some(_) = publishing.join_next() => continue,
            };
            for verdict in verdicts {
                if verdict.writes.is_empty() && verdict.set.is_none() {
                    self.publish(verdict);
                } else {
                    publishing.spawn(Arc::clone(&self).write_and_publish(verdict));
                }
            }
        }
        self.subjects.clear();
    }

    fn due(&self) -> Vec<Verdict> {
        let due = self.subjects.due();
        due.iter().filter_map(|key| self.decide(key, false)).collect()
    }

    /// Looks at a resource and decides; `if_urgent`: only if it cannot wait.
    fn decide(&self, key: &ObjectKey, if_urgent: bool) -> Option<Verdict> {
        let subject = self.subjects.subject(key)?;
        let pods = self.world.pods(&subject);
        let latest = self.subjects.ask(&subject, &pods)?;
        if if_urgent && !self.subjects.urgent(key, &latest) {
            return None;
        }
        let room = self.world.room(&subject, &pods);
        let asked = room.asked;
        let view = View {
            pods: &pods,
            latest: &latest,
            room,
            clocks: Clocks {
                day: Timestamp::now(),
                scraper: self.subjects.now(),
            },
            freshness: self.subjects.freshness(),
        };
        let decided = self.subjects.decide(&subject, &view)?;
        // Of all of them, none goes first.
        let writes = if subject.by_cost() && decided.replicas > 0 {
            marks(&pods, &latest, asked, decided.replicas)
        } else {
            Vec::new()
        };
        let set = to_set(decided.course, decided.replicas, asked).map(|replicas| SetTo {
            kind: subject.made_by,
            workload: Arc::clone(&subject.workload),
            replicas,
        });
        Some(Verdict {
            key: key.clone(),
            decided,
            writes,
            set,
        })
    }

    async fn write_and_publish(self: Arc<Self>, verdict: Verdict) {
        for write in &verdict.writes {
            if let Err(error) = self.costs.write(write).await {
                tracing::warn!(resource = %verdict.key, pod = %write.name, %error,
                    "the deletion cost could not be written, so the number of replicas stays; tried again with the next decision");
                self.subjects.postpone(&verdict.key);
                return;
            }
        }
        if let Some(set) = &verdict.set {
            let namespace = &verdict.key.namespace;
            let done = self
                .scale
                .set(set.kind, namespace, &set.workload, set.replicas)
                .await;
            if let Err(error) = done {
                tracing::warn!(resource = %verdict.key, replicas = set.replicas, %error,
                    "the workload could not be told to go to zero or to come back; tried again with the next decision");
                self.subjects.postpone(&verdict.key);
                return;
            }
        }
        self.publish(verdict);
    }

    fn publish(&self, verdict: Verdict) {
        if self.subjects.publish(&verdict.key, verdict.decided) {
            self.queue.add(verdict.key);
        }
    }
}

/// The number to set on a workload that is told `asked` now: once, when it goes to zero or comes back.
fn to_set(course: Course, wanted: u32, asked: Option<u32>) -> Option<u32> {
    match course {
        Course::Sleep(_) => asked.is_some_and(|asked| asked > 0).then_some(0),
        // Whoever woke it by a number of their own has that, and the autoscaler does the rest.
        Course::Wake(..) => (asked == Some(0)).then_some(wanted),
        Course::Follow | Course::Zero | Course::Waking(_) => None,
    }
}

/// Costs to write so that the right Pods go when the workload is told a smaller number; `asked`: what it is told now.
fn marks(pods: &[Arc<PodFacts>], latest: &[Latest], asked: Option<u32>, wanted: u32) -> Vec<CostWrite> {
    let living = pods.iter().filter(|pod| !pod.deleting).count();
    let go = asked.map_or(0, |asked| asked.saturating_sub(wanted));
    let still_more = living > usize::try_from(wanted).unwrap_or(usize::MAX);
    if go == 0 && still_more {
        // The last order is being carried out, or a rollout is under way.
        return Vec::new();
    }
    let holds = |uid: &str| {
        let scrape = latest.iter().find(|latest| *latest.id == *uid)?.scrape.as_ref()?;
        Some(scrape.running? + scrape.waiting.unwrap_or_default())
    };
    let go = usize::try_from(go).unwrap_or(usize::MAX);
    costs(pods.iter().map(|pod| &**pod), holds, go)
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
