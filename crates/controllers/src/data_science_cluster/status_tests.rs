//! Cases.

use reconcile::RawObject;

use super::*;

fn cluster(state: &str, status: &Value) -> Cluster {
    let object = json!({"metadata": {"name": "default-dsc", "uid": "c", "generation": 3},
        "spec": {"components": {"llmd": {"managementState": state}}}, "status": status});
    Cluster::read(&RawObject::new(&object.to_string()).unwrap()).unwrap()
}

fn component() -> Component {
    let object = json!({"metadata": {"name": "default-llm-d"}, "status": {"releases": [
        {"name": "llm-d-infra", "version": "1.3.3", "repoUrl": "https://x", "state": "InSync"}]}});
    Component::read(&RawObject::new(&object.to_string()).unwrap()).unwrap()
}

fn said(status: &str, reason: &str) -> Standing {
    Standing::Told {
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: "words".to_owned(),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_millisecond(second * 1000 + 123).unwrap()
}

/// What is stored after a write.
fn after(cluster: &Cluster, told: &Told, now: Timestamp) -> Map<String, Value> {
    fn merge(into: &mut Value, patch: &Value) {
        let Value::Object(fields) = patch else {
            *into = patch.clone();
            return;
        };
        if !into.is_object() {
            *into = json!({});
        }
        for (field, value) in fields {
            if value.is_null() {
                into.as_object_mut().unwrap().remove(field);
            } else {
                merge(&mut into[field], value);
            }
        }
    }
    let mut status = Value::Object(cluster.status.clone());
    merge(&mut status, &told.part.patch(&cluster.status, now));
    status.as_object().unwrap().clone()
}

fn by_type<'a>(status: &'a Map<String, Value>, type_: &str) -> &'a Value {
    let mut all = stored_conditions(status).iter();
    all.find(|one| one["type"] == type_).unwrap()
}

#[test]
fn every_standing_in_the_words_of_open_data_hub() {
    let removing = Standing::Moving(Reason::Deleting, "Removing".to_owned());
    let waiting = Standing::Moving(Reason::NotObserved, "words".to_owned());
    let taken = Standing::obstacle(Reason::LlmdTaken, "words".to_owned());
    // State and standing; LlmdReady, ComponentsReady, ProvisioningSucceeded, Ready; the word, and whether releases are told.
    for (state, standing, conditions, word, releases) in [
        (
            "Managed",
            said("True", "Ready"),
            "True/Ready True/Ready True/Provisioned True/Ready",
            State::Ready,
            true,
        ),
        (
            "Managed",
            said("False", "StepFailed"),
            "False/StepFailed False/NotReady True/Provisioned False/NotReady",
            State::Blocked,
            true,
        ),
        (
            "Managed",
            said("Unknown", "Progressing"),
            "Unknown/Progressing False/NotReady True/Provisioned False/NotReady",
            State::Progressing,
            true,
        ),
        (
            "Managed",
            waiting,
            "False/NotObserved False/NotReady True/Provisioned False/NotReady",
            State::Progressing,
            true,
        ),
        (
            "Managed",
            taken,
            "False/LlmdTaken False/NotReady False/Error False/Error",
            State::Blocked,
            false,
        ),
        (
            "Removed",
            removing,
            "False/Deleting False/NotReady True/Provisioned False/NotReady",
            State::Terminating,
            true,
        ),
        (
            "Removed",
            Standing::Removed,
            "False/Removed True/NoManagedComponents True/Provisioned True/Ready",
            State::Stopped,
            false,
        ),
    ] {
        let cluster = cluster(state, &json!(null));
        let told = tell(&cluster, Some(&component()), &standing, true);
        let status = after(&cluster, &told, at(1));
        let text = |type_: &str| {
            let one = by_type(&status, type_);
            assert_eq!(one["observedGeneration"], 3);
            format!(
                "{}/{}",
                one["status"].as_str().unwrap(),
                one["reason"].as_str().unwrap()
            )
        };
        let types = ["LlmdReady", "ComponentsReady", "ProvisioningSucceeded", "Ready"];
        assert_eq!(types.map(text).join(" "), conditions);
        let is_ready = conditions.ends_with("True/Ready");
        assert_eq!(status["phase"], if is_ready { "Ready" } else { "Not Ready" });
        assert_eq!(status.get("observedGeneration").is_some(), is_ready);
        let llmd = &status["components"]["llmd"];
        assert_eq!(llmd["managementState"], state);
        assert_eq!(
            (told.word, llmd.get("releases").is_some()),
            (word, releases),
            "{conditions}"
        );
        let info = by_type(&status, "LlmdReady").get("severity").is_some();
        assert_eq!(info, standing == Standing::Removed);
    }
}

