//! The objects of the releases as the cluster has them.
//!
//! In: what the manifests of the releases say. Out: what of it has drifted, and how many of the Pods asked for serve. What is
//! watched is believed; a difference is confirmed by a dry run, once per state of the object, because the API server may write a
//! value in another way than a chart.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use helm::{
    drift::{self, Finding},
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
    corrections::Corrections,
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
    /// What was put right, and how often.
    corrections: Mutex<Corrections>,
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
            corrections: Mutex::default(),
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
            let observed = match cache.get(place, &object.id.name) {
                Some(observed) => Some(observed),
                // What has lost our label, or lies in another namespace, is not seen by the watch.
                None => self.live(object, kind, namespace).await?.map(Arc::new),
            };
            let is_scaled = scaled(&object.id.kind.kind, &object.id.name);
            let object = as_scaled(object, observed.as_deref(), is_scaled);
            let found = drift::compare(&object, observed.as_deref(), &[]);
            if found.is_empty() || self.is_held_back(&object) {
                continue;
            }
            findings.extend(
                self.confirmed(&object, kind, namespace, observed.as_deref(), found)
                    .await?,
            );
        }
        Ok(findings)
    }

    /// Makes an object as it was made by Helm; the replicas of one that somebody scales stay.
    ///
    /// # Errors
    /// As the API server said.
    pub async fn restore(
        &self,
        object: &Object,
        kind: &Served,
        namespace: &str,
        is_scaled: bool,
    ) -> Result<(), kube::Error> {
        let live = self.live(object, kind, namespace).await?;
        let object = as_scaled(object, live.as_ref(), is_scaled);
        self.corrections.lock().note(object.id.to_string());
        self.apply(&object, kind, namespace, false).await.map(|_| ())
    }

    /// Whether an object was put right again and again, and is left for a while to whoever changes it.
    fn is_held_back(&self, object: &Object) -> bool {
        self.corrections.lock().is_held_back(&object.id.to_string())
    }

    /// When the first object that is left for a while is looked at again.
    pub fn held_back_for(&self) -> Option<Duration> {
        self.corrections.lock().held_back_for()
    }

    /// The object as it is, without its managed fields.
    async fn live(
        &self,
        object: &Object,
        kind: &Served,
        namespace: &str,
    ) -> Result<Option<Value>, kube::Error> {
        let live = match self.api(object, kind, namespace).get_opt(&object.id.name).await {
            // The kind is gone, which the API server tells in other words.
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            live => live?,
        };
        let live = live.map(|mut live| {
            live.metadata.managed_fields = None;
            serde_json::to_value(&live)
        });
        live.transpose().map_err(kube::Error::SerdeError)
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
            return Ok(found);
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
        let applied = match self.apply(object, kind, namespace, true).await {
            Ok(applied) => applied,
            // Refused for good: putting it right will say so, and the others are not held up by it.
            Err(kube::Error::Api(status)) if is_final(status.code) => return Ok(found),
            Err(error) => return Err(error.into()),
        };
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
}

/// The object with the replicas that somebody has scaled it to. Left out, they would fall to one with their last owner.
fn as_scaled(object: &Object, live: Option<&Value>, is_scaled: bool) -> Object {
    let mut object = object.clone();
    let replicas = live
        .map(|live| &live["spec"]["replicas"])
        .filter(|replicas| replicas.is_number());
    if let Some(replicas) = replicas
        && is_scaled
        && object.value["spec"].is_object()
    {
        object.value["spec"]["replicas"] = replicas.clone();
    }
    object
}

/// Whether a refusal does not pass by itself.
fn is_final(code: u16) -> bool {
    (400..500).contains(&code) && !matches!(code, 408 | 409 | 429)
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
