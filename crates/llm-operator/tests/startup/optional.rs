//! The definition that belongs to others on many clusters: installed when asked for, never taken from them, never missed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use serde_json::json;
use testkit::{Access, Cluster};

use crate::common::{PATIENCE, install, operator_access, page, repository_file, start_operator};

use crate::definitions::BINDING;

const NAME: &str = "dynamographdeployments.nvidia.com";

struct Scene {
    cluster: Cluster,
    access: Access,
    crds: Api<CustomResourceDefinition>,
}

/// A cluster with the operator's own definitions, and the role that installs more.
async fn scene() -> Scene {
    let cluster = Cluster::builder().start().await.unwrap();
    install(&cluster, true).await;
    cluster
        .apply_yaml(&repository_file("config/rbac/install_crds_role.yaml"))
        .await
        .unwrap();
    cluster.apply_yaml(BINDING).await.unwrap();
    let access = operator_access(&cluster).await;
    let crds = Api::all(cluster.admin_client().await.unwrap());
    Scene {
        cluster,
        access,
        crds,
    }
}

/// A complete start and end of an operator with these flags; what `/readyz` and its log said.
async fn started(scene: &Scene, name: &str, flags: &[&str]) -> (String, String) {
    let args = [&["--leader-elect", "false"], flags].concat();
    let mut operator = start_operator(&scene.access, name, &args).await;
    let (code, ready) = page(&format!("{}/readyz", operator.url)).await;
    assert_eq!(code, 200, "{ready}");
    assert_eq!(operator.process.terminate(PATIENCE).await.unwrap(), 0);
    (ready, operator.process.log())
}

#[tokio::test]
async fn it_is_installed_only_when_asked_for() {
    let scene = scene().await;
    let (ready, log) = started(&scene, "own", &["--install-crds"]).await;
    assert_eq!(scene.crds.get_opt(NAME).await.unwrap(), None);
    assert!(!ready.contains("dynamo"), "nobody misses it: {ready}");
    let told: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("dynamographdeployments"))
        .collect();
    assert!(
        told.len() == 1 && told[0].contains("INFO") && told[0].contains("optional"),
        "{log}"
    );

    let asked = ["--install-optional-crds"];
    started(&scene, "asked", &asked).await;
    let first = scene.crds.get(NAME).await.unwrap();
    started(&scene, "again", &asked).await;
    let second = scene.crds.get(NAME).await.unwrap();
    assert_eq!(first.metadata.resource_version, second.metadata.resource_version);

    // An older version of ours is brought up to date.
    let mut older = second;
    older.metadata.managed_fields = None;
    older.spec.names.short_names = None;
    scene
        .crds
        .replace(NAME, &PostParams::default(), &older)
        .await
        .unwrap();
    started(&scene, "update", &asked).await;
    let names = scene.crds.get(NAME).await.unwrap().spec.names;
    assert_eq!(names.short_names, first.spec.names.short_names);
}

/// A definition of others is not written, not read, and told; the rest works.
#[tokio::test]
async fn that_of_others_is_left_alone() {
    let scene = scene().await;
    let mut theirs = serde_json::to_value(api::optional_crds().remove(0)).unwrap();
    theirs["metadata"]["labels"] = json!({"app.kubernetes.io/part-of": "dynamo"});
    theirs["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = json!({"type": "object", "properties": {
        "spec": {"type": "object", "properties": {"services": {"type": "object",
            "additionalProperties": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    }});
    theirs["spec"]["versions"][0]
        .as_object_mut()
        .unwrap()
        .remove("additionalPrinterColumns");
    let theirs: CustomResourceDefinition = serde_json::from_value(theirs).unwrap();
    scene.crds.create(&PostParams::default(), &theirs).await.unwrap();
    let object = "apiVersion: nvidia.com/v1\nkind: DynamoGraphDeployment\n\
        metadata: {name: graph, namespace: default}\nspec: {services: {Frontend: {replicas: 1}}}\n";
    testkit::until("their resource is taken", PATIENCE, async || {
        scene.cluster.apply_yaml(object).await
    })
    .await
    .unwrap();
    let before = scene.crds.get(NAME).await.unwrap();

    let args = ["--leader-elect", "false", "--install-optional-crds"];
    let mut operator = start_operator(&scene.access, "foreign", &args).await;
    let url = format!("{}/readyz", operator.url);
    testkit::until("the page tells it", PATIENCE, async || {
        let (code, text) = page(&url).await;
        let told = text.contains(&format!("note: {NAME}: the definition of nvidia.com/v1"));
        (code == 200 && told).then_some(()).ok_or(text)
    })
    .await
    .unwrap();
    assert_eq!(operator.process.terminate(PATIENCE).await.unwrap(), 0);
    let log = operator.process.log();
    for words in ["belongs to others; it is left as it is", "left alone: "] {
        let told = log.lines().filter(|line| line.contains(words)).count();
        assert_eq!(told, 1, "{words}: {log}");
    }
    let after = scene.crds.get(NAME).await.unwrap();
    assert_eq!(after.spec, before.spec);
    assert_eq!(after.metadata.labels, before.metadata.labels);
    let shown = scene
        .cluster
        .kubectl(&["get", "dgd", "graph", "-o", "json"])
        .await
        .unwrap();
    let graph: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(graph["metadata"]["name"], "graph");
    assert_eq!(graph["status"], json!(null), "nothing is written of theirs");
    scene.crds.delete(NAME, &DeleteParams::default()).await.unwrap();
}
