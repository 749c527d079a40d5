//! All watches of the process: starts them, and tells when every cache may be relied on.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use kube::Client;
use tokio::task::JoinSet;

use super::{
    spec::CacheSpec,
    store::WatchCache,
    watch::{Stream, WatchState},
};
use crate::{metrics::Metrics, runner::WorkQueue};

/// Which namespaces are watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Namespaces {
    /// The whole cluster.
    #[default]
    All,
    /// Only these.
    Only(Vec<String>),
}

/// What can be said of a cache without knowing what it holds.
trait Settling: Send + Sync {
    fn resource(&self) -> String;
    fn settled(&self) -> bool;
    fn state(&self) -> Vec<WatchState>;
    fn changed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

impl<T: Send + Sync> Settling for WatchCache<T> {
    fn resource(&self) -> String {
        self.spec().full_name()
    }

    fn settled(&self) -> bool {
        WatchCache::settled(self)
    }

    fn state(&self) -> Vec<WatchState> {
        WatchCache::state(self)
    }

    fn changed(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut states = self.states.subscribe();
        let optional = self.spec().optional;
        Box::pin(async move {
            // The sender lives in `self`, so waiting cannot fail.
            let _ = states
                .wait_for(|states| states.iter().all(|state| state.settled(optional)))
                .await;
        })
    }
}

/// Owner of all watch tasks; dropping it stops them.
pub struct Watches {
    client: Client,
    namespaces: Namespaces,
    queue: WorkQueue,
    metrics: Metrics,
    caches: Vec<Arc<dyn Settling>>,
    tasks: JoinSet<()>,
}

impl fmt::Debug for Watches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watches")
            .field("namespaces", &self.namespaces)
            .finish_non_exhaustive()
    }
}

impl Namespaces {
    /// One entry per stream over a namespaced resource: each namespace once, or nothing for a single stream over all.
    /// A namespace that is watched twice would be swept by the one stream for what only the other has seen.
    fn streams(&self) -> Vec<String> {
        match self {
            Self::All => Vec::new(),
            Self::Only(names) => {
                let mut names = names.clone();
                names.sort();
                names.dedup();
                names
            }
        }
    }
}

impl Watches {
    /// No watches yet; wake-ups will go to `queue`.
    pub fn new(client: Client, namespaces: Namespaces, queue: WorkQueue, metrics: Metrics) -> Self {
        Self {
            client,
            namespaces,
            queue,
            metrics,
            caches: Vec::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Which namespaces are watched.
    pub fn namespaces(&self) -> &Namespaces {
        &self.namespaces
    }

    /// Starts to fill a cache. Returns at once; must be called inside a tokio runtime.
    pub fn start<T: Send + Sync + 'static>(&mut self, spec: CacheSpec<T>) -> Arc<WatchCache<T>> {
        let namespaces = match &spec.namespace {
            _ if spec.cluster_scoped => Vec::new(),
            Some(one) => vec![one.clone()],
            None => self.namespaces.streams(),
        };
        let cache = Arc::new(WatchCache::new(spec, namespaces.clone(), self.queue.clone()));
        let mut streams: Vec<Option<String>> = namespaces.into_iter().map(Some).collect();
        if streams.is_empty() {
            streams.push(None);
        }
        for (id, namespace) in streams.into_iter().enumerate() {
            let stream = Stream {
                cache: cache.clone(),
                id,
                namespace,
                client: self.client.clone(),
                queue: self.queue.clone(),
                metrics: self.metrics.clone(),
            };
            self.tasks.spawn(stream.run());
        }
        self.caches.push(cache.clone());
        cache
    }

    /// The watches of one family, or of what several have in common: filled if it is `wanted`.
    pub fn part(&mut self, wanted: bool) -> Part<'_> {
        Part {
            watches: self,
            wanted,
        }
    }

    /// Whether every cache may be relied on.
    pub fn settled(&self) -> bool {
        self.caches.iter().all(|cache| cache.settled())
    }

    /// Waits until every cache has listed what the cluster serves of it. Workers start after this.
    pub async fn wait_settled(&self) {
        for cache in &self.caches {
            cache.changed().await;
        }
    }

    /// State of every watch by resource (`llmmodels.llm.example.com`, `pods`), for `/readyz` and logs.
    pub fn states(&self) -> Vec<(String, Vec<WatchState>)> {
        self.caches
            .iter()
            .map(|cache| (cache.resource(), cache.state()))
            .collect()
    }
}

/// Watches that are wanted together, or not at all.
#[derive(Debug)]
pub struct Part<'a> {
    watches: &'a mut Watches,
    wanted: bool,
}

impl Part<'_> {
    /// As [`Watches::start`]; where the part is not wanted, a cache that stays empty, for which nothing is asked.
    pub fn start<T: Send + Sync + 'static>(&mut self, spec: CacheSpec<T>) -> Arc<WatchCache<T>> {
        if self.wanted {
            self.watches.start(spec)
        } else {
            Arc::new(WatchCache::idle(spec, self.watches.queue.clone()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_that_is_named_twice_is_watched_once() {
        let only = |names: &[&str]| Namespaces::Only(names.iter().map(ToString::to_string).collect());
        assert_eq!(only(&["b", "a", "b"]).streams(), ["a", "b"]);
        assert!(Namespaces::All.streams().is_empty());
    }
}
