//! The objects of the releases as the cluster has them.
//!
//! In: what the manifests of the releases say. Out: what of it has drifted, and how many of the Pods asked for serve. What is
//! watched is believed; a difference is confirmed by a dry run, once per state of the object, because the API server may write a
//! value in another way than a chart.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use helm::{
    drift::{self, Difference, Finding, Ignore},
    manifest::{KindId, Object},
};
use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams},
    core::ApiResource,
};
use parking_lot::Mutex;
use reconcile::{
    CacheSpec, Metrics, RawObject, WorkQueue,
    cache::{Followed, Followers},
};
use serde_json::Value;

use super::{
    PART_OF,
    kinds::{Kinds, Served},
    reconcile::key,
};

/// Field manager of Helm's own writes: what we put right stays its own.
const HELM: &str = "helm";

/// Why the objects cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// A watch has not listed yet.
    #[error("the objects of the releases are not yet listed")]
    Unlisted,
    /// The API server could not be asked.
    #[error(transparent)]
    Api(#[from] kube::Error),
}

/// The caches.
pub struct Objects {
    client: Client,
    kinds: Arc<Kinds>,
    followers: Followers<Value>,
    /// Versions of objects that look different and are not: by uid, the version and what was desired.
    alike: Mutex<BTreeMap<String, (String, Value)>>,
}

/// Pods that a workload should have and has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serving {
    /// `Kind name`.
    pub name: String,
    /// Kind as in an owner reference.
    pub kind: String,
    /// Replicas that are asked for.
    pub desired: i64,
    /// Those that are ready.
    pub ready: i64,
    /// What keeps it, if replicas are missing.
    pub message: Option<String>,
}

impl Serving {
    /// Whether all that were asked for serve; none asked for is fine.
    pub fn is_available(&self) -> bool {
        self.ready >= self.desired
    }
}

impl Objects {
    /// Follows nothing yet.
    pub fn new(client: Client, kinds: Arc<Kinds>, queue: WorkQueue, metrics: Metrics) -> Self {
        let describe = |resource: ApiResource| {
            CacheSpec::of(resource, |raw: &RawObject| serde_json::from_str(raw.json()))
                .on_change(|_| vec![key()])
                .on_unserved(vec![key()])
        };
        Self {
            followers: Followers::new(client.clone(), queue, metrics, describe),
            client,
            kinds,
            alike: Mutex::default(),
        }
    }

