//! The loop: asks Pods, decides every 15 s and sooner when more requests wait, publishes.
//!
//! In: subjects that come, change and go; the world, the scraper. Out: decisions on the board, and a wake-up for each resource whose
//! status has something new to say. It must not decide on what is stale, publish a smaller number before the Pods to go are marked, or
//! let one resource's trouble hold up another.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use api::shared::ScalingStatus;
use diagnosis::facts::{PodFacts, PodPhase};
use jiff::Timestamp;
use parking_lot::Mutex;
use reconcile::{ObjectKey, WorkQueue};
use scraper::{Latest, Scraper, Target};
use tokio::{task::JoinSet, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{
    Board, Clocks, CostWrites, Decided, Figures, Latency, Subject, World,
    costs::{CostWrite, costs},
    planner::{Scaled, View},
    status::{Difference, candidate, difference},
};

/// How often what.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two decisions about a resource. Default: 15 s, the period of the `HorizontalPodAutoscaler` controller.
    pub decide: Duration,
    /// Between two looks at which are due. Default: 1 s.
    pub look: Duration,
    /// Between two writes of inputs alone. Default: 1 min.
    pub write: Duration,
    /// Scrapes that are older by so many periods of the scraper are none. Default: 3.
    pub stale_after: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            decide: Duration::from_secs(15),
            look: Duration::from_secs(1),
            write: Duration::from_mins(1),
            stale_after: 3,
        }
    }
}

/// What was published of a resource.
#[derive(Clone, Debug)]
struct Published {
    at: Duration,
    status: ScalingStatus,
    latency: Latency,
}

#[derive(Debug)]
struct Entry {
    subject: Arc<Subject>,
    scaled: Scaled,
    /// When it is decided again, on the scraper's clock.
    due: Duration,
    /// A decision is being published.
    busy: bool,
    published: Option<Published>,
}

/// The loop of one leadership.
pub struct Scaling<W, C> {
    world: W,
    writer: C,
    scraper: Scraper<ObjectKey>,
    board: Board,
    figures: Figures,
    queue: WorkQueue,
    pace: Pace,
    entries: Mutex<HashMap<ObjectKey, Entry>>,
}

/// A decision on its way.
struct Verdict {
    key: ObjectKey,
    decided: Decided,
    writes: Vec<CostWrite>,
}

impl<W: World, C: CostWrites> Scaling<W, C> {
    /// A loop without subjects.
    pub fn new(
        world: W,
        writer: C,
        scraper: Scraper<ObjectKey>,
        (board, figures, queue): (Board, Figures, WorkQueue),
        pace: Pace,
    ) -> Self {
        Self {
            world,
            writer,
            scraper,
            board,
            figures,
            queue,
            pace,
            entries: Mutex::default(),
        }
    }

    /// The decisions.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The resource scales like this now. Cheap when nothing changed; for every reconcile of a resource that promises something.
    pub fn set(&self, subject: Subject) {
        let mut entries = self.entries.lock();
        let now = self.scraper.now();
        if let Some(entry) = entries.get_mut(&subject.key) {
            entry.scaled.adapt(&subject);
            if entry.subject.plan != subject.plan {
                entry.due = now;
            }
            if *entry.subject != subject {
                entry.subject = Arc::new(subject);
            }
            return;
        }
        // After a restart all come at once; a new resource has no number yet.
        let wait = subject
            .stored
            .as_ref()
            .map(|_| jitter(&subject.key, self.pace.decide));
        let entry = Entry {
            scaled: Scaled::new(&subject),
            due: now.saturating_add(wait.unwrap_or_default()),
            busy: false,
            published: None,
            subject: Arc::new(subject),
        };
        entries.insert(entry.subject.key.clone(), entry);
    }

    /// The resource is gone, or promises nothing any more.
    pub fn remove(&self, key: &ObjectKey) {
        let removed = self.entries.lock().remove(key);
        if let Some(entry) = removed {
            self.scraper.remove(key);
            self.board.remove(entry.subject.owner, &key.namespace, &key.name);
            self.figures.remove(key);
        }
    }

