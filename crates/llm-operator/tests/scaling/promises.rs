//! What is said of promises: reachable or not, observable or not, taken back, limited.

use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    autoscaling::v2::HorizontalPodAutoscaler,
};
use serde_json::{Value, json};

use crate::{
    bed,
    common::{PATIENCE, Space, repository_file},
    look::{Scaled, condition, spec},
};

const LLM_MODEL: &str = "llmmodels.ai.example.com";

/// The documents' promises are within reach of eight H100 in each node.
/// Promises: S3-10, S3-13, S3-15
#[tokio::test]
async fn the_documents_promises_are_within_reach() {
    let bed = bed().await;
    let definition = serde_json::to_string(&api::optional_crds()[0]).unwrap();
    bed.cluster.apply_yaml(&definition).await.unwrap();
    for (kind, file) in [
        ("modeldeployments.ai.example.com", "model-deployment"),
        ("dynamographdeployments.nvidia.com", "dynamo-graph-deployment"),
    ] {
        let space = bed.space("documents").await;
        let secret = [
            "create",
            "secret",
            "generic",
            "hf-token",
            "--from-literal=token=hf_test",
        ];
        assert!(space.kubectl(&secret).await.0);
        space
            .apply(&repository_file(&format!("examples/ai/{file}.yaml")))
            .await;
        let scaled = Scaled {
            space: &space,
            kind,
            name: "llama-3-70b",
        };
        let enough = |status: &Value| status["state"] == "Ready" && status["scaling"]["reason"] == "Enough";
        let status = scaled.wait("Ready and Enough", PATIENCE * 2, enough).await;
        assert_eq!(condition(&status, "ScalingActive")["status"], "True", "{status}");
        assert_eq!(
            status["scaling"]["desiredReplicas"], status["readyReplicas"],
            "{status}"
        );
    }
}

/// A step alone takes longer than what is promised: told, and not answered with the maximum.
#[tokio::test]
async fn what_no_number_of_replicas_reaches_is_told() {
    let space = bed().await.space("unreachable").await;
    let promise = json!({"timePerOutputToken": "1ms", "maxReplicas": 5});
    space
        .apply(&spec(
            "LLMModel",
            "chat",
            json!({"replicas": 2, "scaling": promise}),
        ))
        .await;
    let scaled = Scaled {
        space: &space,
        kind: LLM_MODEL,
        name: "chat",
    };
    let status = scaled.wait_decided("Unreachable", PATIENCE).await;
    assert_eq!(status["scaling"]["desiredReplicas"], 2, "{status}");
    let said = condition(&status, "ScalingActive")["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        said.contains("time per output token") && said.contains("ms"),
        "{said}"
    );
}

/// Engines that tell nothing keep the number that they have, and it is said.
#[tokio::test]
async fn engines_that_tell_nothing_keep_their_number() {
    let space = bed().await.space("silent").await;
    let scaling = json!({"timePerOutputToken": "100ms", "maxReplicas": 5});
    let model = |spec: Value| json!({"apiVersion": "llm.example.com/v1alpha1", "kind": "LLMModel", "metadata": {"name": "model"}, "spec": spec});
    space
        .apply(&model(json!({"modelName": "Small", "image": "your-registry/gpt-small:v1", "resources": {"cpu": "10m", "memory": "1Gi"}})).to_string())
        .await;
    let generic = json!({"apiVersion": "llm.example.com/v1alpha1", "kind": "LLMDeployment", "metadata": {"name": "generic"},
        "spec": {"modelRef": "model", "replicas": 2, "scaling": scaling}});
    space.apply(&generic.to_string()).await;
    let localai = json!({"apiVersion": "premlabs.io/v1alpha1", "kind": "AIDeployment", "metadata": {"name": "localai"}, "spec": {
        "engine": {"name": "localai"}, "models": [{"uri": "tinyllama"}], "deployment": {"replicas": 2}, "scaling": scaling}});
    space.apply(&localai.to_string()).await;
    for (kind, name) in [
        ("llmdeployments.llm.example.com", "generic"),
        ("aideployments.premlabs.io", "localai"),
    ] {
        let scaled = Scaled {
            space: &space,
            kind,
            name,
        };
        let status = scaled.wait_decided("NotObservable", PATIENCE).await;
        assert_eq!(status["scaling"]["desiredReplicas"], 2, "{status}");
        assert_eq!(
            condition(&status, "LatencyObservable")["status"],
            "False",
            "{status}"
        );
        assert_eq!(
            condition(&status, "LatencyObservable")["reason"],
            "NoMetrics",
            "{status}"
        );
        // Somebody who sets another number within the bounds is not told otherwise.
    }
}

