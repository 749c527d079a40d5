//! One watch: kube's `watcher` in, cache changes and wake-ups out, for ever.
//!
//! A failing watch backs off on its own and disturbs no other. A resource that the API server does not serve, or that
//! we may not watch, is said once and asked for again from time to time, so that it starts to work when it appears. So is
//! one whose definition is somebody else's: of that, nothing is listed.

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures::StreamExt;
use kube::{
    Api, Client,
    core::Status,
    runtime::watcher::{self, Event, watcher},
};
use tokio::time::{sleep, timeout};

use super::{
    raw::RawObject,
    served::{Look, Served},
    store::WatchCache,
};
use crate::{
    jitter::{Backoff, jittered},
    metrics::Metrics,
    runner::WorkQueue,
};

/// 800 ms to 30 s, as kube's own watcher back-off.
const WATCH_BACKOFF: Backoff = Backoff {
    base: Duration::from_millis(800),
    max: Duration::from_secs(30),
};
/// How often a resource that is not served is asked for again.
const MISSING_RETRY: Duration = Duration::from_secs(3);
/// The same of a definition that may well never come.
const OPTIONAL_MISSING_RETRY: Duration = Duration::from_secs(15);
/// How often a resource that we may not watch is asked for again: a right may be on its way.
const FORBIDDEN_BACKOFF: Backoff = Backoff {
    base: Duration::from_secs(3),
    max: Duration::from_secs(30),
};
/// As above when work goes on without it: the right is probably withheld on purpose.
const FORBIDDEN_OPTIONAL_BACKOFF: Backoff = Backoff {
    max: Duration::from_mins(5),
    ..FORBIDDEN_BACKOFF
};
/// A watch that has not failed for this long after it was opened again works, though it has nothing to show. Longer than
/// the time in which the opening itself would have failed.
const QUIET: Duration = Duration::from_secs(20);
/// A watch that cannot be opened this often in a row lists again: its resource version may be what is refused, and
/// after a longer outage a list tells for sure where we stand.
const RELIST_AFTER: u32 = 3;

/// Where one stream of a cache stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchState {
    /// The first list is not complete.
    Starting,
    /// Listed; changes arrive.
    Watching,
    /// The API server does not serve this resource (its CRD is not installed).
    NotServed,
    /// The API server serves another definition under this name, which is left alone; a sentence with the difference.
    Foreign(String),
    /// We may not list or watch it; the server's message.
    Forbidden(String),
    /// The API server has said, when asked, that we have no right to it, and nothing was tried; a sentence with what that means.
    Withheld(String),
    /// Was listed before and fails at the moment; what the cache holds may be old.
    Retrying(String),
}

impl WatchState {
    /// Whether work may start as far as this stream is concerned.
    pub fn settled(&self, optional: bool) -> bool {
        match self {
            Self::Watching | Self::NotServed | Self::Foreign(_) | Self::Retrying(_) => true,
            Self::Forbidden(_) | Self::Withheld(_) => optional,
            Self::Starting => false,
        }
    }

    /// Whether what the cache holds of this stream was listed, even if it may be old by now.
    pub fn is_listed(&self) -> bool {
        matches!(self, Self::Watching | Self::Retrying(_))
    }

    /// The state after a failure that passes. What was never listed must not look as if it were only old: work that
    /// starts on an empty cache takes everything for missing.
    fn failed(&self, message: String) -> Self {
        match self {
            Self::Watching | Self::Retrying(_) => Self::Retrying(message),
            Self::Starting | Self::NotServed | Self::Foreign(_) | Self::Forbidden(_) | Self::Withheld(_) => {
                self.clone()
            }
        }
    }
}

/// What a failure of the stream calls for.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    NotServed,
    Foreign(String),
    Forbidden(String),
    Withheld(String),
    Passing(String),
}

/// One stream into `cache`.
pub(super) struct Stream<T> {
    pub cache: Arc<WatchCache<T>>,
    pub id: usize,
    pub namespace: Option<String>,
    pub client: Client,
    pub queue: WorkQueue,
    pub metrics: Metrics,
}