    /// Decides until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut looks = tokio::time::interval(self.pace.look);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut publishing = JoinSet::new();
        loop {
            let verdicts = tokio::select! {
                () = stop.cancelled() => break,
                key = self.scraper.round() => self.after_round(&key).into_iter().collect(),
                _ = looks.tick() => self.due(),
                Some(_) = publishing.join_next() => Vec::new(),
            };
            for verdict in verdicts {
                if verdict.writes.is_empty() {
                    self.publish(&verdict.key, verdict.decided);
                } else {
                    let scaling = Arc::clone(&self);
                    publishing.spawn(async move { scaling.mark_and_publish(verdict).await });
                }
            }
        }
        self.figures.clear();
        self.board.clear();
    }

    fn due(&self) -> Vec<Verdict> {
        let now = self.scraper.now();
        let entries = self.entries.lock();
        let due = entries
            .iter()
            .filter(|(_, entry)| !entry.busy && entry.due <= now);
        let due: Vec<ObjectKey> = due.map(|(key, _)| key.clone()).collect();
        drop(entries);
        due.iter().filter_map(|key| self.decide(key, false)).collect()
    }

    /// All replicas of a resource were asked: whether they are still the same, and whether it cannot wait.
    fn after_round(&self, key: &ObjectKey) -> Option<Verdict> {
        self.decide(key, true)
    }

    /// Looks at a resource and decides; `if_urgent`: only if it cannot wait.
    fn decide(&self, key: &ObjectKey, if_urgent: bool) -> Option<Verdict> {
        let subject = Arc::clone(&self.entries.lock().get(key)?.subject);
        let pods = self.world.pods(&subject);
        self.ask(&subject, &pods)?;
        let latest = self.scraper.latest(key);
        let now = self.scraper.now();
        if if_urgent && !self.entries.lock().get(key)?.scaled.urgent(&latest) {
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
                scraper: now,
            },
            freshness: self.scraper.options().period * self.pace.stale_after,
        };
        let decided = {
            let mut entries = self.entries.lock();
            let entry = entries.get_mut(key).filter(|entry| !entry.busy)?;
            entry.busy = true;
            entry.due = now.saturating_add(self.pace.decide);
            let decided = entry.scaled.decide(&subject, &view);
            self.figures.set(key, &decided, self.scraper.totals(key));
            decided
        };
        let writes = if subject.by_cost() {
            marks(&pods, &latest, asked, decided.replicas)
        } else {
            Vec::new()
        };
        Some(Verdict {
            key: key.clone(),
            decided,
            writes,
        })
    }

    /// Tells the scraper which Pods there are: those that are or were ready, until they are gone. `None`: the resource went meanwhile.
    fn ask(&self, subject: &Subject, pods: &[Arc<PodFacts>]) -> Option<()> {
        let entries = self.entries.lock();
        entries.get(&subject.key)?;
        let Some(source) = &subject.metrics else {
            self.scraper.remove(&subject.key);
            return Some(());
        };
        let known: Vec<Arc<str>> = self
            .scraper
            .latest(&subject.key)
            .into_iter()
            .map(|latest| latest.id)
            .collect();
        let ended = |pod: &PodFacts| matches!(pod.phase, PodPhase::Succeeded | PodPhase::Failed);
        let served = |pod: &PodFacts| pod.ready || known.iter().any(|id| **id == *pod.uid);
        let target = |pod: &Arc<PodFacts>| {
            Some(Target {
                id: Arc::from(&*pod.uid),
                address: SocketAddr::new(pod.ip?, source.port),
                path: Arc::clone(&source.path),
                engine: source.engine,
            })
        };
        let targets = pods
            .iter()
            .filter(|pod| served(pod) && !ended(pod))
            .filter_map(target);
        self.scraper.set(&subject.key, targets.collect());
        Some(())
    }

    async fn mark_and_publish(&self, verdict: Verdict) {
        for write in &verdict.writes {
            if let Err(error) = self.writer.write(write).await {
                // The number stays as it was; the next decision tries again.
                tracing::warn!(resource = %verdict.key, pod = %write.name, %error, "deletion cost not written");
                if let Some(entry) = self.entries.lock().get_mut(&verdict.key) {
                    entry.busy = false;
                }
                return;
            }
        }
        self.publish(&verdict.key, verdict.decided);
    }

    /// Puts a decision on the board if it says something new, and wakes the resource.
    fn publish(&self, key: &ObjectKey, decided: Decided) {
        let now = self.scraper.now();
        let mut entries = self.entries.lock();
        let Some(entry) = entries.get_mut(key) else { return };
        entry.busy = false;
        let stored = entry.published.as_ref().map(|published| &published.status);
        let stored = stored.or(entry.subject.stored.as_ref());
        let status = candidate(&decided, stored);
        let news = match (&entry.published, difference(stored, &status)) {
            (None, _) | (_, Difference::Number) => true,
            (Some(published), _) if published.latency != decided.latency => true,
            (Some(published), Difference::Inputs) => now.saturating_sub(published.at) >= self.pace.write,
            (Some(_), Difference::None) => false,
        };
        if !news {
            return;
        }
        entry.published = Some(Published {
            at: now,
            status,
            latency: decided.latency,
        });
        entry.scaled.order(decided.replicas);
        self.board
            .post(entry.subject.owner, &key.namespace, &key.name, decided);
        drop(entries);
        self.queue.add(key.clone());
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

/// A part of the period that is the resource's own, so that not all are decided at once.
fn jitter(key: &ObjectKey, period: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let thousandths = u32::try_from(hasher.finish() % 1000).unwrap_or_default();
    period.saturating_mul(thousandths) / 1000
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
