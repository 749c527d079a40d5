//! The resources that are reconciled, of all kinds together: what triggers ask.
//!
//! In: one cache per kind. Out: keys to wake. Adding a kind is one line in [`super::Caches::start`].

use std::sync::Arc;

use api::shared::State;
use diagnosis::facts::PodFacts;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use reconcile::{ObjectKey, WatchCache};

use crate::{serving_kind::ServingRoot, triggers};

type FullName = (Arc<str>, Arc<str>);

/// Names of one kind's resources.
pub(crate) trait Names: Send + Sync {
    /// Whether the kind is served.
    fn is_watched(&self) -> bool;
    fn exists(&self, namespace: &str, name: &str) -> bool;
    fn names(&self) -> Vec<FullName>;
}

impl<T: Send + Sync> Names for WatchCache<T> {
    fn is_watched(&self) -> bool {
        Self::is_watched(self)
    }

    fn exists(&self, namespace: &str, name: &str) -> bool {
        Self::exists(self, namespace, name)
    }

    fn names(&self) -> Vec<FullName> {
        Self::names(self)
    }
}

/// Every kind whose resources own objects.
#[derive(Clone)]
pub(crate) struct Owners {
    kinds: Arc<[&'static str]>,
    caches: Arc<[Arc<dyn Names>]>,
}

impl Owners {
    /// The name of each kind, and its cache; of one that is not served nobody is woken.
    pub(crate) fn new(kinds: Vec<(&'static str, Arc<dyn Names>)>) -> Self {
        let served = kinds.into_iter().filter(|(_, cache)| cache.is_watched());
        let (kinds, caches): (Vec<_>, Vec<_>) = served.unzip();
        Self {
            kinds: kinds.into(),
            caches: caches.into(),
        }
    }

    /// Their kinds, as in owner references.
    pub(crate) fn kinds(&self) -> &[&'static str] {
        &self.kinds
    }

    /// The resources of this name.
    pub(crate) fn namesakes(&self, namespace: &str, name: &str) -> Vec<ObjectKey> {
        let all = self.kinds.iter().zip(&*self.caches);
        all.filter(|(_, cache)| cache.exists(namespace, name))
            .map(|(kind, _)| ObjectKey::new(kind, namespace, name))
            .collect()
    }

    /// All resources.
    pub(crate) fn all(&self) -> Vec<ObjectKey> {
        let all = self.kinds.iter().zip(&*self.caches);
        all.flat_map(|(kind, cache)| keys(kind, cache.names())).collect()
    }
}

/// The resources of one kind that serves.
trait ServingView: Names {
    fn kind(&self) -> &'static str;
    fn pod_owner(&self) -> &'static str;
    fn filed_under(&self, key: &str) -> Vec<FullName>;
    fn not_ready(&self) -> Vec<ObjectKey>;
    /// When a resource that nobody has looked at yet was made.
    fn unseen_since(&self, namespace: &str, name: &str) -> Option<Time>;
}

impl<K: ServingRoot> ServingView for WatchCache<K> {
    fn kind(&self) -> &'static str {
        K::KIND
    }

    fn pod_owner(&self) -> &'static str {
        K::POD_OWNER
    }

    fn filed_under(&self, key: &str) -> Vec<FullName> {
        self.indexed_names(key)
    }

    fn not_ready(&self) -> Vec<ObjectKey> {
        let all = self.list(None).into_iter();
        all.filter(|resource| resource.state() != Some(State::Ready))
            .map(|resource| {
                let meta = resource.meta();
                let text = |value: &Option<String>| value.clone().unwrap_or_default();
                ObjectKey::new(K::KIND, text(&meta.namespace), text(&meta.name))
            })
            .collect()
    }

    fn unseen_since(&self, namespace: &str, name: &str) -> Option<Time> {
        let resource = self.get(namespace, name)?;
        let unseen = resource.status().is_none();
        resource.meta().creation_timestamp.clone().filter(|_| unseen)
    }
}

/// Every kind that serves.
#[derive(Clone, Default)]
pub(crate) struct ServingRoots(Vec<Arc<dyn ServingView>>);

impl ServingRoots {
    /// Adds a kind, if it is served: nobody is woken of one that is not.
    #[must_use]
    pub(crate) fn with<K: ServingRoot>(mut self, cache: &Arc<WatchCache<K>>) -> Self {
        if cache.is_watched() {
            self.0.push(cache.clone());
        }
        self
    }

    /// The resource that a Pod belongs to, if it is one of ours.
    pub(crate) fn owner_of(&self, pod: &PodFacts) -> Option<ObjectKey> {
        let owner = pod.owner.as_ref()?;
        let view = self.0.iter().find(|view| *view.pod_owner() == *owner.kind)?;
        Some(ObjectKey::new(view.kind(), &*pod.namespace, &*owner.name))
    }

    /// The resources that are filed under this index key.
    pub(crate) fn filed_under(&self, key: &str) -> Vec<ObjectKey> {
        self.of_each(|view| keys(view.kind(), view.filed_under(key)).collect())
    }

    /// The resources of this name.
    pub(crate) fn namesakes(&self, namespace: &str, name: &str) -> Vec<ObjectKey> {
        let named = self.0.iter().filter(|view| view.exists(namespace, name));
        named
            .map(|view| ObjectKey::new(view.kind(), namespace, name))
            .collect()
    }

    /// Whether an older resource of this name, of another kind, was not looked at yet: the oldest has the name.
    pub(crate) fn has_unseen_elder<K: ServingRoot>(&self, resource: &K) -> bool {
        let meta = resource.meta();
        let (Some(namespace), Some(name)) = (&meta.namespace, &meta.name) else {
            return false;
        };
        let others = self.0.iter().filter(|view| view.kind() != K::KIND);
        let mut unseen = others.filter_map(|view| view.unseen_since(namespace, name));
        unseen.any(|elder| Some(&elder) < meta.creation_timestamp.as_ref())
    }

    /// Whoever waits for GPUs that somebody holds.
    pub(crate) fn waiting_for_gpus(&self) -> Vec<ObjectKey> {
        self.filed_under(triggers::WAITS_FOR_GPUS)
    }

    /// Everything that is not ready.
    pub(crate) fn not_ready(&self) -> Vec<ObjectKey> {
        self.of_each(|view| view.not_ready())
    }

    fn of_each(&self, keys: impl Fn(&dyn ServingView) -> Vec<ObjectKey>) -> Vec<ObjectKey> {
        self.0.iter().flat_map(|view| keys(&**view)).collect()
    }
}

fn keys(kind: &'static str, names: Vec<FullName>) -> impl Iterator<Item = ObjectKey> {
    names
        .into_iter()
        .map(move |(namespace, name)| ObjectKey::new(kind, namespace, name))
}