impl<T: Send + Sync + 'static> Stream<T> {
    /// Watches until the task is dropped.
    pub(super) async fn run(self) {
        let mut failures = 0;
        let mut look = Look::default();
        loop {
            if self.is_permitted(&mut failures).await && self.is_ours(&mut look, &mut failures).await {
                tokio::select! {
                    () = self.follow(&mut failures) => {}
                    () = self.redefined(&mut look) => {}
                }
            }
        }
    }

    /// Whether we have the rights that may be withheld; if not, that is said, and some time has passed.
    async fn is_permitted(&self, failures: &mut u32) -> bool {
        let spec = self.cache.spec();
        // What was listed once is not asked about again: the watch itself tells when the right is gone.
        if !matches!(
            self.state(),
            WatchState::Starting | WatchState::Forbidden(_) | WatchState::Withheld(_)
        ) {
            return true;
        }
        for right in &spec.needs {
            let trouble = match right.is_held(&self.client).await {
                Ok(true) => continue,
                Ok(false) => {
                    let without = spec.without;
                    Trouble::Withheld(format!("this ServiceAccount may not {right}; {without}"))
                }
                // Who may not even ask has to try.
                Err(kube::Error::Api(status)) if matches!(status.code, 401 | 403) => continue,
                Err(error) => Trouble::Passing(error.to_string()),
            };
            self.pause(trouble, failures).await;
            return false;
        }
        true
    }

    /// Whether the definition may be used; if not, that is said, and some time has passed.
    async fn is_ours(&self, look: &mut Look, failures: &mut u32) -> bool {
        let spec = self.cache.spec();
        if spec.requires.is_empty() {
            return true;
        }
        let trouble = match look.at(&self.client, &spec.resource, spec.requires).await {
            Ok(Served::Ours) => return true,
            Ok(Served::No) => Trouble::NotServed,
            Ok(Served::Foreign(message)) => Trouble::Foreign(message),
            Err(kube::Error::Api(status)) => trouble_of(&status),
            Err(error) => Trouble::Passing(error.to_string()),
        };
        self.pause(trouble, failures).await;
        false
    }

    /// Returns when the definition that is followed is no longer ours: a watch need not break when it is replaced.
    async fn redefined(&self, look: &mut Look) {
        let spec = self.cache.spec();
        if spec.requires.is_empty() {
            return std::future::pending().await;
        }
        loop {
            sleep(jittered(spec.recheck)).await;
            let served = look.at(&self.client, &spec.resource, spec.requires).await;
            if matches!(served, Ok(Served::No | Served::Foreign(_))) {
                return;
            }
        }
    }

    /// Lists and follows; returns when the next attempt must start with a list.
    async fn follow(&self, failures: &mut u32) {
        let mut events = pin!(watcher(self.api(), self.config()));
        let mut refused = 0;
        loop {
            let event = if matches!(self.state(), WatchState::Retrying(_)) {
                let Ok(event) = timeout(QUIET, events.next()).await else {
                    self.reached();
                    continue;
                };
                event
            } else {
                events.next().await
            };
            let Some(event) = event else { return };
            match event {
                Ok(event) => {
                    let progress = !matches!(event, Event::Init | Event::InitApply(_));
                    self.handle(event);
                    if progress {
                        (*failures, refused) = (0, 0);
                    }
                }
                Err(error) => {
                    self.metrics.watch_restarted(self.plural());
                    let opening = matches!(error, watcher::Error::WatchStartFailed(_));
                    let trouble = classify(&error);
                    refused += u32::from(opening);
                    let relist =
                        refused >= RELIST_AFTER || (opening && !matches!(trouble, Trouble::Passing(_)));
                    self.pause(trouble, failures).await;
                    if relist {
                        return;
                    }
                }
            }
        }
    }

    fn handle(&self, event: Event<RawObject>) {
        let woken = match event {
            Event::Init => {
                self.cache.begin(self.id);
                return;
            }
            Event::InitApply(object) => self.cache.put(self.id, &object),
            Event::Apply(object) => {
                self.reached();
                self.cache.put(self.id, &object)
            }
            Event::Delete(object) => {
                self.reached();
                self.cache.delete(self.id, &object)
            }
            Event::InitDone => {
                let woken = self.cache.end(self.id);
                self.reached();
                woken
            }
        };
        self.tell_size();
        self.queue.add_all(woken, self.cache.spec().delay);
    }

    /// The API server answers. After trouble, objects that failed meanwhile need not wait for their back-off.
    fn reached(&self) {
        let before = self.state();
        if before != WatchState::Watching {
            if matches!(
                before,
                WatchState::Retrying(_) | WatchState::Forbidden(_) | WatchState::Withheld(_)
            ) {
                self.queue.expedite_failed();
            }
            self.set_state(WatchState::Watching);
        }
    }

    /// Several caches may hold objects of one resource, so each tells what has changed with it.
    fn tell_size(&self) {
        let objects = i64::try_from(self.cache.len()).unwrap_or(i64::MAX);
        let before = self.cache.told.swap(objects, Ordering::Relaxed);
        self.metrics.add_cached(self.plural(), objects - before);
    }

    /// Nothing of what was seen exists any more, as far as we are concerned.
    fn forget(&self) {
        let woken = self.cache.clear(self.id);
        self.tell_size();
        self.queue.add_all(woken, self.cache.spec().delay);
    }

    async fn pause(&self, trouble: Trouble, failures: &mut u32) {
        match trouble {
            Trouble::NotServed => {
                let is_new = self.state() != WatchState::NotServed;
                // First the state: whoever finds nothing in the cache must be able to see why.
                self.set_state(WatchState::NotServed);
                self.forget();
                if is_new {
                    let spec = self.cache.spec();
                    self.queue.add_all(spec.on_unserved.iter().cloned(), spec.delay);
                }
                let optional = !self.cache.spec().requires.is_empty();
                let retry = if optional {
                    OPTIONAL_MISSING_RETRY
                } else {
                    MISSING_RETRY
                };
                sleep(jittered(retry)).await;
            }
            Trouble::Foreign(message) => {
                *failures = 0;
                self.set_state(WatchState::Foreign(message));
                self.forget();
                sleep(jittered(self.cache.spec().recheck)).await;
            }
            Trouble::Forbidden(message) => {
                // An API server that has just started refuses everybody for a moment; the outage before it must not
                // count, or that moment costs minutes.
                if !matches!(self.state(), WatchState::Forbidden(_)) {
                    *failures = 0;
                }
                self.set_state(WatchState::Forbidden(message));
                let backoff = if self.cache.spec().optional {
                    FORBIDDEN_OPTIONAL_BACKOFF
                } else {
                    FORBIDDEN_BACKOFF
                };
                sleep(backoff.delay(*failures)).await;
                *failures = failures.saturating_add(1);
            }
            Trouble::Withheld(message) => {
                if !matches!(self.state(), WatchState::Withheld(_)) {
                    *failures = 0;
                }
                self.set_state(WatchState::Withheld(message));
                sleep(FORBIDDEN_OPTIONAL_BACKOFF.delay(*failures)).await;
                *failures = failures.saturating_add(1);
            }
            Trouble::Passing(message) => {
                let state = self.state();
                if state == WatchState::Starting && *failures == 0 {
                    tracing::warn!(
                        resource = self.plural(),
                        namespace = self.namespace,
                        "cannot list yet: {message}"
                    );
                }
                self.set_state(state.failed(message));
                sleep(WATCH_BACKOFF.delay(*failures)).await;
                *failures = failures.saturating_add(1);
            }
        }
    }

    fn state(&self) -> WatchState {
        self.cache.states.borrow()[self.id].clone()
    }

    /// Publishes the state and says it once, when it changes.
    fn set_state(&self, state: WatchState) {
        let (resource, namespace) = (self.plural(), self.namespace.as_deref());
        let same_kind = |old: &WatchState| std::mem::discriminant(old) == std::mem::discriminant(&state);
        if !same_kind(&self.cache.states.borrow()[self.id]) {
            match &state {
                WatchState::Starting => {}
                WatchState::Watching => {
                    tracing::info!(resource, namespace, objects = self.cache.len(), "watching");
                }
                WatchState::NotServed if !self.cache.spec().requires.is_empty() => {
                    tracing::info!(resource, "optional, and not served by this cluster");
                }
                WatchState::Foreign(message) => tracing::warn!(resource, "left alone: {message}"),
                WatchState::NotServed => {
                    let api_version = &self.cache.spec().resource.api_version;
                    tracing::warn!(
                        resource,
                        api_version,
                        "not served by this cluster; waiting for its CRD to be installed"
                    );
                }
                WatchState::Withheld(message) => {
                    // It is a right on the whole cluster: one stream tells it for all.
                    if self.id == 0 {
                        tracing::info!(resource, "left out: {message}");
                    }
                }
                WatchState::Forbidden(message) => {
                    tracing::warn!(
                        resource,
                        namespace,
                        "may not be watched, trying again from time to time: {message}"
                    );
                }
                WatchState::Retrying(message) => {
                    tracing::warn!(resource, namespace, "watch failed, trying again: {message}");
                }
            }
        }
        self.cache.states.send_modify(|states| states[self.id] = state);
    }

    fn plural(&self) -> &str {
        &self.cache.spec().resource.plural
    }

    fn api(&self) -> Api<RawObject> {
        let resource = &self.cache.spec().resource;
        match &self.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, resource),
            None => Api::all_with(self.client.clone(), resource),
        }
    }

    fn config(&self) -> watcher::Config {
        let spec = self.cache.spec();
        watcher::Config {
            label_selector: spec.labels.clone(),
            field_selector: spec.fields.clone(),
            page_size: Some(spec.page_size),
            ..watcher::Config::default()
        }
    }
}

