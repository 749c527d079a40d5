//! Names: those that cannot be a Service's, and those that somebody else has.

use api::{llm_example_com::v1alpha1::LLMDeployment, premlabs_io::v1alpha1::AIDeployment};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::Deployment,
        core::v1::{ConfigMap, Service},
        networking::v1::Ingress,
    },
};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    common::{Space, bed},
    scene::{apply, edit, generic},
    seen::{condition, wait_error, wait_word},
};

/// A name that no Service may have is told at once, with the rule; nothing is made.
/// Promises: S4-25
#[tokio::test]
async fn a_name_that_no_service_may_have() {
    let space = bed().await.space("names").await;
    let long = "a".repeat(64);
    for name in [long.as_str(), "7b-chat", "chat.v1"] {
        apply(&space, name, generic(json!({}))).await;
        let status = wait_error(&space, name, "becomes the name of a Service").await;
        assert_eq!(status.status.as_deref(), Some("Failed"), "{name}");
        let told = status.err_msg.unwrap();
        assert!(
            told.contains("at most 63") && told.contains("another name"),
            "{told}"
        );
        assert!(
            space.api::<Deployment>().get_opt(name).await.unwrap().is_none(),
            "{name}"
        );
    }
    let longest = "b".repeat(63);
    apply(&space, &longest, generic(json!({}))).await;
    wait_word(&space, &longest, "Ready").await;
}

/// An object of somebody else with the name is not touched: `Failed`, who has it, and once it goes all is made.
/// Promises: S4-25
#[tokio::test]
async fn a_name_that_somebody_has() {
    let space = bed().await.space("taken").await;
    let labels = json!({"app": "theirs"});
    let pod = json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "traefik/whoami"}]}});
    let rule = json!({"host": "x", "http": {"paths": [{"path": "/", "pathType": "Prefix",
        "backend": {"service": {"name": "x", "port": {"number": 1}}}}]}});
    let cases: [(&str, &str, Value); 3] = [
        (
            "apps/v1",
            "Deployment",
            json!({"replicas": 0, "selector": {"matchLabels": labels}, "template": pod}),
        ),
        ("v1", "Service", json!({"ports": [{"port": 1}]})),
        ("networking.k8s.io/v1", "Ingress", json!({"rules": [rule]})),
    ];
    let name = |kind: &str| format!("on-{}", kind.to_lowercase());
    let mut before = Vec::new();
    for (version, kind, spec) in cases {
        let metadata = json!({"name": name(kind), "labels": labels});
        let theirs = json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec});
        space.apply(&theirs.to_string()).await;
        before.push((kind, seen(&space, kind, &name(kind)).await));
        apply(&space, &name(kind), generic(json!({}))).await;
    }
    for (kind, before) in &before {
        let name = name(kind);
        let status = wait_error(&space, &name, &format!("{kind} {name}")).await;
        assert_eq!(status.status.as_deref(), Some("Failed"), "{kind}");
        let applied = condition(&status, "Applied");
        assert_eq!(
            (applied.status.as_str(), applied.reason.as_str()),
            ("False", "NameTaken")
        );
        assert_eq!(seen(&space, kind, &name).await, *before, "{kind} is as it was");
        crate::scene::kubectl(&space, &["delete", kind, &name]).await;
    }
    // Nobody tells when they go: it is looked at again after a while, all at the same time.
    for (kind, _) in &before {
        let status = wait_word(&space, &name(kind), "Ready").await;
        assert_eq!(status.err_msg, None);
    }
}

/// What changes when somebody writes to it; of a Deployment not its status, which its controller writes.
async fn seen(space: &Space, kind: &str, name: &str) -> (Option<String>, Vec<String>) {
    let managers = |managed: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry]| {
        managed
            .iter()
            .filter_map(|entry| entry.manager.clone())
            .collect::<Vec<_>>()
    };
    match kind {
        "Deployment" => {
            let found: Deployment = space.api().get(name).await.unwrap();
            (found.uid(), vec![format!("{:?}", found.spec)])
        }
        "Service" => {
            let found: Service = space.api().get(name).await.unwrap();
            (found.resource_version(), managers(found.managed_fields()))
        }
        _ => {
            let found: Ingress = space.api().get(name).await.unwrap();
            (found.resource_version(), managers(found.managed_fields()))
        }
    }
}

