//! What the Pods of each engine may do, as they really run.

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::scene::{bed, containers, deploy, pod};

/// What holds for every Pod: no token, no Service variables, seccomp, no escalation.
fn hardened(pod: &Pod) {
    let spec = pod.spec.as_ref().unwrap();
    assert_eq!(spec.automount_service_account_token, Some(false));
    assert_eq!(spec.enable_service_links, Some(false));
    let volumes = spec.volumes.iter().flatten();
    for volume in volumes {
        assert!(
            volume.projected.is_none() && volume.host_path.is_none() && volume.secret.is_none(),
            "{volume:?}"
        );
    }
    assert_eq!(
        (spec.host_network, spec.host_pid, spec.host_ipc),
        (None, None, None)
    );
    let context = spec.security_context.as_ref().unwrap();
    assert_eq!(context.seccomp_profile.as_ref().unwrap().type_, "RuntimeDefault");
    for container in containers(pod) {
        let context = container.security_context.unwrap();
        assert_eq!(
            context.allow_privilege_escalation,
            Some(false),
            "{}",
            container.name
        );
        assert!(context.privileged.is_none(), "{}", container.name);
        let mounts = container.volume_mounts.unwrap_or_default();
        assert!(
            mounts
                .iter()
                .all(|mount| !mount.mount_path.contains("serviceaccount")),
            "{mounts:?}"
        );
    }
}

/// The table of docs/security.md: who each engine runs as, with which capabilities, and where its home is.
/// Promises: S2-23
#[tokio::test]
async fn each_engine_runs_as_documented() {
    let page = crate::common::repository_file("docs/security.md");
    let space = bed().await.space("engines").await;
    for (engine, storage) in [
        ("generic", None),
        ("vllm", None),
        ("vllm", Some("50Gi")),
        ("ollama", None),
        ("ollama", Some("5Gi")),
    ] {
        let name = format!("{engine}-{}", storage.map_or("bare", |_| "stored"));
        let storage = storage.map_or(json!({}), |size| json!({"storage": {"size": size}}));
        deploy(&space, &name, engine, storage, json!({})).await;
        space.wait_state(&name, "Ready").await;
        let pod = pod(&space, &name).await;
        hardened(&pod);
        let context = pod.spec.as_ref().unwrap().security_context.clone().unwrap();
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{engine}` |")))
            .unwrap();
        let ids = (
            context.run_as_user,
            context.run_as_group,
            context.fs_group,
            context.run_as_non_root,
        );
        if engine == "generic" {
            assert!(row.contains("the image's own"), "{row}");
            assert_eq!(ids, (None, None, None, None), "{name}");
            continue;
        }
        assert!(
            row.contains("1000:1000, `fsGroup` 1000") && row.contains("all dropped"),
            "{row}"
        );
        assert_eq!(ids, (Some(1000), Some(1000), Some(1000), Some(true)), "{name}");
        for container in containers(&pod) {
            let capabilities = container.security_context.unwrap().capabilities.unwrap();
            assert_eq!(
                capabilities.drop,
                Some(vec!["ALL".to_owned()]),
                "{name} {}",
                container.name
            );
            assert_eq!(capabilities.add, None);
            let home = container
                .env
                .unwrap_or_default()
                .into_iter()
                .find(|env| env.name == "HOME");
            let home = home.unwrap().value.unwrap();
            let mounts = container.volume_mounts.unwrap_or_default();
            assert!(
                mounts
                    .iter()
                    .any(|mount| home.starts_with(&mount.mount_path) && mount.read_only != Some(true)),
                "{name} {}: HOME {home} is on a volume: {mounts:?}",
                container.name
            );
        }
    }
}

/// vLLM and Ollama serve in a namespace that enforces Pod Security `restricted`, with claims and loaders; a generic
/// image does once its own fields say that it may.
/// Promises: S2-23
#[tokio::test]
async fn engines_serve_under_pod_security_restricted() {
    let space = bed().await.space("restricted").await;
    let labels = json!({"metadata": {"labels": {
        "pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "latest",
    }}});
    Api::<Namespace>::all(space.client.clone())
        .patch(&space.namespace, &PatchParams::default(), &Patch::Merge(&labels))
        .await
        .unwrap();
    deploy(&space, "vllm", "vllm", json!({}), json!({})).await;
    deploy(
        &space,
        "vllm-pair",
        "vllm",
        json!({"gpu": {"count": 2}, "storage": {"size": "50Gi"}}),
        json!({}),
    )
    .await;
    deploy(
        &space,
        "ollama",
        "ollama",
        json!({"storage": {"size": "5Gi"}}),
        json!({}),
    )
    .await;
    deploy(&space, "generic", "generic", json!({}), json!({})).await;
    for name in ["vllm", "vllm-pair", "ollama"] {
        space.wait_state(name, "Ready").await;
    }
    let message = space.wait_reason("generic", "PodSecurityViolation").await;
    assert!(message.contains("restricted"), "{message}");
    let own = json!({
        "securityContext": {"capabilities": {"drop": ["ALL"]}},
        "podSecurityContext": {"runAsNonRoot": true, "runAsUser": 2000},
    });
    deploy(&space, "generic", "generic", own, json!({})).await;
    space.wait_state("generic", "Ready").await;
    hardened(&pod(&space, "generic").await);
}

/// A person's fields win one by one; the others stay as they are.
/// Promises: S2-23
#[tokio::test]
async fn a_persons_fields_win_one_by_one() {
    let space = bed().await.space("fields").await;
    let own = json!({
        "securityContext": {"readOnlyRootFilesystem": true, "capabilities": {"drop": ["NET_RAW"]}},
        "podSecurityContext": {"runAsUser": 2000, "supplementalGroups": [3000], "seccompProfile": {"type": "Unconfined"}},
    });
    deploy(&space, "mine", "vllm", own, json!({})).await;
    space.wait_state("mine", "Ready").await;
    let pod = pod(&space, "mine").await;
    let context = pod.spec.as_ref().unwrap().security_context.clone().unwrap();
    assert_eq!(
        (context.run_as_user, context.run_as_group),
        (Some(2000), Some(1000))
    );
    assert_eq!(
        (context.fs_group, context.run_as_non_root),
        (Some(1000), Some(true))
    );
    assert_eq!(context.supplemental_groups, Some(vec![3000]));
    assert_eq!(context.seccomp_profile.unwrap().type_, "Unconfined");
    let container = containers(&pod).remove(0).security_context.unwrap();
    assert_eq!(container.read_only_root_filesystem, Some(true));
    assert_eq!(
        container.capabilities.unwrap().drop,
        Some(vec!["NET_RAW".to_owned()])
    );
    assert_eq!(container.allow_privilege_escalation, Some(false));
    deploy(
        &space,
        "root",
        "ollama",
        json!({"podSecurityContext": {"runAsUser": 0}}),
        json!({}),
    )
    .await;
    space.wait_state("root", "Ready").await;
}
