//! The one watch on bound Pods: Pods of the whole cluster in, one task per Pod of ours out.
//! It must not know what happens inside a Pod.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::Shared;
use super::pod::{self, PodContext};

struct Running {
    node: String,
    /// Dropped when the object is gone: the Pod's task then ends everything at once.
    latest: watch::Sender<Arc<Pod>>,
    task: AbortHandle,
}

/// Ends Pods from outside.
#[derive(Clone)]
pub(crate) struct Control(Arc<Mutex<HashMap<String, Running>>>);

impl Control {
    /// Ends all Pods of a node at once, without a word to the API server.
    pub(crate) fn kill_node(&self, node: &str) {
        self.0.lock().retain(|_, pod| {
            let hit = pod.node == node;
            if hit {
                pod.task.abort();
            }
            !hit
        });
    }
}

/// Starts watching on the current runtime.
pub(crate) fn start(shared: Arc<Shared>) -> Control {
    let control = Control(Arc::default());
    tokio::spawn(follow(shared, control.clone()));
    control
}

async fn follow(shared: Arc<Shared>, control: Control) {
    let bound = watcher::Config::default().fields("spec.nodeName!=");
    let pods: Api<Pod> = Api::all(shared.client.clone());
    let mut events = pin!(watcher(pods, bound).default_backoff());
    let mut relisted = HashSet::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => relisted.clear(),
            Ok(Event::InitApply(pod)) => {
                relisted.extend(pod.metadata.uid.clone());
                apply(&shared, &control, pod);
            }
            Ok(Event::InitDone) => control.0.lock().retain(|uid, _| relisted.contains(uid)),
            Ok(Event::Apply(pod)) => apply(&shared, &control, pod),
            Ok(Event::Delete(pod)) => {
                control.0.lock().remove(&pod.metadata.uid.unwrap_or_default());
            }
            Err(error) => tracing::debug!(%error, "watching Pods; it will be tried again"),
        }
    }
}

fn apply(shared: &Arc<Shared>, control: &Control, mut pod: Pod) {
    pod.metadata.managed_fields = None;
    let Some(uid) = pod.metadata.uid.clone() else {
        return;
    };
    let Some(node_name) = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()) else {
        return;
    };
    let mut running = control.0.lock();
    if let Some(known) = running.get(&uid) {
        known.latest.send_replace(Arc::new(pod));
        return;
    }
    let Some(node) = shared.node(&node_name) else {
        return;
    };
    let pod = Arc::new(pod);
    let (latest, receiver) = watch::channel(Arc::clone(&pod));
    let Some(context) = PodContext::new(Arc::clone(shared), node, pod, receiver) else {
        tracing::warn!(uid, "no address is left for this Pod");
        return;
    };
    let task = tokio::spawn(pod::run(context)).abort_handle();
    running.insert(
        uid,
        Running {
            node: node_name,
            latest,
            task,
        },
    );
}
