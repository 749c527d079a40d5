//! What the reconciles of an `Llmd` share: watches of what only it is concerned with, and the work that is under way.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use helm::{Helm, HelmError, Step};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use parking_lot::Mutex;
use reconcile::{Metrics, WorkQueue, finalizer::FinalizerWriter};

use super::{
    component::Component,
    job::Job,
    kinds::Kinds,
    namespace::NamespaceWatch,
    objects::Objects,
    pods::ReleasePods,
    preparation::{Order, Preparation},
    referents::Watched,
    releases::Releases,
};

/// Helm, and where charts may lie on this machine's disk.
#[derive(Clone)]
pub struct HelmSetup {
    /// Helm.
    pub helm: Arc<dyn Helm>,
    /// The charts directory.
    pub charts_dir: Option<PathBuf>,
}

/// An operation on a release.
pub type Label = (Component, Step);

/// What was prepared last, and when.
pub struct Last {
    /// What was asked for.
    pub order: Order,
    /// What has come of it.
    pub result: Arc<Preparation>,
    /// When.
    pub at: Timestamp,
}

/// See the module.
pub struct Desk {
    /// For what is known only at run time.
    pub client: Client,
    /// Helm.
    pub helm: Arc<dyn Helm>,
    /// Where charts may lie on this machine's disk.
    pub charts_dir: Option<PathBuf>,
    /// What Helm has recorded.
    pub releases: Releases,
    /// What a spec refers to.
    pub referents: Watched,
    /// Namespaces.
    pub namespaces: NamespaceWatch,
    /// Which kinds are served.
    pub kinds: Arc<Kinds>,
    /// The objects of the releases.
    pub objects: Objects,
    /// Their Pods.
    pub pods: ReleasePods,
    /// Finalizers.
    pub finalizers: FinalizerWriter,
    /// Fetching and rendering.
    pub preparation: Job<Order, Preparation>,
    /// What has come of it.
    pub prepared: Mutex<Option<Last>>,
    /// Helm's operations.
    pub operation: Job<Label, Result<(), HelmError>>,
    /// Why steps other than installations and upgrades have failed last.
    pub troubles: Mutex<BTreeMap<Component, String>>,
    /// How one has ended, until the status tells it.
    pub ended: Mutex<Option<(Label, Result<(), HelmError>)>>,
}

impl Desk {
    /// Nothing is followed, nothing under way.
    pub fn new(client: &Client, setup: HelmSetup, queue: &WorkQueue, metrics: &Metrics) -> Self {
        let (queue, metrics) = (|| queue.clone(), || metrics.clone());
        let kinds = Arc::new(Kinds::new(client.clone()));
        Self {
            helm: setup.helm,
            charts_dir: setup.charts_dir,
            releases: Releases::new(client.clone(), queue(), metrics()),
            referents: Watched::new(client.clone(), queue(), metrics()),
            namespaces: NamespaceWatch::new(client.clone(), queue(), metrics()),
            objects: Objects::new(client.clone(), kinds.clone(), queue(), metrics()),
            kinds,
            pods: ReleasePods::new(client.clone(), queue(), metrics()),
            finalizers: FinalizerWriter::new(client.clone()),
            preparation: Job::new(queue()),
            prepared: Mutex::default(),
            operation: Job::new(queue()),
            troubles: Mutex::default(),
            ended: Mutex::default(),
            client: client.clone(),
        }
    }

    /// What the API server says where it lets us not watch what an `Llmd` takes: `config/rbac/charts_role.yaml` was left out.
    pub fn forbidden(&self) -> Option<String> {
        self.releases
            .forbidden()
            .or_else(|| self.namespaces.forbidden())
            .or_else(|| self.referents.forbidden())
            .or_else(|| self.objects.forbidden())
            .or_else(|| self.pods.forbidden())
    }

    /// Keeps how a step has ended, for the next look and for the log.
    pub fn note_end(&self, (component, step): Label, result: Result<(), HelmError>) {
        let release = component.release();
        let is_attempt = matches!(step, Step::Install | Step::Upgrade { .. });
        match &result {
            Ok(()) => tracing::info!(release, "{step:?} is done"),
            Err(error) => tracing::warn!(release, "{step:?} has failed: {error}"),
        }
        match &result {
            Err(error) if !is_attempt => {
                let text = step
                    .action()
                    .map(|action| format!("{action:?} has failed: {error}"));
                self.troubles.lock().insert(component, text.unwrap_or_default());
            }
            _ => {
                self.troubles.lock().remove(&component);
            }
        }
        *self.ended.lock() = Some(((component, step), result));
    }

    /// Ends everything that is under way: this replica leads no more, or the resource goes.
    pub fn stop(&self) {
        self.preparation.stop();
        self.operation.stop();
    }
}
