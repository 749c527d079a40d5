//! The Pods of the releases, and what keeps those that do not serve.
//!
//! In: workloads that lack replicas. Out: the diagnosis' sentence for each, the same that every other kind shows.

use std::sync::Arc;

use diagnosis::{Input, Surroundings, explain, facts::PodFacts};
use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::{Client, core::ApiResource};
use reconcile::{
    CacheSpec, Metrics, RawObject, WorkQueue,
    cache::{Followed, Followers},
};
use serde_json::Value;

use super::{PART_OF, objects::Serving, reconcile::key};
use crate::{caches::pods::BURST, workload::deployment_facts};

/// The Pods of the releases of one namespace.
pub struct ReleasePods {
    followers: Followers<PodFacts>,
}

impl ReleasePods {
    /// Follows nothing yet.
    pub fn new(client: Client, queue: WorkQueue, metrics: Metrics) -> Self {
        let describe = |resource: ApiResource| {
            CacheSpec::of(resource, |raw: &RawObject| {
                raw.decode::<Pod>().map(|pod| PodFacts::from(&pod))
            })
            .coalesce(BURST)
            .on_change(|change| {
                if change.old == change.new {
                    Vec::new()
                } else {
                    vec![key()]
                }
            })
        };
        Self {
            followers: Followers::new(client, queue, metrics, describe),
        }
    }

    /// Follows those of this namespace and no others.
    pub fn follow(&self, namespace: &str) {
        self.followers.follow(&[followed(namespace)]);
    }

    /// What the API server says to a watch of these that it forbids.
    pub fn forbidden(&self) -> Option<String> {
        self.followers.forbidden()
    }

    /// What keeps a workload's Pods from serving. None for kinds that the diagnosis does not know, and while the Pods are not listed.
    pub fn explain(
        &self,
        namespace: &str,
        workload: &Serving,
        object: &Value,
        around: &dyn Surroundings,
        now: Timestamp,
    ) -> Option<String> {
        if workload.kind != "Deployment" {
            return None;
        }
        let cache = self.followers.get(&followed(namespace))?;
        let mine = |pod: &Arc<PodFacts>| is_of_deployment(&pod.name, &workload.name);
        let pods: Vec<Arc<PodFacts>> = cache.list(Some(namespace)).into_iter().filter(mine).collect();
        let raw = RawObject::from_text(object.to_string()).ok()?;
        let facts = deployment_facts(&raw).ok()?;
        let explanation = explain(&Input {
            workload: Some(&facts),
            desired: i32::try_from(workload.desired).unwrap_or(i32::MAX),
            single: false,
            pods: &pods,
            need: None,
            around,
            now: Some(now),
        });
        (!explanation.serves).then_some(explanation.message)
    }
}

/// `<deployment>-<hash>-<suffix>`, both parts without a hyphen.
fn is_of_deployment(pod: &str, deployment: &str) -> bool {
    let rest = pod
        .strip_prefix(deployment)
        .and_then(|rest| rest.strip_prefix('-'));
    rest.is_some_and(|rest| rest.split('-').count() == 2)
}

fn followed(namespace: &str) -> Followed {
    Followed {
        resource: ApiResource::erase::<Pod>(&()),
        namespace: Some(namespace.to_owned()),
        labels: format!("{}={}", PART_OF.0, PART_OF.1),
        fields: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_told_from_those_of_a_longer_name() {
        assert!(is_of_deployment("m-decode-7c9f-x2x4q", "m-decode"));
        assert!(!is_of_deployment("m-decode-7c9f-x2x4q", "m"));
        assert!(!is_of_deployment("m-decode", "m-decode"));
    }
}
