//! Models by name: two lines of YAML each, and a promise that decides the number of replicas.
//!
//! In: the cluster. Out: what is applied, and what became of the promise, on the terminal.

use std::{fs, time::Duration};

use serde_json::Value;
use testkit::Cluster;

use super::{kubectl::kubectl, progress::Progress};

/// A model by its name, and one that has to make more output tokens per second than one replica can.
const YAML: &str = "\
apiVersion: ai.example.com/v1
kind: LLMModel
metadata: {name: phi-4-mini}
spec: {replicas: 1, gpuType: H100}
---
apiVersion: ai.example.com/v1
kind: ModelDeployment
metadata: {name: assistant}
spec: {model: qwen2.5-1.5b, sla: {maxLatency: 20ms, minThroughput: 20000}}
";
/// How long it may take until the promise is decided about and its replicas serve.
const LIMIT: Duration = Duration::from_mins(2);

/// Applies them, as a person would.
pub fn apply(cluster: &Cluster, progress: &Progress) -> Result<(), String> {
    let file = cluster.directory().join("by-name.yaml");
    fs::write(&file, YAML).map_err(|error| format!("{}: {error}", file.display()))?;
    progress.say("kubectl apply -f by-name.yaml: models of the catalogue by name; engine, GPUs and arguments follow from the name");
    print!("{YAML}");
    let file = file.to_string_lossy();
    print!("{}", kubectl(cluster, &["apply", "-f", &file])?);
    Ok(())
}

/// Waits until the autoscaler has carried out what the promise needs, and shows it.
pub async fn show_promise(cluster: &Cluster, progress: &Progress) -> Result<(), String> {
    let kept = testkit::until("the replicas that the promise needs", LIMIT, async || {
        let seen = json(cluster, &["get", "modeldeployment", "assistant"])?;
        let status = &seen["status"];
        let decided = status["scaling"]["desiredReplicas"].as_i64().unwrap_or_default();
        let by_metric = status["scaling"]["transport"] == "Metric";
        let ready = status["readyReplicas"].as_i64() == Some(decided);
        let autoscaler = json(cluster, &["get", "hpa", "assistant"])?;
        let followed = autoscaler["status"]["currentReplicas"].as_i64() == Some(decided);
        if decided > 1 && by_metric && ready && followed {
            Ok(status["scaling"]["message"]
                .as_str()
                .unwrap_or_default()
                .to_owned())
        } else {
            Err(format!("{} and {}", status["scaling"], autoscaler["status"]))
        }
    });
    let sentence = kept.await.map_err(|error| error.to_string())?;
    progress.say(&format!("assistant      {sentence}"));
    for what in [
        "llmmodels.ai.example.com,modeldeployments -o wide",
        "statefulset,hpa,pods -l llm-operator.io/name=assistant",
        "modeldeployment assistant -o jsonpath={.status.sizing.explanation}",
        "--raw /apis/external.metrics.k8s.io/v1beta1/namespaces/default/llm_operator_desired_replicas",
    ] {
        let args: Vec<&str> = ["get"].into_iter().chain(what.split(' ')).collect();
        println!("\n$ kubectl {}\n{}", args.join(" "), kubectl(cluster, &args)?);
    }
    Ok(())
}

fn json(cluster: &Cluster, args: &[&str]) -> Result<Value, String> {
    let args: Vec<&str> = args.iter().copied().chain(["-o", "json"]).collect();
    serde_json::from_str(&kubectl(cluster, &args)?).map_err(|error| error.to_string())
}
