//! What became of the prompts of an `NvidiaGpuLlm`.
//!
//! In: the cluster. Out: each prompt with its answer, on the terminal.

use std::time::Duration;

use serde_json::Value;
use testkit::Cluster;

use super::kubectl::kubectl;

/// How long the prompts may take.
const LIMIT: Duration = Duration::from_mins(1);

/// Waits until every prompt has an answer, and prints them.
pub async fn show(cluster: &Cluster, name: &str) -> Result<(), String> {
    let what = format!("the prompts of {name} to be answered");
    let answered = testkit::until(&what, LIMIT, async || {
        let output = kubectl(cluster, &["get", "nvidiagpullm", name, "-o", "json"])?;
        let resource: Value = serde_json::from_str(&output).map_err(|error| error.to_string())?;
        let prompts = resource["status"]["prompts"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let done = prompts.iter().all(|prompt| prompt["state"] == "Answered");
        if done && !prompts.is_empty() {
            Ok(prompts)
        } else {
            Err(resource["status"]["message"].to_string())
        }
    });
    let prompts = answered.await.map_err(|error| error.to_string())?;
    println!("$ kubectl get gpullm {name} -o yaml   # status.prompts");
    for prompt in prompts {
        let word = |field: &str| prompt[field].as_str().unwrap_or_default().to_owned();
        println!("{}", word("prompt"));
        println!(
            "  {} ({} s, {} tokens per second)",
            word("answer").trim(),
            word("durationSeconds"),
            word("tokensPerSecond")
        );
    }
    Ok(())
}
