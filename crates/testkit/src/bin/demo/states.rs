//! The resources that serve, while they come to it.
//!
//! In: the cluster. Out: a line for each change of state, and an end when all are Ready.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use testkit::Cluster;

use super::{kubectl::kubectl, progress::Progress};

const KINDS: &str = "llmdeployments,aideployments,nvidiagpullms,llmmodels.ai.example.com,modeldeployments";
/// How long the examples may take to serve.
const LIMIT: Duration = Duration::from_mins(5);

/// Prints each change of state until every example is Ready.
pub async fn wait_until_served(cluster: &Cluster, progress: &Progress) -> Result<(), String> {
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    let all_ready = testkit::until("the examples to serve", LIMIT, async || {
        let seen = states(cluster)?;
        for (name, (words, _)) in &seen {
            if told.get(name) != Some(words) {
                progress.say(&format!("{name:<14} {words}"));
                told.insert(name.clone(), words.clone());
            }
        }
        let waiting: Vec<&str> = seen
            .iter()
            .filter(|(_, (_, ready))| !ready)
            .map(|(name, _)| name.as_str())
            .collect();
        if !seen.is_empty() && waiting.is_empty() {
            Ok(())
        } else {
            Err(format!("{} not ready", waiting.join(", ")))
        }
    });
    all_ready.await.map_err(|error| error.to_string())
}

/// Words and readiness of every resource that serves.
fn states(cluster: &Cluster) -> Result<BTreeMap<String, (String, bool)>, String> {
    let output = kubectl(cluster, &["get", KINDS, "-A", "-o", "json"])?;
    let list: Value = serde_json::from_str(&output).map_err(|error| error.to_string())?;
    let items = list["items"].as_array().cloned().unwrap_or_default();
    Ok(items.iter().map(state).collect())
}

fn state(resource: &Value) -> (String, (String, bool)) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let status = &resource["status"];
    let state = text(&status["state"]);
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready");
    let message = ready.map(|ready| text(&ready["message"])).unwrap_or_default();
    let is_ready = state == "Ready";
    (
        text(&resource["metadata"]["name"]),
        (format!("{state:<12} {message}"), is_ready),
    )
}
