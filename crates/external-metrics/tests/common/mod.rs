//! What the integration tests stand on: a real control plane with the shipped roles, the API served from this process under
//! the shipped service account, a table of decisions.
//!
//! All tests of a program share one runtime, so that what one of them starts outlives it.
#![allow(dead_code, reason = "each test program uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

pub mod direct;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use external_metrics::{
    API_SERVICE, Decided, Decisions, ExternalMetrics, Lifetimes, Options, Standing, Workload,
};
use jiff::Timestamp;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::{Api, Client};
use parking_lot::RwLock;
use testkit::{Access, Cluster, until};
use tokio::runtime::Runtime;
use tokio::sync::{OnceCell, watch};
use tokio_util::sync::CancellationToken;

/// Where the operator runs, as shipped.
pub const SYSTEM: &str = "llm-system";
/// The Service, as shipped.
pub const SERVICE: &str = "llm-operator-external-metrics";
/// The Secret with the certificates, as the shipped roles name it.
pub const SECRET: &str = "llm-operator-external-metrics-tls";
/// Long enough for a loaded machine.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// Label value of the workloads in these tests.
pub const KIND: &str = "modeldeployment.ai.example.com";

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let builder = &mut tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().unwrap()
});

/// Runs a test on the program's runtime.
pub fn run(test: impl Future<Output = ()>) {
    RUNTIME.block_on(test);
}

static INSTALLED: OnceCell<()> = OnceCell::const_new();

/// The cluster of this program, with namespace and roles as shipped.
pub async fn cluster() -> &'static Cluster {
    let cluster = testkit::shared(Cluster::builder).await.unwrap();
    INSTALLED.get_or_init(|| install(cluster)).await;
    cluster
}

async fn install(cluster: &Cluster) {
    for file in [
        "manager/namespace.yaml",
        "rbac/service_account.yaml",
        "rbac/cluster_role.yaml",
        "rbac/cluster_role_binding.yaml",
        "rbac/external_metrics_role.yaml",
        "rbac/metrics_auth_role.yaml",
        "rbac/metrics_reader_role.yaml",
    ] {
        cluster.apply_yaml(&shipped(file)).await.unwrap();
    }
}

/// A file of `config/`.
pub fn shipped(file: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../config")
        .join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The operator's way into the cluster: its service account, never an administrator.
pub async fn operator_access(cluster: &Cluster) -> Access {
    cluster.service_account(SYSTEM, "llm-operator").await.unwrap()
}

/// Decided numbers, by namespace, kind and name.
#[derive(Default)]
pub struct Table(RwLock<BTreeMap<(String, String, String), Decided>>);

impl Table {
    /// Decides.
    pub fn set(&self, namespace: &str, name: &str, replicas: i64) {
        let decided = Decided {
            replicas,
            at: Timestamp::now(),
        };
        let key = (namespace.to_owned(), KIND.to_owned(), name.to_owned());
        self.0.write().insert(key, decided);
    }

    /// Forgets.
    pub fn remove(&self, namespace: &str, name: &str) {
        self.0
            .write()
            .remove(&(namespace.to_owned(), KIND.to_owned(), name.to_owned()));
    }
}

impl Decisions for Table {
    fn replicas(&self, namespace: &str, kind_label: &str, name: &str) -> Option<Decided> {
        let key = (namespace.to_owned(), kind_label.to_owned(), name.to_owned());
        self.0.read().get(&key).copied()
    }

    fn all(&self, namespace: &str) -> Vec<Workload> {
        let all = self.0.read();
        let own = all.iter().filter(|((found, ..), _)| found == namespace);
        own.map(|((_, kind_label, name), decided)| Workload {
            kind_label: kind_label.clone(),
            name: name.clone(),
            decided: *decided,
        })
        .collect()
    }
}

/// One replica of the operator, as far as this API goes.
pub struct Replica {
    pub api: ExternalMetrics,
    pub table: Arc<Table>,
    pub lead: watch::Sender<bool>,
    pub stop: CancellationToken,
}

impl Replica {
    /// A leader outside the cluster, reached as `localhost`.
    pub async fn leader(client: Client) -> Self {
        Self::with(client, true, |options| {
            options.host = Some("localhost".to_owned());
        })
        .await
    }

    /// A replica with these options; by default on a loopback port, without a host.
    pub async fn with(client: Client, leads: bool, change: impl FnOnce(&mut Options)) -> Self {
        let (lead, receiver) = watch::channel(leads);
        let mut options = Options::new(SYSTEM, receiver);
        options.listen = ([127, 0, 0, 1], 0).into();
        options.metrics = Some(reconcile::Metrics::new());
        change(&mut options);
        let table = Arc::new(Table::default());
        let stop = CancellationToken::new();
        let api = ExternalMetrics::start(client, options, table.clone(), stop.clone());
        Self {
            api: api.await.unwrap(),
            table,
            lead,
            stop,
        }
    }

    /// Waits for a standing.
    pub async fn wait(&self, what: &str, wanted: impl Fn(&Standing) -> bool) -> Standing {
        let mut standing = self.api.standing();
        let seen = tokio::time::timeout(PATIENCE, standing.wait_for(|now| wanted(now))).await;
        let seen = seen.unwrap_or_else(|_| panic!("not {what} but {:?}", *self.api.standing().borrow()));
        seen.unwrap().clone()
    }

    /// Waits until the API server reaches it.
    pub async fn wait_available(&self) {
        let available = Standing::Ours { available: true };
        self.wait("available", |now| *now == available).await;
    }

    /// Ends it in order.
    pub async fn end(self) {
        self.stop.cancel();
        self.api.ended().await;
    }
}

/// Certificates that change every few seconds.
pub fn short_lived() -> Lifetimes {
    Lifetimes {
        valid: jiff::SignedDuration::from_secs(9),
        settle: jiff::SignedDuration::from_millis(1500),
    }
}

/// The `APIService`, for an administrator.
pub async fn api_services(cluster: &Cluster) -> Api<APIService> {
    Api::all(cluster.admin_client().await.unwrap())
}

/// The `APIService` as it is.
pub async fn api_service(cluster: &Cluster) -> APIService {
    api_services(cluster).await.get(API_SERVICE).await.unwrap()
}

/// Runs `kubectl`; its output, or its complaint.
pub async fn kubectl(cluster: &Cluster, args: &[&str]) -> Result<String, String> {
    let output = cluster.kubectl(args).await.unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Waits until something holds.
pub async fn eventually<T, O: testkit::wait::Observation<Value = T>>(
    what: &str,
    look: impl AsyncFnMut() -> O,
) -> T {
    until(what, PATIENCE, look).await.unwrap()
}
