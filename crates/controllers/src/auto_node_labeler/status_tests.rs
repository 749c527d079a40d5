//! Tests of the status: the words that a person reads.

use std::sync::Arc;

use super::*;
use crate::auto_node_labeler::{board::Trouble, survey::Name};

fn labeler() -> AutoNodeLabeler {
    serde_json::from_value(serde_json::json!({
        "apiVersion": "premlabs.io/v1alpha1", "kind": "AutoNodeLabeler",
        "metadata": {"name": "l", "namespace": "n", "generation": 3},
        "spec": {"matchExpression": {"key": "k", "operator": "Exists"}, "labels": {"tier": "gold"}},
        "status": {"observedGeneration": 2},
    }))
    .unwrap()
}

fn told(standing: &Standing<'_>) -> (State, String, String, Option<i64>) {
    let status = status(&labeler(), standing, Timestamp::UNIX_EPOCH);
    let ready = status.conditions.iter().find(|one| one.type_ == "Ready").unwrap();
    (
        status.state.unwrap(),
        status.reason.clone().unwrap(),
        ready.message.clone(),
        status.observed_generation,
    )
}

fn dispute(holder: Option<Holder>) -> Dispute {
    Dispute {
        nodes: 2,
        node: "gpu-0".into(),
        holder,
    }
}

#[test]
fn all_is_well() {
    let survey = Survey {
        matched: 3,
        labeled: 3,
        ..Survey::default()
    };
    let (state, reason, message, observed) = told(&Standing::Seen(&survey));
    assert_eq!(
        (state, reason.as_str(), observed),
        (State::Ready, "Ready", Some(3))
    );
    assert_eq!(message, "All 3 nodes that match carry the labels.");
    let (state, _, message, _) = told(&Standing::Seen(&Survey::default()));
    assert!(
        state == State::Ready && message.starts_with("No node matches"),
        "{message}"
    );
}

#[test]
fn a_conflict_names_key_count_and_winner_but_no_names_of_others() {
    let winner = |namespace: &str| {
        Holder::Labeler(Name {
            namespace: namespace.into(),
            name: "first".into(),
        })
    };
    for (namespace, expected, hidden) in [
        ("n", "AutoNodeLabeler first comes first", "another namespace"),
        (
            "other",
            "a labeler in another namespace comes first",
            "AutoNodeLabeler",
        ),
    ] {
        let survey = Survey {
            matched: 5,
            labeled: 3,
            overruled: [("tier".to_owned(), dispute(Some(winner(namespace))))].into(),
            ..Survey::default()
        };
        let (state, reason, message, observed) = told(&Standing::Seen(&survey));
        assert_eq!(
            (state, reason.as_str(), observed),
            (State::Blocked, "LabelConflict", Some(3))
        );
        assert!(
            message.contains("tier is not set on 2 of 5 nodes that match"),
            "{message}"
        );
        assert!(
            message.contains(expected) && !message.contains(hidden),
            "{message}"
        );
    }
}

#[test]
fn a_label_of_somebody_else_is_told_with_the_way_out() {
    let survey = Survey {
        matched: 2,
        taken: [(
            "tier".to_owned(),
            dispute(Some(Holder::Manager(Arc::from("kubectl-label")))),
        )]
        .into(),
        ..Survey::default()
    };
    let (state, reason, message, _) = told(&Standing::Seen(&survey));
    assert_eq!((state, reason.as_str()), (State::Blocked, "LabelTaken"));
    assert!(
        message.contains("kubectl-label has set another value"),
        "{message}"
    );
    assert!(message.contains("kubectl label node gpu-0 tier-"), "{message}");
    let peer = Holder::Manager(Arc::from("llm-operator-node-labels:secret/lease"));
    let survey = Survey {
        taken: [("tier".to_owned(), dispute(Some(peer)))].into(),
        ..survey
    };
    let (_, _, message, _) = told(&Standing::Seen(&survey));
    assert!(
        message.contains("another installation of this operator has") && !message.contains("secret"),
        "{message}"
    );
}

