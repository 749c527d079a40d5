//! A cluster with definitions of the kind, an operator, and ways to look. Clusters and their `Llmd` are singletons, so tests of one
//! bed run one after the other.

use std::time::Duration;

use api::opendatahub_io::{components::v1alpha1::Llmd, datasciencecluster::v2::DataScienceCluster};
use k8s_openapi::api::core::v1::Event;
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, ListParams},
    core::ApiResource,
};
use serde_json::{Value, json};
use testkit::{
    Cluster,
    plane::audit::{Filter, Mark, Request},
};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::common::{self, Operator, PATIENCE, scrape::scrape};

static OWN: OnceCell<Bed> = OnceCell::const_new();
static TURN: Mutex<()> = Mutex::const_new(());

/// A cluster and its operator.
pub struct Bed {
    pub cluster: Cluster,
    pub operator: Operator,
}

/// What a test has for itself.
pub struct Scene {
    pub bed: &'static Bed,
    pub client: Client,
    _turn: MutexGuard<'static, ()>,
}

/// A cluster with this definition of the kind, and an operator that looks at everything twice a second.
pub async fn bed(definition: Option<&Value>) -> Bed {
    let cluster = Cluster::builder().audit().start().await.unwrap();
    common::install(&cluster, true).await;
    let role = common::repository_file("config/rbac/charts_role.yaml");
    cluster.apply_yaml(&role).await.unwrap();
    if let Some(definition) = definition {
        cluster.apply_yaml(&definition.to_string()).await.unwrap();
    }
    let operator = operator(&cluster, "dsc").await;
    Bed { cluster, operator }
}

/// Starts an operator.
pub async fn operator(cluster: &Cluster, name: &str) -> Operator {
    let access = common::operator_access(cluster).await;
    let args = [
        "--leader-elect",
        "false",
        "--helm",
        "/nonexistent",
        "--resync-period",
        "500ms",
    ];
    common::start_operator(&access, name, &args).await
}

/// The definition that we ship.
pub fn own_definition() -> Value {
    let crds = api::optional_crds().into_iter();
    let crds = crds.map(|crd| serde_json::to_value(crd).unwrap());
    { crds }
        .find(|crd| crd["spec"]["names"]["kind"] == "DataScienceCluster")
        .unwrap()
}

impl Scene {
    /// The shared bed with our own definition, and nothing of earlier tests in it.
    pub async fn new() -> Self {
        let turn = TURN.lock().await;
        let bed = OWN.get_or_init(async || bed(Some(&own_definition())).await).await;
        let scene = Self {
            bed,
            client: bed.cluster.admin_client().await.unwrap(),
            _turn: turn,
        };
        scene.until_gone::<DataScienceCluster>("clusters").await;
        scene.until_gone::<Llmd>("Llmds").await;
        scene
    }

    /// Deletes what there is of the kind and waits until it is gone.
    async fn until_gone<K>(&self, what: &str)
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::ClusterResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
    {
        let api: Api<K> = Api::all(self.client.clone());
        self.until(&format!("no {what}"), async || {
            // A definition that was just made is served a moment later: 429 until then.
            let deleted = api
                .delete_collection(&DeleteParams::default(), &ListParams::default())
                .await;
            deleted.map_err(|error| error.to_string())?;
            let listed = api.list_metadata(&ListParams::default()).await;
            let names = listed.map_err(|error| error.to_string())?.items;
            if names.is_empty() {
                Ok(())
            } else {
                Err(format!("{names:?}"))
            }
        })
        .await;
    }

    /// Waits, and tells the operator's log if that is in vain.
    pub async fn until<T>(&self, what: &str, look: impl AsyncFnMut() -> Result<T, String>) -> T {
        let found = testkit::until(what, PATIENCE, look).await;
        found.unwrap_or_else(|error| panic!("{error}\n{}", self.bed.operator.process.last_lines(40)))
    }

    /// Applies YAML as a person would.
    pub async fn apply(&self, yaml: &str) {
        self.bed.cluster.apply_yaml(yaml).await.unwrap();
    }

    /// kubectl; panics when it does not work.
    pub async fn kubectl(&self, args: &[&str]) -> String {
        let (worked, said) = self.try_kubectl(args).await;
        assert!(worked, "kubectl {args:?}: {said}");
        said
    }

