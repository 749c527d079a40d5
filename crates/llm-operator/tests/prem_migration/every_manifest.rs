//! Every shape of prem-operator's examples: taken over whole, and no Pod notices.

use api::premlabs_io::v1alpha1::{AIDeployment, AIModelMap};
use futures::future::join_all;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Service},
    networking::v1::Ingress,
};
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::{
    New, cluster,
    common::Space,
    old::{migrate_from, objects},
    seen::{ADOPTED, Running, running, wait_taken_over, wait_told, wait_word},
};

/// The manifests with AIDeployments; `rich.yaml` has most fields at once. Those of which the template needs a fix are in
/// [`crate::fixed`].
const MANIFESTS: [&str; 15] = [
    "test.yaml",
    "chat-ui.yaml",
    "command-line.yaml",
    "deepspeed-mii.yaml",
    "generic-ollama.yaml",
    "generic.yaml",
    "llama-3-70b.yaml",
    "llama-3-8b.yaml",
    "localai-config.yaml",
    "localai-gpu.yaml",
    "model-maps.yaml",
    "terminal-cpu.yaml",
    "terminal-gpu.yaml",
    "vllm.yaml",
    "rich.yaml",
];

/// A manifest in a namespace of its own, with what prem-operator made of it.
struct Migrated {
    file: &'static str,
    space: Space,
    objects: Vec<Value>,
}

impl Migrated {
    async fn new(file: &'static str) -> Self {
        let prefix = file.trim_end_matches(".yaml");
        let space = Space::of(cluster().await, prefix).await;
        migrate_from(&space, file).await;
        Self {
            file,
            space,
            objects: objects(file),
        }
    }

    fn names<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a str> {
        let of_kind = self.objects.iter().filter(move |object| object["kind"] == kind);
        of_kind.map(|object| object["metadata"]["name"].as_str().unwrap())
    }

    /// The one `AIDeployment`.
    fn name(&self) -> &str {
        self.names("Deployment").next().unwrap()
    }

    async fn running(&self) -> Running {
        running(&self.space, self.name()).await
    }
}

/// Every object is ours afterwards, told by an Event; Pods, their template and the number of rollouts are as they were;
/// and once it is done nothing is written any more, also when the operator starts anew.
/// Promises: S4-30
#[tokio::test]
async fn is_taken_over_without_a_restart() {
    let all = join_all(MANIFESTS.map(Migrated::new)).await;
    let before = join_all(all.iter().map(Migrated::running)).await;
    for (one, before) in all.iter().zip(&before) {
        assert!(!before.pods.is_empty(), "{}", one.file);
        assert!(
            before.pods.iter().all(|(.., restarts)| *restarts == 0),
            "{before:?}"
        );
    }
    let namespaces: Vec<&str> = all.iter().map(|one| one.space.namespace.as_str()).collect();
    let new = New::start("every", &namespaces).await;
    join_all(all.iter().map(taken_over)).await;
    for (one, before) in all.iter().zip(&before) {
        assert_eq!(one.running().await, *before, "{}", one.file);
    }

    new.stop().await;
    let again = New::start("every-again", &namespaces).await;
    // A map that comes now is done after those that the start has woken: one write, its status.
    let last = &all.last().unwrap().space;
    last.apply("apiVersion: premlabs.io/v1alpha1\nkind: AIModelMap\nmetadata: {name: last}\nspec: {}\n")
        .await;
    last.wait("is ready", "last", |map: &AIModelMap| {
        map.status
            .as_ref()
            .is_some_and(|status| status.observed_generation == Some(1))
    })
    .await;
    for one in &all {
        let status = wait_word(&one.space, one.name(), "Ready").await;
        assert_eq!(status.err_msg, None, "{}", one.file);
    }
    assert_eq!(again.writes(), 1);
    for (one, before) in all.iter().zip(&before) {
        assert_eq!(one.running().await, *before, "{}", one.file);
    }
}

async fn taken_over(one: &Migrated) {
    let (space, name) = (&one.space, one.name());
    wait_word(space, name, "Ready").await;
    space
        .wait(
            "what prem-operator said is over",
            name,
            |resource: &AIDeployment| {
                resource
                    .status
                    .as_ref()
                    .is_some_and(|status| status.err_msg.is_none())
            },
        )
        .await;
    let deployment: Deployment = wait_taken_over(space, name).await;
    assert!(deployment.annotations().contains_key(ADOPTED), "{}", one.file);

    let service: Service = wait_taken_over(space, name).await;
    let selector = service.spec.unwrap().selector.unwrap();
    let only = json!({"mlcontroller.premlabs.io/ai-deployment": name});
    assert_eq!(json!(selector), only, "no label that may change");

    let mut told = vec![format!("Deployment {name}"), format!("Service {name}")];
    for ingress in one.names("Ingress") {
        let found: Ingress = wait_taken_over(space, ingress).await;
        let made = one
            .objects
            .iter()
            .find(|object| object["kind"] == "Ingress")
            .unwrap();
        assert_eq!(json!(found.spec), made["spec"], "{}", one.file);
        told.push(format!("Ingress {ingress}"));
    }
    wait_told(space, name, "TakenOver", &told).await;
    for map in one.names("ConfigMap") {
        let found: ConfigMap = wait_taken_over(space, map).await;
        let made = one
            .objects
            .iter()
            .find(|object| object["kind"] == "ConfigMap")
            .unwrap();
        assert_eq!(json!(found.data), made["data"], "{}", one.file);
        wait_told(space, map, "TakenOver", &[format!("ConfigMap {map}")]).await;
    }
}
