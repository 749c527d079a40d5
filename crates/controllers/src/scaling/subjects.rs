//! The resources that scale, and what is remembered of each.
//!
//! In: subjects from reconciles, decisions from the loop. Out: which are due; what is published, and whether that is news. It must not
//! decide. What belongs to a resource (scrapes, board, figures) goes with it, also while a decision about it is under way.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use api::shared::ScalingStatus;
use autoscale::idle::Course;
use diagnosis::facts::{PodFacts, PodPhase};
use parking_lot::Mutex;
use reconcile::ObjectKey;
use scraper::{Latest, Scraper, Target};

use super::{
    Board, Decided, Figures, Latency, Pace, Subject,
    planner::{Scaled, View},
    status::{Difference, candidate, difference},
};

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

#[derive(Debug)]
struct Shared {
    entries: Mutex<HashMap<ObjectKey, Entry>>,
    scraper: Scraper<ObjectKey>,
    board: Board,
    figures: Figures,
    pace: Pace,
}

/// See the module. Clones are the same subjects.
#[derive(Clone, Debug)]
pub struct Subjects(Arc<Shared>);

impl Subjects {
    /// No subject yet.
    pub fn new(scraper: Scraper<ObjectKey>, figures: Figures, pace: Pace) -> Self {
        Self(Arc::new(Shared {
            entries: Mutex::default(),
            scraper,
            board: Board::default(),
            figures,
            pace,
        }))
    }

    /// The decisions.
    pub fn board(&self) -> &Board {
        &self.0.board
    }

