//! Objects as an earlier operator made them: whole `Create`s and `Update`s by one field manager, nothing applied, and
//! none of our labels and annotations. Beside them, what we want of them.

use std::sync::Arc;

use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::Deployment,
        core::v1::{ConfigMap, Service},
        networking::v1::Ingress,
    },
};
use kube::{
    Api, Resource, ResourceExt,
    api::{PatchParams, PostParams},
};
use reconcile::{Applier, CacheSpec, DesiredObject, Namespaces, Watches, cache::ChildView};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::bed::{Bed, LIMIT, desired};

/// The field manager of a controller-runtime binary called `manager`.
pub const OLD: &str = "manager";

/// Type and manager of a request as the earlier operator sends it.
pub fn as_old() -> PostParams {
    PostParams {
        field_manager: Some(OLD.to_owned()),
        ..PostParams::default()
    }
}

/// A patch under a name of its own.
pub fn patch_as(manager: &str) -> PatchParams {
    PatchParams {
        field_manager: Some(manager.to_owned()),
        ..PatchParams::default()
    }
}

/// An applier that knows every kind of [`Legacy`]; the watches live as long as it is used.
pub struct Taker {
    pub applier: Applier,
    pub views: Vec<Arc<dyn ChildView>>,
    _watches: Watches,
}

pub async fn taker(bed: &Bed) -> Taker {
    let only = Namespaces::Only(vec![bed.namespace.clone()]);
    let mut watches = Watches::new(bed.client.clone(), only, bed.queue.clone(), bed.metrics.clone());
    let views: Vec<Arc<dyn ChildView>> = vec![
        bed.deployments.clone(),
        bed.services.clone(),
        watches.start(CacheSpec::children::<Ingress>(|_| Ok(()))),
        watches.start(CacheSpec::children::<ConfigMap>(|_| Ok(()))),
    ];
    tokio::time::timeout(LIMIT, watches.wait_settled()).await.unwrap();
    Taker {
        applier: Applier::new(bed.client.clone(), views.clone()),
        views,
        _watches: watches,
    }
}

impl Bed {
    /// Creates `object` as the earlier operator does, and updates it as a whole once more, as it does at every look.
    pub async fn made_by_old<K>(&self, object: &Value) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + Serialize
            + DeserializeOwned,
    {
        let api: Api<K> = self.api();
        let object: K = serde_json::from_value(object.clone()).unwrap();
        let made = api.create(&as_old(), &object).await.unwrap();
        let mut again = object;
        let mut latest = made;
        loop {
            again.meta_mut().resource_version = latest.resource_version();
            match api.replace(&again.name_any(), &as_old(), &again).await {
                // A controller was faster.
                Err(kube::Error::Api(status)) if status.code == 409 => {
                    latest = api.get(&again.name_any()).await.unwrap();
                }
                replaced => return replaced.unwrap(),
            }
        }
    }

    fn old_metadata(&self, name: &str) -> Value {
        json!({
            "name": name,
            "namespace": self.namespace,
            "labels": {"old/label": "1", "kept": "old"},
            "annotations": {"old/annotation": name, "kept": "old"},
            "ownerReferences": [self.owner],
        })
    }

    fn new_metadata(&self, name: &str) -> Value {
        json!({
            "name": name,
            "namespace": self.namespace,
            "labels": {"app.kubernetes.io/managed-by": "llm-operator", "kept": "new"},
            "annotations": {"kept": "new"},
            "ownerReferences": [self.owner],
        })
    }

    /// Metadata of the earlier operator around `rest`.
    pub fn old(&self, name: &str, rest: &Value) -> Value {
        around(&self.old_metadata(name), rest)
    }

    /// Our metadata around `rest`.
    pub fn wish<K>(&self, name: &str, rest: &Value) -> DesiredObject
    where
        K: Resource<DynamicType = ()> + Serialize + DeserializeOwned,
    {
        desired::<K>(serde_json::from_value(around(&self.new_metadata(name), rest)).unwrap())
    }

