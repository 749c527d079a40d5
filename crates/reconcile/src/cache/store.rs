//! What a watch cache holds, and how watch events change it. Pure: no clock, no client.
//!
//! Several streams (one per namespace) may feed one cache. A stream's events arrive in the order of their resource
//! versions, which is what makes it safe to enter the answer of our own write before its echo arrives.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::AtomicI64},
};

use parking_lot::RwLock;

use super::{
    echo::Echoes,
    index::{FullName, Index},
    raw::RawObject,
    spec::{CacheSpec, Change},
    watch::WatchState,
};
use crate::{key::ObjectKey, runner::WorkQueue};

type Readable<T> = Result<Arc<T>, Arc<str>>;
/// What was there before, and what is there now.
type Replaced<T> = (Option<Readable<T>>, Readable<T>);

struct Entry<T> {
    version: u64,
    stream: usize,
    epoch: u64,
    value: Readable<T>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Stream {
    epoch: u64,
    listing: bool,
    /// Highest version that the stream has shown us.
    seen: u64,
}

struct Held<T> {
    objects: HashMap<Box<str>, HashMap<Box<str>, Entry<T>>>,
    index: Index,
    streams: Vec<Stream>,
    count: usize,
}

/// Reduced facts of all watched objects of one resource; lookups cost no request and clone no object.
pub struct WatchCache<T> {
    held: RwLock<Held<T>>,
    spec: CacheSpec<T>,
    namespaces: Vec<String>,
    pub(super) echoes: Echoes,
    pub(super) queue: WorkQueue,
    pub(super) states: tokio::sync::watch::Sender<Vec<WatchState>>,
    /// Objects that the metrics know of.
    pub(super) told: AtomicI64,
}

impl<T> std::fmt::Debug for WatchCache<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WatchCache")
            .field("resource", &self.spec.resource.plural)
            .finish_non_exhaustive()
    }
}

impl<T> WatchCache<T> {
    /// An empty cache; `namespaces` has one entry per stream, or none for a single stream over everything.
    pub(super) fn new(spec: CacheSpec<T>, namespaces: Vec<String>, queue: WorkQueue) -> Self {
        let streams = namespaces.len().max(1);
        Self {
            held: RwLock::new(Held {
                objects: HashMap::new(),
                index: Index::default(),
                streams: (0..streams).map(|_| Stream::default()).collect(),
                count: 0,
            }),
            spec,
            namespaces,
            echoes: Echoes::default(),
            queue,
            states: tokio::sync::watch::Sender::new(vec![WatchState::Starting; streams]),
            told: AtomicI64::new(0),
        }
    }

    /// A cache that nobody fills: it is empty, was never listed, and holds nobody up.
    pub(super) fn idle(spec: CacheSpec<T>, queue: WorkQueue) -> Self {
        Self {
            states: tokio::sync::watch::Sender::new(Vec::new()),
            ..Self::new(spec, Vec::new(), queue)
        }
    }

    /// Whether it is filled at all.
    pub fn is_watched(&self) -> bool {
        !self.states.borrow().is_empty()
    }

