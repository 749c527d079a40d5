//! What these tests stand on: one API server without controllers, Helm, charts; a namespace and a home per test.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use helm::{
    Access, Capabilities, CapabilitiesSource, Chart, CliHelm, CliHelmOptions, Helm, KubeconfigSource,
    LocalChart, ReleaseName, ReleaseSpec, Source, Version,
};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use serde_json::{Value, json};
use testkit::{Charts, Cluster, Identity, process::TemporaryDirectory};
use tokio::sync::OnceCell;

/// Long enough for a loaded machine; a test that works ends much earlier.
pub const PATIENCE: Duration = Duration::from_mins(1);

pub struct Bed {
    pub cluster: Cluster,
    pub charts: Charts,
}

/// The cluster and the charts that all tests share.
pub async fn bed() -> &'static Bed {
    static BED: OnceCell<Bed> = OnceCell::const_new();
    BED.get_or_init(|| async {
        let charts = tokio::task::spawn_blocking(Charts::new).await.unwrap().unwrap();
        let cluster = Cluster::builder().bare().audit().start().await.unwrap();
        Bed { cluster, charts }
    })
    .await
}

/// Helm of one test, with a namespace.
pub struct Desk {
    pub bed: &'static Bed,
    pub helm: CliHelm,
    pub home: TemporaryDirectory,
    pub client: Client,
    pub namespace: String,
}

/// The choices of most tests. `home` must live as long as Helm.
pub async fn options(bed: &Bed, home: &Path) -> CliHelmOptions {
    let access = bed.cluster.access(Identity::Admin);
    CliHelmOptions {
        program: bed.charts.helm().to_owned(),
        tool: env!("CARGO_BIN_EXE_helm-tool").into(),
        home: home.join("helm"),
        charts_dir: None,
        kubeconfig: KubeconfigSource::Config(Box::new(access.config().await.unwrap())),
        capabilities: CapabilitiesSource::Cluster(access.client().await.unwrap()),
        concurrency: CliHelmOptions::CONCURRENCY,
        timeout: PATIENCE,
    }
}

/// Helm that knows no cluster, for pulling and rendering.
pub async fn without_cluster(home: &Path, change: impl FnOnce(&mut CliHelmOptions)) -> CliHelm {
    let charts = tokio::task::spawn_blocking(Charts::new).await.unwrap().unwrap();
    let mut options = CliHelmOptions {
        program: charts.helm().to_owned(),
        tool: env!("CARGO_BIN_EXE_helm-tool").into(),
        home: home.join("helm"),
        charts_dir: None,
        kubeconfig: KubeconfigSource::None,
        capabilities: CapabilitiesSource::Fixed(Capabilities::default()),
        concurrency: CliHelmOptions::CONCURRENCY,
        timeout: PATIENCE,
    };
    change(&mut options);
    CliHelm::new(options).unwrap()
}

impl Desk {
    pub async fn new(namespace: &str) -> Self {
        let bed = bed().await;
        let home = TemporaryDirectory::new("helm-home").unwrap();
        let helm = CliHelm::new(options(bed, home.path()).await).unwrap();
        let client = bed.cluster.admin_client().await.unwrap();
        let object = Namespace {
            metadata: ObjectMeta {
                name: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        let api: Api<Namespace> = Api::all(client.clone());
        api.create(&PostParams::default(), &object).await.unwrap();
        Self {
            bed,
            helm,
            home,
            client,
            namespace: namespace.to_owned(),
        }
    }

    pub fn release(&self, name: &str) -> ReleaseName {
        ReleaseName {
            namespace: self.namespace.clone(),
            name: name.to_owned(),
        }
    }

    pub fn spec(&self, name: &str, values: Value) -> ReleaseSpec {
        let label = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        ReleaseSpec {
            name: self.release(name),
            values,
            secrets: Vec::new(),
            release_labels: label("llm-operator.io/name", "mine"),
            object_labels: label("app.kubernetes.io/part-of", "llm-d"),
        }
    }

    /// A chart of ours in a version.
    pub async fn chart(&self, chart: &str, version: &str) -> LocalChart {
        let path = self.bed.charts.archive(chart, version).unwrap();
        self.helm.pull(&local(path)).await.unwrap()
    }

    pub async fn plain(&self) -> LocalChart {
        self.chart("plain", "1.0.0").await
    }

    /// `helm` as a person would run it.
    pub async fn by_hand(&self, args: &[&str]) -> String {
        let output: Output = tokio::process::Command::new(self.bed.charts.helm())
            .args(args)
            .args(["--namespace", &self.namespace])
            .env("KUBECONFIG", self.bed.cluster.kubeconfig())
            .env("HOME", self.home.path())
            .output()
            .await
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    }

    /// `helm list -o json`: name, revision and status of every release.
    pub async fn list(&self) -> Vec<(String, String, String)> {
        let text = self.by_hand(&["list", "--output", "json"]).await;
        let releases: Value = serde_json::from_str(&text).unwrap();
        let field = |release: &Value, name: &str| release[name].as_str().unwrap_or_default().to_owned();
        let releases = releases.as_array().unwrap().iter();
        releases
            .map(|release| {
                (
                    field(release, "name"),
                    field(release, "revision"),
                    field(release, "status"),
                )
            })
            .collect()
    }
}

/// A chart on this machine's disk.
pub fn local(path: PathBuf) -> Chart {
    Chart {
        source: Source::Local { path },
        version: Version::new(""),
        access: Access::default(),
    }
}

/// One entry of [`Desk::list`].
pub fn listed(name: &str, revision: u32, status: &str) -> (String, String, String) {
    (name.to_owned(), revision.to_string(), status.to_owned())
}

/// Objects that a rendering has, by kind and name.
pub fn objects(manifest: &str) -> BTreeMap<(String, String), Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(manifest).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    documents
        .into_iter()
        .filter(|document| !document.is_null())
        .map(|document| {
            let key = (text(&document["kind"]), text(&document["metadata"]["name"]));
            (key, document)
        })
        .collect()
}

/// Values of `plain` with one fault.
pub fn fault(name: &str, value: impl Into<Value>) -> Value {
    json!({ "faults": { name: value.into() } })
}
