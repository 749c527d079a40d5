//! Caches of what is only known at run time to matter: the kinds of somebody's chart, one Secret by name.
//!
//! In: what is to be followed now. Out: one cache per thing, started when it is first asked for and stopped when nobody
//! asks for it any more. Work never waits for them as a whole; whoever reads one asks whether it has been listed.

use std::{collections::BTreeMap, sync::Arc};

use kube::{Client, core::ApiResource};
use parking_lot::Mutex;

use super::{
    spec::CacheSpec,
    store::WatchCache,
    watches::{Namespaces, Watches},
};
use crate::{metrics::Metrics, runner::WorkQueue};

/// What one cache follows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Followed {
    /// The kind.
    pub resource: ApiResource,
    /// Only in this namespace; `None` for the whole cluster and for cluster-scoped kinds.
    pub namespace: Option<String>,
    /// Only what this label selector matches; empty for all.
    pub labels: String,
    /// Only what this field selector matches; empty for all.
    pub fields: String,
}

impl Followed {
    fn key(&self) -> String {
        let ApiResource {
            group,
            version,
            plural,
            ..
        } = &self.resource;
        let namespace = self.namespace.as_deref().unwrap_or_default();
        format!(
            "{group}/{version}/{plural} {namespace} {} {}",
            self.labels, self.fields
        )
    }
}

/// How the cache of one followed thing is made: what is kept of an object, and whom a change wakes.
type Describe<T> = Box<dyn Fn(ApiResource) -> CacheSpec<T> + Send + Sync>;

/// A cache, and its watch, which ends with it.
type Running<T> = (Watches, Arc<WatchCache<T>>);

/// The caches.
pub struct Followers<T> {
    client: Client,
    queue: WorkQueue,
    metrics: Metrics,
    describe: Describe<T>,
    caches: Mutex<BTreeMap<String, Running<T>>>,
}

impl<T: Send + Sync + 'static> Followers<T> {
    /// Follows nothing yet. `describe` says what is kept of a kind's objects and whom a change wakes.
    pub fn new(
        client: Client,
        queue: WorkQueue,
        metrics: Metrics,
        describe: impl Fn(ApiResource) -> CacheSpec<T> + Send + Sync + 'static,
    ) -> Self {
        Self {
            client,
            queue,
            metrics,
            describe: Box::new(describe),
            caches: Mutex::new(BTreeMap::new()),
        }
    }

    /// Follows these and nothing else. Must be called inside a tokio runtime.
    pub fn follow(&self, wanted: &[Followed]) {
        let mut caches = self.caches.lock();
        caches.retain(|key, _| wanted.iter().any(|one| one.key() == *key));
        for one in wanted {
            caches.entry(one.key()).or_insert_with(|| self.start(one));
        }
    }

    /// The cache of what is followed, once it has been listed.
    pub fn get(&self, followed: &Followed) -> Option<Arc<WatchCache<T>>> {
        let caches = self.caches.lock();
        let (_, cache) = caches.get(&followed.key())?;
        cache
            .state()
            .iter()
            .all(super::WatchState::is_listed)
            .then(|| cache.clone())
    }

    /// Whether it is followed and the API server does not serve it.
    pub fn is_unserved(&self, followed: &Followed) -> bool {
        let caches = self.caches.lock();
        caches
            .get(&followed.key())
            .is_some_and(|(_, cache)| cache.state().contains(&super::WatchState::NotServed))
    }

    /// State of each, for whoever has to tell why something is not known.
    pub fn states(&self) -> Vec<(String, Vec<super::WatchState>)> {
        let caches = self.caches.lock();
        caches
            .values()
            .flat_map(|(watches, _)| watches.states())
            .collect()
    }

    /// What the API server says to the first of them that may not be watched.
    pub fn forbidden(&self) -> Option<String> {
        let states = self.states().into_iter().flat_map(|(_, states)| states);
        { states }.find_map(|state| match state {
            super::WatchState::Forbidden(message) => Some(message),
            _ => None,
        })
    }

    fn start(&self, one: &Followed) -> Running<T> {
        let mut spec = (self.describe)(one.resource.clone()).optional();
        spec = match &one.namespace {
            Some(namespace) => spec.in_namespace(namespace),
            None => spec.cluster_scoped(),
        };
        if !one.labels.is_empty() {
            spec = spec.labels(&one.labels);
        }
        if !one.fields.is_empty() {
            spec = spec.fields(&one.fields);
        }
        let (client, queue) = (self.client.clone(), self.queue.clone());
        let mut watches = Watches::new(client, Namespaces::All, queue, self.metrics.clone());
        let cache = watches.start(spec);
        (watches, cache)
    }
}
