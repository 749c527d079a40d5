//! The cluster's own catalogue: models that it adds, changes and takes back.

use api::ai_example_com::v1::LLMModel;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::ConfigMap};
use kube::{Api, api::DeleteParams};
use serde_json::{Value, json};

use crate::{
    bed,
    common::{PATIENCE, SYSTEM_NAMESPACE, Space},
    seen::{engine, resource, small, wait_reason, wait_state, wait_status},
};

const HOUSE: &str = "
source: hf://house/chat-7b
aliases: [our-chat]
parameters: 7B
layers: 32
heads: 32
kvHeads: 8
headDim: 128
context: 8192
";

async fn say(entries: Value) {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "llm-operator-models", "namespace": SYSTEM_NAMESPACE}, "data": entries});
    // As it is written, without what was there before.
    let cluster = &bed().await.cluster;
    let maps: Api<ConfigMap> = Api::namespaced(cluster.admin_client().await.unwrap(), SYSTEM_NAMESPACE);
    let _ = maps.delete("llm-operator-models", &DeleteParams::default()).await;
    cluster.apply_yaml(&map.to_string()).await.unwrap();
}

async fn argument(space: &Space, name: &str, option: &str) -> Option<String> {
    let deployment = space.api::<Deployment>().get(name).await.unwrap();
    let args = engine(&deployment)["args"].clone();
    let args: Vec<String> = serde_json::from_value(args).unwrap();
    let place = args.iter().position(|arg| arg == option)?;
    args.get(place + 1).cloned()
}

async fn generation(space: &Space, name: &str) -> Option<i64> {
    space
        .api::<Deployment>()
        .get(name)
        .await
        .unwrap()
        .metadata
        .generation
}

/// A model is added, one is changed and rolls only those who use it, a broken entry leaves the others, and all is taken back.
#[tokio::test]
async fn what_a_cluster_adds_and_changes() {
    let bed = bed().await;
    let space = bed.space("catalogue").await;
    for (name, model) in [
        ("house", "chat-7b"),
        ("alias", "Our Chat"),
        ("mini", "phi-4-mini"),
    ] {
        let spec = json!({"modelName": model, "gpuType": "H100"});
        space.apply(&resource("LLMModel", name, spec)).await;
    }
    space
        .apply(&resource("LLMModel", "other", small(json!({}))))
        .await;
    wait_reason::<LLMModel>(&space, "house", "UnknownModel").await;
    wait_state::<LLMModel>(&space, "mini", "Ready").await;
    wait_state::<LLMModel>(&space, "other", "Ready").await;
    assert_eq!(
        argument(&space, "mini", "--max-model-len").await.as_deref(),
        Some("131072")
    );

    // It comes, and wakes who waits for it, also by its alias.
    say(json!({"chat-7b": HOUSE})).await;
    for name in ["house", "alias"] {
        let status = wait_state::<LLMModel>(&space, name, "Ready").await;
        assert_eq!(status["sizing"]["model"], "chat-7b");
        assert_eq!(status["sizing"]["source"], "hf://house/chat-7b");
    }
    let (house, mini, other) = (
        generation(&space, "house").await,
        generation(&space, "mini").await,
        generation(&space, "other").await,
    );

    // One field of a model that the operator brings; and an entry that nobody can read.
    say(
        json!({"chat-7b": HOUSE, "phi-4-mini": "defaultContext: 4096", "broken": "source: [", "empty": "{}"}),
    )
    .await;
    wait_status::<LLMModel>(&space, "mini", "shorter", |status| {
        status["sizing"]["contextLength"] == 4096 && status["state"] == "Ready"
    })
    .await;
    assert_eq!(
        argument(&space, "mini", "--max-model-len").await.as_deref(),
        Some("4096")
    );
    assert_ne!(generation(&space, "mini").await, mini);
    wait_state::<LLMModel>(&space, "house", "Ready").await;
    assert_eq!(generation(&space, "house").await, house, "nothing of it changed");
    assert_eq!(generation(&space, "other").await, other, "nothing of it changed");
    for words in ["broken", "empty"] {
        testkit::until(format!("the log tells of {words}"), PATIENCE, async || {
            let log = bed.operator.process.log();
            let told = |line: &str| {
                line.contains("WARN") && line.contains("llm-operator-models") && line.contains(words)
            };
            log.lines().any(told).then_some(())
        })
        .await
        .unwrap();
    }

    // All of it goes: who uses what was added goes on with what it has.
    let maps: Api<ConfigMap> = Api::namespaced(space.client.clone(), SYSTEM_NAMESPACE);
    maps.delete("llm-operator-models", &DeleteParams::default())
        .await
        .unwrap();
    let said = wait_reason::<LLMModel>(&space, "house", "UnknownModel").await;
    assert!(said.contains("chat-7b"), "{said}");
    let status = wait_status::<LLMModel>(&space, "house", "it serves", |status| {
        status["readyReplicas"] == 1
    })
    .await;
    assert_eq!(status["state"], "Blocked");
    assert_eq!(generation(&space, "house").await, house);
    wait_status::<LLMModel>(&space, "mini", "as before", |status| {
        status["sizing"]["contextLength"] == 131_072 && status["state"] == "Ready"
    })
    .await;
}

/// A model that no catalogue has is served from where its owner says, on as many GPUs.
#[tokio::test]
async fn a_source_is_enough_for_an_unknown_model() {
    let space = bed().await.space("source").await;
    let spec = json!({"modelName": "mine", "gpuType": "H100", "serving": {"source": "hf://me/mine"}});
    space.apply(&resource("LLMModel", "mine", spec)).await;
    let said = wait_reason::<LLMModel>(&space, "mine", "InvalidSpec").await;
    assert!(
        said.contains("set gpus") && said.contains("llm-operator-models"),
        "{said}"
    );
    crate::seen::edit(
        &space,
        "llmmodels.ai.example.com",
        "mine",
        json!({"serving": {"gpus": 2}}),
    )
    .await;
    let status = wait_state::<LLMModel>(&space, "mine", "Ready").await;
    assert_eq!(status["gpu"], "2 x H100");
    let deployment = space.api::<Deployment>().get("mine").await.unwrap();
    assert!(engine(&deployment)["args"].to_string().contains("me/mine"));
}