    /// Follows these kinds in a namespace, and no others. Those whose definition has gone are asked for anew next time.
    pub fn follow<'a>(&self, namespace: &str, kinds: impl Iterator<Item = (&'a KindId, &'a Served)>) {
        let (kinds, all): (Vec<&KindId>, Vec<Followed>) = kinds
            .map(|(kind, served)| (kind, followed(namespace, served)))
            .unzip();
        self.followers.follow(&all);
        for (kind, followed) in kinds.iter().zip(&all) {
            if self.followers.is_unserved(followed) {
                self.kinds.forget(kind);
            }
        }
    }

    /// What the API server says to a watch of these that it forbids.
    pub fn forbidden(&self) -> Option<String> {
        self.followers.forbidden()
    }

    /// What of these objects is not as it was made. `scaled` tells whether somebody scales a workload: its replicas are not looked at.
    ///
    /// # Errors
    /// It cannot be told yet.
    pub async fn drift(
        &self,
        namespace: &str,
        desired: &[Object],
        served: &BTreeMap<KindId, Served>,
        scaled: impl Fn(&str, &str) -> bool,
    ) -> Result<Vec<Finding>, ObjectsError> {
        let mut findings = Vec::new();
        for object in desired {
            let Some(kind) = served.get(&object.id.kind) else {
                continue;
            };
            let cache = self
                .followers
                .get(&followed(namespace, kind))
                .ok_or(ObjectsError::Unlisted)?;
            let place = place(object, kind, namespace);
            let observed = cache.get(place, &object.id.name);
            let ignore = if scaled(&object.id.kind.kind, &object.id.name) {
                vec![Ignore {
                    kind: Some(object.id.kind.kind.clone()),
                    name: Some(object.id.name.clone()),
                    pointers: vec!["/spec/replicas".to_owned()],
                }]
            } else {
                Vec::new()
            };
            let found = drift::compare(object, observed.as_deref(), &ignore);
            if !found.is_empty() {
                findings.extend(
                    self.confirmed(object, kind, namespace, observed.as_deref(), found)
                        .await?,
                );
            }
        }
        Ok(findings)
    }

    /// Makes an object as it was made by Helm.
    ///
    /// # Errors
    /// As the API server said.
    pub async fn restore(&self, object: &Object, kind: &Served, namespace: &str) -> Result<(), kube::Error> {
        self.apply(object, kind, namespace, false).await.map(|_| ())
    }

    /// The workloads of the releases. None while they are not yet listed.
    pub fn serving(
        &self,
        namespace: &str,
        kinds: &BTreeMap<KindId, Served>,
    ) -> Option<Vec<(Serving, Arc<Value>)>> {
        let workloads = kinds.iter().filter(|(kind, _)| {
            matches!(
                kind.kind.as_str(),
                "Deployment" | "StatefulSet" | "LeaderWorkerSet"
            )
        });
        let mut serving = Vec::new();
        for (kind, served) in workloads {
            let cache = self.followers.get(&followed(namespace, served))?;
            let objects = cache.list(Some(namespace)).into_iter();
            serving.extend(objects.map(|object| (of_workload(&kind.kind, &object), object)));
        }
        Some(serving)
    }

    /// What of the findings the API server itself would change.
    async fn confirmed(
        &self,
        object: &Object,
        kind: &Served,
        namespace: &str,
        observed: Option<&Value>,
        found: Vec<Finding>,
    ) -> Result<Vec<Finding>, ObjectsError> {
        let Some(observed) = observed else {
            // What has lost our label is not seen by the watch.
            let api = self.api(object, kind, namespace);
            let there = api.get_opt(&object.id.name).await?;
            let difference = if there.is_some() {
                Difference::LabelLost
            } else {
                Difference::Missing
            };
            return Ok(found
                .into_iter()
                .map(|finding| Finding {
                    difference,
                    ..finding
                })
                .collect());
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (uid, version) = (
            text(&observed["metadata"]["uid"]),
            text(&observed["metadata"]["resourceVersion"]),
        );
        let known = self.alike.lock().get(&uid).cloned();
        if known.is_some_and(|(seen, desired)| seen == version && desired == object.value) {
            return Ok(Vec::new());
        }
        let applied = self.apply(object, kind, namespace, true).await?;
        if content(&applied) == content(observed) {
            self.alike.lock().insert(uid, (version, object.value.clone()));
            return Ok(Vec::new());
        }
        Ok(found)
    }

    async fn apply(
        &self,
        object: &Object,
        kind: &Served,
        namespace: &str,
        dry_run: bool,
    ) -> Result<Value, kube::Error> {
        let params = PatchParams {
            dry_run,
            force: true,
            field_manager: Some(HELM.to_owned()),
            ..PatchParams::default()
        };
        let api = self.api(object, kind, namespace);
        let applied = api
            .patch(&object.id.name, &params, &Patch::Apply(&object.value))
            .await?;
        serde_json::to_value(&applied).map_err(kube::Error::SerdeError)
    }

    fn api(&self, object: &Object, kind: &Served, namespace: &str) -> Api<DynamicObject> {
        if kind.namespaced {
            let place = place(object, kind, namespace);
            Api::namespaced_with(self.client.clone(), place, &kind.resource)
        } else {
            Api::all_with(self.client.clone(), &kind.resource)
        }
    }

    /// Which kinds are served; see [`Kinds::look`].
    ///
    /// # Errors
    /// The API server could not be asked.
    pub async fn served(&self, kinds: &BTreeSet<KindId>) -> Result<BTreeMap<KindId, Served>, kube::Error> {
        self.kinds.look(kinds).await
    }
}

/// Namespace of an object; empty for a cluster-scoped one.
fn place<'a>(object: &'a Object, kind: &Served, namespace: &'a str) -> &'a str {
    match &object.id.namespace {
        _ if !kind.namespaced => "",
        Some(own) => own,
        None => namespace,
    }
}

fn followed(namespace: &str, kind: &Served) -> Followed {
    Followed {
        resource: kind.resource.clone(),
        namespace: kind.namespaced.then(|| namespace.to_owned()),
        labels: format!("{}={}", PART_OF.0, PART_OF.1),
        fields: String::new(),
    }
}

/// What people and controllers mean to say of an object: without what the API server adds and without its status.
fn content(object: &Value) -> Value {
    let mut content = object.clone();
    if let Some(fields) = content.as_object_mut() {
        for field in ["status", "apiVersion", "kind"] {
            fields.remove(field);
        }
    }
    if let Some(metadata) = content["metadata"].as_object_mut() {
        for field in [
            "managedFields",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "uid",
        ] {
            metadata.remove(field);
        }
    }
    content
}

fn of_workload(kind: &str, object: &Value) -> Serving {
    let number = |value: &Value| value.as_i64();
    let conditions = object["status"]["conditions"].as_array();
    let bad = conditions.into_iter().flatten().find(|condition| {
        let of_type = |name: &str| condition["type"] == name;
        (of_type("ReplicaFailure") && condition["status"] == "True")
            || (of_type("Progressing") && condition["status"] == "False")
    });
    Serving {
        name: object["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        kind: kind.to_owned(),
        desired: number(&object["spec"]["replicas"]).unwrap_or(1),
        ready: number(&object["status"]["readyReplicas"]).unwrap_or(0),
        message: bad
            .and_then(|condition| condition["message"].as_str())
            .map(str::to_owned),
    }
}
