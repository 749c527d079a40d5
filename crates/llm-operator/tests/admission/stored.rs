//! What is stored: defaults that a person can see, integers as quantities, empty blocks as nothing.

use api::llm_example_com::v1alpha1::{LLMDeployment, LLMModel};
use serde_json::{Value, json};

use crate::desk::{apply, create, deployment, desk, model};

/// Defaults are in the stored object, where `kubectl get -o yaml` shows them.
/// Promises: S2-8
#[tokio::test]
async fn defaults_are_visible() {
    let client = desk().await.cluster.admin_client().await.unwrap();
    let stored = create(&client, "LLMDeployment", "chat", &deployment(&json!({})))
        .await
        .unwrap();
    assert_eq!(
        stored.data["spec"],
        json!({"modelRef": "small", "replicas": 1, "port": 8080})
    );
    let stored = create(&client, "LLMModel", "small", &model(&json!({"gpu": {}})))
        .await
        .unwrap();
    assert_eq!(stored.data["spec"]["engine"], "generic");
    assert_eq!(
        stored.data["spec"]["gpu"],
        json!({"count": 1, "resourceName": "nvidia.com/gpu"})
    );
    let stored = create(&client, "LLMModel", "small", &model(&json!({})))
        .await
        .unwrap();
    assert_eq!(
        stored.data["spec"]["gpu"],
        Value::Null,
        "GPUs are never asked for by default"
    );
}

/// `cpu: 8` is as good as `cpu: "8"`; the operator reads both.
/// Promises: S2-4, S2-5
#[tokio::test]
async fn quantities_may_be_integers() {
    let client = desk().await.cluster.admin_client().await.unwrap();
    for (cpu, memory, size) in [
        (json!(8), json!(4_294_967_296_u64), json!(1_000_000)),
        (json!("500m"), json!("4Gi"), json!("1.5T")),
        (json!("+.5"), json!("80G"), json!("12e6")),
        (json!("0.1"), json!("1024Mi"), json!("1Ei")),
    ] {
        let spec = model(
            &json!({"resources": {"cpu": cpu, "memory": memory}, "storage": {"size": size}, "gpu": {"minMemory": memory}}),
        );
        let stored = create(&client, "LLMModel", "quantities", &spec)
            .await
            .unwrap_or_else(|status| panic!("{spec}: {}", status.message));
        assert_eq!(stored.data["spec"]["resources"]["cpu"], cpu);
        let model: LLMModel = stored.try_parse().unwrap();
        controllers::llm_model::parse::parse(&model.spec)
            .unwrap_or_else(|errors| panic!("{spec}: {errors:?}"));
    }
    let bare = create(&client, "LLMModel", "bare", &model(&json!({"resources": {}})))
        .await
        .unwrap();
    let bare: LLMModel = bare.try_parse().unwrap();
    let container = controllers::llm_model::parse::parse(&bare.spec)
        .unwrap()
        .container;
    assert_eq!((container.cpu, container.memory), (None, None));
}

/// A block that is opened and left empty means "not said", by whichever verb it arrives.
#[tokio::test]
async fn empty_blocks_mean_not_said() {
    let client = desk().await.cluster.admin_client().await.unwrap();
    for (kind, base) in [
        ("LLMModel", model(&json!({}))),
        ("LLMDeployment", deployment(&json!({}))),
    ] {
        let crd = api::crds()
            .into_iter()
            .find(|crd| crd.spec.names.kind == kind)
            .unwrap();
        let crd = serde_json::to_value(crd).unwrap();
        let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let mut with_nulls = base.clone();
        for (field, schema) in spec["properties"].as_object().unwrap() {
            // A choice cannot be null (crates/api/src/shared/definition.rs), and a required field must not.
            if base[field].is_null() && schema["enum"].is_null() {
                with_nulls[field] = Value::Null;
            }
        }
        let created = create(&client, kind, "nulls", &with_nulls)
            .await
            .unwrap_or_else(|status| panic!("{kind}: {}", status.message));
        let applied = apply(&client, kind, "nulls", &with_nulls)
            .await
            .unwrap_or_else(|status| panic!("{kind}: {}", status.message));
        let plain = create(&client, kind, "plain", &base).await.unwrap();
        for stored in [created, applied] {
            let mut said = stored.data["spec"].clone();
            said.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            assert_eq!(said, plain.data["spec"], "{kind}");
            match kind {
                "LLMModel" => drop(stored.try_parse::<LLMModel>().unwrap()),
                _ => drop(stored.try_parse::<LLMDeployment>().unwrap()),
            }
        }
    }
}

/// The documents' own YAML is accepted unchanged.
/// Promises: S2-9
#[tokio::test]
async fn the_examples_are_accepted() {
    let cluster = &desk().await.cluster;
    let folder = crate::common::root().join("examples/llm");
    let output = cluster
        .kubectl(&["apply", "--dry-run=server", "-f", folder.to_str().unwrap()])
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    for line in [
        "llmmodel.llm.example.com/gpt-small created",
        "llmdeployment.llm.example.com/chat-service created",
    ] {
        assert!(said.contains(line), "{said}");
    }
}
