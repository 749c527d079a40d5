//! A resource whose replicas follow the load, as the loop sees it.
//!
//! In: its plan, and what is expected of its model. Out: everything that the loop has to know of it. It must not know its kind.

use std::{sync::Arc, time::Duration};

use api::shared::ScalingStatus;
use autoscale::{Config, Targets, decide::DEFAULT_RISK};
use diagnosis::GpuNeed;
use engine_metrics::Engine;
use reconcile::ObjectKey;
use serving::plan::{Promise, ScalingPlan, ServingPlan, Workload};

use super::Expectation;
use crate::{serving_kind::observe::gpu_need, workload::WorkloadKind};

/// How long a decision takes at most until somebody acts on it: the period of the `HorizontalPodAutoscaler` controller.
const LEAD: Duration = Duration::from_secs(15);

/// Triton's port for metrics; the others export them on the port that they serve on.
const TRITON_PORT: u16 = 8002;

/// Where the Pods export metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsSource {
    /// Port of each Pod.
    pub port: u16,
    /// Path.
    pub path: Arc<str>,
    /// The engine; `None` when its metrics have to tell.
    pub engine: Option<Engine>,
}

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The resource; woken when its status has to change.
    pub key: ObjectKey,
    /// `<lower case kind>.<group>`, as in [`diagnosis::facts::Owner::kind`].
    pub owner: &'static str,
    /// What makes its Pods.
    pub made_by: WorkloadKind,
    /// The name of that.
    pub workload: Arc<str>,
    /// What was promised, and how many replicas there may be.
    pub plan: ScalingPlan,
    /// What is expected of its model on its GPUs.
    pub expectation: Expectation,
    /// GPUs of one replica.
    pub need: Option<GpuNeed>,
    /// Keys of taints that its Pods tolerate; an empty one tolerates all.
    pub tolerated: Vec<String>,
    /// Where its metrics are; `None`: there are none.
    pub metrics: Option<MetricsSource>,
    /// The word by which somebody last asked for replicas; see [`super::wake`].
    pub wake: Option<String>,
    /// What its status says now: decisions go on from there after a restart.
    pub stored: Option<ScalingStatus>,
}

impl Subject {
    /// The subject of a plan; `None` when nothing scales. `gpu_field`: where the number of GPUs stands.
    pub fn of(
        key: ObjectKey,
        owner: &'static str,
        plan: &ServingPlan,
        gpu_field: &str,
        expectation: Expectation,
        stored: Option<ScalingStatus>,
        wake: Option<String>,
    ) -> Option<Self> {
        let scaling = plan.scaling.filter(ScalingPlan::active)?;
        let made_by = match plan.workload {
            Workload::Deployment(_) => WorkloadKind::Deployment,
            Workload::StatefulSet(_) => WorkloadKind::StatefulSet,
            Workload::Pod { .. } => return None,
        };
        let tolerations = plan.pod.placement.tolerations.iter();
        Some(Self {
            key,
            owner,
            made_by,
            workload: plan.name.as_str().into(),
            plan: scaling,
            expectation,
            need: plan.gpu.as_ref().map(|gpu| gpu_need(gpu, gpu_field)),
            tolerated: tolerations
                .map(|toleration| toleration.key.clone().unwrap_or_default())
                .collect(),
            metrics: metrics(plan),
            wake,
            stored,
        })
    }

    /// Whether the Pods that go are chosen by cost: a Deployment's. Of a StatefulSet the highest number goes.
    pub fn by_cost(&self) -> bool {
        self.made_by == WorkloadKind::Deployment
    }

    /// What its planner is told. Another config needs another planner.
    ///
    /// How long a start takes was measured before a restart too: the status says it.
    pub fn config(&self) -> Config {
        let measured = self
            .stored
            .as_ref()
            .and_then(|stored| stored.startup_time.as_deref());
        let measured = measured.and_then(|text| text.strip_suffix('s')?.parse().ok());
        Config {
            targets: targets(&self.plan.promise),
            expected: self.expectation.expected,
            startup: measured.map_or(self.expectation.startup, Duration::from_secs),
            lead: LEAD,
            risk: DEFAULT_RISK,
        }
    }
}

