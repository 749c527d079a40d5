//! How the tests look at whatever scales: by kind and name, as kubectl shows it.

use std::time::Duration;

use k8s_openapi::api::{apps::v1::Deployment, autoscaling::v2::HorizontalPodAutoscaler, core::v1::Pod};
use kube::{ResourceExt, api::ListParams};
use serde_json::Value;

use crate::{common::Space, load::ready};

/// A resource of any kind that scales.
pub struct Scaled<'a> {
    /// Where.
    pub space: &'a Space,
    /// Kind and group, as kubectl takes them.
    pub kind: &'a str,
    /// Name.
    pub name: &'a str,
}

impl Scaled<'_> {
    /// The whole resource.
    pub async fn json(&self) -> Value {
        let (worked, said) = self
            .space
            .kubectl(&["get", self.kind, self.name, "-o", "json"])
            .await;
        if worked {
            serde_json::from_str(&said).unwrap()
        } else {
            Value::Null
        }
    }

    /// Its status.
    pub async fn status(&self) -> Value {
        self.json().await["status"].take()
    }

    /// Waits until the status is as wanted.
    pub async fn wait(&self, what: &str, patience: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
        let what = format!("{} {}/{}: {what}", self.kind, self.space.namespace, self.name);
        testkit::until(what, patience, async || {
            let status = self.status().await;
            if wanted(&status) {
                Ok(status)
            } else {
                Err(status.to_string())
            }
        })
        .await
        .unwrap()
    }

    /// Waits for a decision with this reason, and returns the status.
    pub async fn wait_decided(&self, reason: &str, patience: Duration) -> Value {
        self.wait(reason, patience, |status| {
            condition(status, "ScalingActive")["reason"] == reason
        })
        .await
    }

    /// Names of its Pods that serve.
    pub async fn serving(&self, selector: &str) -> Vec<String> {
        let pods = self
            .space
            .api::<Pod>()
            .list(&ListParams::default().labels(selector))
            .await
            .unwrap();
        pods.items
            .iter()
            .filter(|pod| ready(pod))
            .map(ResourceExt::name_any)
            .collect()
    }

    /// Waits until so many replicas, as judged by `enough`, serve.
    pub async fn wait_serving(
        &self,
        selector: &str,
        patience: Duration,
        enough: impl Fn(usize) -> bool,
    ) -> Vec<String> {
        let what = format!("Pods of {} {}", self.kind, self.name);
        testkit::until(what, patience, async || {
            let serving = self.serving(selector).await;
            if enough(serving.len()) {
                return Ok(serving);
            }
            Err(format!("{serving:?}; {}", self.status().await["scaling"]))
        })
        .await
        .unwrap()
    }

    /// Its autoscaler, if there is one.
    pub async fn autoscaler(&self) -> Option<HorizontalPodAutoscaler> {
        self.space.api().get_opt(self.name).await.unwrap()
    }
}

/// A condition by type; null when it is missing.
pub fn condition(status: &Value, type_: &str) -> Value {
    let all = status["conditions"].as_array();
    let found = all.and_then(|all| all.iter().find(|condition| condition["type"] == type_));
    found.cloned().unwrap_or_default()
}

/// A resource of the smallest model on fast GPUs, with `more` in its spec.
pub fn spec(kind: &str, name: &str, more: Value) -> String {
    let model = if kind == "LLMModel" { "modelName" } else { "model" };
    let spec = crate::common::desk::with(
        serde_json::json!({model: "qwen2.5-0.5b", "gpuType": "H100"}),
        &more,
    );
    serde_json::json!({"apiVersion": "ai.example.com/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}).to_string()
}

/// The lowest number of replicas that a Deployment was told to have.
pub struct Lowest {
    stop: tokio_util::sync::CancellationToken,
    watching: tokio::task::JoinHandle<i32>,
}

impl Lowest {
    /// The lowest so far.
    pub async fn end(self) -> i32 {
        self.stop.cancel();
        self.watching.await.unwrap()
    }
}

/// Begins to look, every 50 ms.
pub fn lowest(space: &Space, name: &str) -> Lowest {
    let stop = tokio_util::sync::CancellationToken::new();
    let (api, name, stopped) = (space.api::<Deployment>(), name.to_owned(), stop.clone());
    let watching = tokio::spawn(async move {
        let mut lowest = i32::MAX;
        while !stopped.is_cancelled() {
            if let Ok(found) = api.get(&name).await {
                lowest = lowest.min(found.spec.and_then(|spec| spec.replicas).unwrap_or(1));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        lowest
    });
    Lowest { stop, watching }
}
