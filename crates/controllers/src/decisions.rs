//! The numbers of replicas that were decided, as they stand in the statuses: what every replica of the operator tells autoscalers,
//! whether it leads or not.
//!
//! In: watches of its own on the kinds whose replicas follow the load. Out: a number per resource. It decides nothing.

use std::sync::Arc;

use api::{
    ai_example_com::v1::{LLMModel, ModelDeployment},
    llm_example_com::v1alpha1::LLMDeployment,
    nvidia_com::v1::DynamoGraphDeployment,
    premlabs_io::v1alpha1::AIDeployment,
};
use k8s_openapi::jiff::Timestamp;
use kube::{Client, Resource};
use reconcile::{CacheSpec, Metrics, RawObject, WatchCache, Watches, WorkQueue, cache::Namespaces};
use serde::Deserialize;
use tokio::sync::watch;

use crate::{
    families::{Families, Family},
    kinds::{
        AI_DEPLOYMENT_LABEL, AI_LLM_MODEL_LABEL, DYNAMO_GRAPH_DEPLOYMENT_LABEL, LLM_DEPLOYMENT_LABEL,
        MODEL_DEPLOYMENT_LABEL,
    },
};

/// A decided number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    /// Replicas that there should be.
    pub replicas: i32,
    /// When the number or its reason last changed.
    pub at: Timestamp,
}

/// See the module.
pub struct StatusDecisions {
    kinds: Vec<(&'static str, Arc<WatchCache<Option<Number>>>)>,
    any: watch::Receiver<bool>,
    _watches: Watches,
}

impl std::fmt::Debug for StatusDecisions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatusDecisions").finish_non_exhaustive()
    }
}

impl StatusDecisions {
    /// Starts to watch what these families have. Needs a tokio runtime.
    pub fn start(client: &Client, namespaces: Namespaces, families: Families) -> Self {
        // Nobody is woken, and what is cached here is counted where the leader caches it.
        let (queue, metrics) = (WorkQueue::new(), Metrics::new());
        let mut watches = Watches::new(client.clone(), namespaces, queue, metrics);
        let (found, any) = watch::channel(false);
        let found = Arc::new(found);
        let [llm, prem, ai] = [Family::Llm, Family::Prem, Family::Ai].map(|family| families.has(family));
        let kinds = vec![
            (
                LLM_DEPLOYMENT_LABEL,
                watches.part(llm).start(numbers::<LLMDeployment>(&found)),
            ),
            (
                AI_DEPLOYMENT_LABEL,
                watches.part(prem).start(numbers::<AIDeployment>(&found)),
            ),
            (
                AI_LLM_MODEL_LABEL,
                watches.part(ai).start(numbers::<LLMModel>(&found)),
            ),
            (
                MODEL_DEPLOYMENT_LABEL,
                watches.part(ai).start(numbers::<ModelDeployment>(&found)),
            ),
            (
                DYNAMO_GRAPH_DEPLOYMENT_LABEL,
                watches.part(ai).start(numbers::<DynamoGraphDeployment>(&found)),
            ),
        ];
        Self {
            kinds,
            any,
            _watches: watches,
        }
    }

    /// The number of one resource; `kind`: `<lower case kind>.<group>`.
    pub fn of(&self, namespace: &str, kind: &str, name: &str) -> Option<Number> {
        let (_, cache) = self.kinds.iter().find(|(label, _)| *label == kind)?;
        *cache.get(namespace, name)?
    }

    /// Whether there ever was a number.
    pub fn any(&self) -> watch::Receiver<bool> {
        self.any.clone()
    }

    /// All numbers of a namespace, with kind and name.
    pub fn all(&self, namespace: &str) -> Vec<(&'static str, String, Number)> {
        let mut found = Vec::new();
        for (kind, cache) in &self.kinds {
            let names = cache
                .names()
                .into_iter()
                .filter(|(there, _)| **there == *namespace);
            found.extend(names.filter_map(|(_, name)| {
                let number = self.of(namespace, kind, &name)?;
                Some((*kind, name.to_string(), number))
            }));
        }
        found
    }
}

fn numbers<K: Resource<DynamicType = ()>>(found: &Arc<watch::Sender<bool>>) -> CacheSpec<Option<Number>> {
    let found = found.clone();
    CacheSpec::raw::<K>(number).optional().on_change(move |change| {
        if change.new.is_some_and(Option::is_some) {
            found.send_if_modified(|found| !std::mem::replace(found, true));
        }
        Vec::new()
    })
}

/// Reads no more than the number: a status that cannot be read otherwise still tells it.
fn number(raw: &RawObject) -> Result<Option<Number>, serde_json::Error> {
    #[derive(Default, Deserialize)]
    struct Object {
        #[serde(default)]
        status: Option<Status>,
    }
    #[derive(Deserialize)]
    struct Status {
        scaling: Option<Scaling>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Scaling {
        desired_replicas: Option<i32>,
        decided_at: Option<Timestamp>,
    }
    let object: Object = serde_json::from_str(raw.json())?;
    let scaling = object.status.and_then(|status| status.scaling);
    Ok(scaling.and_then(|scaling| {
        Some(Number {
            replicas: scaling.desired_replicas?,
            at: scaling.decided_at?,
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_from_the_status_and_nothing_else() {
        let read = |status: &str| {
            let json = format!(
                r#"{{"metadata":{{"name":"a","namespace":"n"}},"spec":{{"replicas":9}},"status":{status}}}"#
            );
            number(&RawObject::new(&json).unwrap())
                .unwrap()
                .map(|number| number.replicas)
        };
        let decided = r#"{"scaling":{"desiredReplicas":3,"decidedAt":"2026-01-02T03:04:05Z","message":"m"}}"#;
        assert_eq!(read(decided), Some(3));
        for undecided in [
            "null",
            "{}",
            r#"{"scaling":{}}"#,
            r#"{"scaling":{"desiredReplicas":3}}"#,
        ] {
            assert_eq!(read(undecided), None, "{undecided}");
        }
    }
}
