//! The documents' own YAML, unchanged but for what they leave out.

use api::ai_example_com::v1::{LLMModel, ModelDeployment};
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    autoscaling::v2::HorizontalPodAutoscaler,
    core::v1::{ConfigMap, Pod, Service},
};

use crate::{
    bed,
    seen::{token, wait_reason, wait_state},
};

const LLM_MODEL: &str = "
apiVersion: ai.example.com/v1
kind: LLMModel
metadata:
  name: llama-3-70b
spec:
  replicas: 3
  gpuType: H100
";

const MODEL_DEPLOYMENT: &str = "
apiVersion: ai.example.com/v1
kind: ModelDeployment
metadata:
  name: llama-3-70b
spec:
  model: llama-3-70b
  replicas: 4
  sla:
    maxLatency: 100ms
";

/// A name, a number and a type of GPU are enough; without the token it says so before a GPU is taken.
/// Promises: S3-3, S3-7, S3-8
#[tokio::test]
async fn a_name_a_number_and_a_type_of_gpu_are_enough() {
    let space = bed().await.space("llm-model").await;
    space.apply(LLM_MODEL).await;
    let said = wait_reason::<LLMModel>(&space, "llama-3-70b", "TokenMissing").await;
    assert!(said.contains("hf-token") && said.contains("gated"), "{said}");
    assert!(
        space
            .api::<Deployment>()
            .get_opt("llama-3-70b")
            .await
            .unwrap()
            .is_none()
    );

    token(&space).await;
    let status = wait_state::<LLMModel>(&space, "llama-3-70b", "Ready").await;
    assert_eq!(status["readyReplicas"], 3);
    assert_eq!(status["gpu"], "4 x H100");
    let explanation = status["sizing"]["explanation"].as_str().unwrap();
    for part in [
        "llama-3-70b in bf16 on 4 x H100",
        "weights",
        "cache",
        "nodes can hold a replica",
    ] {
        assert!(explanation.contains(part), "{part}: {explanation}");
    }
    space.api::<Deployment>().get("llama-3-70b").await.unwrap();
    space.api::<Service>().get("llama-3-70b").await.unwrap();
}

/// A StatefulSet with stable names, its Services, autoscaler and settings.
/// Promises: S3-9, S3-10, S3-11, S3-12
#[tokio::test]
async fn a_model_deployment_has_pods_with_stable_names() {
    let space = bed().await.space("model-deployment").await;
    token(&space).await;
    space.apply(MODEL_DEPLOYMENT).await;
    let status = wait_state::<ModelDeployment>(&space, "llama-3-70b", "Ready").await;
    assert_eq!(status["readyReplicas"], 4);
    for ordinal in 0..4 {
        space
            .api::<Pod>()
            .get(&format!("llama-3-70b-{ordinal}"))
            .await
            .unwrap();
    }
    space.api::<StatefulSet>().get("llama-3-70b").await.unwrap();
    space.api::<Service>().get("llama-3-70b").await.unwrap();
    space.api::<Service>().get("llama-3-70b-headless").await.unwrap();
    let map = space
        .api::<ConfigMap>()
        .get("llama-3-70b-settings")
        .await
        .unwrap();
    assert!(map.data.unwrap()["engine.yaml"].contains("tensor-parallel-size: 4"));
    let autoscaler: HorizontalPodAutoscaler = space.wait("it exists", "llama-3-70b", |_| true).await;
    assert_eq!(
        (autoscaler.spec.min_replicas, autoscaler.spec.max_replicas),
        (Some(4), 16)
    );
}
