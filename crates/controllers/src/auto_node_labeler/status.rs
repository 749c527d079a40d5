//! The status of a labeler: what a person sees. In: how it stands. Out: the status to store. Pure.

use std::fmt::Write as _;

use api::{
    premlabs_io::v1alpha1::{AutoNodeLabeler, AutoNodeLabelerStatus},
    shared::State,
};
use k8s_openapi::jiff::Timestamp;
use reconcile::{
    ApplyError,
    conditions::{self, Finding},
};

use super::{
    labeler::Refusal,
    manager::is_of_an_installation,
    reasons::Reason,
    survey::{Dispute, Holder, Survey},
};

/// How a labeler stands.
#[derive(Debug)]
pub enum Standing<'a> {
    /// It is not acted on; what it has set before goes, if that could be looked at.
    Refused(&'a Refusal, Option<&'a Survey>),
    /// Nothing is done, since something cannot be watched.
    Unwatched(Unseen),
    /// The labeler itself could not be written to.
    Unwritten(&'a ApplyError),
    /// Nodes were looked at.
    Seen(&'a Survey),
    /// It is being deleted.
    Going(&'a Survey),
}

/// What cannot be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unseen {
    /// Nodes.
    Nodes,
    /// The labelers: what others ask for is unknown.
    Labelers,
}

/// One condition that is not as it should be, with the word for all of it.
struct Obstacle {
    reason: &'static str,
    message: String,
    state: State,
}

/// The status that follows.
pub fn status(object: &AutoNodeLabeler, standing: &Standing<'_>, now: Timestamp) -> AutoNodeLabelerStatus {
    let stored = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or_default();
    let finding = |type_, status, reason: &str, message: String| Finding {
        type_,
        status: Some(status),
        reason: reason.to_owned(),
        message,
        observed_generation: generation,
    };
    let obstacle = obstacle(object, standing);
    let accepted = match standing {
        Standing::Refused(refusal, _) => {
            finding("Accepted", false, refused(refusal).as_str(), refusal.to_string())
        }
        _ => finding(
            "Accepted",
            true,
            Reason::Accepted.as_str(),
            "The spec can be used.".to_owned(),
        ),
    };
    let applied = match (standing, &obstacle) {
        (Standing::Refused(refusal, survey), _) => finding(
            "Applied",
            false,
            Reason::NotAccepted.as_str(),
            not_accepted(refusal, *survey),
        ),
        (_, Some(Obstacle { reason, message, .. })) => finding("Applied", false, reason, message.clone()),
        (_, None) => finding("Applied", true, Reason::Applied.as_str(), done(object, standing)),
    };
    let ready = match &obstacle {
        Some(Obstacle { reason, message, .. }) => finding("Ready", false, reason, message.clone()),
        None => finding("Ready", true, Reason::Ready.as_str(), applied.message.clone()),
    };
    let (matched, labeled) = match standing {
        Standing::Seen(survey) => (Some(count(survey.matched)), Some(count(survey.labeled))),
        Standing::Refused(Refusal::Unreadable(_), _) => (None, None),
        Standing::Refused(..) => (Some(0), Some(0)),
        _ => (stored.matched_nodes, stored.labeled_nodes),
    };
    AutoNodeLabelerStatus {
        observed_generation: if complete(standing) {
            Some(generation)
        } else {
            stored.observed_generation
        },
        state: Some(obstacle.as_ref().map_or(State::Ready, |obstacle| obstacle.state)),
        reason: Some(ready.reason.clone()),
        matched_nodes: matched,
        labeled_nodes: labeled,
        conditions: conditions::merge(&stored.conditions, &[accepted, applied, ready], now),
    }
}

/// Every step went to its end, whether or not all labels are as asked for.
fn complete(standing: &Standing<'_>) -> bool {
    matches!(standing, Standing::Seen(survey) if survey.missing == 0 && survey.left == 0)
}

fn refused(refusal: &Refusal) -> Reason {
    match refusal {
        Refusal::Unreadable(_) => Reason::Unreadable,
        Refusal::InvalidSpec(_) => Reason::InvalidSpec,
        Refusal::ProtectedLabel(_) => Reason::ProtectedLabel,
    }
}

/// What becomes of the labels of one that is refused.
fn not_accepted(refusal: &Refusal, survey: Option<&Survey>) -> String {
    if matches!(refusal, Refusal::Unreadable(_)) {
        return "Labels on nodes that nobody else asks for stay until it can be read.".to_owned();
    }
    let nothing = "No node is labelled until the spec is accepted";
    let Some(survey) = survey else {
        return format!("{nothing}; which nodes still carry its labels is not known.");
    };
    match survey.left + survey.held {
        0 => format!("{nothing}."),
        left => format!(
            "{nothing}; its labels are still on {}{}.",
            nodes(left),
            why(survey)
        ),
    }
}

/// Why labels are still there, to follow a count.
fn why(survey: &Survey) -> String {
    match &survey.trouble {
        Some(trouble) => format!(": {}", trouble.message.trim_end_matches('.')),
        None if survey.left == 0 && survey.held > 0 => {
            ": another AutoNodeLabeler cannot be read, and may ask for them".to_owned()
        }
        None => String::new(),
    }
}

fn obstacle(object: &AutoNodeLabeler, standing: &Standing<'_>) -> Option<Obstacle> {
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let told = |reason: &'static str, message: String, state| {
        Some(Obstacle {
            reason,
            message,
            state,
        })
    };
    match standing {
        Standing::Refused(refusal, _) => told(refused(refusal).as_str(), refusal.to_string(), State::Invalid),
        Standing::Unwatched(Unseen::Labelers) => told(
            Reason::LabelersUnwatched.as_str(),
            "The operator may not watch AutoNodeLabelers, or they are not served, so no node is touched; grant get, list and \
             watch on autonodelabelers in its ClusterRole."
                .to_owned(),
            State::Blocked,
        ),
        Standing::Unwatched(Unseen::Nodes) => told(
            Reason::NodesUnwatched.as_str(),
            "The operator may not watch Nodes, so none is labelled; grant get, list and watch on nodes in its ClusterRole."
                .to_owned(),
            State::Blocked,
        ),
        Standing::Unwritten(error) => {
            let state = if matches!(error, ApplyError::Retryable { .. }) {
                State::Progressing
            } else {
                State::Blocked
            };
            told(error.reason(), error.to_string(), state)
        }
        Standing::Going(survey) => told(Reason::Terminating.as_str(), going(survey), State::Terminating),
        Standing::Seen(survey) => seen(survey, namespace),
    }
}

