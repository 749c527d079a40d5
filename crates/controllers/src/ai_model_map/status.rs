//! The status of a map: can it be referred to, is its ConfigMap as it should be, and who refers to it.
//!
//! In: how the steps before ended. Out: the status to store. Pure.

use std::fmt::Write as _;

use api::{
    premlabs_io::v1alpha1::{AIModelMap, AIModelMapStatus},
    shared::State,
};
use k8s_openapi::jiff::Timestamp;
use reconcile::{
    ApplyError,
    conditions::{self, Finding},
};
use serving::field_error::FieldError;

use super::plan;
use crate::reason::Reason;

/// [`ApplyError::reason`] of what the API server cannot take at the moment.
const PASSING: &str = "ApiUnavailable";

/// How the steps before this one ended.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// The fields that cannot be used, if any.
    pub accepted: Result<(), &'a [FieldError]>,
    /// How applying ended; `None` when the spec is not accepted.
    pub applied: Option<Result<(), &'a ApplyError>>,
    /// `AIDeployment`s that refer to the map.
    pub users: usize,
}

/// The status that follows.
pub fn status(map: &AIModelMap, outcome: &Outcome<'_>, now: Timestamp) -> AIModelMapStatus {
    let stored = map.status.clone().unwrap_or_default();
    let generation = map.metadata.generation.unwrap_or_default();
    let findings = [
        accepted(outcome.accepted, &plan::remarks(map), generation),
        applied(outcome.applied, generation),
    ];
    let done = findings.iter().all(|finding| finding.status == Some(true));
    AIModelMapStatus {
        observed_generation: if done {
            Some(generation)
        } else {
            stored.observed_generation
        },
        state: Some(match (outcome.accepted, outcome.applied) {
            (Err(_), _) => State::Invalid,
            // What the API server cannot take at the moment is tried again, and is nobody's to mend.
            (Ok(()), Some(Err(ApplyError::Retryable { .. }))) => stored.state.unwrap_or(State::Progressing),
            (Ok(()), Some(Err(_))) => State::Blocked,
            (Ok(()), _) => State::Ready,
        }),
        variants: Some(count(plan::variants(map))),
        used_by: Some(count(outcome.users)),
        conditions: conditions::merge(&stored.conditions, &findings, now),
    }
}

/// Where the files of a map are, for whoever mounts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// In the map's `ConfigMap`, as the map says.
    InConfigMap,
    /// In no `ConfigMap` of the map's: somebody else has the name, or it is refused.
    Nowhere,
    /// The map was made or edited just now.
    OnTheirWay,
}

/// Reads it off the status of a map of this generation.
pub fn files(status: Option<&AIModelMapStatus>, generation: i64) -> Files {
    let conditions = status.iter().flat_map(|status| &status.conditions);
    let mut applied = conditions.filter(|condition| condition.type_ == "Applied");
    let applied = applied.find(|condition| condition.observed_generation == Some(generation));
    match applied.map(|condition| (condition.status.as_str(), condition.reason.as_str())) {
        Some(("True", _)) => Files::InConfigMap,
        Some((_, PASSING)) | None => Files::OnTheirWay,
        Some(_) => Files::Nowhere,
    }
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn accepted(accepted: Result<(), &[FieldError]>, remarks: &[FieldError], generation: i64) -> Finding {
    match accepted {
        Ok(()) => {
            let mut message = "The spec is valid; an AIDeployment can refer to it.".to_owned();
            for remark in remarks {
                // Writing to a String cannot fail.
                let _ = write!(message, " spec.{remark}.");
            }
            finding("Accepted", true, Reason::Accepted.as_str(), message, generation)
        }
        Err(errors) => {
            let sentences: Vec<String> = errors.iter().map(|error| format!("spec.{error}")).collect();
            let message = sentences.join("; ");
            finding(
                "Accepted",
                false,
                Reason::InvalidSpec.as_str(),
                message,
                generation,
            )
        }
    }
}

fn applied(applied: Option<Result<(), &ApplyError>>, generation: i64) -> Finding {
    let (status, reason, message) = match applied {
        Some(Ok(())) => (
            true,
            Reason::Applied.as_str(),
            "The ConfigMap with the engines' configuration files is as asked for.".to_owned(),
        ),
        Some(Err(error)) => (false, error.reason(), error.to_string()),
        None => (
            false,
            Reason::NotAccepted.as_str(),
            "What was made before is left as it is until the spec is accepted.".to_owned(),
        ),
    };
    finding("Applied", status, reason, message, generation)
}

fn finding(type_: &'static str, status: bool, reason: &str, message: String, generation: i64) -> Finding {
    Finding {
        type_,
        status: Some(status),
        reason: reason.to_owned(),
        message,
        observed_generation: generation,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(stored: &serde_json::Value) -> AIModelMap {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "premlabs.io/v1alpha1", "kind": "AIModelMap",
            "metadata": {"name": "phi", "namespace": "n", "generation": 2},
            "spec": {"vllm": [{"variant": "a"}]}, "status": stored,
        }))
        .unwrap()
    }

    fn after(applied: Result<(), &ApplyError>) -> AIModelMapStatus {
        let outcome = Outcome {
            accepted: Ok(()),
            applied: Some(applied),
            users: 3,
        };
        let map = map(&serde_json::json!({"observedGeneration": 1, "state": "Ready"}));
        status(&map, &outcome, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_map_is_ready_when_its_config_map_is() {
        let status = after(Ok(()));
        assert_eq!(
            (status.state, status.observed_generation),
            (Some(State::Ready), Some(2))
        );
        assert_eq!((status.variants, status.used_by), (Some(1), Some(3)));
    }

    #[test]
    fn a_taken_name_blocks_and_passing_trouble_does_not() {
        let taken = ApplyError::NameTaken {
            kind: "ConfigMap".into(),
            name: "phi".into(),
            owner: "nobody".into(),
        };
        let status = after(Err(&taken));
        assert_eq!(
            (status.state, status.observed_generation),
            (Some(State::Blocked), Some(1))
        );
        assert_eq!(files(Some(&status), 2), Files::Nowhere);
        assert_eq!(files(Some(&after(Ok(()))), 2), Files::InConfigMap);
        assert_eq!(files(Some(&after(Ok(()))), 3), Files::OnTheirWay, "it was edited");
        assert_eq!(files(None, 1), Files::OnTheirWay);
        let busy = ApplyError::Retryable {
            kind: "ConfigMap".into(),
            name: "phi".into(),
            message: "too many requests".into(),
            retry_after: None,
        };
        assert_eq!(after(Err(&busy)).state, Some(State::Ready));
        assert_eq!(files(Some(&after(Err(&busy))), 2), Files::OnTheirWay);
    }

    #[test]
    fn what_is_wrong_is_told_by_field() {
        let errors = [FieldError::new("vllm[1].variant", "twice")];
        let outcome = Outcome {
            accepted: Err(&errors),
            applied: None,
            users: 0,
        };
        let status = status(&map(&serde_json::Value::Null), &outcome, Timestamp::UNIX_EPOCH);
        assert_eq!(
            (status.state, status.observed_generation),
            (Some(State::Invalid), None)
        );
        assert_eq!(status.conditions[0].message, "spec.vllm[1].variant: twice");
        assert_eq!(status.conditions[1].reason, "NotAccepted");
    }
}
