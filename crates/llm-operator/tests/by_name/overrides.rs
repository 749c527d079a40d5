//! What a person may decide otherwise, each seen in the Pods.

use api::ai_example_com::v1::{LLMModel, ModelDeployment};
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    autoscaling::v2::HorizontalPodAutoscaler,
    core::v1::{ConfigMap, Service},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use serde_json::{Value, json};

use crate::{
    bed,
    seen::{edit, engine, names, resource, wait_state, wait_status},
};

fn options() -> Value {
    json!({
        "image": "vllm/vllm-openai:v0.32.0",
        "gpus": 2,
        "contextLength": 4096,
        "concurrency": 8,
        "args": ["--enable-prefix-caching", "--seed=7"],
        "env": [{"name": "VLLM_LOGGING_LEVEL", "value": "DEBUG"}],
        "port": 9000,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "mine", "operator": "Exists"}],
        "imagePullSecrets": [{"name": "registry"}],
        "resources": {"cpu": 5, "memory": "20Gi"},
        "terminationGracePeriodSeconds": 77,
        "disruptionBudget": {"minAvailable": 1},
        "access": {"from": [{"podSelector": {"matchLabels": {"app": "client"}}}]},
    })
}

/// What both workloads' Pods have in common.
fn check(workload: &Value) {
    let pod = &workload["spec"]["template"]["spec"];
    let engine = &pod["containers"][0];
    assert_eq!(engine["image"], "vllm/vllm-openai:v0.32.0");
    let limits = json!({"memory": "20Gi", "nvidia.com/gpu": "2"});
    assert_eq!(engine["resources"]["limits"], limits);
    let requests = json!({"cpu": "5", "memory": "20Gi", "nvidia.com/gpu": "2"});
    assert_eq!(engine["resources"]["requests"], requests);
    let args: Vec<&str> = engine["args"]
        .as_array()
        .unwrap()
        .iter()
        .map(|arg| arg.as_str().unwrap())
        .collect();
    assert_eq!(args[args.len() - 2..], ["--enable-prefix-caching", "--seed=7"]);
    let env = engine["env"].as_array().unwrap();
    assert!(
        env.contains(&json!({"name": "VLLM_LOGGING_LEVEL", "value": "DEBUG"})),
        "{env:?}"
    );
    assert_eq!(engine["ports"][0]["containerPort"], 9000);
    assert_eq!(pod["nodeSelector"]["kubernetes.io/os"], "linux");
    let tolerations = pod["tolerations"].as_array().unwrap();
    assert!(
        tolerations.contains(&json!({"key": "mine", "operator": "Exists"})),
        "{tolerations:?}"
    );
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "registry"}]));
    assert_eq!(pod["terminationGracePeriodSeconds"], 77);
}

