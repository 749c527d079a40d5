//! Pod Security levels: which engines' Pods a namespace takes, asked of the real API server, against the table of docs/security.md.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    bases::{Base, bases, containers, pods, rendered},
    common::{PATIENCE, Space, repository_file},
    scene::bed,
};

/// How the row of a base's engine begins.
fn row_of(base: &Base) -> String {
    let engine = |document: &Value| {
        document["spec"]["engine"]
            .as_str()
            .unwrap_or("generic")
            .to_owned()
    };
    let of = |document: &Value| match (document["apiVersion"].as_str()?, document["kind"].as_str()?) {
        ("llm.example.com/v1alpha1", "LLMModel") => Some(format!("| `{}` |", engine(document))),
        ("premlabs.io/v1alpha1", "AIDeployment") => {
            let name = document["spec"]["engine"]["name"].as_str()?;
            Some(format!("| `AIDeployment` with `{name}` |"))
        }
        ("infra.example.com/v1", _) => Some("| Ollama of an `NvidiaGpuLlm` |".to_owned()),
        ("ai.example.com/v1" | "nvidia.com/v1", _) => Some("| models by name".to_owned()),
        _ => None,
    };
    base.documents.iter().find_map(of).unwrap_or_default()
}

async fn enforce(space: &Space, level: &str) {
    let labels = json!({"metadata": {"labels": {
        "pod-security.kubernetes.io/enforce": level, "pod-security.kubernetes.io/enforce-version": "latest",
    }}});
    Api::<Namespace>::all(space.client.clone())
        .patch(&space.namespace, &PatchParams::default(), &Patch::Merge(&labels))
        .await
        .unwrap();
    // Admission knows namespaces by a watch, and so a moment late.
    let forbidden = json!({"spec": {"hostNetwork": true, "containers": [{"name": "a", "image": "a"}]}});
    testkit::until(format!("{level} is enforced"), PATIENCE, async || {
        let said = refusal(&space.client, &space.namespace, forbidden.clone()).await;
        said.filter(|said| said.contains(&format!("\"{level}:")))
            .map(drop)
    })
    .await
    .unwrap();
}

/// What the API server has against a Pod, without making it.
async fn refusal(client: &Client, namespace: &str, mut pod: Value) -> Option<String> {
    pod["metadata"] = json!({"name": "tried", "labels": pod["metadata"]["labels"]});
    // A StatefulSet adds the volumes of its claims itself.
    let mounts: Vec<Value> = containers(&pod)
        .iter()
        .flat_map(|container| container["volumeMounts"].as_array().cloned().unwrap_or_default())
        .map(|mount| mount["name"].clone())
        .collect();
    let mut volumes = pod["spec"]["volumes"].as_array().cloned().unwrap_or_default();
    for name in mounts {
        if !volumes.iter().any(|volume| volume["name"] == name) {
            volumes.push(json!({"name": name, "emptyDir": {}}));
        }
    }
    pod["spec"]["volumes"] = json!(volumes);
    let pod: Pod = serde_json::from_value(pod).unwrap();
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let answer = Api::namespaced(client.clone(), namespace)
        .create(&params, &pod)
        .await;
    match answer {
        Ok(_) => None,
        Err(kube::Error::Api(status)) if status.message.contains("violates PodSecurity") => {
            Some(status.message.clone())
        }
        Err(error) => panic!("{error}"),
    }
}

/// Every engine's Pods under `restricted` and `baseline`: as the table says, no more and no less.
/// Promises: S2-23
#[tokio::test]
async fn every_engine_passes_the_level_of_the_table() {
    let page = repository_file("docs/security.md");
    let (strict, loose) = (
        bed().await.space("strict").await,
        bed().await.space("loose").await,
    );
    enforce(&strict, "restricted").await;
    enforce(&loose, "baseline").await;
    let mut seen: BTreeMap<String, bool> = BTreeMap::new();
    for base in bases() {
        let row = row_of(&base);
        let told = page
            .lines()
            .find(|line| line.starts_with(&row))
            .unwrap_or_else(|| panic!("docs/security.md has no row {row}"));
        let told = told.trim_end_matches(['|', ' ']).rsplit(" | ").next().unwrap();
        let restricted = told.starts_with("yes");
        assert!(restricted || told.starts_with("no: "), "{row} {told}");
        // What a person's own template says is theirs.
        let own = base
            .documents
            .iter()
            .any(|document| document["spec"]["deployment"]["template"].is_object());
        for (name, pod) in pods(&rendered(&base.documents).unwrap().unwrap()) {
            let place = format!("{} {name}", base.file);
            let refused = refusal(&strict.client, &strict.namespace, pod.clone()).await;
            assert!(
                own || refused.is_none() == restricted,
                "{place}: {told}; {refused:?}"
            );
            let refused = refusal(&loose.client, &loose.namespace, pod).await;
            assert_eq!(refused, None, "{place} under baseline");
        }
        seen.insert(row, restricted);
    }
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| ") && (line.contains("| yes") || line.contains("| no: ")));
    assert_eq!(seen.len(), rows.count(), "every row has an example: {seen:?}");
}

/// What a tenant asks for in a resource is not more than the namespace takes: a privileged container, the host's network or its
/// files are refused where the namespace's level says so, and the status tells.
/// Promises: S2-23
#[tokio::test]
async fn a_template_reaches_no_further_than_its_namespace() {
    let space = bed().await.space("node").await;
    enforce(&space, "baseline").await;
    let server = |more: Value| {
        let mut server = json!({"name": "server", "image": "your-registry/gpt-small:v1"});
        for (key, value) in more.as_object().unwrap() {
            server[key] = value.clone();
        }
        json!([server])
    };
    let mounted = json!({"volumeMounts": [{"name": "node", "mountPath": "/node"}]});
    for (name, template) in [
        (
            "privileged",
            json!({"containers": server(json!({"securityContext": {"privileged": true}}))}),
        ),
        (
            "network",
            json!({"hostNetwork": true, "containers": server(json!({}))}),
        ),
        ("pids", json!({"hostPID": true, "containers": server(json!({}))})),
        (
            "files",
            json!({"containers": server(mounted), "volumes": [{"name": "node", "hostPath": {"path": "/"}}]}),
        ),
    ] {
        let object = json!({
            "apiVersion": "premlabs.io/v1alpha1", "kind": "AIDeployment", "metadata": {"name": name},
            "spec": {"engine": {"name": "generic"}, "endpoint": [{"domain": "a.example.com", "port": 8080}],
                "deployment": {"template": {"spec": template}}},
        });
        let (accepted, said) = space.try_apply(&object.to_string()).await;
        if !accepted {
            continue;
        }
        let refused = |object: &api::premlabs_io::v1alpha1::AIDeployment| {
            let status = object.status.as_ref();
            let reason = status.and_then(|status| status.reason.as_deref());
            reason.is_some_and(|reason| ["PodSecurityViolation", "Invalid", "InvalidSpec"].contains(&reason))
        };
        space.wait(&format!("is refused ({said})"), name, refused).await;
    }
}
