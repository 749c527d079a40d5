//! The definitions themselves, as kubectl installs and shows them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

use crate::{
    common::{PATIENCE, root},
    desk::{KINDS, api, apply, client, desk, kubectl, try_kubectl},
};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Client-side apply has room for its annotation, and the API server finds nothing wrong with the schemas.
#[tokio::test]
async fn client_side_apply_of_the_definitions() {
    let client = client().await;
    let definitions: Api<CustomResourceDefinition> = Api::all(client);
    for (kind, plural) in KINDS {
        let definition = definitions.get(&format!("{plural}.premlabs.io")).await.unwrap();
        let bytes = definition.metadata.annotations.unwrap()[LAST_APPLIED].len();
        assert!(bytes < 200 * 1024, "{kind}: {bytes} of 262144 bytes");
        for condition in definition.status.unwrap().conditions.unwrap() {
            assert!(
                condition.type_ != "NonStructuralSchema" && condition.status == "True",
                "{condition:?}"
            );
        }
    }
    let folder = root().join("config/crd");
    let again = kubectl(&["apply", "-f", folder.to_str().unwrap()]).await;
    assert!(
        !again.contains("configured") && !again.contains("created"),
        "{again}"
    );
    kubectl(&[
        "apply",
        "--server-side",
        "--dry-run=server",
        "--force-conflicts",
        "-f",
        folder.to_str().unwrap(),
    ])
    .await;
}

/// A line of `kubectl get`, as its words.
async fn listed(args: &[&str]) -> Vec<Vec<String>> {
    let text = kubectl(args).await;
    text.lines()
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

#[tokio::test]
async fn columns() {
    let client = client().await;
    let spec = json!({"engine": {"name": "localai"}});
    apply(&client, "a-person", "AIDeployment", "listed", &spec)
        .await
        .unwrap();
    let status = json!({"status": {
        "status": "NotReady", "state": "Loading", "reason": "Starting", "desiredReplicas": 3, "replicas": 3,
        "readyReplicas": 2, "url": "http://listed.default.svc:8080", "image": "quay.io/go-skynet/local-ai:latest",
    }});
    let status = Patch::Merge(status);
    api(&client, "AIDeployment")
        .patch_status("listed", &PatchParams::default(), &status)
        .await
        .unwrap();
    let table = listed(&["get", "aideployment", "listed"]).await;
    assert_eq!(table[0], ["NAME", "ENGINE", "DESIRED", "READY", "STATUS", "AGE"]);
    assert_eq!(table[1][..5], ["listed", "localai", "3", "2", "NotReady"]);
    let table = listed(&["get", "aideployment", "listed", "-o", "wide"]).await;
    assert_eq!(table[0][6..], ["STATE", "REASON", "URL", "GPU", "IMAGE"]);
    assert_eq!(
        table[1][6..],
        [
            "Loading",
            "Starting",
            "http://listed.default.svc:8080",
            "quay.io/go-skynet/local-ai:latest"
        ]
    );
    api(&client, "AIDeployment")
        .delete("listed", &DeleteParams::default())
        .await
        .unwrap();

    let spec = json!({"vllm": [{"variant": "base"}]});
    apply(&client, "a-person", "AIModelMap", "listed", &spec)
        .await
        .unwrap();
    let status = Patch::Merge(json!({"status": {"variants": 1, "usedBy": 4, "state": "Ready"}}));
    api(&client, "AIModelMap")
        .patch_status("listed", &PatchParams::default(), &status)
        .await
        .unwrap();
    let table = listed(&["get", "aimodelmap", "listed"]).await;
    assert_eq!(table[0], ["NAME", "VARIANTS", "USED-BY", "STATE", "AGE"]);
    assert_eq!(table[1][..4], ["listed", "1", "4", "Ready"]);
    api(&client, "AIModelMap")
        .delete("listed", &DeleteParams::default())
        .await
        .unwrap();
}

/// No short names of ours: the original has none, and its users' tools may have their own.
#[tokio::test]
async fn names_are_the_originals() {
    let text = kubectl(&["api-resources", "--api-group=premlabs.io", "--no-headers"]).await;
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    for (kind, plural) in KINDS {
        assert!(
            rows.contains(&vec![plural, "premlabs.io/v1alpha1", "true", kind]),
            "{text}"
        );
    }
    for name in [
        "aideployments",
        "aideployment",
        "aideployments.premlabs.io",
        "llm-operator",
    ] {
        kubectl(&["get", name]).await;
    }
}

/// `kubectl explain` describes every field of ours with its default; the API server publishes it a moment later.
#[tokio::test]
async fn explain_teaches() {
    desk().await;
    for (field, words) in [
        ("aideployments", "behind a Service and an Ingress"),
        ("aideployments.spec.engine.name", "`deepspeed-mii`"),
        ("aideployments.spec.endpoint.port", "Other engines have their own"),
        (
            "aideployments.spec.deployment.template",
            "a `core/v1` Pod template",
        ),
        (
            "aideployments.spec.deployment.template.spec.containers.livenessProbe",
            "<Object>",
        ),
        (
            "aideployments.spec.ingress.className",
            "the cluster's default class",
        ),
        ("aideployments.status.errMsg", "What is wrong"),
        ("aimodelmaps.spec.localai.engineConfigFile", "configuration file"),
        ("aimodelmaps.spec.allowedNamespaces", "Default: all"),
    ] {
        let flat = testkit::until(format!("kubectl explain {field}"), PATIENCE, async || {
            let (worked, text) = try_kubectl(&["explain", field]).await;
            let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
            if worked { Ok(flat) } else { Err(text) }
        });
        let flat = flat.await.unwrap();
        assert!(flat.contains(words), "{field}: {flat}");
    }
}
