//! What `kubectl get` and `kubectl explain` show, and which words a status may use.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::{
    common::PATIENCE,
    desk::{api, apply, client, delete, desk, install, kubectl, try_kubectl},
};

async fn listed(args: &[&str]) -> Vec<Vec<String>> {
    let text = kubectl(args).await;
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
    text.lines().map(words).collect()
}

/// The columns answer what a person asks first; `-o wide` says why.
#[tokio::test]
async fn columns() {
    let client = client().await;
    apply(&client, "listed", &install(&json!({"model": "llama2:7b"})))
        .await
        .unwrap();
    let table = listed(&["get", "gpullm", "listed"]).await;
    assert_eq!(
        table[0],
        ["NAME", "ACTION", "MODEL", "PHASE", "POD", "GPU", "AGE"]
    );
    assert_eq!(table[1][..3], ["listed", "install", "llama2:7b"]);
    let status = json!({"status": {
        "phase": "Ready", "podName": "gpu-llm-pod", "gpuAssigned": true, "reason": "Ready", "message": "it-serves",
    }});
    api(&client)
        .patch_status("listed", &PatchParams::default(), &Patch::Merge(status))
        .await
        .unwrap();
    let table = listed(&["get", "nvidiagpullms", "listed", "-o", "wide"]).await;
    assert_eq!(table[0][7..], ["REASON", "MESSAGE"]);
    assert_eq!(table[1][3..6], ["Ready", "gpu-llm-pod", "true"]);
    assert_eq!(table[1][7..], ["Ready", "it-serves"]);
    let by_category = kubectl(&["get", "llm-operator"]).await;
    assert!(by_category.contains("listed"), "{by_category}");
    delete(&client, "listed").await;
}

/// The document's five phases and no other word; GPUs are assigned or not.
/// Promises: S0-20, S0-24
#[tokio::test]
async fn words_of_the_status() {
    let client = client().await;
    apply(&client, "phases", &install(&json!({}))).await.unwrap();
    let resources = api(&client);
    let say = async |status: Value| {
        let patch = Patch::Merge(json!({ "status": status }));
        resources
            .patch_status("phases", &PatchParams::default(), &patch)
            .await
    };
    for phase in ["Pending", "InProgress", "Ready", "Failed", "Terminating"] {
        let said = say(json!({ "phase": phase })).await.unwrap();
        assert_eq!(said.data["status"]["phase"], phase);
    }
    for wrong in [
        json!({"phase": "Running"}),
        json!({"phase": "ready"}),
        json!({"phase": ""}),
        json!({"gpuAssigned": "true"}),
        json!({"gpuAssigned": 1}),
        json!({"conditions": [{"type": "Ready"}]}),
    ] {
        let answer = say(wrong.clone()).await;
        assert!(answer.is_err(), "{wrong} was accepted");
    }
    delete(&client, "phases").await;
}

/// A status is written below `/status` only, and a spec not through it.
#[tokio::test]
async fn spec_and_status_are_apart() {
    let client = client().await;
    let mut resource = json!({"apiVersion": "infra.example.com/v1", "kind": "NvidiaGpuLlm"});
    resource["metadata"] = json!({"name": "apart"});
    resource["spec"] = install(&json!({}));
    resource["status"] = json!({"phase": "Ready"});
    let made = crate::desk::file("apart.json", &resource.to_string());
    kubectl(&["create", "-f", &made]).await;
    let resources = api(&client);
    assert_eq!(resources.get("apart").await.unwrap().data["status"], Value::Null);
    let patch = Patch::Merge(json!({"spec": {"gpuCount": 4}, "status": {"phase": "Pending"}}));
    resources
        .patch_status("apart", &PatchParams::default(), &patch)
        .await
        .unwrap();
    let stored = resources.get("apart").await.unwrap();
    assert_eq!(stored.data["spec"]["gpuCount"], 1);
    assert_eq!(stored.data["status"]["phase"], "Pending");
    assert_eq!(stored.metadata.generation, Some(1));
    delete(&client, "apart").await;
}

/// `kubectl explain` describes every field with its default.
#[tokio::test]
async fn explain_teaches() {
    desk().await;
    for (field, words) in [
        ("nvidiagpullms", "One Pod with Ollama and a model"),
        ("gpullm.spec.action", "`install` runs the model"),
        ("gpullm.spec.llmName", "Name of the Pod"),
        ("gpullm.spec.model", "Default: `tinyllama`"),
        ("gpullm.spec.gpuCount", "Default: 1"),
        ("gpullm.spec.memory", "Default: `4Gi`"),
        ("gpullm.spec.cpuCores", "Default: 2"),
        ("gpullm.spec.serviceEnabled", "Default: false"),
        ("gpullm.spec.servicePort", "Default: 11434"),
        ("gpullm.spec.prompts", "sent once"),
        ("gpullm.spec.persistentStorage", "Default: false"),
        ("gpullm.spec.storageSize", "Default: `10Gi`"),
        ("gpullm.spec.keepAlive", "Default: true"),
        ("gpullm.status.phase", "`InProgress`"),
        ("gpullm.status.gpuAssigned", "gave it the GPUs"),
        ("gpullm.status.prompts.answer", "ConfigMap"),
    ] {
        let flat = testkit::until(format!("kubectl explain {field}"), PATIENCE, async || {
            let (worked, text) = try_kubectl(&["explain", field]).await;
            let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
            if worked { Ok(flat) } else { Err(text) }
        });
        let flat = flat.await.unwrap();
        assert!(flat.contains(words), "{field}: {flat}");
    }
}
