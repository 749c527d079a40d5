//! A cluster whose GPUs are all taken: an edit is told what it waits for while the old Pods serve, and one replica fewer lets it through.

use api::ai_example_com::v1::LLMModel;
use serde_json::json;
use testkit::{Cluster, NodeOptions, NodeSpec, node::Speed};
use tokio::sync::OnceCell;

use crate::{
    common::{Operator, Space, install, operator_access, start_operator},
    seen::{edit, kubectl, resource, wait_state, wait_status},
};

static BED: OnceCell<(Cluster, Operator)> = OnceCell::const_new();
const KIND: &str = "llmmodels.ai.example.com";

#[tokio::test]
async fn an_edit_finds_no_gpus() {
    let (cluster, _) = BED
        .get_or_init(|| async {
            let options = NodeOptions {
                speed: Speed::loading(1000.0),
                ..NodeOptions::default()
            };
            let builder = Cluster::builder().node_options(options);
            let cluster = builder.node(NodeSpec::h100("gpu", 8)).start().await.unwrap();
            install(&cluster, true).await;
            let access = operator_access(&cluster).await;
            let operator = start_operator(&access, "full", &["--leader-elect", "false"]).await;
            (cluster, operator)
        })
        .await;
    let space = Space::of(cluster, "full").await;
    let spec = json!({"modelName": "qwen2.5-7b", "replicas": 2, "serving": {"gpus": 4}});
    space.apply(&resource("LLMModel", "chat", spec)).await;
    wait_state::<LLMModel>(&space, "chat", "Ready").await;
    edit(&space, KIND, "chat", json!({"serving": {"contextLength": 4096}})).await;
    let status =
        wait_status::<LLMModel>(&space, "chat", "waits", |status| status["reason"] == "GpusTaken").await;
    assert_eq!(status["readyReplicas"], 2, "the old ones serve: {status}");
    assert!(
        status
            .to_string()
            .contains("taken by its own other Pods. Ask for one replica fewer"),
        "{status}"
    );
    kubectl(&space, &["scale", &format!("{KIND}/chat"), "--replicas=1"]).await;
    let status = wait_state::<LLMModel>(&space, "chat", "Ready").await;
    assert_eq!(status["sizing"]["contextLength"], 4096);
    kubectl(&space, &["scale", &format!("{KIND}/chat"), "--replicas=2"]).await;
    let status = wait_state::<LLMModel>(&space, "chat", "Ready").await;
    assert_eq!(status["readyReplicas"], 2);
}
