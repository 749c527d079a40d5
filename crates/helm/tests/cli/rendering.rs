//! What charts become before they are applied.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::collections::BTreeSet;

use helm::{
    Capabilities, CapabilitiesSource, CliHelm, Helm, HelmError, LocalChart, ReleaseName, ReleaseSpec,
};
use serde_json::{Value, json};
use testkit::{Charts, process::TemporaryDirectory};

use crate::bed::{Desk, PATIENCE, fault, local, objects, without_cluster};

struct Offline {
    _home: TemporaryDirectory,
    helm: CliHelm,
}

async fn offline(capabilities: Capabilities) -> Offline {
    let home = TemporaryDirectory::new("helm-rendering").unwrap();
    let helm = without_cluster(home.path(), |options| {
        options.capabilities = CapabilitiesSource::Fixed(capabilities);
    })
    .await;
    Offline { _home: home, helm }
}

impl Offline {
    async fn chart(&self, name: &str) -> LocalChart {
        self.helm.pull(&local(Charts::source(name))).await.unwrap()
    }

    async fn render(&self, chart: &str, values: Value) -> Result<String, HelmError> {
        let spec = ReleaseSpec {
            name: ReleaseName {
                namespace: "llm-d".to_owned(),
                name: chart.to_owned(),
            },
            values,
            secrets: Vec::new(),
            release_labels: [].into(),
            object_labels: [("app.kubernetes.io/part-of".to_owned(), "llm-d".to_owned())].into(),
        };
        let chart = self.chart(chart).await;
        self.helm
            .render(&chart, &spec)
            .await
            .map(|rendered| rendered.manifest)
    }
}

const PART_OF: &str = "app.kubernetes.io/part-of";

#[tokio::test]
async fn every_object_and_every_pod_template_is_labelled_and_has_its_namespace() {
    let offline = offline(Capabilities::default()).await;
    let values = json!({ "decode": { "monitoring": { "podmonitor": { "enabled": true } } } });
    let manifest = offline.render("llm-d-modelservice", values).await.unwrap();
    let found = objects(&manifest);
    let names: Vec<String> = found
        .keys()
        .map(|(kind, name)| format!("{kind} {name}"))
        .collect();
    assert_eq!(
        names,
        [
            "Deployment llm-d-modelservice-decode",
            "Deployment llm-d-modelservice-epp",
            "Deployment llm-d-modelservice-prefill",
            "HTTPRoute llm-d-modelservice",
            "InferencePool llm-d-modelservice-pool",
            "PodMonitor llm-d-modelservice-decode",
            "Service llm-d-modelservice-epp",
            "ServiceAccount llm-d-modelservice",
        ]
    );
    for ((kind, name), object) in &found {
        assert_eq!(object["metadata"]["labels"][PART_OF], "llm-d", "{kind} {name}");
        assert_eq!(object["metadata"]["namespace"], "llm-d", "{kind} {name}");
        if kind == "Deployment" {
            let template = &object["spec"]["template"]["metadata"];
            assert_eq!(template["labels"][PART_OF], "llm-d");
            assert!(template.get("annotations").is_none(), "{template}");
            assert!(object["spec"]["selector"]["matchLabels"].get(PART_OF).is_none());
        }
    }
    let route = &found[&("HTTPRoute".to_owned(), "llm-d-modelservice".to_owned())];
    assert_eq!(
        route["metadata"]["annotations"]["helm.sh/hook"],
        "post-install,post-upgrade"
    );
    let decode = &found[&("Deployment".to_owned(), "llm-d-modelservice-decode".to_owned())];
    let env = &decode["spec"]["template"]["spec"]["containers"][0]["env"][0];
    assert_eq!(env["value"], "hf://random/model", "a template inside a value");
    assert_eq!(
        found[&("Deployment".to_owned(), "llm-d-modelservice-prefill".to_owned())]["spec"]["replicas"],
        0
    );

    let sets = offline
        .render("llm-d-modelservice", json!({ "multinode": true }))
        .await
        .unwrap();
    let set = &objects(&sets)[&(
        "LeaderWorkerSet".to_owned(),
        "llm-d-modelservice-decode".to_owned(),
    )];
    let worker = &set["spec"]["leaderWorkerTemplate"]["workerTemplate"];
    assert_eq!(worker["metadata"]["labels"][PART_OF], "llm-d");
}

