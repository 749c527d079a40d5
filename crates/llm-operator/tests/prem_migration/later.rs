//! After the take-over: what is removed from a resource is removed from the cluster, though prem-operator had set it.

use api::premlabs_io::v1alpha1::AIDeployment;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Service},
    networking::v1::Ingress,
};
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    New, cluster,
    common::Space,
    old::{made, migrate_from, objects},
    seen::{ADOPTED, running, serving, settled, template, wait_taken_over, wait_told, wait_word},
};

async fn edit(space: &Space, name: &str, patch: Value) {
    space
        .api::<AIDeployment>()
        .patch(name, &PatchParams::default(), &Patch::Merge(patch))
        .await
        .unwrap();
}

/// A change of what is around the Pods leaves them alone; the first change of the Pods themselves brings, in the same
/// rollout, what every Pod of this operator has.
/// Promises: S4-31
#[tokio::test]
async fn what_is_removed_goes() {
    let space = Space::of(cluster().await, "removed").await;
    migrate_from(&space, "rich.yaml").await;
    let before = running(&space, "rich").await;
    let _new = New::start("removed", &[&space.namespace]).await;
    wait_word(&space, "rich", "Ready").await;
    let adopted: Deployment = wait_taken_over(&space, "rich").await;

    let around = json!({"spec": {
        "service": {"labels": null, "annotations": null},
        "ingress": {"labels": null, "annotations": null, "tls": null},
        "endpoint": [{"domain": "rich.example.com"}],
    }});
    edit(&space, "rich", around).await;
    let ingress = space
        .wait("is plain", "rich", |one: &Ingress| {
            one.spec.as_ref().unwrap().tls.is_none()
        })
        .await;
    assert_eq!(ingress.spec.as_ref().unwrap().rules.as_ref().unwrap().len(), 1);
    let service = space
        .wait("is plain", "rich", |one: &Service| {
            !one.annotations().contains_key("example.com/contact")
        })
        .await;
    for (labels, annotations) in [
        (ingress.labels(), ingress.annotations()),
        (service.labels(), service.annotations()),
    ] {
        assert!(!labels.contains_key("team"), "{labels:?}");
        let theirs: Vec<_> = annotations
            .keys()
            .filter(|key| !key.starts_with("llm-operator.io/"))
            .collect();
        assert_eq!(theirs, ["mlcontroller.premlabs.io/ai-deployment"]);
    }
    edit(&space, "rich", json!({"spec": {"endpoint": []}})).await;
    space.wait_gone::<Ingress>("rich").await;
    wait_word(&space, "rich", "Ready").await;
    assert_eq!(running(&space, "rich").await, before, "no Pod has noticed");

    let pods = json!({"spec": {
        "env": [{"name": "DEBUG", "value": "true"}],
        "args": null,
        "deployment": {
            "labels": null, "annotations": null, "nodeSelector": null, "startupProbe": null,
            "template": {"spec": {"tolerations": null, "imagePullSecrets": null, "volumes": null,
                "containers": null}},
        },
    }});
    edit(&space, "rich", pods).await;
    let now = space
        .wait("is of this operator's form", "rich", |one: &Deployment| {
            !one.annotations().contains_key(ADOPTED) && settled(one)
        })
        .await;
    assert!(now.metadata.generation > adopted.metadata.generation);
    let template = template(&now);
    let mut keys: Vec<_> = template["metadata"]["labels"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    keys.sort();
    assert_eq!(
        keys,
        [
            "mlcontroller.premlabs.io/ai-deployment",
            "mlcontroller.premlabs.io/spread-topology"
        ]
    );
    assert_eq!(template["metadata"]["annotations"], Value::Null);
    let pod = &template["spec"];
    for gone in ["nodeSelector", "imagePullSecrets"] {
        assert_eq!(pod[gone], Value::Null, "{gone}");
    }
    assert_eq!(pod["containers"].as_array().unwrap().len(), 1);
    assert_eq!(pod["volumes"].as_array().unwrap().len(), 2);
    let tolerations = pod["tolerations"].as_array().unwrap();
    assert!(
        tolerations.iter().all(|one| one["key"] == "nvidia.com/gpu"),
        "{tolerations:?}"
    );
    let engine = serving(&template);
    let names: Vec<_> = engine["env"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, ["DEBUG", "MODELS_PATH"]);
    assert_eq!(engine["args"], json!(["phi-2", "tinyllama-chat"]));
    assert_eq!(engine["startupProbe"]["initialDelaySeconds"], 1);
    // What every Pod of this operator has.
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(engine["securityContext"]["allowPrivilegeEscalation"], false);
    assert_eq!(engine["lifecycle"]["preStop"]["sleep"]["seconds"], 2);
    assert_eq!(running(&space, "rich").await.pods.len(), 2);
}

/// Endpoints that were removed while prem-operator ran left their Ingress behind (1.7-9): it goes when this one starts.
/// Promises: S4-31
#[tokio::test]
async fn an_ingress_that_was_left_behind_goes() {
    let space = Space::of(cluster().await, "left").await;
    migrate_from(&space, "generic-ollama.yaml").await;
    let mut ingress = objects("generic.yaml").pop().unwrap();
    ingress["metadata"] = json!({"name": "ollama"});
    made(&space, ingress).await;
    let before = running(&space, "ollama").await;
    let _new = New::start("left", &[&space.namespace]).await;
    space.wait_gone::<Ingress>("ollama").await;
    wait_word(&space, "ollama", "Ready").await;
    wait_told(&space, "ollama", "Pruned", &["Ingress ollama".to_owned()]).await;
    // The Service led to a port on which nothing listens (1.7-8).
    let service: Service = wait_taken_over(&space, "ollama").await;
    assert_eq!(service.spec.unwrap().ports.unwrap()[0].port, 11434);
    assert_eq!(running(&space, "ollama").await, before);
}

/// A file of a map (1.7-3): as long as it stays as it was, Pods go on; its next edit reaches the `ConfigMap` and replaces
/// them.
/// Promises: S4-31
#[tokio::test]
async fn an_edit_of_a_map_replaces_adopted_pods() {
    let space = Space::of(cluster().await, "map").await;
    migrate_from(&space, "localai-config.yaml").await;
    let before = running(&space, "embeddings").await;
    let _new = New::start("map", &[&space.namespace]).await;
    wait_word(&space, "embeddings", "Ready").await;
    assert_eq!(running(&space, "embeddings").await, before);
    let file =
        "name: sentences\nbackend: sentencetransformers\nembeddings: true\nparameters:\n  model: other\n";
    let edited = json!({"spec": {"localai": [{"variant": "base", "engineConfigFile": file}]}});
    space
        .api::<api::premlabs_io::v1alpha1::AIModelMap>()
        .patch("sentences", &PatchParams::default(), &Patch::Merge(edited))
        .await
        .unwrap();
    space
        .wait("has the new file", "sentences", |one: &ConfigMap| {
            one.data.as_ref().unwrap()["localai-base-engineConfigFile"] == file
        })
        .await;
    space
        .wait("is replaced", "embeddings", |one: &Deployment| {
            !one.annotations().contains_key(ADOPTED) && settled(one)
        })
        .await;
    let now = running(&space, "embeddings").await;
    assert!(now.pods.iter().all(|pod| !before.pods.contains(pod)), "{now:?}");
}
