//! What every integration test stands on: one real control plane per test program, the shipped operator in front of it
//! with the shipped service account and roles, and a namespace per test.
//!
//! Tests of one program run at the same time, each in a runtime and with a client of its own.
#![allow(dead_code, reason = "each test program uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

pub mod desk;
pub mod image;
pub mod leftovers;
pub mod prem;
pub mod scrape;
pub mod stand;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use api::llm_example_com::v1alpha1::{LLMDeployment, LLMDeploymentStatus, LLMModel};
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{Event, Namespace},
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube::{Api, Client, Resource, api::PostParams};
use serde::de::DeserializeOwned;
use testkit::{Access, Cluster, ClusterBuilder, NodeSpec, OperatorProcess, manifests};
use tokio::sync::OnceCell;

/// Where the operator runs, as shipped.
pub const SYSTEM_NAMESPACE: &str = manifests::NAMESPACE;
/// Long enough for a loaded machine; a test that works ends much earlier.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A cluster with the definitions and roles installed, before any operator runs.
pub async fn install(cluster: &Cluster, with_crds: bool) {
    let mut documents: Vec<String> = Vec::new();
    if with_crds {
        documents.extend(api::crds().iter().map(|crd| serde_json::to_string(crd).unwrap()));
    }
    documents.push(manifests::roles(&root()).unwrap());
    let text = documents.join("\n---\n");
    cluster.apply_yaml(&text).await.unwrap();
}

/// The root of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A file of the repository.
pub fn repository_file(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What the operator may use: a token of the shipped service account, never admin.
pub async fn operator_access(cluster: &Cluster) -> Access {
    manifests::access(cluster).await.unwrap()
}

/// A running operator.
pub struct Operator {
    /// The process.
    pub process: OperatorProcess,
    /// Address of its pages.
    pub url: String,
}

/// Starts an operator and waits until it is ready. `args` come after `run`.
pub async fn start_operator(access: &Access, name: &str, args: &[&str]) -> Operator {
    let mut operator = spawn_operator(access, name, args);
    let url = format!("{}/readyz", operator.url);
    operator.process.wait_ready(&url, PATIENCE).await.unwrap();
    operator
}

/// Starts an operator without waiting.
pub fn spawn_operator(access: &Access, name: &str, args: &[&str]) -> Operator {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let stamp = format!("{}-{name}", std::process::id());
    let kubeconfig = folder.join(format!("{stamp}.kubeconfig"));
    access.write_kubeconfig(&kubeconfig).unwrap();
    let port = free_port();
    let process = OperatorProcess::builder(env!("CARGO_BIN_EXE_llm-operator"))
        .args([
            "run",
            "--http-address",
            &format!("127.0.0.1:{port}"),
            "--identity",
            name,
        ])
        .args(args.iter().copied())
        // Tests of that say so; the others share this machine's ports.
        .env("EXTERNAL_METRICS", "false")
        .env("SECURE_METRICS", "false")
        .kubeconfig(&kubeconfig)
        .env(
            "LOG_LEVEL",
            std::env::var("OPERATOR_LOG_LEVEL").unwrap_or_else(|_| "info".to_owned()),
        )
        .log(folder.join(format!("{stamp}.operator.log")))
        .start()
        .unwrap();
    Operator {
        process,
        url: format!("http://127.0.0.1:{port}"),
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// The cluster and operator that all tests of one program share.
pub struct Bed {
    /// The control plane and its simulated nodes.
    pub cluster: Cluster,
    /// The operator.
    pub operator: Operator,
}

static BED: OnceCell<Bed> = OnceCell::const_new();

/// The shared bed: two simulated nodes of 8 x H100 unless the first caller asks for something else.
pub async fn bed() -> &'static Bed {
    bed_with(|| {
        Cluster::builder()
            .node(NodeSpec::h100("gpu-0", 8))
            .node(NodeSpec::h100("gpu-1", 8))
    })
    .await
}

/// The shared bed; the first caller of a program decides how it is built.
pub async fn bed_with(build: impl FnOnce() -> ClusterBuilder) -> &'static Bed {
    bed_running(build, &[]).await
}

/// What an operator outside the cluster needs to serve external metrics to it.
pub const EXTERNAL_METRICS: [&str; 6] = [
    "--external-metrics",
    "true",
    "--external-metrics-address",
    "127.0.0.1:0",
    "--external-metrics-host",
    "localhost",
];

/// As [`bed_with`], with more to say to the operator.
pub async fn bed_running(build: impl FnOnce() -> ClusterBuilder, args: &[&str]) -> &'static Bed {
    BED.get_or_init(|| async {
        let cluster = build().start().await.unwrap();
        install(&cluster, true).await;
        let access = operator_access(&cluster).await;
        let args: Vec<&str> = ["--leader-elect", "false"].iter().chain(args).copied().collect();
        let operator = start_operator(&access, "shared", &args).await;
        Bed { cluster, operator }
    })
    .await
}