/// A change that wakes the resource at once; else a name that was taken is looked at again after a while.
async fn wake<K>(space: &Space, name: &str)
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let peers = json!([{"podSelector": {"matchLabels": {"app": "client"}}}]);
    edit::<K>(space, name, json!({"spec": {"access": {"from": peers}}})).await;
}

/// Waits until the Service is gone; the one that comes after it may be there at once.
async fn wait_other(space: &Space, held: &Service) {
    let services = space.api::<Service>();
    testkit::until("the Service is gone", crate::common::PATIENCE, async || {
        let now = services.get_opt(&held.name_any()).await.unwrap();
        now.is_none_or(|now| now.uid() != held.uid()).then_some(())
    })
    .await
    .unwrap();
}

/// Two kinds want one name: the one that has the objects keeps them, the other one is told whose they are, and gets
/// them when the first goes.
#[tokio::test]
async fn two_kinds_want_one_name() {
    let space = bed().await.space("kinds").await;
    let model = json!({"apiVersion": "llm.example.com/v1alpha1", "kind": "LLMModel", "metadata": {"name": "m"},
        "spec": {"modelName": "m", "image": "your-registry/gpt-small:v1"}});
    let llm = |name: &str| {
        json!({"apiVersion": "llm.example.com/v1alpha1", "kind": "LLMDeployment", "metadata": {"name": name},
            "spec": {"modelRef": "m", "replicas": 1}})
        .to_string()
    };
    space.apply(&model.to_string()).await;

    let later_ai = async {
        space.apply(&llm("first")).await;
        space.wait_state("first", "Ready").await;
        apply(&space, "first", generic(json!({}))).await;
        let status = wait_error(&space, "first", "LLMDeployment first").await;
        assert_eq!(
            (status.status.as_deref(), status.reason.as_deref()),
            (Some("Failed"), Some("NameTaken"))
        );
        let pods = (status.replicas, status.ready_replicas);
        assert_eq!(pods, (Some(0), Some(0)), "none of them are its own");
        space.wait_state("first", "Ready").await;
        let held: Service = space.api().get("first").await.unwrap();
        space.delete::<LLMDeployment>("first").await;
        wait_other(&space, &held).await;
        wake::<AIDeployment>(&space, "first").await;
        wait_word(&space, "first", "Ready").await;
    };
    let later_llm = async {
        apply(&space, "second", generic(json!({}))).await;
        wait_word(&space, "second", "Ready").await;
        space.apply(&llm("second")).await;
        let told = space.wait_reason("second", "NameTaken").await;
        assert!(told.contains("AIDeployment second"), "{told}");
        let status = wait_word(&space, "second", "Ready").await;
        assert_eq!(status.err_msg, None);
        let held: Service = space.api().get("second").await.unwrap();
        space.delete::<AIDeployment>("second").await;
        wait_other(&space, &held).await;
        wake::<LLMDeployment>(&space, "second").await;
        space.wait_state("second", "Ready").await;
    };
    tokio::join!(later_ai, later_llm);
}

/// The `ConfigMap` with configuration files has a name that somebody may have too.
#[tokio::test]
async fn somebody_has_the_name_of_the_files() {
    let space = bed().await.space("files").await;
    let theirs = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "small-engine-config"}, "data": {"a": "b"}});
    space.apply(&theirs.to_string()).await;
    let spec = json!({"engine": {"name": "localai"}, "models": [{"engineConfigFile": "name: mine"}]});
    apply(&space, "small", spec).await;
    let status = wait_error(&space, "small", "ConfigMap small-engine-config").await;
    assert_eq!(
        (status.status.as_deref(), status.reason.as_deref()),
        (Some("Failed"), Some("NameTaken"))
    );
    let found: ConfigMap = space.api().get("small-engine-config").await.unwrap();
    assert_eq!(json!(found.data), json!({"a": "b"}));
    space.delete::<ConfigMap>("small-engine-config").await;
    wake::<AIDeployment>(&space, "small").await;
    wait_word(&space, "small", "Ready").await;
}
