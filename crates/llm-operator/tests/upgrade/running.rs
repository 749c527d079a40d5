//! A namespace in which an earlier operator has worked: what it applied, and the Pods that run of it.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::Pod,
};
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, ListParams, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use testkit::Cluster;

use crate::{
    as_of::{Fixture, documents},
    common::{PATIENCE, Space},
};

const HASH: &str = "llm-operator.io/applied-hash";

/// A fixture in a namespace of its own.
pub struct Applied {
    /// What was applied.
    pub fixture: Fixture,
    /// Where.
    pub space: Space,
}

/// What people would notice if it changed: the uid and restarts of each Pod by its name.
pub type Pods = BTreeMap<String, (String, i32)>;

impl Applied {
    /// The manifest as a person applies it, then the objects as the operator of that time did.
    pub async fn new(cluster: &'static Cluster, mut fixture: Fixture) -> Self {
        let space = Space::of(cluster, &fixture.name).await;
        // Gated models have their token.
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hf-token"}, "stringData": {"token": "hf_x"}});
        apply(&space, secret, "kubectl").await;
        for document in documents(&fixture.manifest) {
            if document["kind"] == "Namespace" {
                continue;
            }
            apply(&space, document, "kubectl").await;
        }
        let mut applied = Vec::new();
        for mut object in fixture.objects {
            let owner = &object["metadata"]["ownerReferences"][0];
            let of_owner = json!({"apiVersion": owner["apiVersion"], "kind": owner["kind"], "metadata": {"name": owner["name"]}});
            let found = api(&space, &of_owner).get(owner["name"].as_str().unwrap()).await;
            object["metadata"]["ownerReferences"][0]["uid"] = json!(found.unwrap().uid());
            match try_apply(&space, object.clone(), "llm-operator").await {
                Ok(()) => applied.push(object),
                // An API server that does not know the tolerance of autoscalers never had ours: replicas go through `/scale`.
                Err(error) if object["kind"] == "HorizontalPodAutoscaler" && error.contains("tolerance") => {}
                Err(error) => panic!("{} {}: {error}", fixture.name, object["kind"]),
            }
        }
        fixture.objects = applied;
        Self { fixture, space }
    }

    /// Its Pods, once there are as many as asked for.
    pub async fn pods(&self) -> Pods {
        let what = format!("the Pods of {} are there", self.fixture.name);
        testkit::until(&what, PATIENCE, async || {
            let found = pods(&self.space).await;
            let wanted = self.wanted().await;
            if found.len() == wanted {
                Ok(found)
            } else {
                Err(format!("{} of {wanted}", found.len()))
            }
        })
        .await
        .unwrap()
    }

    /// How many Pods shall be there, as the objects say.
    async fn wanted(&self) -> usize {
        let params = ListParams::default();
        let deployments = self.space.api::<Deployment>().list(&params).await.unwrap();
        let sets = self.space.api::<StatefulSet>().list(&params).await.unwrap();
        let of_deployments = deployments.iter().filter_map(|one| one.spec.as_ref()?.replicas);
        let of_sets = sets.iter().filter_map(|one| one.spec.as_ref()?.replicas);
        let all: i32 = of_deployments.chain(of_sets).sum();
        let bare = self.fixture.objects.iter().filter(|one| one["kind"] == "Pod");
        usize::try_from(all).unwrap() + bare.count()
    }

    /// Waits until the operator of today has been here: it writes each object's hash, which is over the owner's uid too.
    pub async fn wait_applied(&self) {
        for object in &self.fixture.objects {
            let name = object["metadata"]["name"].as_str().unwrap();
            let before = object["metadata"]["annotations"][HASH].as_str();
            let what = format!("{} {} {name} is applied anew", self.fixture.name, object["kind"]);
            testkit::until(&what, PATIENCE, async || {
                let found = api(&self.space, object)
                    .get(name)
                    .await
                    .map_err(|error| error.to_string())?;
                match found.annotations().get(HASH).map(String::as_str) {
                    Some(now) if Some(now) != before => Ok(()),
                    hash => Err(format!("{hash:?}")),
                }
            })
            .await
            .unwrap();
        }
    }
}

/// The Pods of a namespace.
pub async fn pods(space: &Space) -> Pods {
    let all = space.api::<Pod>().list(&ListParams::default()).await.unwrap();
    let entry = |pod: &Pod| {
        let status = pod.status.clone().unwrap_or_default();
        let containers = status
            .container_statuses
            .into_iter()
            .chain(status.init_container_statuses);
        let restarts = containers.flatten().map(|one| one.restart_count).sum();
        (pod.name_any(), (pod.uid().unwrap(), restarts))
    };
    all.iter().map(entry).collect()
}

/// Server-side apply into the namespace, by a manager.
async fn apply(space: &Space, object: Value, manager: &str) {
    let applied = try_apply(space, object, manager).await;
    applied.unwrap_or_else(|error| panic!("{error}"));
}

async fn try_apply(space: &Space, mut object: Value, manager: &str) -> Result<(), String> {
    object["metadata"]["namespace"] = json!(space.namespace);
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    let params = PatchParams::apply(manager).force();
    let applied = api(space, &object)
        .patch(&name, &params, &Patch::Apply(&object))
        .await;
    applied.map(drop).map_err(|error| error.to_string())
}

fn api(space: &Space, object: &Value) -> Api<DynamicObject> {
    let version = object["apiVersion"].as_str().unwrap();
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let kind = GroupVersionKind::gvk(group, version, object["kind"].as_str().unwrap());
    let resource = match kind.kind.as_str() {
        "Ingress" => ApiResource::from_gvk_with_plural(&kind, "ingresses"),
        "NetworkPolicy" => ApiResource::from_gvk_with_plural(&kind, "networkpolicies"),
        _ => ApiResource::from_gvk(&kind),
    };
    Api::namespaced_with(space.client.clone(), &space.namespace, &resource)
}
