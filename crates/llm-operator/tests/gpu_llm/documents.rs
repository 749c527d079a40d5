//! The document's own files, unchanged.

use api::infra_example_com::v1::{NvidiaGpuLlm, Phase};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Service};

use crate::{
    common::repository_file,
    scene::bed,
    seen::{condition, wait_phase, wait_reason, wait_status},
};

/// The example: a Pod with Ollama and `TinyLlama`, by the names that the document promises; deleted in the end.
/// Promises: S0-4, S0-27, S0-28, S0-30, S0-31
#[tokio::test]
async fn tinyllama_is_deployed_and_deleted() {
    let space = bed().await.space("tinyllama").await;
    space
        .apply(&repository_file("manifest-controller/nvidia-gpu-llm-cr.yaml"))
        .await;
    let status = wait_status(&space, "tinyllama-demo", "ready, prompts answered", |status| {
        let answered = condition(status, "PromptsAnswered").is_some_and(|answered| answered.status == "True");
        status.phase == Some(Phase::Ready) && answered
    })
    .await;
    assert_eq!(status.pod_name.as_deref(), Some("gpu-llm-pod"));
    assert_eq!(status.model_loaded.as_deref(), Some("tinyllama"));
    assert_eq!(status.gpu_assigned, Some(true));
    for type_ in ["Accepted", "Applied", "Ready", "PromptsAnswered"] {
        let condition = condition(&status, type_).unwrap_or_else(|| panic!("{type_}: {status:?}"));
        assert_eq!(condition.status, "True", "{condition:?}");
    }
    let pod: Pod = space.api().get("gpu-llm-pod").await.unwrap();
    assert_eq!(
        pod.spec.unwrap().containers[0].name,
        "ollama",
        "what kubectl exec chooses"
    );

    let (_, table) = space.kubectl(&["get", "nvidiagpullms"]).await;
    assert!(
        table.contains("tinyllama-demo") && table.contains("Ready"),
        "{table}"
    );
    let (_, yaml) = space
        .kubectl(&["get", "gpullm", "tinyllama-demo", "-o", "yaml"])
        .await;
    assert!(yaml.contains("phase: Ready"), "{yaml}");

    let (worked, said) = space
        .kubectl(&["delete", "nvidiagpullm", "tinyllama-demo", "--timeout=50s"])
        .await;
    assert!(worked, "{said}");
    space.wait_gone::<NvidiaGpuLlm>("tinyllama-demo").await;
    space.wait_gone::<Pod>("gpu-llm-pod").await;
}

/// The large model with Service and claim, looked at by one resource and removed by another, neither of which made it.
/// Promises: S0-37, S0-38, S0-39
#[tokio::test]
async fn the_three_variations() {
    let space = bed().await.space("variations").await;
    space
        .apply(&repository_file("examples/infra/llama2-service.yaml"))
        .await;
    let status = wait_phase(&space, "llama2-service", Phase::Ready).await;
    assert_eq!(status.model_loaded.as_deref(), Some("llama2:7b"));
    let service: Service = space.api().get("llama2-pod").await.unwrap();
    assert_eq!(service.spec.unwrap().ports.unwrap()[0].port, 11434);
    let claim: PersistentVolumeClaim = space.api().get("llama2-pod").await.unwrap();
    assert_eq!(
        claim.spec.unwrap().resources.unwrap().requests.unwrap()["storage"].0,
        "20Gi"
    );

    space
        .apply(&repository_file("manifest-controller/nvidia-gpu-llm-cr.yaml"))
        .await;
    wait_phase(&space, "tinyllama-demo", Phase::Ready).await;
    space
        .apply(&repository_file("examples/infra/check-status.yaml"))
        .await;
    let report = wait_phase(&space, "check-status", Phase::Ready).await;
    assert_eq!(report.pod_name.as_deref(), Some("gpu-llm-pod"));
    assert_eq!(report.model_loaded.as_deref(), Some("tinyllama"));
    assert_eq!(report.gpu_assigned, Some(true));

    space.apply(&repository_file("examples/infra/cleanup.yaml")).await;
    wait_phase(&space, "cleanup", Phase::Ready).await;
    space.wait_gone::<Pod>("gpu-llm-pod").await;
    let held = wait_reason(&space, "tinyllama-demo", "HeldDown").await;
    assert_eq!(held.phase, Some(Phase::Pending));
    let report = wait_phase(&space, "check-status", Phase::Pending).await;
    assert_eq!(report.reason.as_deref(), Some("PodNotFound"), "{report:?}");
    assert!(
        space.api::<Pod>().get_opt("llama2-pod").await.unwrap().is_some(),
        "of another name"
    );
}