    /// kubectl; whether it worked, and what it said.
    pub async fn try_kubectl(&self, args: &[&str]) -> (bool, String) {
        let output = self.bed.cluster.kubectl(args).await.unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    /// Merges into a cluster.
    pub async fn patch(&self, name: &str, patch: Value) {
        let patch = patch.to_string();
        self.kubectl(&["patch", "dsc", name, "--type=merge", "-p", &patch])
            .await;
    }

    /// Sets the component of `default-dsc`.
    pub async fn set(&self, llmd: Value) {
        self.patch("default-dsc", json!({"spec": {"components": {"llmd": llmd}}}))
            .await;
    }

    /// The `Llmd`.
    pub async fn llmd(&self) -> Option<Value> {
        self.raw::<Llmd>("default-llm-d").await
    }

    /// A cluster.
    pub async fn dsc(&self, name: &str) -> Value {
        self.raw::<DataScienceCluster>(name).await.unwrap()
    }

    async fn raw<K: kube::Resource<DynamicType = ()>>(&self, name: &str) -> Option<Value> {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &ApiResource::erase::<K>(&()));
        let found = api.get_opt(name).await.unwrap()?;
        Some(serde_json::to_value(found).unwrap())
    }

    /// Waits for an `Llmd` that is as wanted.
    pub async fn wait_llmd(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.until(what, async || match self.llmd().await {
            Some(llmd) if wanted(&llmd) => Ok(llmd),
            other => Err(format!("{other:?}")),
        })
        .await
    }

    /// Waits until there is no `Llmd`.
    pub async fn wait_no_llmd(&self) {
        self.until("no Llmd", async || match self.llmd().await {
            None => Ok(()),
            Some(llmd) => Err(llmd.to_string()),
        })
        .await;
    }

    /// Waits for status and reason of a condition, such as `False/Removed`, that speaks of the present generation.
    pub async fn wait(&self, name: &str, type_: &str, wanted: &str) -> Value {
        let what = format!("{name}: {type_} is {wanted}");
        self.until(&what, async || {
            let dsc = self.dsc(name).await;
            let one = condition(&dsc, type_);
            let current = one["observedGeneration"] == dsc["metadata"]["generation"];
            if words(&one) == wanted && current {
                Ok(dsc)
            } else {
                Err(dsc["status"].to_string())
            }
        })
        .await
    }

    /// Now, in the audit log.
    pub fn mark(&self) -> Mark {
        self.bed.cluster.audit_log().mark()
    }

    /// What the operator has written since, but Events.
    pub fn writes(&self, mark: &Mark) -> Vec<Request> {
        writes(&self.bed.cluster, mark)
    }

    /// Waits until every cluster was looked at several times more.
    pub async fn looked_at(&self) {
        looked_at(&self.bed.operator).await;
    }

    /// Reasons of Events about a cluster.
    pub async fn events(&self, name: &str) -> Vec<String> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), "default");
        let fields = format!("involvedObject.kind=DataScienceCluster,involvedObject.name={name}");
        let events = api.list(&ListParams::default().fields(&fields)).await.unwrap();
        events
            .items
            .into_iter()
            .filter_map(|event| event.reason)
            .collect()
    }
}

/// Writes of the operator since, but Events.
pub fn writes(cluster: &Cluster, mark: &Mark) -> Vec<Request> {
    let filter = Filter::user("system:serviceaccount:llm-system:llm-operator");
    let mut requests = cluster.audit_log().requests_since(mark, &filter).unwrap();
    requests.retain(|request| request.is_write() && request.resource != "events");
    requests
}

/// Waits until clusters were looked at six times more.
pub async fn looked_at(operator: &Operator) {
    let looks = async || {
        let labels = [("kind", "DataScienceCluster")];
        let name = "llm_operator_reconcile_duration_seconds_count";
        scrape(operator).await.sum(name, &labels)
    };
    let before = looks().await;
    testkit::until("it is looked at again", Duration::from_secs(30), async || {
        let now = looks().await;
        if now >= before + 6.0 {
            Ok(())
        } else {
            Err(now - before)
        }
    })
    .await
    .unwrap();
}

/// A condition; null if there is none.
pub fn condition(dsc: &Value, type_: &str) -> Value {
    let conditions = dsc["status"]["conditions"].as_array().into_iter().flatten();
    { conditions }
        .find(|one| one["type"] == type_)
        .cloned()
        .unwrap_or_default()
}

/// Its status and reason.
pub fn words(condition: &Value) -> String {
    let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
    format!("{}/{}", text("status"), text("reason"))
}

/// A cluster with this component.
pub fn dsc(name: &str, llmd: &Value) -> String {
    json!({
        "apiVersion": "datasciencecluster.opendatahub.io/v2", "kind": "DataScienceCluster",
        "metadata": {"name": name}, "spec": {"components": {"llmd": llmd}},
    })
    .to_string()
}

/// A component that is Ready without any chart.
pub fn nothing() -> Value {
    json!({"managementState": "Managed", "infra": {"enabled": false, "version": "1.3.3"}})
}