#[test]
fn what_is_stored_is_not_written_again() {
    for own in [true, false] {
        let before = cluster("Managed", &json!(null));
        let told = tell(&before, Some(&component()), &said("True", "Ready"), own);
        assert_ne!(told.part.wanted(), told.part.found(&before.status));
        let status = after(&before, &told, at(1));
        assert_eq!(told.part.wanted(), told.part.found(&status));
        assert_eq!(status.contains_key("phase"), own);
    }
}

#[test]
fn a_generation_that_is_not_ready_keeps_the_last_that_was() {
    let ready = cluster("Managed", &json!({"observedGeneration": 2, "phase": "Ready"}));
    let told = tell(&ready, None, &said("False", "StepFailed"), true);
    let status = after(&ready, &told, at(1));
    assert_eq!(
        (&status["observedGeneration"], &status["phase"]),
        (&json!(2), &json!("Not Ready"))
    );
}

#[test]
fn times_move_with_the_status_alone() {
    let first = cluster("Managed", &json!(null));
    let told = tell(&first, None, &said("False", "StepFailed"), true);
    let one = after(&first, &told, at(100));
    assert_eq!(
        by_type(&one, "LlmdReady")["lastTransitionTime"],
        "1970-01-01T00:01:40Z"
    );
    let second = cluster("Managed", &Value::Object(one));
    let told = tell(&second, None, &said("False", "RetriesExhausted"), true);
    let two = after(&second, &told, at(200));
    assert_eq!(
        by_type(&two, "LlmdReady")["lastTransitionTime"],
        "1970-01-01T00:01:40Z"
    );
    assert_eq!(by_type(&two, "LlmdReady")["reason"], "RetriesExhausted");
    let third = cluster("Managed", &Value::Object(two));
    let told = tell(&third, None, &said("True", "Ready"), true);
    let three = after(&third, &told, at(300));
    assert_eq!(
        by_type(&three, "LlmdReady")["lastTransitionTime"],
        "1970-01-01T00:05:00Z"
    );
    assert_eq!(
        by_type(&three, "ProvisioningSucceeded")["lastTransitionTime"],
        "1970-01-01T00:01:40Z"
    );
}

#[test]
fn what_others_have_written_stays() {
    let theirs = json!({
        "phase": "Ready", "observedGeneration": 1, "errorMessage": "", "release": {"name": "Open Data Hub", "version": "3.2.0"},
        "conditions": [
            {"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z", "severity": "", "odd": [1, {}]},
            {"type": "LlmdReady", "status": "True", "reason": "old", "lastHeartbeatTime": "2026-01-01T00:00:00Z"},
            {"type": "RayReady", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z", "message": "m"},
        ],
        "components": {"ray": {"managementState": "Managed"}, "llmd": {"managementState": "Managed", "odd": 1, "releases": [1]}},
    });
    let cluster = cluster("Removed", &theirs);
    let told = tell(&cluster, None, &Standing::Removed, false);
    let status = Value::Object(after(&cluster, &told, at(1)));
    let mut expected = theirs;
    expected["components"]["llmd"] = json!({"managementState": "Removed"});
    expected["conditions"][1] = json!({"type": "LlmdReady", "status": "False", "reason": "Removed", "severity": "Info",
        "message": "Component ManagementState is set to Removed", "observedGeneration": 3, "lastTransitionTime": "1970-01-01T00:00:01Z"});
    assert_eq!(status, expected);
}

#[test]
fn what_is_not_understood_leaves_the_component_as_it_is() {
    for stored in [
        json!({"components": {"llmd": {"managementState": "Managed", "releases": []}}}),
        json!({}),
    ] {
        let cluster = cluster("Force", &stored);
        let standing = Standing::obstacle(Reason::UnknownManagementState, "words".to_owned());
        let told = tell(&cluster, Some(&component()), &standing, false);
        let status = after(&cluster, &told, at(1));
        assert_eq!(status.get("components"), stored.get("components"));
        assert_eq!(told.part.wanted(), told.part.found(&status));
        assert_eq!(told.word, State::Invalid);
    }
}

#[test]
fn what_was_told_is_read_again() {
    let before = cluster("Managed", &json!(null));
    assert_eq!(told_before(&before), None);
    let told = tell(&before, None, &said("False", "ValuesRefused"), false);
    let stored = cluster("Managed", &Value::Object(after(&before, &told, at(1))));
    assert_eq!(
        told_before(&stored),
        Some((State::Invalid, "ValuesRefused".to_owned()))
    );
}