/// A namespace of its own for one test, with a client of the test's runtime.
pub struct Space {
    /// Name of the namespace.
    pub namespace: String,
    /// Admin client.
    pub client: Client,
    cluster: &'static Cluster,
}

impl Bed {
    /// A fresh namespace whose name starts with `prefix`.
    pub async fn space(&'static self, prefix: &str) -> Space {
        Space::of(&self.cluster, prefix).await
    }
}

impl Space {
    /// A fresh namespace of `cluster` whose name starts with `prefix`.
    pub async fn of(cluster: &'static Cluster, prefix: &str) -> Self {
        Self::create(
            cluster,
            &serde_json::json!({"generateName": format!("{prefix}-")}),
        )
        .await
    }

    /// A new namespace of this name.
    pub async fn named(cluster: &'static Cluster, name: &str) -> Self {
        Self::create(cluster, &serde_json::json!({ "name": name })).await
    }

    /// A namespace that is there already.
    pub async fn existing(cluster: &'static Cluster, name: &str) -> Self {
        let space = Self {
            namespace: name.to_owned(),
            client: cluster.admin_client().await.unwrap(),
            cluster,
        };
        space.wait_for_service_account().await;
        space
    }

    async fn create(cluster: &'static Cluster, metadata: &serde_json::Value) -> Self {
        let client = cluster.admin_client().await.unwrap();
        let namespace: Namespace =
            serde_json::from_value(serde_json::json!({ "metadata": metadata })).unwrap();
        let made = Api::<Namespace>::all(client.clone())
            .create(&PostParams::default(), &namespace)
            .await
            .unwrap();
        let space = Self {
            namespace: made.metadata.name.unwrap(),
            client,
            cluster,
        };
        space.wait_for_service_account().await;
        space
    }

    /// Pods need the namespace's default service account.
    async fn wait_for_service_account(&self) {
        let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> = self.api();
        testkit::until("the default ServiceAccount", PATIENCE, async || {
            accounts.get_opt("default").await.unwrap().map(drop)
        })
        .await
        .unwrap();
    }

    /// The namespaced API of a kind.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Applies YAML into this namespace with the real kubectl, as a person would; panics when it is refused.
    pub async fn apply(&self, yaml: &str) {
        let output = self.try_apply(yaml).await;
        assert!(output.0, "kubectl apply: {}\n{yaml}", output.1);
    }

    /// Applies YAML; whether it worked, and what kubectl said.
    pub async fn try_apply(&self, yaml: &str) -> (bool, String) {
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.yaml", self.unique()));
        std::fs::write(&file, yaml).unwrap();
        let path = file.to_string_lossy().into_owned();
        let result = self.kubectl(&["apply", "-f", &path]).await;
        std::fs::remove_file(file).unwrap();
        result
    }

    /// kubectl in this namespace; whether it worked, and its standard output and error together.
    pub async fn kubectl(&self, args: &[&str]) -> (bool, String) {
        let mut all = vec!["-n", &self.namespace];
        all.extend(args);
        let output = self.cluster.kubectl(&all).await.unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    fn unique(&self) -> String {
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        format!(
            "{}-{}-{}",
            std::process::id(),
            self.namespace,
            COUNT.fetch_add(1, Ordering::Relaxed)
        )
    }

    /// Deletes an object.
    pub async fn delete<K>(&self, name: &str)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        self.api::<K>()
            .delete(name, &kube::api::DeleteParams::default())
            .await
            .unwrap();
    }

