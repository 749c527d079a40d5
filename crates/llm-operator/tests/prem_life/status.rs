//! prem-operator's three words and `errMsg`, and beside them our conditions, reasons and numbers.

use kube::ResourceExt;
use serde_json::{Value, json};

use crate::{
    common::bed,
    scene::{apply, generic, stored},
    seen::{condition, wait_error, wait_status, wait_word},
};

/// `NotReady` on the way, `Ready` with every number and condition; the columns of `kubectl get` say the same.
/// Promises: S4-7, S4-25
#[tokio::test]
async fn ready_says_everything() {
    let space = bed().await.space("ready").await;
    apply(&space, "small", generic(json!({"deployment": {"replicas": 2}}))).await;
    wait_status(&space, "small", "a first word", |status| status.status.is_some()).await;
    let status = wait_word(&space, "small", "Ready").await;
    let status = if status.ready_replicas == Some(2) {
        status
    } else {
        wait_status(&space, "small", "both serve", |status| {
            status.ready_replicas == Some(2)
        })
        .await
    };
    let told = (
        status.err_msg.as_deref(),
        status.reason.as_deref(),
        status.observed_generation,
    );
    assert_eq!(told, (None, Some("AllReplicasReady"), Some(1)));
    assert_eq!(status.state.map(api::shared::State::as_str), Some("Ready"));
    assert_eq!((status.desired_replicas, status.replicas), (Some(2), Some(2)));
    assert_eq!(
        status.selector.as_deref(),
        Some("mlcontroller.premlabs.io/ai-deployment=small")
    );
    assert_eq!(status.image.as_deref(), Some("your-registry/gpt-small:v1"));
    assert_eq!(
        status.url,
        Some(format!("http://small.{}.svc:8080", space.namespace))
    );
    assert_eq!(status.endpoints, ["http://small.example.com/"]);
    for type_ in ["Accepted", "Applied", "Ready"] {
        let found = condition(&status, type_);
        assert_eq!(
            (found.status.as_str(), found.observed_generation),
            ("True", Some(1)),
            "{found:?}"
        );
        assert!(!found.message.is_empty());
    }
    let (_, table) = space.kubectl(&["get", "aideployment", "small"]).await;
    let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..5], ["small", "generic", "2", "2", "Ready"], "{table}");
    space.wait_event("small", "AllReplicasReady").await;
}

/// Every mistake of the spec ends in `Failed` and one sentence with the field and the way out; nothing is made, and one
/// Warning tells it.
/// Promises: S4-25
#[tokio::test]
async fn failed_says_what_to_do() {
    let space = bed().await.space("failed").await;
    let cases: [(&str, Value, &[&str]); 6] = [
        (
            "engine",
            json!({"engine": {"name": "tgi"}}),
            &["unknown engine tgi", "use localai, vllm", "spec.engine.name"],
        ),
        (
            "gpu",
            json!({"deployment": {"resources": {"requests": {"nvidia.com/gpu": 1}}}}),
            &[
                "deployment requests Nvidia GPU but no accelerator is specified",
                "spec.deployment.accelerator",
            ],
        ),
        (
            "rocm",
            json!({"deployment": {"accelerator": {"interface": "ROCm"}}}),
            &["unsupported accelerator interface: ROCm"],
        ),
        (
            "label",
            json!({"deployment": {"labels": {"not a key": "x"}}}),
            &["spec.deployment.labels", "not a key"],
        ),
        (
            "model",
            json!({"models": [{"modelMapRef": {"name": "phi", "variant": "x"}}]}),
            &["AIModelMap phi does not exist"],
        ),
        (
            "vllm",
            json!({"engine": {"name": "vllm"}}),
            &["models not specified", "spec.models"],
        ),
    ];
    for (name, more, words) in cases {
        apply(&space, name, generic(more)).await;
        let status = wait_error(&space, name, words[0]).await;
        let told = status.err_msg.clone().unwrap();
        assert!(words.iter().all(|word| told.contains(word)), "{told}");
        assert_eq!(status.status.as_deref(), Some("Failed"), "{name}");
        assert_eq!(status.observed_generation, None, "{name}: not acted on");
        let accepted = condition(&status, "Accepted");
        assert_eq!(
            (accepted.status.as_str(), accepted.observed_generation),
            ("False", Some(1))
        );
        assert_eq!(accepted.message, told);
        assert_eq!(condition(&status, "Ready").status, "False");
        let made: Option<k8s_openapi::api::apps::v1::Deployment> = space.api().get_opt(name).await.unwrap();
        assert_eq!(made.map(|made| made.name_any()), None);
        let reason = status.reason.unwrap();
        testkit::until(
            format!("{name}: an event {reason}"),
            crate::common::PATIENCE,
            async || space.events(name).await.contains_key(&reason).then_some(()),
        )
        .await
        .unwrap();
        assert_eq!(space.events(name).await[&reason].len(), 1, "{name}");
    }
}

/// A spec that goes wrong does not take down what serves: `Failed` with the sentence, the Pods as before; the old spec
/// again, and all is as it was.
/// Promises: S4-25
#[tokio::test]
async fn a_wrong_edit_leaves_what_serves() {
    let space = bed().await.space("edit").await;
    apply(&space, "small", generic(json!({}))).await;
    wait_word(&space, "small", "Ready").await;
    let before = crate::scene::pods(&space, "small").await.remove(0).name_any();
    apply(
        &space,
        "small",
        generic(json!({"deployment": {"accelerator": {"interface": "OpenCL"}}})),
    )
    .await;
    let status = wait_error(&space, "small", "unsupported accelerator interface: OpenCL").await;
    assert_eq!(
        (status.status.as_deref(), status.ready_replicas),
        (Some("Failed"), Some(1))
    );
    assert_eq!(
        condition(&status, "Ready").status,
        "True",
        "what runs is told as it is"
    );
    assert_eq!(status.observed_generation, Some(1));
    apply(&space, "small", generic(json!({}))).await;
    let status = wait_word(&space, "small", "Ready").await;
    assert_eq!((status.err_msg, status.observed_generation), (None, Some(3)));
    assert_eq!(
        crate::scene::pods(&space, "small").await.remove(0).name_any(),
        before
    );
    assert_eq!(stored(&space, "small").await.metadata.generation, Some(3));
}