    /// `(manager, operation, subresource)` of every entry, in order.
    pub async fn managers<K>(&self, name: &str) -> Vec<(String, String, String)>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let object = self.api::<K>().get(name).await.unwrap();
        let mut managers: Vec<_> = object
            .managed_fields()
            .iter()
            .map(|entry| {
                let text = |field: &Option<String>| field.clone().unwrap_or_default();
                (
                    text(&entry.manager),
                    text(&entry.operation),
                    text(&entry.subresource),
                )
            })
            .collect();
        managers.sort();
        managers
    }
}

fn around(metadata: &Value, rest: &Value) -> Value {
    let mut object = rest.clone();
    object["metadata"] = metadata.clone();
    object
}

/// One entry of [`Bed::managers`].
pub fn manager(name: &str, operation: &str) -> (String, String, String) {
    (name.to_owned(), operation.to_owned(), String::new())
}

/// The spec of a Deployment with most of what an engine's Pod has, and nothing that the server adds.
pub fn deployment(name: &str) -> Value {
    json!({"spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"ai": name}},
        "template": {
            "metadata": {"labels": {"ai": name, "spread": "model"}, "annotations": {"user": "1"}},
            "spec": {
                "automountServiceAccountToken": false,
                "serviceAccountName": "runner",
                "runtimeClassName": "nvidia",
                "nodeSelector": {"gpu": "a100"},
                "imagePullSecrets": [{"name": "pull"}],
                "initContainers": [{"name": "fetch", "image": "curl:8", "command": ["sh", "-c", "true"],
                    "volumeMounts": [{"name": "models", "mountPath": "/models"}]}],
                "containers": [{
                    "name": "serving", "image": "localai:v2", "imagePullPolicy": "Always",
                    "args": ["--model", "m"],
                    "env": [{"name": "A", "value": "1"}, {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                    "ports": [{"containerPort": 8080}],
                    "resources": {"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"nvidia.com/gpu": "1"}},
                    "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 10},
                    "startupProbe": {"tcpSocket": {"port": 8080}, "initialDelaySeconds": 5},
                    "volumeMounts": [{"name": "models", "mountPath": "/models"}],
                }],
                "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": {"spread": "model"}}}],
                "volumes": [{"name": "models", "emptyDir": {}}, {"name": "cfg", "configMap": {"name": "map"}}],
            },
        },
    }})
}

/// The spec of a Service.
pub fn service(selector: &Value) -> Value {
    json!({"spec": {"selector": selector, "ports": [{"port": 8080, "targetPort": 8080}]}})
}

/// The spec of an Ingress.
pub fn ingress(host: &str) -> Value {
    json!({"spec": {"rules": [{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix",
        "backend": {"service": {"name": "a", "port": {"number": 8080}}}}]}}]}})
}

/// What the earlier operator has made, all named `a`; a `ConfigMap` too.
pub struct Legacy {
    pub deployment: Deployment,
    pub service: Service,
    pub ingress: Ingress,
}

pub async fn legacy(bed: &Bed) -> Legacy {
    let selector = json!({"ai": "a", "spread": "model", "extra": "1"});
    let data = bed.old("a", &json!({"data": {"k": "old", "gone": "1"}}));
    bed.made_by_old::<ConfigMap>(&data).await;
    Legacy {
        deployment: bed.made_by_old(&bed.old("a", &deployment("a"))).await,
        service: bed.made_by_old(&bed.old("a", &service(&selector))).await,
        ingress: bed.made_by_old(&bed.old("a", &ingress("a.example"))).await,
    }
}

/// What we want of [`Legacy`]: the same template, fewer keys.
pub fn wishes(bed: &Bed) -> [DesiredObject; 4] {
    [
        bed.wish::<ConfigMap>("a", &json!({"data": {"k": "new"}})),
        bed.wish::<Service>("a", &service(&json!({"ai": "a"}))),
        bed.wish::<Ingress>("a", &ingress("a.example")),
        bed.wish::<Deployment>("a", &deployment("a")),
    ]
}
