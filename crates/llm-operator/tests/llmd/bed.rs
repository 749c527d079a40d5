//! A cluster that knows the foreign kinds, an operator with Helm and charts on its disk, and ways to look.

use std::{path::PathBuf, time::Duration};

use api::opendatahub_io::components::v1alpha1::Llmd;
use kube::{Api, Client};
use serde_json::{Value, json};
use testkit::{
    Charts, Cluster, NodeSpec,
    plane::audit::{Filter, Mark},
};

use crate::common::{self, Operator};

/// Fetching, installing and loading, on a loaded machine.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// Kinds of other projects that the documents' charts use: group, version, kind, plural.
pub const FOREIGN: [(&str, &str, &str, &str); 5] = [
    ("gateway.networking.k8s.io", "v1", "Gateway", "gateways"),
    ("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"),
    (
        "inference.networking.k8s.io",
        "v1",
        "InferencePool",
        "inferencepools",
    ),
    (
        "inference.networking.x-k8s.io",
        "v1alpha2",
        "InferencePool",
        "inferencepools",
    ),
    ("telemetry.istio.io", "v1", "Telemetry", "telemetries"),
];

/// The documents' versions, and one more of each to upgrade to.
const CHARTS: [(&str, &[&str]); 3] = [
    ("llm-d-infra", &["v1.3.3", "v1.3.4"]),
    ("inferencepool", &["v1.0.1", "v1.0.2"]),
    ("llm-d-modelservice", &["v0.2.11", "v0.2.12"]),
];

/// The document's `Llmd`, unchanged.
pub const DOCUMENT: &str = r#"
apiVersion: components.platform.opendatahub.io/v1alpha1
kind: Llmd
metadata:
  name: default-llm-d
spec:
  modelService:
    enabled: true
    version: "0.2.11"
  infra:
    enabled: true
    version: "1.3.3"
  gatewayAPI:
    enabled: true
    version: "1.0.1"
"#;

pub struct Bed {
    pub cluster: Cluster,
    pub client: Client,
    pub charts: Charts,
    pub operator: Option<Operator>,
    access: testkit::Access,
}

impl Bed {
    /// With all foreign kinds and a running operator.
    pub async fn new() -> Self {
        Self::with(&FOREIGN).await
    }

    /// With these foreign kinds.
    pub async fn with(foreign: &[(&str, &str, &str, &str)]) -> Self {
        let charts = tokio::task::spawn_blocking(|| {
            let charts = Charts::new().unwrap();
            for (chart, versions) in CHARTS {
                for version in versions {
                    charts.archive(chart, version).unwrap();
                }
            }
            charts
        });
        let cluster = Cluster::builder()
            .audit()
            .node(NodeSpec::h100("gpu-0", 8))
            .start()
            .await
            .unwrap();
        common::install(&cluster, true).await;
        let role = common::repository_file("config/rbac/charts_role.yaml");
        cluster.apply_yaml(&role).await.unwrap();
        let access = common::operator_access(&cluster).await;
        let client = cluster.admin_client().await.unwrap();
        let mut bed = Self {
            cluster,
            client,
            charts: charts.await.unwrap(),
            operator: None,
            access,
        };
        for kind in foreign {
            bed.define(kind).await;
        }
        bed.start("first").await;
        bed
    }

    /// Starts an operator, in place of the one that ran.
    pub async fn start(&mut self, name: &str) {
        self.operator = None;
        let helm = self.charts.helm().to_string_lossy().into_owned();
        let charts = self.charts_dir().to_string_lossy().into_owned();
        let args = [
            "--leader-elect",
            "false",
            "--helm",
            &helm,
            "--charts-dir",
            &charts,
        ];
        // Several beds live in one process; each operator has a log and a kubeconfig of its own.
        let url = self.cluster.url();
        let name = format!("{name}-{}", url.rsplit(':').next().unwrap());
        self.operator = Some(common::start_operator(&self.access, &name, &args).await);
    }

    /// Where the archives lie.
    pub fn charts_dir(&self) -> PathBuf {
        let archive = self.charts.archive("llm-d-infra", "v1.3.3").unwrap();
        archive.parent().unwrap().to_owned()
    }