fn seen(survey: &Survey, namespace: &str) -> Option<Obstacle> {
    let sentences: Vec<String> = [failures(survey)]
        .into_iter()
        .flatten()
        .chain(
            survey
                .overruled
                .iter()
                .map(|(key, dispute)| conflict(key, dispute, survey, namespace)),
        )
        .chain(
            survey
                .taken
                .iter()
                .map(|(key, dispute)| taken(key, dispute, survey)),
        )
        .collect();
    let (reason, state) = match &survey.trouble {
        Some(trouble) if trouble.passes => (trouble.reason, State::Progressing),
        Some(trouble) => (trouble.reason, State::Blocked),
        None if !survey.overruled.is_empty() => (Reason::LabelConflict.as_str(), State::Blocked),
        None if !survey.taken.is_empty() => (Reason::LabelTaken.as_str(), State::Blocked),
        None if survey.missing + survey.left > 0 => (Reason::Labeling.as_str(), State::Progressing),
        None => return None,
    };
    let message = if sentences.is_empty() {
        format!(
            "{} of {} nodes that match carry the labels.",
            survey.labeled, survey.matched
        )
    } else {
        sentences.join(" ")
    };
    Some(Obstacle {
        reason,
        message,
        state,
    })
}

fn failures(survey: &Survey) -> Option<String> {
    let trouble = survey.trouble.as_ref()?;
    Some(format!(
        "{} could not be labelled: {}.",
        nodes(survey.failed),
        trouble.message.trim_end_matches('.')
    ))
}

fn conflict(key: &str, dispute: &Dispute, survey: &Survey, namespace: &str) -> String {
    let holder = match &dispute.holder {
        Some(Holder::Labeler(name)) => name.told_in(namespace),
        _ => "another labeler".to_owned(),
    };
    format!(
        "{key} is not set on {} of {}: {holder} comes first and sets another value; ask for the same value, or delete one \
         of the two.",
        dispute.nodes,
        nodes_that_match(survey)
    )
}

fn taken(key: &str, dispute: &Dispute, survey: &Survey) -> String {
    let holder = match &dispute.holder {
        // Its name would tell a tenant of other people's namespaces.
        Some(Holder::Manager(manager)) if is_of_an_installation(manager) => {
            "another installation of this operator has".to_owned()
        }
        Some(Holder::Manager(manager)) => format!("{manager} has"),
        _ => "somebody else has".to_owned(),
    };
    format!(
        "{key} is not set on {} of {}: {holder} set another value, which is left as it is; remove it (kubectl label node {} \
         {key}-) or choose another key.",
        dispute.nodes,
        nodes_that_match(survey),
        dispute.node
    )
}

fn going(survey: &Survey) -> String {
    format!(
        "It goes when its labels are gone from {}{}.",
        nodes(survey.left + survey.held),
        why(survey)
    )
}

/// When nothing stands against it.
fn done(object: &AutoNodeLabeler, standing: &Standing<'_>) -> String {
    let Standing::Seen(survey) = standing else {
        return String::new();
    };
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let mut message = match survey.matched {
        0 => "No node matches; one that comes to match is labelled.".to_owned(),
        1 => "The one node that matches carries the labels.".to_owned(),
        several => format!("All {several} nodes that match carry the labels."),
    };
    for (key, loser) in &survey.overrules {
        let loser = capital(&loser.told_in(namespace));
        // Writing into a String cannot fail.
        let _ = write!(
            message,
            " {loser} asks for another value of {key}, which is not set."
        );
    }
    message
}

fn capital(words: &str) -> String {
    let mut rest = words.chars();
    rest.next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

fn nodes(count: u32) -> String {
    if count == 1 {
        "1 node".to_owned()
    } else {
        format!("{count} nodes")
    }
}

fn nodes_that_match(survey: &Survey) -> String {
    let verb = if survey.matched == 1 { "matches" } else { "match" };
    format!("{} that {verb}", nodes(survey.matched))
}

fn count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
