//! One reconcile of a `DataScienceCluster`.
//!
//! In: its key. Out: the `Llmd` that it asks for, or none, and our part of its status; nothing where both are so already.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;
use kube::Client;
use parking_lot::Mutex;
use reconcile::{ApplyError, Failure, ObjectKey, Outcome, Reconciler};
use tokio::time::Instant;

use super::{
    cluster::{Asked, Cluster},
    component::{Component, Owner},
    desired::Desired,
    judge::{Found, Standing, Step, judge, observed},
    memory::{Look, Memory},
    reasons::Reason,
    status::{tell, told_before},
    watch::Watched,
    writer::Writer,
};
use crate::{
    context::{Context, News, failure},
    kinds::DATA_SCIENCE_CLUSTER,
    llmd::NAME,
};

/// Somebody has written the status since we looked; the watch shows it in a moment.
const CONFLICT_LOOK: Duration = Duration::from_millis(200);
/// What cannot be watched is looked for after this time.
const WATCH_LOOK: Duration = Duration::from_secs(15);

/// Keeps the `Llmd` of a cluster, and tells what becomes of it.
pub struct DataScienceClusterReconciler {
    context: Arc<Context>,
    watched: Watched,
    writer: Writer,
    /// Of the `Llmd`.
    applied: Mutex<Memory>,
    /// Of statuses.
    told: Mutex<Memory>,
    /// Clusters that were there at the last look, by uid.
    seen: Mutex<BTreeSet<String>>,
}

/// What an attempt has come to.
struct Done {
    component: Option<Arc<Component>>,
    standing: Standing,
    error: Option<ApplyError>,
    again: Option<Duration>,
}

impl DataScienceClusterReconciler {
    /// A reconciler on shared caches.
    pub fn new(client: &Client, context: Arc<Context>, watched: Watched) -> Self {
        Self {
            context,
            watched,
            writer: Writer::new(client),
            applied: Mutex::default(),
            told: Mutex::default(),
            seen: Mutex::default(),
        }
    }

    /// Who is first may have changed for all others when one comes or goes.
    fn wake_others(&self, key: &ObjectKey) {
        let clusters = self.watched.clusters.list(None);
        let uids: BTreeSet<String> = clusters.iter().map(|one| one.uid().to_owned()).collect();
        let mut seen = self.seen.lock();
        if *seen != uids {
            *seen = uids;
            let others = self.watched.keys().into_iter().filter(|other| other != key);
            self.context.queue.add_all(others, Duration::ZERO);
        }
    }

    /// Does what follows from what is found.
    async fn act(&self, cluster: &Cluster) -> Done {
        let cache = &*self.watched.components;
        let component = cache.get("", NAME);
        if let Some(unknown) = unknown(cache, component.is_some()) {
            return Done {
                component: None,
                standing: unknown,
                error: None,
                again: Some(WATCH_LOOK),
            };
        }
        let desired = match cluster.asked() {
            Asked::Managed(spec) => Desired::of(cluster, &spec).ok(),
            _ => None,
        };
        let look = match (&desired, &component) {
            (Some(desired), Some(component)) => {
                let (wanted, found) = (desired.wanted(), desired.found(component));
                let now = Instant::now();
                self.applied.lock().look(component.uid(), &wanted, &found, now)
            }
            _ => Look::Write,
        };
        let elder = self.watched.elder(cluster);
        let found = Found {
            cluster,
            component: component.as_deref(),
            elder: elder.as_deref(),
            in_line: look != Look::Write,
        };
        let (step, standing) = judge(&found);
        let mut done = Done {
            component,
            standing,
            error: None,
            again: match look {
                Look::Later(wait) => Some(wait),
                _ => None,
            },
        };
        match (step, &desired) {
            (Step::Apply, Some(desired)) => self.apply(desired, &mut done).await,
            (Step::Delete, _) => {
                if let Some(component) = &done.component {
                    match self.writer.delete(component).await {
                        Ok(()) => tracing::info!(llmd = NAME, "Llmd is being deleted"),
                        Err(error) => done.fail(error),
                    }
                }
            }
            _ => {}
        }
        done
    }