fn targets(promise: &Promise) -> Targets {
    let tokens = promise.output_tokens_per_second;
    Targets {
        ttft: promise.time_to_first_token,
        per_token: promise.time_per_output_token,
        throughput: tokens.map(|tokens| f64::from(u32::try_from(tokens).unwrap_or(u32::MAX))),
        attainment: f64::from(promise.attainment_ppm) / 1e6,
    }
}

/// Where the engine exports its own metrics.
fn metrics(plan: &ServingPlan) -> Option<MetricsSource> {
    let engine = engine(plan.labels.get("app.kubernetes.io/name")?)?;
    let declared = plan.pod.engine.ports.first();
    Some(MetricsSource {
        port: match engine {
            Engine::Triton => TRITON_PORT,
            // prem-operator's form declares no port of its container; its Service has the container's number.
            _ => declared.map_or(plan.service.port, |port| port.number),
        },
        path: engine.path()?.into(),
        engine: Some(engine),
    })
}

/// The engine by the word of the label; `None` when nothing is known of its metrics.
fn engine(word: &str) -> Option<Engine> {
    Some(match word {
        "vllm" => Engine::Vllm,
        "sglang" => Engine::Sglang,
        "tgi" => Engine::Tgi,
        "tensorrt-llm" => Engine::TensorRtLlm,
        "llama.cpp" | "llamacpp" => Engine::LlamaCpp,
        "triton" => Engine::Triton,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use api::llm_example_com::v1alpha1::{LLMDeployment, LLMModel};
    use serde_json::json;

    use super::*;
    use crate::llm_deployment::{accept::plan, validate::Referents};

    #[test]
    fn promises_become_targets() {
        let promise = Promise {
            time_to_first_token: Some(Duration::from_secs(1)),
            time_per_output_token: Some(Duration::from_millis(50)),
            output_tokens_per_second: Some(4000),
            attainment_ppm: 990_000,
        };
        let targets = targets(&promise);
        assert_eq!(targets.ttft, promise.time_to_first_token);
        assert_eq!(targets.per_token, promise.time_per_output_token);
        assert_eq!(targets.throughput, Some(4000.0));
        assert!((targets.attainment - 0.99).abs() < 1e-12);
    }

    #[test]
    fn metrics_are_where_the_engine_listens_with_and_without_a_declared_port() {
        let model: LLMModel = serde_json::from_value(json!({
            "apiVersion": "llm.example.com/v1alpha1", "kind": "LLMModel", "metadata": {"name": "m", "namespace": "n"},
            "spec": {"modelName": "m", "image": "vllm/vllm-openai:v0.33.0", "engine": "vllm", "source": {"uri": "hf://a/b"}, "port": 9000},
        }))
        .unwrap();
        let deployment: LLMDeployment = serde_json::from_value(json!({
            "apiVersion": "llm.example.com/v1alpha1", "kind": "LLMDeployment",
            "metadata": {"name": "d", "namespace": "n", "uid": "1"}, "spec": {"modelRef": "m", "replicas": 1},
        }))
        .unwrap();
        let mut plan = plan(&deployment, &model, Referents::default()).unwrap();
        let port = |plan: &ServingPlan| metrics(plan).map(|source| source.port);
        assert_eq!(port(&plan), Some(9000));
        plan.pod.engine.ports.clear();
        assert_eq!(port(&plan), Some(plan.service.port));
    }

    #[test]
    fn engines_without_metrics_are_not_asked() {
        assert_eq!(engine("vllm"), Some(Engine::Vllm));
        for word in ["ollama", "localai", "deepspeed-mii", "generic", ""] {
            assert_eq!(engine(word), None, "{word}");
        }
    }
}
