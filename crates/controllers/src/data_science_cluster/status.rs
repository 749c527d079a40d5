//! From how it stands to the part of a cluster's status that is ours. Pure.
//!
//! The status is shared: what others have written stays as it is, to the letter.

use api::shared::State;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    MANAGED, REMOVED,
    cluster::{Asked, Cluster},
    component::Component,
    desired::surplus,
    judge::Standing,
    reasons::Reason,
};
use crate::llmd::reasons::Reason as LlmdReason;

/// Name of our condition, wherever the definition comes from.
const LLMD_READY: &str = "LlmdReady";
const PROVISIONED: &str = "ProvisioningSucceeded";
const COMPONENTS: &str = "ComponentsReady";
const READY: &str = "Ready";
/// Longest message that is told, in characters.
const MESSAGE: usize = 32_768;

/// The part of a status that is ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Conditions without times, in the order in which new ones are added.
    conditions: Vec<Value>,
    /// `components.llmd`.
    llmd: Value,
    /// Other fields.
    fields: Map<String, Value>,
}

/// What is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// For the status.
    pub part: Part,
    /// The word of state.
    pub word: State,
    /// Reason of `LlmdReady`.
    pub reason: String,
    /// Message of `LlmdReady`.
    pub message: String,
}

/// What to tell. `own` says that the definition is ours, and with it the whole status.
pub fn tell(cluster: &Cluster, component: Option<&Component>, standing: &Standing, own: bool) -> Told {
    let generation = cluster.generation();
    let (status, reason, message) = match standing {
        Standing::Told {
            status,
            reason,
            message,
        } => (status.as_str(), reason.as_str(), message.as_str()),
        Standing::Removed => (
            "False",
            Reason::Removed.as_str(),
            "Component ManagementState is set to Removed",
        ),
        Standing::Moving(reason, message) => ("False", reason.as_str(), message.as_str()),
        Standing::Obstacle { reason, message } => ("False", reason.as_str(), message.as_str()),
    };
    let mut llmd_ready = condition(LLMD_READY, status, reason, message, generation);
    if *standing == Standing::Removed {
        llmd_ready["severity"] = "Info".into();
    }
    let (conditions, fields) = if own {
        whole(cluster, standing, llmd_ready, status == "True")
    } else {
        (vec![llmd_ready], Map::new())
    };
    Told {
        part: Part {
            conditions,
            llmd: llmd(cluster, component, standing),
            fields,
        },
        word: word(status, reason),
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}

/// All conditions, and the fields beside them.
fn whole(
    cluster: &Cluster,
    standing: &Standing,
    llmd_ready: Value,
    ready: bool,
) -> (Vec<Value>, Map<String, Value>) {
    let generation = cluster.generation();
    let of = |type_, holds: bool, reason: Reason, message: &str| {
        let status = if holds { "True" } else { "False" };
        condition(type_, status, reason.as_str(), message, generation)
    };
    let provisioned = match standing {
        Standing::Obstacle { message, .. } => of(PROVISIONED, false, Reason::Error, message),
        _ => of(PROVISIONED, true, Reason::Provisioned, ""),
    };
    let components = match standing {
        Standing::Removed => {
            let mut none = of(COMPONENTS, true, Reason::NoManagedComponents, "");
            none["severity"] = "Info".into();
            none
        }
        Standing::Told { .. } if ready => of(COMPONENTS, true, Reason::Ready, ""),
        _ => of(
            COMPONENTS,
            false,
            Reason::NotReady,
            "Some components are not ready: llmd",
        ),
    };
    let unhappy = [&provisioned, &components]
        .into_iter()
        .find(|one| one["status"] != "True");
    let happy = match unhappy {
        None => of(READY, true, Reason::Ready, ""),
        Some(unhappy) => {
            let mut ready = unhappy.clone();
            ready["type"] = READY.into();
            ready
        }
    };
    let mut fields = Map::new();
    let phase = if unhappy.is_none() { "Ready" } else { "Not Ready" };
    fields.insert("phase".to_owned(), phase.into());
    if unhappy.is_none() {
        fields.insert("observedGeneration".to_owned(), generation.into());
    }
    (vec![happy, provisioned, components, llmd_ready], fields)
}

fn condition(type_: &str, status: &str, reason: &str, message: &str, generation: i64) -> Value {
    let message: String = message.chars().take(MESSAGE).collect();
    json!({"type": type_, "status": status, "reason": reason, "message": message, "observedGeneration": generation})
}

/// `components.llmd`.
fn llmd(cluster: &Cluster, component: Option<&Component>, standing: &Standing) -> Value {
    let state = match cluster.asked() {
        Asked::Managed(_) => MANAGED,
        Asked::Removed => REMOVED,
        // Nothing is touched, and nothing is known.
        Asked::Unusable(..) => return stored_llmd(cluster).cloned().unwrap_or(Value::Null),
    };
    let mut told = json!({"managementState": state});
    let concerns = matches!(
        standing,
        Standing::Told { .. } | Standing::Moving(Reason::NotObserved | Reason::Deleting, _)
    );
    if let Some(component) = component.filter(|one| concerns && !one.releases.is_empty()) {
        told["releases"] = component.releases.clone().into();
    }
    told
}

fn stored_llmd(cluster: &Cluster) -> Option<&Value> {
    cluster.status.get("components")?.get("llmd")
}

fn stored_conditions(status: &Map<String, Value>) -> &[Value] {
    status
        .get("conditions")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The word of state for a condition.
pub fn word(status: &str, reason: &str) -> State {
    let is = |reasons: &[LlmdReason]| reasons.iter().any(|one| one.as_str() == reason);
    let is_ours = |reasons: &[Reason]| reasons.iter().any(|one| one.as_str() == reason);
    if status == "True" {
        State::Ready
    } else if is_ours(&[Reason::Removed]) {
        State::Stopped
    } else if is_ours(&[Reason::Deleting]) || is(&[LlmdReason::Terminating]) {
        State::Terminating
    } else if is_ours(&[Reason::NotObserved])
        || is(&[
            LlmdReason::Progressing,
            LlmdReason::NotRendered,
            LlmdReason::NotListed,
            LlmdReason::DeploymentsNotReady,
        ])
    {
        State::Progressing
    } else if is_ours(&[Reason::InvalidSpec, Reason::UnknownManagementState])
        || is(&[LlmdReason::ValuesRefused, LlmdReason::ChartBroken])
    {
        State::Invalid
    } else {
        State::Blocked
    }
}

/// The word and the reason that the stored status tells.
pub fn told_before(cluster: &Cluster) -> Option<(State, String)> {
    let conditions = stored_conditions(&cluster.status);
    let ready = conditions.iter().find(|one| one["type"] == LLMD_READY)?;
    let reason = ready["reason"].as_str()?;
    Some((word(ready["status"].as_str()?, reason), reason.to_owned()))
}

impl Part {
    /// The part as one value, to compare.
    pub fn wanted(&self) -> Value {
        json!({"conditions": self.conditions, "llmd": self.llmd, "fields": self.fields})
    }

    /// The same part of a stored status.
    pub fn found(&self, status: &Map<String, Value>) -> Value {
        let conditions: Vec<Value> = self
            .conditions
            .iter()
            .map(|ours| {
                let stored = stored_conditions(status)
                    .iter()
                    .find(|one| one["type"] == ours["type"]);
                let mut stored = stored.cloned().unwrap_or(Value::Null);
                if let Some(fields) = stored.as_object_mut() {
                    fields.remove("lastTransitionTime");
                }
                stored
            })
            .collect();
        let llmd = status.get("components").and_then(|all| all.get("llmd"));
        let fields: Map<String, Value> = self
            .fields
            .keys()
            .filter_map(|field| Some((field.clone(), status.get(field)?.clone())))
            .collect();
        json!({"conditions": conditions, "llmd": llmd, "fields": fields})
    }

    /// The merge patch of the status that brings this part into `status` and keeps all else.
    pub fn patch(&self, status: &Map<String, Value>, now: Timestamp) -> Value {
        let mut patch = self.fields.clone();
        let conditions = self.merged(stored_conditions(status), now);
        if conditions != stored_conditions(status) {
            patch.insert("conditions".to_owned(), conditions.into());
        }
        let stored = status.get("components").and_then(|all| all.get("llmd"));
        let mut llmd = self.llmd.clone();
        if let (Some(Value::Object(surplus)), Some(llmd)) = (
            stored.and_then(|stored| surplus(&self.llmd, stored)),
            llmd.as_object_mut(),
        ) {
            llmd.extend(surplus);
        }
        if stored != Some(&self.llmd) && !llmd.is_null() {
            patch.insert("components".to_owned(), json!({"llmd": llmd}));
        }
        Value::Object(patch)
    }

    /// The list of conditions: ours in their places, those of others as they are.
    fn merged(&self, stored: &[Value], now: Timestamp) -> Vec<Value> {
        let dated = |ours: &Value, before: Option<&Value>| {
            let same = before.filter(|before| before["status"] == ours["status"]);
            let since = same.and_then(|before| before.get("lastTransitionTime")).cloned();
            let mut dated = ours.clone();
            dated["lastTransitionTime"] = since.unwrap_or_else(|| format!("{now:.0}").into());
            dated
        };
        let ours = |type_: &Value| self.conditions.iter().find(|one| one["type"] == *type_);
        let mut merged: Vec<Value> = stored
            .iter()
            .map(|stored| {
                ours(&stored["type"]).map_or_else(|| stored.clone(), |ours| dated(ours, Some(stored)))
            })
            .collect();
        for ours in &self.conditions {
            if stored.iter().all(|stored| stored["type"] != ours["type"]) {
                merged.push(dated(ours, None));
            }
        }
        merged
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