    /// Waits for an object that satisfies `wanted`, and returns it.
    pub async fn wait<K>(&self, what: &str, name: &str, wanted: impl Fn(&K) -> bool) -> K
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let api = self.api::<K>();
        let what = format!("{} {}/{name}: {what}", K::kind(&()), self.namespace);
        testkit::until(&what, PATIENCE, async || {
            let found = api.get_opt(name).await.map_err(|error| error.to_string())?;
            match found {
                Some(object) if wanted(&object) => Ok(object),
                Some(mut other) => {
                    // Most of the text, and nobody's answer.
                    other.meta_mut().managed_fields = None;
                    other.meta_mut().annotations = None;
                    Err(format!("{other:?}"))
                }
                None => Err("it does not exist".to_owned()),
            }
        })
        .await
        .unwrap()
    }

    /// Waits until an object is gone.
    pub async fn wait_gone<K>(&self, name: &str)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let api = self.api::<K>();
        let what = format!("{} {}/{name} is gone", K::kind(&()), self.namespace);
        testkit::until(&what, PATIENCE, async || match api.get_opt(name).await {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await
        .unwrap();
    }

    /// Waits until the deployment's status satisfies `wanted`, and returns it.
    pub async fn wait_status(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&LLMDeploymentStatus) -> bool,
    ) -> LLMDeploymentStatus {
        let found: LLMDeployment = self
            .wait(what, name, |object: &LLMDeployment| {
                object.status.as_ref().is_some_and(&wanted)
            })
            .await;
        found.status.unwrap()
    }

    /// Waits for a word of state, of the current generation.
    pub async fn wait_state(&self, name: &str, state: &str) -> LLMDeploymentStatus {
        let found: LLMDeployment = self
            .wait(state, name, |object: &LLMDeployment| {
                let status = object.status.as_ref();
                let is = status
                    .and_then(|status| status.state)
                    .is_some_and(|found| found.as_str() == state);
                let current = status
                    .and_then(|status| condition(status, "Ready"))
                    .is_some_and(|ready| ready.observed_generation == object.metadata.generation);
                is && current
            })
            .await;
        found.status.unwrap()
    }

    /// Waits for a reason, and returns the message of the condition that carries it.
    pub async fn wait_reason(&self, name: &str, reason: &str) -> String {
        let status = self
            .wait_status(name, reason, |status| status.reason.as_deref() == Some(reason))
            .await;
        let carrier = status
            .conditions
            .iter()
            .find(|condition| condition.reason == reason);
        carrier
            .unwrap_or_else(|| panic!("no condition carries {reason}: {status:?}"))
            .message
            .clone()
    }

    /// Events about the object `name`, by reason.
    pub async fn events(&self, name: &str) -> BTreeMap<String, Vec<Event>> {
        let all = self
            .api::<Event>()
            .list(&kube::api::ListParams::default())
            .await
            .unwrap();
        let mut found: BTreeMap<String, Vec<Event>> = BTreeMap::new();
        for event in all.items {
            if event.involved_object.name.as_deref() == Some(name) {
                found
                    .entry(event.reason.clone().unwrap_or_default())
                    .or_default()
                    .push(event);
            }
        }
        found
    }

    /// Waits for Events of this reason about the object `name`: they are written after the status, by a task of their own.
    pub async fn wait_event(&self, name: &str, reason: &str) -> Vec<Event> {
        testkit::until(format!("an Event {reason} about {name}"), PATIENCE, async || {
            let mut told = self.events(name).await;
            told.remove(reason).ok_or_else(|| format!("{:?}", told.keys()))
        })
        .await
        .unwrap()
    }
}

/// A condition by type.
pub fn condition<'a>(status: &'a LLMDeploymentStatus, type_: &str) -> Option<&'a Condition> {
    status
        .conditions
        .iter()
        .find(|condition| condition.type_ == type_)
}

/// The documents' example model (S2-9).
pub fn gpt_small() -> String {
    repository_file("examples/llm/model.yaml")
}

/// The documents' example deployment (S2-10).
pub fn chat_service() -> String {
    repository_file("examples/llm/deployment.yaml")
}

/// The type is used by tests that look at models.
pub type Model = LLMModel;

/// A page of the operator: status code and text.
pub async fn page(url: &str) -> (u16, String) {
    let output = tokio::process::Command::new("curl")
        .args(["-sS", "-m", "10", "-w", "\n%{http_code}", url])
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, code) = text.rsplit_once('\n').unwrap_or(("", "0"));
    (code.trim().parse().unwrap_or(0), body.to_owned())
}
