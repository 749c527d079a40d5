//! From a cluster and the `Llmd` that there is to what is done and what is told. Pure.

use api::opendatahub_io::datasciencecluster::v2::DataScienceCluster;
use kube::Resource as _;
use serde_json::json;

use super::{
    REMOVED,
    cluster::{Asked, Cluster},
    component::{Component, Owner},
    reasons::Reason,
};
use crate::llmd::NAME;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Rest,
    /// The `Llmd` is made as asked for.
    Apply,
    /// The `Llmd` is deleted.
    Delete,
}

/// How it stands with the component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As the `Llmd` says: status, reason and message of its `Ready`.
    Told {
        /// `True`, `False` or `Unknown`.
        status: String,
        /// Its reason.
        reason: String,
        /// Its message.
        message: String,
    },
    /// It is not deployed, and is not asked for.
    Removed,
    /// It is on its way out, or on its way in.
    Moving(Reason, String),
    /// Nothing can be done about it: why.
    Obstacle {
        /// Reason.
        reason: String,
        /// One sentence.
        message: String,
    },
}

impl Standing {
    /// Something that keeps us from doing what is asked for.
    pub fn obstacle(reason: Reason, message: String) -> Self {
        Self::Obstacle {
            reason: reason.as_str().to_owned(),
            message,
        }
    }
}

/// What is found.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The `Llmd`.
    pub component: Option<&'a Component>,
    /// A cluster that was there before this one, by name.
    pub elder: Option<&'a str>,
    /// Whether the `Llmd` is as asked for, if it is.
    pub in_line: bool,
}

/// What to do, and what to tell when that is done.
pub fn judge(found: &Found<'_>) -> (Step, Standing) {
    let Found {
        cluster,
        component,
        elder,
        in_line,
    } = *found;
    let rest = |standing| (Step::Rest, standing);
    let owned = component.filter(|component| component.owner(cluster) == Owner::Ours);
    if cluster.is_going() {
        // Kubernetes collects what it owns.
        return rest(match owned {
            Some(component) => removing(component),
            None => Standing::Moving(Reason::Deleting, "the cluster is being deleted".to_owned()),
        });
    }
    match cluster.asked() {
        Asked::Unusable(reason, message) => rest(Standing::obstacle(reason, message)),
        Asked::Removed => match owned {
            None => rest(Standing::Removed),
            Some(component) if component.is_going() => rest(removing(component)),
            Some(component) => (Step::Delete, removing(component)),
        },
        Asked::Managed(_) => {
            if let Some(elder) = elder {
                return rest(Standing::obstacle(
                    Reason::NotTheFirst,
                    not_the_first(cluster, elder),
                ));
            }
            let Some(component) = component else {
                return (Step::Apply, waiting());
            };
            match component.owner(cluster) {
                _ if component.is_going() => rest(going(component)),
                Owner::Predecessor => rest(going(component)),
                Owner::Other(whose) => rest(Standing::obstacle(Reason::LlmdTaken, taken(cluster, &whose))),
                Owner::Ours if in_line => rest(observed(component)),
                Owner::Ours => (Step::Apply, observed(component)),
            }
        }
    }
}

/// What an `Llmd` that is as asked for says of itself.
pub fn observed(component: &Component) -> Standing {
    component.verdict().map_or_else(waiting, |ready| Standing::Told {
        status: ready.status.clone(),
        reason: ready.reason.clone(),
        message: ready.message.clone(),
    })
}

fn waiting() -> Standing {
    Standing::Moving(
        Reason::NotObserved,
        format!("Llmd {NAME} is as asked for, and has not been looked at since"),
    )
}

fn going(component: &Component) -> Standing {
    Standing::Moving(
        Reason::Deleting,
        format!(
            "Llmd {NAME} is being deleted, and made anew when it is gone{}",
            words(component)
        ),
    )
}

fn removing(component: &Component) -> Standing {
    Standing::Moving(
        Reason::Deleting,
        format!(
            "Removing: Llmd {NAME} goes when its releases are uninstalled{}",
            words(component)
        ),
    )
}

/// What an `Llmd` that is being deleted says of it.
fn words(component: &Component) -> String {
    let said = component.ready.as_ref().filter(|_| component.is_going());
    said.map(|ready| format!(": {}", ready.message))
        .unwrap_or_default()
}

fn not_the_first(cluster: &Cluster, elder: &str) -> String {
    let name = cluster.name();
    format!(
        "DataScienceCluster {elder} was there before, and one cluster alone has the component; set it to {REMOVED} here, or delete {name} or {elder}"
    )
}

fn taken(cluster: &Cluster, whose: &str) -> String {
    let reference = json!({"metadata": {"ownerReferences": [{
        "apiVersion": DataScienceCluster::api_version(&()),
        "kind": DataScienceCluster::kind(&()),
        "name": cluster.name(),
        "uid": cluster.uid(),
    }]}});
    format!(
        "Llmd {NAME} {whose} and is left alone; delete it, or hand it over, which makes it as this cluster asks for: kubectl patch llmd {NAME} --type=merge -p '{reference}'"
    )
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
