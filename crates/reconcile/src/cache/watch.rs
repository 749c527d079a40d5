//! One watch: kube's `watcher` in, cache changes and wake-ups out, for ever.
//!
//! A failing watch backs off on its own and disturbs no other. A resource that the API server does not serve, or that
//! we may not watch, is said once and asked for again every few seconds, so that it starts to work when it appears.

use std::{pin::pin, sync::Arc, time::Duration};

use futures::StreamExt;
use kube::{
    Api, Client,
    runtime::watcher::{self, Event, watcher},
};
use tokio::time::sleep;

use super::{raw::RawObject, store::WatchCache};
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
/// How often a resource that is not served, or forbidden, is asked for again.
const MISSING_RETRY: Duration = Duration::from_secs(3);
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
    /// We may not list or watch it; the server's message.
    Forbidden(String),
    /// Was listed before and fails at the moment; what the cache holds may be old.
    Retrying(String),
}

impl WatchState {
    /// Whether work may start as far as this stream is concerned.
    pub fn settled(&self, optional: bool) -> bool {
        match self {
            Self::Watching | Self::NotServed | Self::Retrying(_) => true,
            Self::Forbidden(_) => optional,
            Self::Starting => false,
        }
    }
}

/// What a failure of the stream calls for.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    NotServed,
    Forbidden(String),
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
        loop {
            self.follow(&mut failures).await;
        }
    }

    /// Lists and follows; returns when the next attempt must start with a list.
    async fn follow(&self, failures: &mut u32) {
        let mut events = pin!(watcher(self.api(), self.config()));
        let mut refused = 0;
        while let Some(event) = events.next().await {
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
        self.metrics.set_cached(self.plural(), self.cache.len());
        self.queue.add_all(woken, self.cache.spec().delay);
    }

    /// The API server answers. After trouble, objects that failed meanwhile need not wait for their back-off.
    fn reached(&self) {
        let before = self.cache.states.borrow()[self.id].clone();
        if before != WatchState::Watching {
            if matches!(before, WatchState::Retrying(_)) {
                self.queue.expedite_failed();
            }
            self.set_state(WatchState::Watching);
        }
    }

    async fn pause(&self, trouble: Trouble, failures: &mut u32) {
        match trouble {
            Trouble::NotServed => {
                let woken = self.cache.clear(self.id);
                self.metrics.set_cached(self.plural(), self.cache.len());
                self.queue.add_all(woken, self.cache.spec().delay);
                self.set_state(WatchState::NotServed);
                sleep(jittered(MISSING_RETRY)).await;
            }
            Trouble::Forbidden(message) => {
                self.set_state(WatchState::Forbidden(message));
                sleep(jittered(MISSING_RETRY)).await;
            }
            Trouble::Passing(message) => {
                let state = self.cache.states.borrow()[self.id].clone();
                if state != WatchState::Starting {
                    self.set_state(WatchState::Retrying(message));
                } else if *failures == 0 {
                    tracing::warn!(
                        resource = self.plural(),
                        namespace = self.namespace,
                        "cannot list yet: {message}"
                    );
                }
                sleep(WATCH_BACKOFF.delay(*failures)).await;
                *failures = failures.saturating_add(1);
            }
        }
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
                WatchState::NotServed => {
                    let api_version = &self.cache.spec().resource.api_version;
                    tracing::warn!(
                        resource,
                        api_version,
                        "not served by this cluster; waiting for its CRD to be installed"
                    );
                }
                WatchState::Forbidden(message) => {
                    tracing::warn!(
                        resource,
                        namespace,
                        "may not be watched, trying again every few seconds: {message}"
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
    match status.code {
        404 => Trouble::NotServed,
        401 | 403 => Trouble::Forbidden(status.message.clone()),
        _ => Trouble::Passing(status.message.clone()),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

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
        assert!(!WatchState::Forbidden(String::new()).settled(false));
        assert!(WatchState::Forbidden(String::new()).settled(true));
    }
}
