//! Which Pods of a Deployment go first: Kubernetes takes those of the lowest deletion cost, once all are ready alike.
//!
//! In: the Pods, how much each holds, how many go. Out: the annotations to write, mostly none; and the writer. It must not touch a cost
//! that somebody else has set.

use diagnosis::facts::PodFacts;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use reconcile::{FIELD_MANAGER, apply::is_about_uid};

/// The annotation.
pub const ANNOTATION: &str = "controller.kubernetes.io/pod-deletion-cost";
/// The cost that marks a Pod which is to go; those without one count as 0.
pub const GOES: i32 = -1000;

/// An annotation to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostWrite {
    /// Namespace of the Pod.
    pub namespace: Box<str>,
    /// Name of the Pod.
    pub name: Box<str>,
    /// Its uid: another Pod of that name is not meant.
    pub uid: Box<str>,
    /// The cost; `None`: the annotation is removed.
    pub cost: Option<i32>,
}

/// What has to be written so that `go` Pods that hold least go first; nobody keeps a mark when none goes. `holds`: requests in a
/// Pod, by uid; one that does not tell is taken to hold most.
pub fn costs<'a>(
    pods: impl IntoIterator<Item = &'a PodFacts>,
    holds: impl Fn(&str) -> Option<f64>,
    go: usize,
) -> Vec<CostWrite> {
    let mut living: Vec<&PodFacts> = pods.into_iter().filter(|pod| !pod.deleting).collect();
    let marked = |pod: &PodFacts| pod.deletion_cost == Some(GOES);
    let load = |pod: &PodFacts| holds(&pod.uid).unwrap_or(f64::MAX);
    // Pods that are not ready go before any cost counts; those that are marked stay marked, whatever they hold by now.
    living.sort_by(|a, b| {
        let class = |pod: &PodFacts| (pod.ready, !marked(pod));
        let order = class(a).cmp(&class(b)).then_with(|| load(a).total_cmp(&load(b)));
        order.then_with(|| a.name.cmp(&b.name))
    });
    let write = |(place, pod): (usize, &&PodFacts)| {
        let wanted = (place < go && pod.ready).then_some(GOES);
        let theirs = pod.deletion_cost.is_some() && !marked(pod);
        (!theirs && wanted != pod.deletion_cost).then(|| CostWrite {
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
            uid: pod.uid.clone(),
            cost: wanted,
        })
    };
    living.iter().enumerate().filter_map(write).collect()
}

/// What writes costs.
pub trait CostWrites: Send + Sync + 'static {
    /// Writes one; a Pod that is gone is no error.
    fn write(&self, write: &CostWrite) -> impl Future<Output = Result<(), kube::Error>> + Send;
}

/// Writes costs to the cluster, as metadata of the Pods, one request each.
#[derive(Clone)]
pub struct CostWriter {
    client: Client,
}

impl std::fmt::Debug for CostWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CostWriter").finish_non_exhaustive()
    }
}

impl CostWriter {
    /// A writer that uses `client`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl CostWrites for CostWriter {
    async fn write(&self, write: &CostWrite) -> Result<(), kube::Error> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &write.namespace);
        let cost = write.cost.map(|cost| cost.to_string());
        let body = serde_json::json!({
            "metadata": {"uid": write.uid, "annotations": {ANNOTATION: cost}},
        });
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        match pods
            .patch_metadata(&write.name, &params, &Patch::Merge(&body))
            .await
        {
            // Gone, or another Pod has its name.
            Err(kube::Error::Api(status)) if status.code == 404 || is_about_uid(&status) => Ok(()),
            done => done.map(|_| ()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, ready: bool, cost: Option<i32>) -> PodFacts {
        PodFacts {
            namespace: "n".into(),
            name: name.into(),
            uid: name.into(),
            ready,
            deletion_cost: cost,
            ..PodFacts::default()
        }
    }

    /// By name: `a` holds 5, `b` 1, `c` 3, `d` tells nothing.
    fn written(pods: &[PodFacts], go: usize) -> Vec<(String, Option<i32>)> {
        let holds = |uid: &str| {
            [("a", 5.0), ("b", 1.0), ("c", 3.0)]
                .into_iter()
                .find(|(id, _)| *id == uid)
        };
        let writes = costs(pods, |uid| holds(uid).map(|(_, load)| load), go);
        writes
            .into_iter()
            .map(|write| (write.name.to_string(), write.cost))
            .collect()
    }

    #[test]
    fn those_that_hold_least_are_marked_and_nobody_else_is_written_to() {
        let pods = ["a", "b", "c", "d"].map(|name| pod(name, true, None));
        let marks = |names: &[&str]| -> Vec<_> {
            names
                .iter()
                .map(|name| ((*name).to_owned(), Some(GOES)))
                .collect()
        };
        assert_eq!(written(&pods, 0), []);
        assert_eq!(written(&pods, 1), marks(&["b"]));
        assert_eq!(written(&pods, 3), marks(&["b", "c", "a"]));
        assert_eq!(written(&pods, 9), marks(&["b", "c", "a", "d"]));
    }

    #[test]
    fn marks_stay_while_they_are_enough_and_go_when_nobody_goes() {
        let pods = [
            pod("a", true, Some(GOES)),
            pod("b", true, None),
            pod("c", true, None),
        ];
        assert_eq!(written(&pods, 1), [], "b holds less by now, but a is marked");
        assert_eq!(written(&pods, 2), [("b".to_owned(), Some(GOES))]);
        assert_eq!(written(&pods, 0), [("a".to_owned(), None)]);
    }

    #[test]
    fn pods_that_are_not_ready_go_without_a_mark_and_others_costs_are_theirs() {
        let pods = [
            pod("a", false, None),
            pod("b", true, Some(7)),
            pod("c", true, None),
        ];
        assert_eq!(written(&pods, 1), []);
        assert_eq!(written(&pods, 3), [("c".to_owned(), Some(GOES))]);
        let mut going = pod("b", true, Some(GOES));
        going.deleting = true;
        assert_eq!(written(&[going], 0), [], "it goes, whatever it costs");
    }
}
