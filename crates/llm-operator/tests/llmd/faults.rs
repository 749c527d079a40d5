//! The chart that fails when it is told to, Helm's processes, and what is left of a release.

use std::{fs, path::PathBuf, process::Command};

use api::opendatahub_io::components::v1alpha1::Llmd;
use k8s_openapi::api::{batch::v1::Job, core::v1::Secret};
use kube::{Api, ResourceExt, api::ListParams};
use serde_json::{Value, json};
use testkit::until;

use crate::bed::{Bed, PATIENCE};

/// The release of `spec.infra`, which is the chart `plain` here.
pub const RELEASE: &str = "llm-d-infra";

/// An `Llmd` of the chart `plain` alone; `spec` is merged over the rest.
pub fn plain(bed: &Bed, values: &Value, spec: &Value) -> String {
    bed.charts.archive("plain", "1.0.0").unwrap();
    let mut llmd = json!({
        "apiVersion": "components.platform.opendatahub.io/v1alpha1", "kind": "Llmd",
        "metadata": {"name": "default-llm-d"},
        "spec": {"infra": {
            "enabled": true, "version": "1.0.0",
            "repository": {"url": "file:plain-1.0.0.tgz"}, "values": values,
        }},
    });
    let fields = llmd["spec"].as_object_mut().unwrap();
    fields.extend(spec.as_object().unwrap().clone());
    llmd.to_string()
}

/// Merges into the values of the chart.
pub async fn values(bed: &Bed, values: &Value) {
    bed.patch(json!({"spec": {"infra": {"values": values}}})).await;
}

/// A process that Helm consists of: its guard, or itself.
#[derive(Debug)]
pub struct Process {
    pub pid: u32,
    pub line: String,
}

impl Process {
    /// Whether it is Helm itself.
    pub fn is_helm(&self) -> bool {
        !self.line.contains(" helm-guard ") && !self.line.contains(" post-render ")
    }

    /// Sends a signal; that it is gone already is well.
    pub fn signal(&self, signal: &str) {
        let _ = Command::new("kill")
            .args(["-s", signal, &self.pid.to_string()])
            .status();
    }
}

/// Process id of the operator that runs.
pub fn operator(bed: &Bed) -> u32 {
    bed.operator.as_ref().unwrap().process.pid()
}

/// All that an operator has started and that still runs: they know its directory. Zombies have neither words nor environment.
pub fn processes(operator: u32) -> Vec<Process> {
    let home = format!("llm-operator-helm-{operator}/");
    let all = fs::read_dir("/proc").unwrap().flatten();
    let found = all.filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let read = |file: &str| {
            let text = fs::read(entry.path().join(file)).ok()?;
            Some(String::from_utf8_lossy(&text).replace('\0', " "))
        };
        if !read("environ")?.contains(&home) {
            return None;
        }
        let line = read("cmdline").filter(|line| !line.is_empty())?;
        Some(Process { pid, line })
    });
    found.collect()
}

