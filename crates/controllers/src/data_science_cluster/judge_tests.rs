//! Cases.

use reconcile::RawObject;
use serde_json::Value;

use super::*;

fn cluster(state: &str, going: bool) -> Cluster {
    let mut object = json!({"metadata": {"name": "default-dsc", "uid": "c"},
        "spec": {"components": {"llmd": {"managementState": state}}}});
    if going {
        object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    }
    Cluster::read(&RawObject::new(&object.to_string()).unwrap()).unwrap()
}

fn component(owner: Option<&str>, going: bool, observed: i64) -> Component {
    let mut object = json!({"metadata": {"name": NAME, "uid": "l", "generation": 1}, "status": {"conditions": [
        {"type": "Ready", "status": "False", "reason": "StepFailed", "message": "no luck",
         "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": observed}]}});
    if let Some(uid) = owner {
        object["metadata"]["ownerReferences"] = json!([{"apiVersion": "datasciencecluster.opendatahub.io/v2",
            "kind": "DataScienceCluster", "name": "default-dsc", "uid": uid, "controller": true}]);
    }
    if going {
        object["metadata"]["deletionTimestamp"] = Value::from("2026-01-01T00:00:00Z");
    }
    Component::read(&RawObject::new(&object.to_string()).unwrap()).unwrap()
}

/// A situation in words, the step that follows, and words of what is told.
type Case = (&'static str, Step, &'static str);

/// `managementState`, whose the `Llmd` is (`none`, `ours`, `former`, `other`), then anything of `going` (the cluster), `leaving` (the
/// `Llmd`), `younger` and `in-line`.
const CASES: [Case; 20] = [
    ("Managed none", Step::Apply, "NotObserved"),
    ("Managed ours", Step::Apply, "StepFailed"),
    ("Managed ours in-line", Step::Rest, "no luck"),
    (
        "Managed ours leaving",
        Step::Rest,
        "made anew when it is gone: no luck",
    ),
    ("Managed former", Step::Rest, "made anew"),
    ("Managed other leaving", Step::Rest, "made anew"),
    ("Managed other", Step::Rest, "LlmdTaken"),
    ("Managed none younger", Step::Rest, "NotTheFirst"),
    ("Managed ours younger", Step::Rest, "NotTheFirst"),
    ("Managed none going", Step::Rest, "cluster is being deleted"),
    ("Managed ours going", Step::Rest, "Removing"),
    ("Managed other going", Step::Rest, "cluster is being deleted"),
    ("Removed none", Step::Rest, "Removed"),
    ("Removed ours in-line", Step::Delete, "Removing"),
    ("Removed ours leaving", Step::Rest, "uninstalled: no luck"),
    ("Removed other", Step::Rest, "Removed"),
    ("Removed former", Step::Rest, "Removed"),
    ("Removed none younger", Step::Rest, "Removed"),
    ("Force none", Step::Rest, "UnknownManagementState"),
    ("Force ours", Step::Rest, "UnknownManagementState"),
];

#[test]
fn what_follows_from_what_is_found() {
    for (situation, step, words) in CASES {
        let is = |word: &str| situation.split(' ').any(|one| one == word);
        let owner = [("ours", "c"), ("former", "b")];
        let owner = owner.into_iter().find(|(word, _)| is(word)).map(|(_, uid)| uid);
        let component = (!is("none")).then(|| component(owner, is("leaving"), 1));
        let cluster = cluster(situation.split(' ').next().unwrap(), is("going"));
        let found = Found {
            cluster: &cluster,
            component: component.as_ref(),
            elder: is("younger").then_some("first"),
            in_line: is("in-line"),
        };
        let (done, standing) = judge(&found);
        assert_eq!(done, step, "{situation}");
        assert!(
            format!("{standing:?}").contains(words),
            "{situation}: {standing:?}"
        );
    }
}

#[test]
fn an_older_verdict_is_none() {
    let standing = observed(&component(None, false, 0));
    assert!(
        matches!(standing, Standing::Moving(Reason::NotObserved, _)),
        "{standing:?}"
    );
}

#[test]
fn handing_over_is_one_command() {
    let message = taken(&cluster("Managed", false), "was made directly");
    let (_, patch) = message.split_once("-p '").unwrap();
    let patch: Value = serde_json::from_str(patch.trim_end_matches('\'')).unwrap();
    let owner = &patch["metadata"]["ownerReferences"][0];
    assert_eq!(
        (&owner["uid"], &owner["kind"]),
        (&json!("c"), &json!("DataScienceCluster"))
    );
}