    /// Installs a foreign kind, with any content.
    pub async fn define(&self, (group, version, kind, plural): &(&str, &str, &str, &str)) {
        let crd = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}"), "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"}},
            "spec": {
                "group": group, "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
                "versions": [{"name": version, "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
            },
        });
        self.cluster.apply_yaml(&crd.to_string()).await.unwrap();
    }

    /// kubectl as administrator, in namespace llm-d; panics when it does not work.
    pub async fn kubectl(&self, args: &[&str]) -> String {
        let (worked, said) = self.try_kubectl(args).await;
        assert!(worked, "kubectl {args:?}: {said}");
        said
    }

    /// The same; whether it worked, and what it said.
    pub async fn try_kubectl(&self, args: &[&str]) -> (bool, String) {
        let output = self.cluster.kubectl(args).await.unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    /// Applies YAML as a person would.
    pub async fn apply(&self, yaml: &str) {
        self.cluster.apply_yaml(yaml).await.unwrap();
    }

    /// Merges into the spec.
    pub async fn patch(&self, patch: Value) {
        let patch = patch.to_string();
        self.kubectl(&["patch", "llmd", "default-llm-d", "--type=merge", "-p", &patch])
            .await;
    }

    pub fn llmds(&self) -> Api<Llmd> {
        Api::all(self.client.clone())
    }

    /// Waits until the `Llmd` is as wanted; what it was last is told when it does not come.
    pub async fn wait(&self, what: &str, wanted: impl Fn(&Llmd) -> bool) -> Llmd {
        testkit::until(what, PATIENCE, async || {
            match self.llmds().get_opt("default-llm-d").await {
                Ok(Some(llmd)) if wanted(&llmd) => Ok(llmd),
                Ok(Some(llmd)) => Err(serde_json::to_string_pretty(&llmd.status).unwrap()),
                Ok(None) => Err("there is none".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        })
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", self.log()))
    }

    /// Waits until it is Ready for its present generation.
    pub async fn ready(&self) -> Llmd {
        self.wait("Ready", |llmd| {
            condition(llmd, "Ready") == ("True".to_owned(), "Ready".to_owned())
                && llmd.status.as_ref().unwrap().observed_generation == llmd.metadata.generation
        })
        .await
    }

    /// Waits until the operator writes nothing for a while, and tells since when: the last events of what has just been deployed may
    /// come late.
    pub async fn quiet(&self) -> Mark {
        let log = self.cluster.audit_log();
        testkit::until("the operator to be quiet", PATIENCE, async || {
            let mark = log.mark();
            tokio::time::sleep(Duration::from_secs(3)).await;
            let counts = log
                .count_since(&mark, &Filter::user("llm-system:llm-operator"))
                .unwrap();
            if counts.writes() == 0 {
                Ok(mark)
            } else {
                Err(counts.to_string())
            }
        })
        .await
        .unwrap()
    }

    /// `helm` as a person would call it, on namespace llm-d.
    pub async fn helm(&self, args: &[&str]) -> String {
        let output = tokio::process::Command::new(self.charts.helm())
            .args(["-n", "llm-d"])
            .args(args)
            .env("KUBECONFIG", self.cluster.kubeconfig())
            .output()
            .await
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(output.status.success(), "helm {args:?}: {text}");
        text
    }

    /// The end of the operator's log.
    pub fn log(&self) -> String {
        self.operator
            .as_ref()
            .map(|operator| operator.process.last_lines(60))
            .unwrap_or_default()
    }
}

/// Status and reason of a condition.
pub fn condition(llmd: &Llmd, type_: &str) -> (String, String) {
    let conditions = llmd.status.iter().flat_map(|status| &status.conditions);
    { conditions }
        .find(|condition| condition.type_ == type_)
        .map(|condition| (condition.status.clone(), condition.reason.clone()))
        .unwrap_or_default()
}

/// Message of a condition.
pub fn message(llmd: &Llmd, type_: &str) -> String {
    let conditions = llmd.status.iter().flat_map(|status| &status.conditions);
    { conditions }
        .find(|condition| condition.type_ == type_)
        .map(|condition| condition.message.clone())
        .unwrap_or_default()
}