/// A promise that is taken back takes the autoscaler with it, and the number is the spec's again.
#[tokio::test]
async fn a_promise_that_is_taken_back_leaves_nothing_behind() {
    let space = bed().await.space("back").await;
    let promise = json!({"outputTokensPerSecond": 40_000, "maxReplicas": 4});
    space
        .apply(&spec(
            "LLMModel",
            "chat",
            json!({"replicas": 1, "scaling": promise}),
        ))
        .await;
    let scaled = Scaled {
        space: &space,
        kind: LLM_MODEL,
        name: "chat",
    };
    // The throughput alone asks for more than one.
    let more = |status: &Value| {
        status["scaling"]["desiredReplicas"].as_i64() > Some(1) && status["state"] == "Ready"
    };
    scaled.wait("more than one", PATIENCE, more).await;
    space
        .wait("scaled", "chat", |one: &Deployment| {
            one.spec.as_ref().unwrap().replicas > Some(1)
        })
        .await;
    space
        .apply(&spec("LLMModel", "chat", json!({"replicas": 1})))
        .await;
    space.wait_gone::<HorizontalPodAutoscaler>("chat").await;
    space
        .wait("as its spec says", "chat", |one: &Deployment| {
            one.spec.as_ref().unwrap().replicas == Some(1)
        })
        .await;
    let status = scaled
        .wait("nothing of a promise", PATIENCE, |status| {
            status["scaling"].is_null()
        })
        .await;
    assert!(
        condition(&status, "ScalingActive").is_null() && condition(&status, "LatencyObservable").is_null(),
        "{status}"
    );
}

/// Zero replicas stop everything; the autoscaler goes, for it would start them again.
#[tokio::test]
async fn zero_replicas_stop() {
    let space = bed().await.space("zero").await;
    let promised = |replicas: i64| json!({"replicas": replicas, "sla": {"maxLatency": "100ms"}});
    space.apply(&spec("ModelDeployment", "chat", promised(1))).await;
    let scaled = Scaled {
        space: &space,
        kind: "modeldeployments.ai.example.com",
        name: "chat",
    };
    scaled.wait_decided("Enough", PATIENCE).await;
    space.apply(&spec("ModelDeployment", "chat", promised(0))).await;
    space.wait_gone::<HorizontalPodAutoscaler>("chat").await;
    let status = scaled
        .wait("Stopped", PATIENCE, |status| {
            status["state"] == "Stopped" && status["replicas"] == 0
        })
        .await;
    assert_eq!(
        condition(&status, "ScalingActive")["reason"],
        "Stopped",
        "{status}"
    );
    assert!(status["scaling"].is_null(), "{status}");
    space.apply(&spec("ModelDeployment", "chat", promised(2))).await;
    space
        .wait("back", "chat", |one: &StatefulSet| {
            one.status.as_ref().unwrap().ready_replicas == Some(2)
        })
        .await;
    assert!(scaled.autoscaler().await.is_some());
}

/// A lower most, and GPUs that do not exist, bound the number; the sentence names what does.
#[tokio::test]
async fn what_limits_is_named() {
    let space = bed().await.space("limits").await;
    let scaled = Scaled {
        space: &space,
        kind: LLM_MODEL,
        name: "chat",
    };
    let promised = |most: i64| {
        let scaling = json!({"outputTokensPerSecond": 100_000_000, "maxReplicas": most});
        spec(
            "LLMModel",
            "chat",
            json!({"replicas": 1, "gpuType": "A100", "serving": {"gpus": 1}, "scaling": scaling}),
        )
    };
    space.apply(&promised(6)).await;
    let limited = |words: &'static str| {
        move |status: &Value| {
            let active = condition(status, "ScalingActive");
            active["reason"] == "Limited" && active["message"].as_str().unwrap().contains(words)
        }
    };
    // The only node of this type has two.
    let status = scaled
        .wait(
            "free GPUs",
            PATIENCE,
            limited("free GPUs that exist are enough for 2"),
        )
        .await;
    assert_eq!(status["scaling"]["desiredReplicas"], 2, "{status}");
    space
        .wait("two", "chat", |one: &Deployment| {
            one.spec.as_ref().unwrap().replicas == Some(2)
        })
        .await;
    space.apply(&promised(1)).await;
    let status = scaled
        .wait("the most", PATIENCE, limited("the most is 1 replica"))
        .await;
    assert_eq!(status["scaling"]["desiredReplicas"], 1, "{status}");
    space
        .wait("one", "chat", |one: &Deployment| {
            one.spec.as_ref().unwrap().replicas == Some(1)
        })
        .await;
    two_quota(&space).await;
}

/// A quota that refuses Pods is a limit too.
async fn two_quota(space: &Space) {
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "gpus"}, "spec": {"hard": {"requests.nvidia.com/gpu": "2"}}});
    space.apply(&quota.to_string()).await;
    let scaling = json!({"outputTokensPerSecond": 100_000_000, "maxReplicas": 6});
    let resource = spec(
        "LLMModel",
        "quota",
        json!({"replicas": 1, "serving": {"gpus": 1}, "scaling": scaling}),
    );
    space.apply(&resource).await;
    let scaled = Scaled {
        space,
        kind: LLM_MODEL,
        name: "quota",
    };
    let wanted = |status: &Value| {
        let active = condition(status, "ScalingActive");
        active["reason"] == "Limited" && active["message"].as_str().unwrap().contains("exceeded quota")
    };
    let status = scaled.wait("quota", PATIENCE, wanted).await;
    assert_eq!(
        status["scaling"]["desiredReplicas"], 1,
        "one is held by the other resource: {status}"
    );
}
