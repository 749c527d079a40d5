//! The template of Pods is passed on: sidecars, init containers, volumes, who they run as.

use serde_json::json;

use crate::{
    common::bed,
    scene::{apply, generic, pods, stopped},
    seen::{deployment, pod_spec, wait_error, wait_word},
};

/// Everything that a template says and that is not the engine's own is in the Pods, which serve with it.
/// Promises: S4-1
#[tokio::test]
async fn a_template_is_passed_on() {
    let space = bed().await.space("template").await;
    space
        .apply(
            &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "models"}})
                .to_string(),
        )
        .await;
    let template = json!({"spec": {
        "serviceAccountName": "models",
        "automountServiceAccountToken": true,
        "securityContext": {"runAsUser": 2000, "fsGroup": 2000},
        "terminationGracePeriodSeconds": 7,
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["mirror"]}],
        "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
        "initContainers": [{"name": "prepare", "image": "busybox", "command": ["sh", "-c", "echo ready > /shared/file"],
            "volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}],
        "containers": [
            {"name": "server", "image": "your-registry/gpt-small:v1", "securityContext": {"readOnlyRootFilesystem": true},
                "volumeMounts": [{"name": "shared", "mountPath": "/shared"}]},
            {"name": "sidecar", "image": "traefik/whoami"},
        ],
        "volumes": [{"name": "shared", "emptyDir": {"sizeLimit": 1_000_000}}],
    }});
    let mut spec = generic(json!({}));
    spec["deployment"]["template"] = template;
    apply(&space, "small", spec).await;
    wait_word(&space, "small", "Ready").await;
    let pod = pods(&space, "small").await.remove(0);
    let containers = pod.status.unwrap().container_statuses.unwrap();
    assert!(
        containers.len() == 2 && containers.iter().all(|one| one.ready),
        "{containers:?}"
    );
    let spec = pod.spec.unwrap();
    assert_eq!(spec.service_account_name.as_deref(), Some("models"));
    assert_eq!(
        spec.automount_service_account_token,
        Some(false),
        "models need no token"
    );
    let security = spec.security_context.unwrap();
    assert_eq!(
        (security.run_as_user, security.fs_group),
        (Some(2000), Some(2000))
    );
    assert_eq!(security.seccomp_profile.unwrap().type_, "RuntimeDefault");
    assert_eq!(spec.termination_grace_period_seconds, Some(7));
    assert_eq!(
        json!(spec.host_aliases),
        json!([{"ip": "10.0.0.1", "hostnames": ["mirror"]}])
    );
    assert_eq!(
        json!(spec.dns_config),
        json!({"options": [{"name": "ndots", "value": "1"}]})
    );
    let init = spec.init_containers.unwrap();
    assert_eq!((init.len(), init[0].name.as_str()), (1, "prepare"));
    assert_eq!(spec.containers[0].name, "serving", "the first one serves");
    let first = spec.containers[0].security_context.clone().unwrap();
    assert_eq!(
        (first.read_only_root_filesystem, first.allow_privilege_escalation),
        (Some(true), Some(false))
    );
    assert_eq!(spec.containers[1].name, "sidecar");
}

/// With an engine of the table the template's containers come first, its init containers before the downloads; a name
/// that the engine needs is told.
#[tokio::test]
async fn engines_stand_behind_the_templates_containers() {
    let space = bed().await.space("order").await;
    let with = |sidecar: &str| {
        let template = json!({"spec": {
            "containers": [{"name": sidecar, "image": "traefik/whoami"}],
            "initContainers": [{"name": "first", "image": "busybox"}],
        }});
        let models = json!([{"uri": "http://models.example.com/a.gguf"}]);
        stopped(
            "localai",
            json!({"models": models, "deployment": {"template": template}}),
        )
    };
    apply(&space, "small", with("sidecar")).await;
    deployment(&space, "small").await;
    let pod = pod_spec(&space, "small").await;
    let names = |containers: &[k8s_openapi::api::core::v1::Container]| -> Vec<String> {
        containers.iter().map(|one| one.name.clone()).collect()
    };
    assert_eq!(names(&pod.containers), ["sidecar", "serving"]);
    assert_eq!(
        names(&pod.init_containers.unwrap()),
        ["first", "init-models-small"]
    );

    apply(&space, "small", with("serving")).await;
    let status = wait_error(&space, "small", "the engine brings its own container \"serving\"").await;
    assert_eq!(status.status.as_deref(), Some("Failed"));
    let told = status.err_msg.unwrap();
    assert!(
        told.contains("spec.deployment.template.spec.containers"),
        "{told}"
    );
    assert_eq!(
        names(&pod_spec(&space, "small").await.containers),
        ["sidecar", "serving"],
        "left as it was"
    );
}

/// A template that is none is told by its field; one that only the API server can refuse is told in its words.
/// Promises: S4-25
#[tokio::test]
async fn a_wrong_template_is_told() {
    let space = bed().await.space("wrong").await;
    let container = |more: serde_json::Value| {
        let mut container = json!({"name": "server", "image": "your-registry/gpt-small:v1"});
        container
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        generic(json!({"deployment": {"template": {"spec": {"containers": [container]}}}}))
    };
    apply(
        &space,
        "typed",
        container(json!({"volumeMounts": [{"name": "absent", "mountPath": "/x"}]})),
    )
    .await;
    let status = wait_error(&space, "typed", "absent").await;
    assert_eq!(status.status.as_deref(), Some("Failed"));
    assert_eq!(status.reason.as_deref(), Some("Invalid"));
    apply(
        &space,
        "env",
        container(json!({"env": [{"name": "A", "value": "b"}]})),
    )
    .await;
    wait_error(
        &space,
        "env",
        "Specify env vars for the first container in spec.env",
    )
    .await;
    apply(
        &space,
        "ports",
        container(json!({"ports": [{"containerPort": 80}]})),
    )
    .await;
    wait_error(&space, "ports", "Specify ports in spec.endpoint").await;
    apply(&space, "typed", container(json!({}))).await;
    let status = wait_word(&space, "typed", "Ready").await;
    assert_eq!(status.err_msg, None);
}