#[tokio::test]
async fn kinds_without_namespace_stay_so() {
    let offline = offline(Capabilities {
        cluster_scoped: BTreeSet::from(["Realm.nobody.example.com".to_owned()]),
        ..Capabilities::default()
    })
    .await;
    let values = json!({ "inferencePool": { "modelServers": { "matchLabels": { "a": "b" } } } });
    let manifest = offline.render("inferencepool", values).await.unwrap();
    let found = objects(&manifest);
    for ((kind, name), object) in &found {
        let named = object["metadata"].get("namespace").is_some();
        assert_eq!(named, !kind.starts_with("ClusterRole"), "{kind} {name}");
    }
    let realm = "apiVersion: nobody.example.com/v1\nkind: Realm\nmetadata:\n  name: one\n";
    let list = json!({
        "apiVersion": "v1",
        "kind": "List",
        "items": [{ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "listed" } }],
    });
    let values = json!({ "gateway": { "enabled": false }, "extraDeploy": [realm, list] });
    let manifest = offline.render("llm-d-infra", values).await.unwrap();
    let found = objects(&manifest);
    let realm = &found[&("Realm".to_owned(), "one".to_owned())];
    assert!(realm["metadata"].get("namespace").is_none(), "{realm}");
    // Helm takes lists apart when there is a post-renderer.
    let listed = &found[&("ConfigMap".to_owned(), "listed".to_owned())];
    assert_eq!(listed["metadata"]["namespace"], "llm-d");
    assert_eq!(listed["metadata"]["labels"][PART_OF], "llm-d");
}

#[tokio::test]
async fn charts_that_render_nothing_or_cannot_render_are_told() {
    let offline = offline(Capabilities::default()).await;
    let nothing = offline
        .render("llm-d-infra", json!({ "gateway": { "enabled": false } }))
        .await
        .unwrap();
    assert_eq!(objects(&nothing).len(), 0);
    let result = offline.render("inferencepool", json!({})).await;
    let Err(HelmError::Render { message }) = result else {
        panic!("{result:?}")
    };
    assert!(message.contains("matchLabels is required"), "{message}");
    let result = offline
        .render("plain", fault("render", "a word from the chart"))
        .await;
    let Err(HelmError::Render { message }) = result else {
        panic!("{result:?}")
    };
    assert!(message.contains("a word from the chart"), "{message}");
    // The post-renderer's own words, which Helm keeps to itself.
    let values = json!({ "gateway": { "enabled": false }, "extraDeploy": [
        { "kind": "ConfigMap", "apiVersion": "v1", "metadata": { "name": "odd", "labels": "none" } },
    ] });
    let result = offline.render("llm-d-infra", values).await;
    let Err(HelmError::Render { message }) = result else {
        panic!("{result:?}")
    };
    assert_eq!(message, "metadata.labels of ConfigMap odd must be a map");
}

#[tokio::test]
async fn charts_are_told_what_the_cluster_can_do() {
    let old = offline(Capabilities {
        kube_version: "v1.20.0".to_owned(),
        ..Capabilities::default()
    })
    .await;
    let result = old.render("plain", json!({})).await;
    let Err(HelmError::Render { message }) = result else {
        panic!("{result:?}")
    };
    assert!(message.contains("kubeVersion"), "{message}");

    let served = "nobody.example.com/v1/Mystery";
    for (known, expected) in [(false, "false"), (true, "true")] {
        let capabilities = Capabilities {
            kube_version: "v1.36.3".to_owned(),
            api_versions: known.then(|| served.to_owned()).into_iter().collect(),
            ..Capabilities::default()
        };
        let offline = offline(capabilities).await;
        let manifest = offline.render("plain", json!({ "api": served })).await.unwrap();
        let settings = &objects(&manifest)[&("ConfigMap".to_owned(), "plain-settings".to_owned())];
        assert_eq!(settings["data"]["served"], expected);
        assert_eq!(settings["data"]["kubeVersion"], "v1.36.3");
    }
}

#[tokio::test]
async fn what_is_rendered_is_what_is_installed() {
    let desk = Desk::new("rendered").await;
    let chart = desk.plain().await;
    let spec = desk.spec(
        "web",
        json!({ "deployment": { "create": true, "replicas": 0 }, "message": "one: \"quoted\" # two" }),
    );
    let rendered = desk.helm.render(&chart, &spec).await.unwrap();
    let install = helm::Operation::Install { chart, spec };
    desk.helm
        .run(&desk.release("web"), &install, PATIENCE)
        .await
        .unwrap();
    let mut installed = objects(&desk.by_hand(&["get", "manifest", "web"]).await);
    installed.extend(objects(&desk.by_hand(&["get", "hooks", "web"]).await));
    assert_eq!(objects(&rendered.manifest), installed);
    let settings = &installed[&("ConfigMap".to_owned(), "web-settings".to_owned())];
    assert_eq!(settings["data"]["served"], "true");
}