/// Waits until none is left.
pub async fn none_left(operator: u32) {
    let patience = std::time::Duration::from_secs(20);
    until("Helm to be gone", patience, async || {
        let left = processes(operator);
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await
    .unwrap();
}

/// Waits until Helm waits in this operation for a Job that never ends, run as this hook. Helm itself is returned.
pub async fn hangs(bed: &Bed, operation: &str, hook: &str) -> Process {
    let jobs: Api<Job> = Api::namespaced(bed.client.clone(), "llm-d");
    until(format!("{operation} to hang in {hook}"), PATIENCE, async || {
        let job = jobs.get_opt(&format!("{RELEASE}-hang")).await.ok().flatten()?;
        let is_hook = job.annotations().get("helm.sh/hook").map(String::as_str) == Some(hook);
        if !is_hook || job.metadata.deletion_timestamp.is_some() {
            return None;
        }
        helm(operator(bed), operation)
    })
    .await
    .unwrap_or_else(|error| panic!("{error}\n{}", bed.log()))
}

/// Helm in this operation.
pub fn helm(operator: u32, operation: &str) -> Option<Process> {
    let word = format!(" {operation} ");
    processes(operator)
        .into_iter()
        .find(|process| process.is_helm() && process.line.contains(&word))
}

/// The operator is killed in a way that it cannot notice, and Helm goes with it.
pub async fn kill(bed: &mut Bed) {
    let pid = operator(bed);
    bed.operator.as_mut().unwrap().process.kill9();
    none_left(pid).await;
    bed.operator = None;
}

/// What Helm has recorded: number and status of every revision, the oldest first.
pub async fn revisions(bed: &Bed) -> Vec<(u32, String)> {
    let secrets: Api<Secret> = Api::namespaced(bed.client.clone(), "llm-d");
    let ours = ListParams::default().labels(&format!("owner=helm,name={RELEASE}"));
    let Ok(list) = secrets.list(&ours).await else {
        return Vec::new();
    };
    let mut revisions: Vec<(u32, String)> = list
        .items
        .iter()
        .map(|secret| {
            let labels = secret.labels();
            (labels["version"].parse().unwrap(), labels["status"].clone())
        })
        .collect();
    revisions.sort();
    revisions
}

/// Waits until the last revision is as wanted.
pub async fn revision(bed: &Bed, what: &str, wanted: impl Fn(u32, &str) -> bool) {
    until(what, PATIENCE, async || {
        let all = revisions(bed).await;
        match all.last() {
            Some((number, status)) if wanted(*number, status) => Ok(()),
            _ => Err(format!("{all:?}")),
        }
    })
    .await
    .unwrap_or_else(|error| panic!("{error}\n{}", bed.log()));
}

/// In sync, with this message in its objects, and nothing pending.
pub async fn in_sync(bed: &Bed, message: &str) -> Llmd {
    let llmd = bed.ready().await;
    let release = &llmd.status.as_ref().unwrap().releases[0];
    assert_eq!(release.state.as_deref(), Some("InSync"));
    let settings = bed
        .kubectl(&[
            "get",
            "cm",
            &format!("{RELEASE}-settings"),
            "-n",
            "llm-d",
            "-o",
            "jsonpath={.data.message}",
        ])
        .await;
    assert_eq!(settings, message);
    let all = revisions(bed).await;
    let deployed: Vec<_> = all.iter().filter(|(_, status)| status == "deployed").collect();
    assert_eq!(deployed, [all.last().unwrap()], "{all:?}");
    assert!(
        all.iter().all(|(_, status)| !status.starts_with("pending")),
        "{all:?}"
    );
    llmd
}

/// Everything that a release may leave anywhere.
pub async fn left(bed: &Bed) -> String {
    let kinds = "all,configmaps,secrets,jobs,persistentvolumeclaims,clusterroles,clusterrolebindings,roles,rolebindings,serviceaccounts";
    let labelled = bed
        .kubectl(&[
            "get",
            kinds,
            "-A",
            "-l",
            "app.kubernetes.io/part-of=llm-d",
            "-o",
            "name",
            "--ignore-not-found",
        ])
        .await;
    let records = bed
        .kubectl(&["get", "secrets", "-A", "-l", "owner=helm", "-o", "name"])
        .await;
    format!("{labelled}{records}")
}

/// Waits until nothing is left.
pub async fn nothing_left(bed: &Bed) {
    until("nothing to be left", PATIENCE, async || {
        let left = left(bed).await;
        if left.is_empty() { Ok(()) } else { Err(left) }
    })
    .await
    .unwrap_or_else(|error| panic!("{error}\n{}", bed.log()));
}

/// Takes a chart out of the charts directory.
pub fn take_away(bed: &Bed, archive: &str) {
    let file: PathBuf = bed.charts_dir().join(archive);
    fs::remove_file(file).unwrap();
}