fn classify(error: &watcher::Error) -> Trouble {
    let status = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => status,
        other => return Trouble::Passing(other.to_string()),
    };
    trouble_of(status)
}

fn trouble_of(status: &Status) -> Trouble {
    match status.code {
        404 => Trouble::NotServed,
        401 | 403 => Trouble::Forbidden(status.message.clone()),
        _ => Trouble::Passing(status.message.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_and_forbidden_are_told_apart_from_what_passes() {
        let list_failed = |code| {
            let status = Status {
                code,
                message: "m".into(),
                ..Status::default()
            };
            classify(&watcher::Error::InitialListFailed(kube::Error::Api(
                status.boxed(),
            )))
        };
        assert_eq!(list_failed(404), Trouble::NotServed);
        assert_eq!(list_failed(403), Trouble::Forbidden("m".into()));
        assert_eq!(list_failed(503), Trouble::Passing("m".into()));
    }

    #[test]
    fn work_waits_for_what_it_needs() {
        assert!(!WatchState::Starting.settled(true));
        assert!(WatchState::NotServed.settled(false));
        assert!(WatchState::Foreign(String::new()).settled(false));
        assert!(!WatchState::Forbidden(String::new()).settled(false));
        assert!(WatchState::Forbidden(String::new()).settled(true));
        assert!(WatchState::Withheld(String::new()).settled(true));
        let listed = [WatchState::Watching, WatchState::Retrying(String::new())];
        assert!(listed.iter().all(WatchState::is_listed));
        let unknown = [
            WatchState::Starting,
            WatchState::NotServed,
            WatchState::Foreign(String::new()),
            WatchState::Forbidden(String::new()),
            WatchState::Withheld(String::new()),
        ];
        assert!(!unknown.iter().any(WatchState::is_listed));
    }

    #[test]
    fn what_was_never_listed_does_not_pass_for_old() {
        let failed = |state: &WatchState| state.failed("timeout".into());
        let forbidden = WatchState::Forbidden("no right".into());
        assert_eq!(failed(&forbidden), forbidden);
        assert!(
            !failed(&forbidden).settled(false),
            "work must not start on nothing"
        );
        assert_eq!(failed(&WatchState::Starting), WatchState::Starting);
        assert_eq!(failed(&WatchState::NotServed), WatchState::NotServed);
        let retrying = WatchState::Retrying("timeout".into());
        assert_eq!(failed(&WatchState::Watching), retrying);
        assert!(retrying.settled(false), "an old list is better than none");
    }
}