    /// The resource scales like this now. Cheap when nothing changed; for every reconcile of a resource that promises something.
    pub fn set(&self, subject: Subject) {
        let now = self.now();
        let mut entries = self.0.entries.lock();
        if let Some(entry) = entries.get_mut(&subject.key) {
            entry.scaled.adapt(&subject);
            if entry.scaled.is_zero() {
                // Whatever changed, somebody may want it back.
                entry.due = now;
            } else if entry.subject.plan != subject.plan {
                // Not before there are new scrapes: those of the last decision tell nothing any more.
                let last = entry.due.saturating_sub(self.0.pace.decide);
                let news = last.saturating_add(self.0.scraper.options().period * 2);
                entry.due = entry.due.min(now.max(news));
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
            .map(|_| jitter(&subject.key, self.0.pace.decide));
        let entry = Entry {
            scaled: Scaled::new(&subject),
            due: now.saturating_add(wait.unwrap_or_default()),
            busy: false,
            published: None,
            subject: Arc::new(subject),
        };
        entries.insert(entry.subject.key.clone(), entry);
    }

    /// All of them.
    pub fn keys(&self) -> Vec<ObjectKey> {
        self.0.entries.lock().keys().cloned().collect()
    }

    /// The resource is gone, or promises nothing any more. Cheap when it never did.
    pub fn remove(&self, key: &ObjectKey) {
        let mut entries = self.0.entries.lock();
        if let Some(entry) = entries.remove(key) {
            self.0.scraper.remove(key);
            self.0
                .board
                .remove(entry.subject.owner, &key.namespace, &key.name);
            self.0.figures.remove(key);
        }
    }

    pub(super) fn clear(&self) {
        for key in &self.keys() {
            self.remove(key);
        }
    }

    pub(super) fn pace(&self) -> Pace {
        self.0.pace
    }

    /// Now, on the scraper's clock.
    pub(super) fn now(&self) -> Duration {
        self.0.scraper.now()
    }

    /// Scrapes that are older are none.
    pub(super) fn freshness(&self) -> Duration {
        self.0.scraper.options().period * self.0.pace.stale_after
    }

    /// Waits until all replicas of a resource were asked.
    pub(super) async fn round(&self) -> ObjectKey {
        self.0.scraper.round().await
    }

    /// Those about which it is time to decide.
    pub(super) fn due(&self) -> Vec<ObjectKey> {
        let now = self.now();
        let entries = self.0.entries.lock();
        let due = entries
            .iter()
            .filter(|(_, entry)| !entry.busy && entry.due <= now);
        due.map(|(key, _)| key.clone()).collect()
    }

    pub(super) fn subject(&self, key: &ObjectKey) -> Option<Arc<Subject>> {
        let entries = self.0.entries.lock();
        entries.get(key).map(|entry| Arc::clone(&entry.subject))
    }

    /// Tells the scraper which Pods there are: those that are or were ready, until they are gone. Out: the newest of each; `None` when
    /// the resource went meanwhile.
    pub(super) fn ask(&self, subject: &Subject, pods: &[Arc<PodFacts>]) -> Option<Vec<Latest>> {
        let (key, scraper) = (&subject.key, &self.0.scraper);
        let entries = self.0.entries.lock();
        entries.get(key)?;
        let Some(source) = &subject.metrics else {
            scraper.remove(key);
            return Some(Vec::new());
        };
        let known: Vec<Arc<str>> = scraper.latest(key).into_iter().map(|latest| latest.id).collect();
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
        let asked = pods.iter().filter(|pod| served(pod) && !ended(pod));
        scraper.set(key, asked.filter_map(target).collect());
        Some(scraper.latest(key))
    }

    pub(super) fn urgent(&self, key: &ObjectKey, latest: &[Latest]) -> bool {
        let entries = self.0.entries.lock();
        entries.get(key).is_some_and(|entry| entry.scaled.urgent(latest))
    }

    /// Decides; the next time comes after the period, and not before [`publish`](Self::publish) or [`postpone`](Self::postpone). `None` while
    /// a decision is being published.
    pub(super) fn decide(&self, subject: &Subject, view: &View<'_>) -> Option<Decided> {
        let key = &subject.key;
        let mut entries = self.0.entries.lock();
        let entry = entries.get_mut(key).filter(|entry| !entry.busy)?;
        entry.busy = true;
        entry.due = view.clocks.scraper.saturating_add(self.0.pace.decide);
        let decided = entry.scaled.decide(subject, view);
        let quiet = entry.scaled.quiet_for();
        self.0
            .figures
            .set(key, &decided, quiet, self.0.scraper.totals(key));
        Some(decided)
    }

    /// The decision could not be published; the next one comes in its time.
    pub(super) fn postpone(&self, key: &ObjectKey) {
        if let Some(entry) = self.0.entries.lock().get_mut(key) {
            entry.busy = false;
        }
    }

    /// Puts a decision on the board if it says something new; true when its status has to.
    pub(super) fn publish(&self, key: &ObjectKey, decided: Decided) -> bool {
        let now = self.now();
        let mut entries = self.0.entries.lock();
        let Some(entry) = entries.get_mut(key) else {
            return false;
        };
        entry.busy = false;
        let before = entry.published.as_ref();
        let stored = before.map(|published| &published.status);
        let stored = stored.or(entry.subject.stored.as_ref());
        let status = candidate(&decided, stored);
        tell(key, &decided, stored);
        let news = match (before, difference(stored, &status)) {
            (None, _) | (_, Difference::Number) => true,
            (Some(before), _) if before.latency != decided.latency => true,
            (Some(before), Difference::Inputs) => now.saturating_sub(before.at) >= self.0.pace.write,
            (Some(_), Difference::None) => false,
        };
        if !news {
            return false;
        }
        entry.published = Some(Published {
            at: now,
            status,
            latency: decided.latency,
        });
        if matches!(decided.course, Course::Wake(..)) {
            self.0.figures.woke(key);
        }
        entry.scaled.order(decided.replicas);
        let owner = entry.subject.owner;
        self.0.board.post(owner, &key.namespace, &key.name, decided);
        true
    }
}

/// Every decision for whoever follows one resource, another number for everybody.
fn tell(key: &ObjectKey, decided: &Decided, stored: Option<&ScalingStatus>) {
    let Decided {
        replicas, message, ..
    } = decided;
    let told = stored.and_then(|stored| stored.desired_replicas);
    if told.is_some_and(|told| i64::from(told) == i64::from(*replicas)) {
        tracing::debug!(resource = %key, replicas, "{message}");
    } else {
        tracing::info!(resource = %key, replicas, "{message}");
    }
}

/// A part of the period that is the resource's own, so that not all are decided at once.
fn jitter(key: &ObjectKey, period: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let thousandths = u32::try_from(hasher.finish() % 1000).unwrap_or_default();
    period.saturating_mul(thousandths) / 1000
}
