//! The document's YAML and commands.

use crate::bed::{Bed, DOCUMENT, condition};

/// All three charts are real releases that fit together, everything is found by the document's command, and when it is deleted nothing
/// is left.
/// Promises: S1-1, S1-2, S1-3, S1-8, S1-9, S1-10, S1-19, S1-22, S1-24, S1-25, S1-26
#[tokio::test]
async fn the_documents_llmd_is_deployed_and_removed() {
    let bed = Bed::new().await;
    bed.apply(DOCUMENT).await;
    let llmd = bed.ready().await;
    let status = llmd.status.clone().unwrap();
    assert_eq!(status.phase.as_deref(), Some("Ready"));
    assert_eq!(status.namespace.as_deref(), Some("llm-d"));
    let releases: Vec<_> = status
        .releases
        .iter()
        .map(|release| {
            (
                release.name.as_str(),
                release.version.as_deref(),
                release.revision,
            )
        })
        .collect();
    assert_eq!(
        releases,
        [
            ("llm-d-infra", Some("1.3.3"), Some(1)),
            ("inferencepool", Some("1.0.1"), Some(1)),
            ("llm-d-modelservice", Some("0.2.11"), Some(1)),
        ]
    );
    for type_ in [
        "ProvisioningSucceeded",
        "DependenciesAvailable",
        "DeploymentsAvailable",
    ] {
        assert_eq!(condition(&llmd, type_).0, "True", "{type_}");
    }

    let list = bed.helm(&["list", "--output", "json"]).await;
    for release in ["llm-d-infra", "inferencepool", "llm-d-modelservice"] {
        assert!(list.contains(&format!("\"name\":\"{release}\"")), "{list}");
    }
    let all = bed
        .kubectl(&[
            "get",
            "all",
            "-n",
            "llm-d",
            "-l",
            "app.kubernetes.io/part-of=llm-d",
            "-o",
            "name",
        ])
        .await;
    for part in [
        "deployment.apps/llm-d-modelservice-decode",
        "deployment.apps/llm-d-modelservice-prefill",
        "deployment.apps/inferencepool-epp",
        "service/inferencepool-epp",
        "pod/llm-d-modelservice-decode-",
        "pod/inferencepool-epp-",
    ] {
        assert!(all.contains(part), "{part}:\n{all}");
    }
    assert!(
        !all.contains("llm-d-modelservice-epp"),
        "one endpoint picker:\n{all}"
    );
    let route = bed
        .kubectl(&["get", "httproute", "-n", "llm-d", "-o", "yaml"])
        .await;
    assert!(
        route.contains("name: inference-gateway") && route.contains("name: inferencepool"),
        "{route}"
    );
    let gateway = bed
        .kubectl(&["get", "gateway", "-n", "llm-d", "-o", "name"])
        .await;
    assert_eq!(
        gateway.trim(),
        "gateway.gateway.networking.k8s.io/inference-gateway"
    );
    let shown = bed.kubectl(&["get", "llmd", "default-llm-d", "-o", "yaml"]).await;
    assert!(shown.contains("phase: Ready"), "{shown}");

    bed.kubectl(&["delete", "llmd", "default-llm-d", "--timeout=60s"])
        .await;
    let (there, said) = bed
        .try_kubectl(&["wait", "--for=delete", "namespace/llm-d", "--timeout=60s"])
        .await;
    assert!(there, "{said}");
    let roles = bed
        .kubectl(&[
            "get",
            "clusterroles,clusterrolebindings",
            "-l",
            "app.kubernetes.io/part-of=llm-d",
            "-o",
            "name",
        ])
        .await;
    assert_eq!(roles, "", "nothing is left");
}
