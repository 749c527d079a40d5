//! When Deployments turn available. In: a watch of them. Out: the time of each, and a word to the minimal client, which
//! watches nothing itself.

use std::{collections::HashMap, sync::Arc};

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, Client,
    runtime::watcher::{self, Event, watcher},
};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::{
    subject::Teller,
    workload::{Created, NAMESPACE},
};

#[derive(Default)]
struct Seen {
    uids: HashMap<String, String>,
    /// Since when each is available.
    available: HashMap<String, Timestamp>,
}

/// A watch of the Deployments; dropping it ends it.
pub struct Feed {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Feed {
    /// Starts to watch.
    pub fn start(client: &Client, teller: Teller) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let task = tokio::spawn(follow(client.clone(), seen.clone(), teller));
        Self { seen, task }
    }

    /// Notes who owns the Deployment of its name.
    pub fn note(&self, created: &Created) {
        if created.kind == "deployment" {
            let mut seen = self.seen.lock();
            seen.uids.insert(created.name.clone(), created.uid.clone());
        }
    }

    /// Since when each Deployment is available that is available now.
    pub fn available(&self) -> HashMap<String, Timestamp> {
        self.seen.lock().available.clone()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(client: Client, seen: Arc<Mutex<Seen>>, teller: Teller) {
    let api: Api<Deployment> = Api::namespaced(client, NAMESPACE);
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()));
    while let Some(event) = events.next().await {
        // The watcher starts again by itself after an error.
        if let Ok(Event::Apply(deployment) | Event::InitApply(deployment)) = event {
            saw(&deployment, &seen, &teller);
        }
    }
}

fn saw(deployment: &Deployment, seen: &Mutex<Seen>, teller: &Teller) {
    let name = deployment.metadata.name.clone().unwrap_or_default();
    let status = deployment.status.as_ref();
    let is_available = status.and_then(|status| status.available_replicas) >= Some(1);
    let mut seen = seen.lock();
    if !is_available {
        seen.available.remove(&name);
    } else if !seen.available.contains_key(&name) {
        let uid = seen.uids.get(&name).cloned().unwrap_or_default();
        seen.available.insert(name.clone(), Timestamp::now());
        teller.tell(&Created {
            kind: "ready",
            name,
            uid,
        });
    }
}
