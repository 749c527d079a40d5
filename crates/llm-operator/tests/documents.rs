//! The source document's own YAML, unchanged, on the real control plane.

mod common;

use api::llm_example_com::v1alpha1::LLMDeployment;
use common::{bed, chat_service, condition, gpt_small};
use k8s_openapi::{
    api::{
        apps::v1::Deployment, core::v1::Service, networking::v1::NetworkPolicy,
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

/// Two YAML files in, a served model out.
/// Promises: S2-1, S2-8, S2-9, S2-10, S2-11, S2-12
#[tokio::test]
async fn two_yaml_files_become_a_served_model() {
    let space = bed().await.space("documents").await;
    space.apply(&gpt_small()).await;
    space.apply(&chat_service()).await;
    let status = space.wait_state("chat-service", "Ready").await;
    assert_eq!((status.ready_replicas, status.replicas), (Some(2), Some(2)));
    assert_eq!(status.model.as_deref(), Some("GPT-Small"));
    assert_eq!(status.image.as_deref(), Some("your-registry/gpt-small:v1"));
    for type_ in ["Accepted", "Applied", "Ready"] {
        let condition = condition(&status, type_).unwrap_or_else(|| panic!("{type_} is missing: {status:?}"));
        assert_eq!(condition.status, "True", "{condition:?}");
    }

    let deployment: Deployment = space.api().get("chat-service").await.unwrap();
    let spec = deployment.spec.unwrap();
    assert_eq!(spec.replicas, Some(2));
    let container = spec.template.spec.unwrap().containers.remove(0);
    assert_eq!(container.image.as_deref(), Some("your-registry/gpt-small:v1"));
    let resources = container.resources.unwrap();
    let (requests, limits) = (resources.requests.unwrap(), resources.limits.unwrap());
    assert_eq!(
        (requests["cpu"].0.as_str(), requests["memory"].0.as_str()),
        ("2", "4Gi")
    );
    assert_eq!(limits["memory"].0, "4Gi");
    assert!(
        !limits.contains_key("cpu"),
        "a CPU limit would throttle the model: {limits:?}"
    );
    assert_eq!(container.ports.unwrap()[0].container_port, 8080);

    let service: Service = space.api().get("chat-service").await.unwrap();
    let port = service.spec.unwrap().ports.unwrap().remove(0);
    assert_eq!(port.port, 8080);
    assert!(matches!(
        port.target_port,
        Some(IntOrString::String(_) | IntOrString::Int(8080))
    ));
    space.api::<NetworkPolicy>().get("chat-service").await.unwrap();
    space
        .api::<PodDisruptionBudget>()
        .get("chat-service")
        .await
        .unwrap();

    for kind in [
        // The plain plural is also ai.example.com's, whose name comes first.
        "llmmodels.llm.example.com",
        "llmdeployments",
        "deployments",
        "services",
    ] {
        let (worked, table) = space.kubectl(&["get", kind]).await;
        assert!(
            worked && (table.contains("chat-service") || table.contains("gpt-small")),
            "{kind}: {table}"
        );
    }
    let (_, table) = space.kubectl(&["get", "llmdeployments"]).await;
    let header: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(header, ["NAME", "MODEL", "DESIRED", "READY", "STATE", "AGE"]);
    let (_, wide) = space.kubectl(&["get", "llmdeployments", "-o", "wide"]).await;
    assert!(
        ["IMAGE", "GPU", "REASON"]
            .iter()
            .all(|column| wide.contains(column)),
        "{wide}"
    );
}

/// A deployment without a port listens on 8080, and the stored object shows it.
/// Promises: S2-8
#[tokio::test]
async fn the_port_is_8080_unless_told() {
    let space = bed().await.space("port").await;
    space.apply(&gpt_small()).await;
    space.apply(&chat_service().replace("  port: 8080\n", "")).await;
    let stored: LLMDeployment = space.api().get("chat-service").await.unwrap();
    assert_eq!(stored.spec.port, 8080);
    space.wait_state("chat-service", "Ready").await;
}

/// The versions that the documentation promises are the ones that this suite runs on.
/// Promises: S2-18
#[tokio::test]
async fn the_documentation_names_the_version_that_is_tested() {
    let space = bed().await.space("version").await;
    let version = space.client.apiserver_version().await.unwrap();
    let tested = format!("{}.{}", version.major, version.minor.trim_end_matches('+'));
    let readme = common::repository_file("README.md");
    let section = readme
        .split("## Kubernetes versions")
        .nth(1)
        .expect("README names the versions");
    assert!(
        section.contains(&format!("tested on {tested}")),
        "tested on {tested}, but README says: {section}"
    );
    assert!(section.contains("1.30 and later"), "{section}");
}