    /// The object `namespace`/`name`; empty namespace for cluster-scoped ones. `None` also when it is unreadable.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<T>> {
        self.readable(namespace, name)?.ok()
    }

    /// Why the object cannot be read, if it exists and cannot.
    pub fn unreadable(&self, namespace: &str, name: &str) -> Option<Arc<str>> {
        self.readable(namespace, name)?.err()
    }

    fn readable(&self, namespace: &str, name: &str) -> Option<Readable<T>> {
        let held = self.held.read();
        Some(held.objects.get(namespace)?.get(name)?.value.clone())
    }

    /// Whether the object exists, readable or not.
    pub fn exists(&self, namespace: &str, name: &str) -> bool {
        self.readable(namespace, name).is_some()
    }

    /// All readable objects filed under `key` by the spec's index, ordered by namespace and name.
    pub fn indexed(&self, key: &str) -> Vec<Arc<T>> {
        let held = self.held.read();
        held.index
            .names(key)
            .iter()
            .filter_map(|(namespace, name)| held.objects.get(&**namespace)?.get(&**name)?.value.clone().ok())
            .collect()
    }

    /// Namespace and name of all objects filed under `key`, in order.
    pub fn indexed_names(&self, key: &str) -> Vec<FullName> {
        self.held.read().index.names(key).to_vec()
    }

    /// All readable objects, in no particular order; of one namespace when given.
    pub fn list(&self, namespace: Option<&str>) -> Vec<Arc<T>> {
        let held = self.held.read();
        let readable = |objects: &HashMap<Box<str>, Entry<T>>| {
            objects
                .values()
                .filter_map(|entry| entry.value.clone().ok())
                .collect::<Vec<_>>()
        };
        match namespace {
            Some(namespace) => held.objects.get(namespace).map(readable).unwrap_or_default(),
            None => held.objects.values().flat_map(readable).collect(),
        }
    }

    /// Namespace and name of every object, readable or not: what a forced resync looks at.
    pub fn names(&self) -> Vec<FullName> {
        let held = self.held.read();
        held.objects
            .iter()
            .flat_map(|(namespace, objects)| {
                let namespace: Arc<str> = (&**namespace).into();
                objects
                    .keys()
                    .map(move |name| (namespace.clone(), (&**name).into()))
            })
            .collect()
    }

    /// Number of objects, readable or not.
    pub fn len(&self) -> usize {
        self.held.read().count
    }

    /// Whether the cache holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// State of each stream (one per watched namespace).
    pub fn state(&self) -> Vec<WatchState> {
        self.states.borrow().clone()
    }

    /// Whether what the cache holds was listed completely, even if it may be old by now. Ask after reading: what is not
    /// served any more is told before it is forgotten.
    pub fn is_listed(&self) -> bool {
        all_listed(&self.states.borrow())
    }

    /// Returns when [`WatchCache::is_listed`] has become `listed`.
    pub async fn wait_listed(&self, listed: bool) {
        let mut states = self.states.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = states.wait_for(|states| all_listed(states) == listed).await;
    }

    /// Whether every stream has listed its objects, or what it watches is not served by this cluster.
    pub fn settled(&self) -> bool {
        self.states
            .borrow()
            .iter()
            .all(|state| state.settled(self.spec.optional))
    }

    /// How many lists the stream that shows `namespace` has begun.
    pub(super) fn epoch_of(&self, namespace: &str) -> u64 {
        self.stream_of(namespace)
            .map_or(0, |stream| self.held.read().streams[stream].epoch)
    }

    fn stream_of(&self, namespace: &str) -> Option<usize> {
        if self.namespaces.is_empty() {
            return Some(0);
        }
        self.namespaces.iter().position(|watched| watched == namespace)
    }

    /// Enters the answer of our own write, so that the next look sees it and its echo is no news. `begun` is the epoch
    /// in which the write began. Returns what the cache held before and holds now, if it took the answer.
    pub(super) fn enter(&self, raw: &RawObject, begun: Option<u64>) -> Option<Replaced<T>> {
        let stream = self.stream_of(raw.namespace())?;
        let mut held = self.held.write();
        let Stream { epoch, listing, seen } = held.streams[stream];
        // What the stream has passed already may be deleted by now.
        if epoch == 0 || raw.version() <= seen {
            return None;
        }
        let known = held
            .objects
            .get(raw.namespace())
            .and_then(|objects| objects.get(raw.name()));
        let epoch = match known {
            Some(known) if known.version >= raw.version() => return None,
            Some(known) => known.epoch,
            // A list that began after the write does not show it: it may have been deleted before that list.
            None if begun != Some(epoch) => return None,
            // The list that is under way has to confirm it.
            None if listing => epoch - 1,
            None => epoch,
        };
        Some(self.upsert(&mut held, (stream, epoch), raw))
    }

    pub(super) fn spec(&self) -> &CacheSpec<T> {
        &self.spec
    }

    /// The stream starts a new list.
    pub(super) fn begin(&self, stream: usize) {
        let mut held = self.held.write();
        held.streams[stream].epoch += 1;
        held.streams[stream].listing = true;
        // A restored API server counts from an older version; the list is the truth.
        held.streams[stream].seen = 0;
    }

    /// The stream shows an object, listed or changed. Returns whom to wake.
    pub(super) fn put(&self, stream: usize, raw: &RawObject) -> Vec<ObjectKey> {
        let mut held = self.held.write();
        let version = raw.version();
        held.streams[stream].seen = held.streams[stream].seen.max(version);
        let Stream { epoch, listing, .. } = held.streams[stream];
        let known = held
            .objects
            .get_mut(raw.namespace())
            .and_then(|objects| objects.get_mut(raw.name()));
        if let Some(entry) = known
            && version != 0
            && (entry.version == version || (entry.version > version && !listing))
        {
            (entry.stream, entry.epoch) = (stream, epoch);
            return Vec::new();
        }
        let (old, new) = self.upsert(&mut held, (stream, epoch), raw);
        drop(held);
        let woken = self.wake(raw.namespace(), raw.name(), old, Some(new));
        self.echoes.hold(raw.namespace(), raw.name(), version, woken)
    }

    /// The stream says that an object is gone. Returns whom to wake.
    pub(super) fn delete(&self, stream: usize, raw: &RawObject) -> Vec<ObjectKey> {
        let mut held = self.held.write();
        held.streams[stream].seen = held.streams[stream].seen.max(raw.version());
        match self.remove(&mut held, raw.namespace(), raw.name()) {
            Some(old) => {
                drop(held);
                self.wake(raw.namespace(), raw.name(), Some(old), None)
            }
            None => Vec::new(),
        }
    }

    /// The stream has listed everything: what it did not show is gone. Returns whom to wake.
    pub(super) fn end(&self, stream: usize) -> Vec<ObjectKey> {
        let mut held = self.held.write();
        held.streams[stream].listing = false;
        let epoch = held.streams[stream].epoch;
        self.sweep(held, |entry| entry.stream == stream && entry.epoch != epoch)
    }

    /// The resource is no longer served: everything of this stream is gone. Returns whom to wake.
    pub(super) fn clear(&self, stream: usize) -> Vec<ObjectKey> {
        let held = self.held.write();
        self.sweep(held, |entry| entry.stream == stream)
    }

    fn sweep(
        &self,
        mut held: parking_lot::RwLockWriteGuard<'_, Held<T>>,
        gone: impl Fn(&Entry<T>) -> bool,
    ) -> Vec<ObjectKey> {
        let names: Vec<(Box<str>, Box<str>)> = held
            .objects
            .iter()
            .flat_map(|(namespace, objects)| {
                let gone = &gone;
                objects
                    .iter()
                    .filter(move |(_, entry)| gone(entry))
                    .map(|(name, _)| (namespace.clone(), name.clone()))
            })
            .collect();
        let removed: Vec<_> = names
            .into_iter()
            .filter_map(|(namespace, name)| {
                let old = self.remove(&mut held, &namespace, &name)?;
                Some((namespace, name, old))
            })
            .collect();
        drop(held);
        removed
            .into_iter()
            .flat_map(|(namespace, name, old)| self.wake(&namespace, &name, Some(old), None))
            .collect()
    }

    fn upsert(&self, held: &mut Held<T>, (stream, epoch): (usize, u64), raw: &RawObject) -> Replaced<T> {
        let value = self.reduced(raw);
        let old = self.remove(held, raw.namespace(), raw.name());
        if let Ok(value) = &value {
            for key in (self.spec.index)(value) {
                held.index.add(key, raw.namespace(), raw.name());
            }
        }
        let entry = Entry {
            version: raw.version(),
            stream,
            epoch,
            value: value.clone(),
        };
        held.objects
            .entry(raw.namespace().into())
            .or_default()
            .insert(raw.name().into(), entry);
        held.count += 1;
        (old, value)
    }

    /// What is kept of an object. A fault of ours that one object brings out must not end the watch of all.
    fn reduced(&self, raw: &RawObject) -> Readable<T> {
        match catch_unwind(AssertUnwindSafe(|| (self.spec.reduce)(raw))) {
            Ok(Ok(value)) => Ok(Arc::new(value)),
            Ok(Err(error)) => Err(Arc::from(error.to_string())),
            Err(_) => Err(Arc::from("the operator failed on it; report its YAML")),
        }
    }

    fn remove(&self, held: &mut Held<T>, namespace: &str, name: &str) -> Option<Readable<T>> {
        let objects = held.objects.get_mut(namespace)?;
        let entry = objects.remove(name)?;
        if objects.is_empty() {
            held.objects.remove(namespace);
        }
        held.count -= 1;
        if let Ok(value) = &entry.value {
            for key in (self.spec.index)(value) {
                held.index.remove(&key, namespace, name);
            }
        }
        Some(entry.value)
    }

    pub(super) fn wake(
        &self,
        namespace: &str,
        name: &str,
        old: Option<Readable<T>>,
        new: Option<Readable<T>>,
    ) -> Vec<ObjectKey> {
        let (old, old_error) = split(old);
        let (new, error) = split(new);
        if error.is_some() && error == old_error {
            return Vec::new();
        }
        let change = Change {
            namespace,
            name,
            old: old.as_deref(),
            new: new.as_deref(),
            error: error.as_deref(),
        };
        (self.spec.on_change)(&change)
    }
}

/// What has no stream shows nothing.
fn all_listed(states: &[WatchState]) -> bool {
    !states.is_empty() && states.iter().all(WatchState::is_listed)
}

fn split<T>(value: Option<Readable<T>>) -> (Option<Arc<T>>, Option<Arc<str>>) {
    match value {
        Some(Ok(value)) => (Some(value), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
