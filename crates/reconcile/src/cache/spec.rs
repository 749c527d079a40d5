//! What one cache watches, what it keeps of each object, and whom a change wakes. Pure description, no I/O.

use std::time::Duration;

use kube::{Resource, core::ApiResource};
use serde::de::DeserializeOwned;

use super::raw::RawObject;
use crate::{key::ObjectKey, rights::Right};

/// How often a definition that may be somebody else's is looked at again.
const RECHECK: Duration = Duration::from_mins(1);

/// What happened to one object.
#[derive(Debug)]
pub struct Change<'a, T> {
    /// Namespace of the object, empty for cluster-scoped ones.
    pub namespace: &'a str,
    /// Name of the object.
    pub name: &'a str,
    /// What the cache held before; `None` for a new object or one that was unreadable.
    pub old: Option<&'a T>,
    /// What it holds now; `None` when the object is gone or unreadable.
    pub new: Option<&'a T>,
    /// Why the object as it is now cannot be read, if so.
    pub error: Option<&'a str>,
}

type Reduce<T> = Box<dyn Fn(&RawObject) -> Result<T, serde_json::Error> + Send + Sync>;
type Index<T> = Box<dyn Fn(&T) -> Vec<String> + Send + Sync>;
type OnChange<T> = Box<dyn Fn(&Change<'_, T>) -> Vec<ObjectKey> + Send + Sync>;

/// Description of one [`WatchCache`](super::WatchCache) holding a `T` per object.
pub struct CacheSpec<T> {
    pub(super) resource: ApiResource,
    pub(super) cluster_scoped: bool,
    pub(super) namespace: Option<String>,
    pub(super) requires: &'static [&'static str],
    pub(super) recheck: Duration,
    pub(super) labels: Option<String>,
    pub(super) fields: Option<String>,
    pub(super) page_size: u32,
    pub(super) optional: bool,
    pub(super) needs: Vec<Right>,
    pub(super) without: &'static str,
    pub(super) delay: Duration,
    pub(super) reduce: Reduce<T>,
    pub(super) index: Index<T>,
    pub(super) on_change: OnChange<T>,
    pub(super) on_unserved: Vec<ObjectKey>,
}

impl<T> std::fmt::Debug for CacheSpec<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CacheSpec")
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

impl<T> CacheSpec<T> {
    /// Watches every `K` and keeps what `reduce` takes from its raw JSON. Cheapest: decode a small struct of your own
    /// from [`RawObject::json`].
    pub fn raw<K>(reduce: impl Fn(&RawObject) -> Result<T, serde_json::Error> + Send + Sync + 'static) -> Self
    where
        K: Resource<DynamicType = ()>,
    {
        Self::of(ApiResource::erase::<K>(&()), reduce)
    }

    /// Watches every object of a kind that is known only at run time.
    pub fn of(
        resource: ApiResource,
        reduce: impl Fn(&RawObject) -> Result<T, serde_json::Error> + Send + Sync + 'static,
    ) -> Self {
        Self {
            resource,
            cluster_scoped: false,
            namespace: None,
            requires: &[],
            recheck: RECHECK,
            labels: None,
            fields: None,
            page_size: 100,
            optional: false,
            needs: Vec::new(),
            without: "",
            delay: Duration::ZERO,
            reduce: Box::new(reduce),
            index: Box::new(|_| Vec::new()),
            on_change: Box::new(|_| Vec::new()),
            on_unserved: Vec::new(),
        }
    }

    /// Watches every `K`, decoded without its `managedFields`, and keeps what `reduce` makes of it.
    pub fn typed<K>(reduce: impl Fn(K) -> T + Send + Sync + 'static) -> Self
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        Self::raw::<K>(move |raw| raw.decode().map(&reduce))
    }

    /// Plural and group, as kubectl takes them; the plural alone in the core group.
    pub(super) fn full_name(&self) -> String {
        let ApiResource { plural, group, .. } = &self.resource;
        if group.is_empty() {
            plural.clone()
        } else {
            format!("{plural}.{group}")
        }
    }

    /// The resource has no namespace (Nodes, classes): one watch, whatever namespaces are watched.
    #[must_use]
    pub fn cluster_scoped(mut self) -> Self {
        self.cluster_scoped = true;
        self
    }

    /// Only this namespace, whatever namespaces are watched.
    #[must_use]
    pub fn in_namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Only where the served schema of this kind has all of these properties, such as `spec.model.placement`: else it is
    /// somebody else's definition under our name, nothing is listed or watched, and the state is
    /// [`WatchState::Foreign`](super::WatchState::Foreign). A definition that is not installed is no lack then.
    #[must_use]
    pub fn requires(mut self, properties: &'static [&'static str]) -> Self {
        self.requires = properties;
        self
    }

    /// How often the schema is looked at again, lengthened or shortened at random by up to a tenth; a minute unless told.
    #[must_use]
    pub fn recheck(mut self, every: Duration) -> Self {
        self.recheck = every;
        self
    }

    /// Only objects that this label selector matches.
    #[must_use]
    pub fn labels(mut self, selector: &str) -> Self {
        self.labels = Some(selector.to_owned());
        self
    }

    /// Only objects that this field selector matches.
    #[must_use]
    pub fn fields(mut self, selector: &str) -> Self {
        self.fields = Some(selector.to_owned());
        self
    }

    /// Objects per page of a list; 100 unless told. Smaller pages lower peak memory.
    #[must_use]
    pub fn page_size(mut self, objects: u32) -> Self {
        self.page_size = objects;
        self
    }

    /// Work may start while this resource may not be watched (403). A resource that the API server does not serve
    /// (404) never holds work back.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// As [`CacheSpec::optional`], for rights that are probably withheld on purpose: the API server is asked whether we have
    /// them before anything is listed, so that there is no denied request. `without` says what it means if not.
    #[must_use]
    pub fn needs(mut self, rights: &[Right], without: &'static str) -> Self {
        self.needs = rights.to_vec();
        self.without = without;
        self.optional()
    }

    /// Keys under which [`WatchCache::indexed`](super::WatchCache::indexed) finds an object, e.g.
    /// `model:<namespace>/<name>`.
    #[must_use]
    pub fn index(mut self, keys: impl Fn(&T) -> Vec<String> + Send + Sync + 'static) -> Self {
        self.index = Box::new(keys);
        self
    }

    /// Whom a change wakes. Not called when a re-list brings an object that is already known in that version, nor for
    /// the echo of our own write. Must be quick; it may look into other caches, not into its own.
    #[must_use]
    pub fn on_change(
        mut self,
        keys: impl Fn(&Change<'_, T>) -> Vec<ObjectKey> + Send + Sync + 'static,
    ) -> Self {
        self.on_change = Box::new(keys);
        self
    }

    /// Who is woken when the resource is served no more: by then its last object may long have gone.
    #[must_use]
    pub fn on_unserved(mut self, keys: Vec<ObjectKey>) -> Self {
        self.on_unserved = keys;
        self
    }

    /// Wakes only after this time, so that a burst of changes costs one reconcile. Zero unless told.
    #[must_use]
    pub fn coalesce(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}
