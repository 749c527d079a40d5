//! The definitions themselves: installed by the command that the documentation gives, and read by `kubectl`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, api::ListParams};

use crate::{
    common::{PATIENCE, root},
    desk::{desk, model},
};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

async fn kubectl(args: &[&str]) -> String {
    desk().await.kubectl(args).await
}

async fn try_kubectl(args: &[&str]) -> (bool, String) {
    desk().await.try_kubectl(args).await
}

/// Client-side `kubectl apply -f config/crd` works: the annotation that it writes has room, with much to spare.
#[tokio::test]
async fn client_side_apply_fits() {
    let desk = desk().await;
    for name in ["llmmodels.llm.example.com", "llmdeployments.llm.example.com"] {
        assert!(
            desk.installed.contains(&format!("{name} created")),
            "{}",
            desk.installed
        );
    }
    kubectl(&[
        "wait",
        "--for=condition=Established",
        "crd",
        "--all",
        "--timeout=60s",
    ])
    .await;
    let client = desk.cluster.admin_client().await.unwrap();
    let definitions: Api<CustomResourceDefinition> = Api::all(client);
    for definition in definitions.list(&ListParams::default()).await.unwrap() {
        let annotations = definition.metadata.annotations.unwrap();
        let bytes = annotations[LAST_APPLIED].len();
        assert!(
            bytes < 200 * 1024,
            "{:?}: {bytes} of 262144 bytes",
            definition.metadata.name
        );
        let conditions = definition.status.unwrap().conditions.unwrap();
        for condition in conditions {
            assert!(
                condition.type_ != "NonStructuralSchema" && condition.status == "True",
                "{condition:?}"
            );
        }
    }
    let again = kubectl(&["apply", "-f", root().join("config/crd").to_str().unwrap()]).await;
    assert_eq!(again.matches("unchanged").count(), api::crds().len(), "{again}");
}

/// With this family's definitions alone, plain names, short names and the category find its resources.
/// Promises: S2-1, S2-12
#[tokio::test]
async fn plain_and_short_names() {
    let client = desk().await.cluster.admin_client().await.unwrap();
    crate::desk::apply(&client, "LLMModel", "listed", &model(&serde_json::json!({})))
        .await
        .unwrap();
    let spec = crate::desk::deployment(&serde_json::json!({}));
    crate::desk::apply(&client, "LLMDeployment", "listed-too", &spec)
        .await
        .unwrap();
    // The plain plural is also ai.example.com's, whose name comes first.
    for name in ["lmodel", "llmmodels.llm.example.com", "llm-operator"] {
        let table = kubectl(&["get", name]).await;
        assert!(
            table.contains("listed") && table.contains("Small"),
            "{name}: {table}"
        );
    }
    for name in [
        "llmdeployments",
        "llmdeployment",
        "ldeploy",
        "llmdeployments.llm.example.com",
        "llm-operator",
    ] {
        let table = kubectl(&["get", name]).await;
        assert!(table.contains("listed-too"), "{name}: {table}");
    }
    let all = kubectl(&["api-resources", "--no-headers"]).await;
    let ours: Vec<&str> = all
        .lines()
        .filter(|line| line.contains("llm.example.com"))
        .collect();
    for short in ["lmodel", "ldeploy"] {
        let holders = all.lines().filter(|line| {
            line.split_whitespace()
                .any(|word| word.split(',').any(|w| w == short))
        });
        assert_eq!(holders.count(), 1, "{short} belongs to one kind: {ours:?}");
    }
}

/// `kubectl explain` describes every field of ours with its default.
#[tokio::test]
async fn explain_teaches() {
    // The API server publishes the descriptions a moment after it serves the kinds.
    const VERSION: &str = "--api-version=llm.example.com/v1alpha1";
    for kind in ["llmmodels", "llmdeployments"] {
        testkit::until(format!("kubectl explain {kind}"), PATIENCE, async || {
            let (worked, text) = try_kubectl(&["explain", kind, VERSION]).await;
            if worked { Ok(()) } else { Err(text) }
        })
        .await
        .unwrap();
    }
    for (field, words) in [
        ("llmmodels", "An LLMDeployment runs it"),
        ("llmmodels.spec.image", "Container image that serves the model"),
        ("llmmodels.spec.resources.memory", "is the limit as well"),
        ("llmmodels.spec.gpu.minMemory", "at least this much memory"),
        ("llmmodels.spec.storage.accessMode", "Default: `ReadWriteOnce`"),
        ("llmmodels.spec.source.uri", "hf://org/name[@revision]"),
        ("llmmodels.status.state", "One word"),
        ("llmdeployments.spec.modelRef", "Name of the LLMModel"),
        ("llmdeployments.spec.replicas", "Number of replicas"),
        ("llmdeployments.spec.port", "Default: 8080"),
        ("llmdeployments.spec.access.from", "beside the operator"),
        ("llmdeployments.spec.strategy.maxSurge", "Default: 1"),
        ("llmdeployments.status.reason", "keeps it from being ready"),
    ] {
        let text = kubectl(&["explain", field, VERSION]).await;
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(words), "{field}: {text}");
    }
    let spec = kubectl(&["explain", "llmmodels.spec", VERSION]).await;
    assert!(spec.contains("-required-"), "{spec}");
}
