//! `DynamoGraphDeployment`: its definition comes while the operator runs.

use api::nvidia_com::v1::DynamoGraphDeployment;
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    autoscaling::v2::HorizontalPodAutoscaler,
    core::v1::{Pod, Service},
};
use kube::ResourceExt;
use serde_json::json;
use tokio::sync::OnceCell;

use crate::{
    bed,
    common::{PATIENCE, Space},
    seen::{edit, engine, kubectl, made, names, resource, token, wait_reason, wait_state},
};

/// The document's YAML, to the letter.
const DOCUMENT: &str = "
apiVersion: nvidia.com/v1
kind: DynamoGraphDeployment
metadata:
  name: llama-3-70b
spec:
  sla:
    max_latency_ms: 100
    min_throughput: 50
  model:
    name: llama-3-70b
    placement:
      tensor_parallel_size: 4
      gpu_type: H100
";

static INSTALLED: OnceCell<()> = OnceCell::const_new();

/// A space in a cluster that serves the kind; the operator was running before.
async fn space(prefix: &str) -> Space {
    let bed = bed().await;
    let space = bed.space(prefix).await;
    INSTALLED
        .get_or_init(|| async {
            let crd = serde_json::to_string(&api::optional_crds()[0]).unwrap();
            bed.cluster.apply_yaml(&crd).await.unwrap();
            testkit::until("the kind is served", PATIENCE, async || {
                let (served, said) = space.kubectl(&["get", "dgd"]).await;
                served.then_some(()).ok_or(said)
            })
            .await
            .unwrap();
        })
        .await;
    space
}

/// The document's example, unchanged: four GPUs of one node for each replica, a StatefulSet, an autoscaler, and Ready.
/// Promises: S3-13, S3-14
#[tokio::test]
async fn the_documents_example() {
    let space = space("dynamo").await;
    token(&space).await;
    space.apply(DOCUMENT).await;
    let status = wait_state::<DynamoGraphDeployment>(&space, "llama-3-70b", "Ready").await;
    assert_eq!(status["readyReplicas"], 1);
    assert_eq!(status["gpu"], "4 x H100");
    let set = space.api::<StatefulSet>().get("llama-3-70b").await.unwrap();
    let engine = engine(&set);
    assert_eq!(engine["resources"]["limits"]["nvidia.com/gpu"], "4");
    let args = engine["args"].as_array().unwrap();
    let size = args
        .iter()
        .position(|arg| arg == "--tensor-parallel-size")
        .unwrap();
    assert_eq!(args[size + 1], "4");
    let pod = space.api::<Pod>().get("llama-3-70b-0").await.unwrap();
    assert!(pod.spec.unwrap().node_name.is_some());
    // Not before the API server reaches the metrics API, which the first promise of the cluster asks for.
    let autoscaler: HorizontalPodAutoscaler = space.wait("made", "llama-3-70b", |_| true).await;
    assert_eq!(autoscaler.spec.scale_target_ref.kind, "StatefulSet");
    let table = kubectl(&space, &["get", "dgd", "llama-3-70b"]).await;
    for word in ["llama-3-70b", "100", "50", "Ready"] {
        assert!(table.contains(word), "{table}");
    }
}

/// The whole life: made, edited, deleted with everything.
/// Promises: S3-16
#[tokio::test]
async fn its_whole_life() {
    let space = space("dynamo-life").await;
    let model = |size: u32| json!({"name": "qwen2.5-7b", "placement": {"tensor_parallel_size": size, "gpu_type": "H100"}});
    space
        .apply(&resource(
            "DynamoGraphDeployment",
            "graph",
            json!({"model": model(2), "replicas": 2}),
        ))
        .await;
    let status = wait_state::<DynamoGraphDeployment>(&space, "graph", "Ready").await;
    assert_eq!(
        (&status["readyReplicas"], &status["desiredReplicas"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(status["gpu"], "2 x H100");
    let hpas = names::<HorizontalPodAutoscaler>(&space).await;
    assert_eq!(hpas, Vec::<String>::new(), "nothing is promised, nothing scales");

    edit(&space, "dgd", "graph", json!({"model": model(4), "replicas": 1})).await;
    let status = wait_state::<DynamoGraphDeployment>(&space, "graph", "Ready").await;
    assert_eq!(status["gpu"], "4 x H100");
    assert_eq!(status["readyReplicas"], 1);

    let object = space.api::<DynamoGraphDeployment>().get("graph").await.unwrap();
    assert_eq!(object.finalizers(), Vec::<String>::new());
    space.delete::<DynamoGraphDeployment>("graph").await;
    space.wait_gone::<StatefulSet>("graph").await;
    space.wait_gone::<Service>("graph").await;
    space.wait_gone::<Service>("graph-headless").await;
    space.wait_gone::<Pod>("graph-0").await;
}

/// A size that no node has, or over which heads do not divide, is refused with the way out.
#[tokio::test]
async fn a_size_that_no_node_could_ever_hold() {
    let space = space("dynamo-size").await;
    for (name, model, size, gpu, reason, words) in [
        (
            "sixteen",
            "phi-3-mini",
            16,
            "H100",
            "NoSuchNode",
            "16 x H100 in one node",
        ),
        (
            "mig",
            "qwen2.5-7b",
            4,
            "A100",
            "NoSuchNode",
            "16 nodes with 8 x NVIDIA-H100-80GB-HBM3",
        ),
        (
            "three",
            "qwen2.5-7b",
            3,
            "H100",
            "InvalidSpec",
            "spec.model.placement.tensor_parallel_size",
        ),
        ("little", "qwen2.5-72b", 1, "H100", "DoesNotFit", "what would fit"),
        (
            "unknown",
            "qwen2.5-73b",
            1,
            "H100",
            "UnknownModel",
            "spec.model.name",
        ),
        (
            "gpu",
            "qwen2.5-7b",
            1,
            "H1000",
            "InvalidSpec",
            "spec.model.placement.gpu_type",
        ),
    ] {
        let spec =
            json!({"model": {"name": model, "placement": {"tensor_parallel_size": size, "gpu_type": gpu}}});
        space.apply(&resource("DynamoGraphDeployment", name, spec)).await;
        let said = wait_reason::<DynamoGraphDeployment>(&space, name, reason).await;
        assert!(said.contains(words), "{name}: {said}");
    }
    assert_eq!(made(&space).await, Vec::<String>::new());
}