    async fn apply(&self, desired: &Desired, done: &mut Done) {
        let cache = &*self.watched.components;
        match self.writer.apply(desired, done.component.as_deref(), cache).await {
            Ok(component) => {
                let (wanted, found) = (desired.wanted(), desired.found(&component));
                let now = Instant::now();
                self.applied.lock().written(component.uid(), wanted, found, now);
                done.standing = observed(&component);
                done.component = Some(Arc::new(component));
            }
            Err(error) => done.fail(error),
        }
    }

    /// Tells how it stands, where that is news. Returns when to look again.
    async fn tell(
        &self,
        key: &ObjectKey,
        cluster: &Cluster,
        done: &Done,
    ) -> Result<Option<Duration>, Failure> {
        let component = done.component.as_deref();
        let component = component.filter(|one| one.owner(cluster) == Owner::Ours);
        let told = tell(cluster, component, &done.standing, self.watched.is_own());
        let (wanted, found) = (told.part.wanted(), told.part.found(&cluster.status));
        let look = self
            .told
            .lock()
            .look(cluster.uid(), &wanted, &found, Instant::now());
        match look {
            Look::Rest => {}
            Look::Later(wait) => return Ok(Some(wait)),
            Look::Write => {
                let patch = told.part.patch(&cluster.status, Timestamp::now());
                let cache = &*self.watched.clusters;
                match self.writer.status(cluster, &patch, cache).await {
                    Ok(Some(written)) => {
                        let found = told.part.found(&written.status);
                        let now = Instant::now();
                        self.told.lock().written(cluster.uid(), wanted, found, now);
                    }
                    Ok(None) => return Ok(None),
                    Err(ApplyError::Retryable { message, .. }) if is_conflict(&message) => {
                        return Ok(Some(CONFLICT_LOOK));
                    }
                    Err(error) => return Err(failure(&error)),
                }
                self.report(cluster, &told);
            }
        }
        self.context.metrics.set_state(key, told.word.as_str());
        Ok(None)
    }

    /// An Event for a new state.
    fn report(&self, cluster: &Cluster, told: &super::status::Told) {
        let before = told_before(cluster);
        let before = match &before {
            Some((word, reason)) => (Some(*word), Some(reason.as_str())),
            None => (None, None),
        };
        let news = News::of(before, (told.word, &told.reason), || told.message.clone());
        if let Some((kind, reason, note)) = news.event {
            self.context
                .tell(&cluster.object(), kind, reason, "Reconcile", note);
        }
    }
}

impl Reconciler for DataScienceClusterReconciler {
    fn kind(&self) -> &'static str {
        DATA_SCIENCE_CLUSTER
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<Outcome, Failure> {
        self.wake_others(key);
        let Some(cluster) = self.watched.clusters.get("", &key.name) else {
            return self.context.gone_or_unreadable(&self.watched.clusters, key);
        };
        let done = self.act(&cluster).await;
        let later = self.tell(key, &cluster, &done).await?;
        if let Some(error) = &done.error {
            return Err(failure(error));
        }
        let again = done.again.into_iter().chain(later).min();
        Ok(again.map_or(Outcome::Done, Outcome::RequeueAfter))
    }
}

impl Done {
    fn fail(&mut self, error: ApplyError) {
        // What passes by itself is no news; what is found of it is.
        if !error.passes() {
            self.standing = Standing::Obstacle {
                reason: error.reason().to_owned(),
                message: error.to_string(),
            };
        }
        self.error = Some(error);
    }
}

/// Why it is not known whether there is an `Llmd`, if so.
fn unknown(cache: &reconcile::WatchCache<Component>, found: bool) -> Option<Standing> {
    let obstacle = |message| Some(Standing::obstacle(Reason::LlmdsUnknown, message));
    if let Some(error) = cache.unreadable("", NAME) {
        return obstacle(format!("Llmd {NAME} cannot be read: {error}"));
    }
    if !found && !cache.is_listed() {
        let states: Vec<String> = cache.state().iter().map(|state| format!("{state:?}")).collect();
        return obstacle(format!(
            "Llmds cannot be watched ({}); install the definitions (llm-operator crds), or grant the right",
            states.join(", ")
        ));
    }
    None
}

fn is_conflict(message: &str) -> bool {
    message.contains("the object has been modified")
}
