//! With a cluster: what `render` prints of the live resources is what `run` has applied.

use kube::{
    Api,
    api::DynamicObject,
    core::{ApiResource, GroupVersionKind},
};
use serde_json::Value;

use crate::{
    call::call,
    common::{PATIENCE, bed, repository_file},
};

const APPLIED_HASH: &str = "llm-operator.io/applied-hash";

/// Resources whose objects touch every builder: claims made and found, GPUs, loaders, peers, budgets.
const MORE: &str = r#"
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: weights}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 10Gi}}
---
apiVersion: llm.example.com/v1alpha1
kind: LLMModel
metadata: {name: everything}
spec:
  modelName: org/everything
  image: your-registry/gpt-small:v1
  resources: {cpu: 500m, memory: 1073741824}
  source: {uri: "https://example.com/weights/model.gguf", credentialsSecret: token}
  storage: {existingClaim: weights, mountPath: /weights}
  env: [{name: A, value: "1"}, {name: B, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
  envFrom: [{configMapRef: {name: settings, optional: true}}]
  port: 9000
  probes: {readiness: {httpGet: {path: /health, port: http}, periodSeconds: 3}}
  securityContext: {readOnlyRootFilesystem: true}
  podSecurityContext: {supplementalGroups: [2000]}
  imagePullSecrets: [{name: registry}]
  imagePullPolicy: IfNotPresent
---
apiVersion: llm.example.com/v1alpha1
kind: LLMDeployment
metadata: {name: everything}
spec:
  modelRef: everything
  replicas: 3
  strategy: {maxSurge: 0, maxUnavailable: 50%}
  nodeSelector: {kubernetes.io/os: linux}
  tolerations: [{key: team, operator: Equal, value: a, effect: NoSchedule}]
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]
  service: {type: NodePort, annotations: {example.com/a: b}, labels: {team: a}}
  disruptionBudget: {minAvailable: 2}
  access: {from: [{podSelector: {matchLabels: {app: client}}}, {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]}
  podLabels: {team: a}
  podAnnotations: {example.com/note: "x y"}
  priorityClassName: system-cluster-critical
  terminationGracePeriodSeconds: 5
"#;

/// The rendering of the live resources, field by field and by its hash, is what the operator has applied.
#[tokio::test]
async fn what_is_printed_is_what_is_applied() {
    let space = bed().await.space("rendered").await;
    for file in [
        "model",
        "deployment",
        "ollama-tinyllama",
        "vllm-qwen-72b",
        "vllm-qwen-7b",
    ] {
        space
            .apply(&repository_file(&format!("examples/llm/{file}.yaml")))
            .await;
    }
    space.apply(MORE).await;
    let kinds = "llmmodels.llm.example.com,llmdeployments.llm.example.com,persistentvolumeclaims";
    let (worked, resources) = space.kubectl(&["get", kinds, "-o", "yaml"]).await;
    assert!(worked, "{resources}");
    let rendered = call(&["render", "-f", "-"], &resources).documents();
    let kinds: std::collections::BTreeSet<&str> = rendered
        .iter()
        .map(|object| object["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds.len(), 5, "every kind of child: {kinds:?}");
    assert!(rendered.len() >= 18, "{}", rendered.len());
    for object in rendered {
        let api = api_of(&space, &object);
        let name = object["metadata"]["name"].as_str().unwrap();
        let what = format!("{} {name} is as rendered", object["kind"]);
        testkit::until(what, PATIENCE, async || {
            let live = api.get(name).await.map_err(|error| error.to_string())?;
            let live = serde_json::to_value(live).unwrap();
            let hash = |object: &Value| object["metadata"]["annotations"][APPLIED_HASH].clone();
            if hash(&live) != hash(&object) {
                return Err(format!("applied {}, rendered {}", hash(&live), hash(&object)));
            }
            let differing = missing("", &object, &live);
            if differing.is_empty() {
                Ok(())
            } else {
                Err(differing.join("\n"))
            }
        })
        .await
        .unwrap();
    }
}

fn api_of(space: &crate::common::Space, object: &Value) -> Api<DynamicObject> {
    let api_version = object["apiVersion"].as_str().unwrap();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let kind = GroupVersionKind::gvk(group, version, object["kind"].as_str().unwrap());
    Api::namespaced_with(
        space.client.clone(),
        &space.namespace,
        &ApiResource::from_gvk(&kind),
    )
}

/// Fields of `wanted` that `live` does not have, or has otherwise.
fn missing(path: &str, wanted: &Value, live: &Value) -> Vec<String> {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => wanted
            .iter()
            .flat_map(|(key, value)| {
                missing(
                    &format!("{path}.{key}"),
                    value,
                    live.get(key).unwrap_or(&Value::Null),
                )
            })
            .collect(),
        (Value::Array(wanted), Value::Array(live)) if wanted.len() == live.len() => wanted
            .iter()
            .zip(live)
            .enumerate()
            .flat_map(|(index, (wanted, live))| missing(&format!("{path}[{index}]"), wanted, live))
            .collect(),
        _ if wanted == live => Vec::new(),
        _ => vec![format!("{path}: rendered {wanted}, live {live}")],
    }
}