#[test]
fn what_cannot_be_watched_is_named() {
    for (unseen, expected, word) in [
        (Unseen::Nodes, "NodesUnwatched", "watch on nodes"),
        (Unseen::Labelers, "LabelersUnwatched", "watch on autonodelabelers"),
    ] {
        let (state, reason, message, _) = told(&Standing::Unwatched(unseen));
        assert_eq!((state, reason.as_str()), (State::Blocked, expected));
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn failures_and_progress_are_counted() {
    let mut survey = Survey {
        matched: 5,
        labeled: 3,
        missing: 2,
        ..Survey::default()
    };
    let (state, reason, message, observed) = told(&Standing::Seen(&survey));
    assert_eq!(
        (state, reason.as_str(), observed),
        (State::Progressing, "Labeling", Some(2))
    );
    assert_eq!(message, "3 of 5 nodes that match carry the labels.");
    survey.failed = 2;
    survey.trouble = Some(Trouble {
        reason: "Forbidden",
        message: "no permission".into(),
        passes: false,
    });
    let (state, reason, message, _) = told(&Standing::Seen(&survey));
    assert_eq!((state, reason.as_str()), (State::Blocked, "Forbidden"));
    assert_eq!(message, "2 nodes could not be labelled: no permission.");
    survey.left = 2;
    let (state, _, message, _) = told(&Standing::Going(&survey));
    assert!(
        state == State::Terminating && message.contains("2 nodes: no permission"),
        "{message}"
    );
}

#[test]
fn what_is_refused_is_invalid_and_on_no_node() {
    let refusal = Refusal::ProtectedLabel(vec!["kubernetes.io/role".into()]);
    let status = status(
        &labeler(),
        &Standing::Refused(&refusal, Some(&Survey::default())),
        Timestamp::UNIX_EPOCH,
    );
    assert_eq!(
        (status.state, status.matched_nodes),
        (Some(State::Invalid), Some(0))
    );
    let told: Vec<_> = status
        .conditions
        .iter()
        .map(|one| (one.type_.as_str(), one.status.as_str(), one.reason.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("Accepted", "False", "ProtectedLabel"),
            ("Applied", "False", "NotAccepted"),
            ("Ready", "False", "ProtectedLabel"),
        ]
    );
    assert!(
        status.conditions[0]
            .message
            .contains("--allow-protected-node-labels")
    );
}

#[test]
fn a_refused_labeler_does_not_claim_that_its_labels_are_gone() {
    let refusal = Refusal::ProtectedLabel(vec!["kubernetes.io/role".into()]);
    let applied = |refusal: &Refusal, survey: Option<&Survey>| {
        let status = status(
            &labeler(),
            &Standing::Refused(refusal, survey),
            Timestamp::UNIX_EPOCH,
        );
        let found = status.conditions.iter().find(|one| one.type_ == "Applied");
        found.unwrap().message.clone()
    };
    let gone = applied(&refusal, Some(&Survey::default()));
    assert_eq!(gone, "No node is labelled until the spec is accepted.");
    let left = Survey {
        left: 2,
        failed: 2,
        trouble: Some(Trouble {
            reason: "Forbidden",
            message: "no permission".into(),
            passes: false,
        }),
        ..Survey::default()
    };
    let left = applied(&refusal, Some(&left));
    assert!(left.contains("still on 2 nodes: no permission."), "{left}");
    assert!(applied(&refusal, None).contains("not known"));
    let unreadable = Refusal::Unreadable("spec".into());
    assert!(applied(&unreadable, Some(&Survey::default())).contains("stay until it can be read"));
    let held = Survey {
        held: 1,
        ..Survey::default()
    };
    let (_, _, message, _) = told(&Standing::Going(&held));
    assert!(
        message.contains("1 node: another AutoNodeLabeler cannot be read"),
        "{message}"
    );
}
