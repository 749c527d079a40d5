//! What every test stands on: a namespace of its own, an owner in it, a counted client, and running caches.

use std::{sync::Arc, time::Duration};

use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        core::v1::{ConfigMap, Namespace, Service},
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::{Api, Client, Resource, api::PostParams};
use reconcile::{
    Applier, CacheSpec, Child, DesiredObject, Fence, Metrics, Namespaces, ObjectKey, WatchCache, Watches,
    WorkQueue,
    client::{ClientOptions, from_config},
};
use serde::Serialize;
use serde_json::json;
use testkit::{Cluster, Identity, plane::proxy::FaultProxy, shared};

pub const LIMIT: Duration = Duration::from_secs(30);

/// Replicas that are ready, as the Deployment's status has it.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Facts {
    #[serde(default)]
    pub status: Status,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    #[serde(default)]
    pub ready_replicas: i32,
}

pub struct Bed {
    pub proxy: FaultProxy,
    /// Past the proxy: not counted, never failing.
    pub admin: Client,
    /// Through the proxy, as the operator would.
    pub client: Client,
    pub namespace: String,
    pub owner: OwnerReference,
    pub queue: WorkQueue,
    pub metrics: Metrics,
    pub watches: Watches,
    pub deployments: Arc<WatchCache<Child<Facts>>>,
    pub services: Arc<WatchCache<Child<()>>>,
    pub applier: Arc<Applier>,
}

pub async fn plane() -> &'static Cluster {
    shared(|| Cluster::builder().bare()).await.unwrap()
}

pub async fn counted_client(proxy: &FaultProxy, metrics: &Metrics) -> Client {
    counted_client_of(plane().await, proxy, metrics).await
}

/// A client whose writes this fence lets through.
pub async fn fenced_client(fence: &Fence) -> Client {
    let config = plane().await.access(Identity::Admin).config().await.unwrap();
    let options = ClientOptions {
        fence: fence.clone(),
        ..ClientOptions::default()
    };
    from_config(config, options, &Metrics::new()).unwrap()
}

async fn counted_client_of(cluster: &Cluster, proxy: &FaultProxy, metrics: &Metrics) -> Client {
    let config = cluster
        .access(Identity::Admin)
        .through(&proxy.url())
        .config()
        .await
        .unwrap();
    from_config(config, ClientOptions::default(), metrics).unwrap()
}

pub async fn namespace(admin: &Client, name: &str) {
    let namespace = Namespace {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    };
    Api::all(admin.clone())
        .create(&PostParams::default(), &namespace)
        .await
        .unwrap();
}

pub async fn owner(admin: &Client, namespace: &str, name: &str) -> OwnerReference {
    let object = ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        ..ConfigMap::default()
    };
    let api: Api<ConfigMap> = Api::namespaced(admin.clone(), namespace);
    api.create(&PostParams::default(), &object)
        .await
        .unwrap()
        .controller_owner_ref(&())
        .unwrap()
}

/// A bed in namespace `name`, caches filled and settled.
pub async fn bed(name: &str) -> Bed {
    bed_on(plane().await, name).await
}

/// As [`bed`] on a cluster of the test's own.
pub async fn bed_on(cluster: &Cluster, name: &str) -> Bed {
    let admin = cluster.admin_client().await.unwrap();
    namespace(&admin, name).await;
    let owner = owner(&admin, name, "owner").await;
    let proxy = cluster.fault_proxy().await.unwrap();
    let (queue, metrics) = (WorkQueue::new(), Metrics::new());
    let client = counted_client_of(cluster, &proxy, &metrics).await;
    let only = Namespaces::Only(vec![name.to_owned()]);
    let mut watches = Watches::new(client.clone(), only, queue.clone(), metrics.clone());
    let deployments = watches.start(
        CacheSpec::children::<Deployment>(|raw| serde_json::from_str::<Facts>(raw.json()))
            .on_change(|change| change.owner_key(&["ConfigMap"])),
    );
    let services = watches.start(
        CacheSpec::children::<Service>(|_| Ok(())).on_change(|change| change.owner_key(&["ConfigMap"])),
    );
    let applier = Arc::new(Applier::new(
        client.clone(),
        vec![deployments.clone(), services.clone()],
    ));
    tokio::time::timeout(LIMIT, watches.wait_settled()).await.unwrap();
    Bed {
        proxy,
        admin,
        client,
        namespace: name.to_owned(),
        owner,
        queue,
        metrics,
        watches,
        deployments,
        services,
        applier,
    }
}

impl Bed {
    pub fn key(&self) -> ObjectKey {
        ObjectKey::new("ConfigMap", &*self.namespace, "owner")
    }

    /// Requests through the proxy that change something.
    pub fn writes(&self) -> u64 {
        let counts = self.proxy.counts();
        ["create", "update", "patch", "delete"]
            .iter()
            .filter_map(|verb| counts.get(*verb))
            .sum()
    }

    /// Requests through the proxy that only look, watches aside.
    pub fn reads(&self) -> u64 {
        let counts = self.proxy.counts();
        ["get", "list"].iter().filter_map(|verb| counts.get(*verb)).sum()
    }

    fn metadata(&self, name: &str) -> serde_json::Value {
        json!({
            "name": name,
            "namespace": self.namespace,
            "labels": {"app.kubernetes.io/managed-by": "llm-operator"},
            "ownerReferences": [self.owner],
        })
    }

    /// A Deployment in the spelling a builder might choose, not the server's.
    pub fn deployment(&self, name: &str, image: &str) -> Deployment {
        let spec = json!({
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "automountServiceAccountToken": false,
                    "containers": [{
                        "name": "engine", "image": image,
                        "ports": [{"name": "http", "containerPort": 8080}],
                        "env": [{"name": "PORT", "value": "8080"}, {"name": "EMPTY", "value": ""}],
                        "resources": {"limits": {"memory": "4096Mi"}, "requests": {"cpu": "2000m", "memory": "4Gi"}},
                        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 5},
                    }],
                    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
                    "volumes": [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1024Mi"}}],
                },
            },
        });
        serde_json::from_value(json!({"metadata": self.metadata(name), "spec": spec})).unwrap()
    }

    pub fn service(&self, name: &str, port: i32) -> Service {
        let spec = json!({"selector": {"app": name}, "ports": [{"name": "http", "port": port, "targetPort": "http"}]});
        serde_json::from_value(json!({"metadata": self.metadata(name), "spec": spec})).unwrap()
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.admin.clone(), &self.namespace)
    }
}

pub fn desired<K: Resource<DynamicType = ()> + Serialize>(object: K) -> DesiredObject {
    DesiredObject::new(object).unwrap()
}