/// Every option, of both workloads.
#[tokio::test]
async fn every_option_is_seen_in_the_pods() {
    let space = bed().await.space("options").await;
    let spec = json!({"modelName": "qwen2.5-7b", "gpuType": "H100", "replicas": 2, "serving": options()});
    space.apply(&resource("LLMModel", "plain", spec)).await;
    let spec = json!({"model": "qwen2.5-7b", "gpuType": "H100", "replicas": 2, "serving": options()});
    space.apply(&resource("ModelDeployment", "set", spec)).await;
    let status = wait_state::<LLMModel>(&space, "plain", "Ready").await;
    assert_eq!(
        (&status["gpu"], &status["sizing"]["contextLength"]),
        (&json!("2 x H100"), &json!(4096))
    );
    wait_state::<ModelDeployment>(&space, "set", "Ready").await;
    let deployment = space.api::<Deployment>().get("plain").await.unwrap();
    check(&serde_json::to_value(&deployment).unwrap());
    check(&serde_json::to_value(space.api::<StatefulSet>().get("set").await.unwrap()).unwrap());
    let told = engine(&deployment)["args"].to_string();
    for words in ["\"--max-model-len\",\"4096\"", "\"--tensor-parallel-size\",\"2\""] {
        assert!(told.contains(words), "{told}");
    }
    let map = space
        .api::<ConfigMap>()
        .get("set-settings")
        .await
        .unwrap()
        .data
        .unwrap();
    for words in ["max-model-len: 4096", "tensor-parallel-size: 2", "port: 9000"] {
        assert!(map["engine.yaml"].contains(words), "{map:?}");
    }
    for name in ["plain", "set"] {
        let service = space.api::<Service>().get(name).await.unwrap().spec.unwrap();
        assert_eq!(service.ports.unwrap()[0].port, 9000);
        let budget = space
            .api::<PodDisruptionBudget>()
            .get(name)
            .await
            .unwrap()
            .spec
            .unwrap();
        assert_eq!(serde_json::to_value(budget.min_available).unwrap(), 1);
        let policy = space.api::<NetworkPolicy>().get(name).await.unwrap();
        assert!(
            serde_json::to_value(policy)
                .unwrap()
                .to_string()
                .contains(r#""app":"client""#)
        );
    }
}

/// What the sentence of the sizing proposes comes true when it is asked for; and an option that is taken back leaves no trace.
#[tokio::test]
async fn a_proposal_comes_true() {
    let space = bed().await.space("proposal").await;
    let spec = json!({"modelName": "qwen2.5-32b", "gpuType": "H100"});
    space.apply(&resource("LLMModel", "chat", spec)).await;
    let status = wait_state::<LLMModel>(&space, "chat", "Ready").await;
    let explanation = status["sizing"]["explanation"].as_str().unwrap();
    assert_eq!(status["gpu"], "2 x H100", "{explanation}");
    assert!(
        explanation.contains("quantization fp8 on 1 x H100 would do too"),
        "{explanation}"
    );
    let kind = "llmmodels.ai.example.com";
    edit(&space, kind, "chat", json!({"serving": {"quantization": "fp8"}})).await;
    let status = wait_state::<LLMModel>(&space, "chat", "Ready").await;
    assert_eq!(status["gpu"], "1 x H100");
    edit(
        &space,
        kind,
        "chat",
        json!({"serving": {"quantization": null, "gpus": 4}}),
    )
    .await;
    let status = wait_state::<LLMModel>(&space, "chat", "Ready").await;
    assert_eq!(status["gpu"], "4 x H100");
    edit(&space, kind, "chat", json!({"serving": null})).await;
    let status = wait_state::<LLMModel>(&space, "chat", "Ready").await;
    assert_eq!(status["gpu"], "2 x H100", "as if it had never been asked for");
    edit(&space, kind, "chat", json!({"modelName": "qwen2.5-0.5b"})).await;
    let status = wait_state::<LLMModel>(&space, "chat", "Ready").await;
    assert_eq!(status["gpu"], "1 x H100", "another model is sized anew");
}

/// A budget and a claim that nobody asks for any more go; replicas decide about the budget.
#[tokio::test]
async fn what_is_no_longer_asked_for_goes() {
    let space = bed().await.space("pruned").await;
    let spec =
        json!({"model": "qwen2.5-0.5b", "gpuType": "H100", "replicas": 2, "sla": {"maxLatency": "100ms"}});
    space.apply(&resource("ModelDeployment", "set", spec)).await;
    wait_state::<ModelDeployment>(&space, "set", "Ready").await;
    assert_eq!(names::<PodDisruptionBudget>(&space).await.len(), 1);
    // Not before the API server reaches the metrics API, which the first promise of the cluster asks for.
    space
        .wait::<HorizontalPodAutoscaler>("made", "set", |_| true)
        .await;
    edit(&space, "mdeploy", "set", json!({"replicas": 1, "sla": null})).await;
    wait_status::<ModelDeployment>(&space, "set", "one", |status| {
        status["state"] == "Ready" && status["replicas"] == 1
    })
    .await;
    assert_eq!(names::<PodDisruptionBudget>(&space).await, Vec::<String>::new());
    let (found, said) = space.kubectl(&["get", "hpa", "set"]).await;
    assert!(!found, "{said}");
    let set = space
        .api::<ModelDeployment>()
        .get("set")
        .await
        .unwrap()
        .status
        .unwrap();
    assert_eq!(set.scaling, None);
}
