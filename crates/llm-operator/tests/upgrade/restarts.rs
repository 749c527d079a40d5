//! Every release's manifests, rendered today, beside what that release made of them.

use std::collections::BTreeSet;

use crate::{
    accepted::ACCEPTED,
    as_of::{fixtures, releases, today},
    compare::compare,
};

/// Kinds of which objects are kept; the others make no object with a Pod, or (an `Llmd`) leave them to charts.
const KINDS: [&str; 8] = [
    "AIDeployment",
    "AIModelMap",
    "DynamoGraphDeployment",
    "LLMDeployment",
    "LLMModel",
    "ModelDeployment",
    "NvidiaGpuLlm",
    "LLMModel",
];

#[test]
fn no_pod_restarts_and_nothing_is_lost() {
    let mut unexpected = Vec::new();
    let mut used = BTreeSet::new();
    for release in releases() {
        for fixture in fixtures(&release) {
            assert!(!fixture.objects.is_empty(), "{release} {}", fixture.name);
            for difference in compare(&fixture.objects, &today(&fixture)) {
                let covers =
                    |one: &crate::accepted::Accepted| one.covers(&release, &fixture.name, &difference);
                match ACCEPTED.iter().position(covers) {
                    Some(index) => {
                        used.insert(index);
                    }
                    None => unexpected.push(format!("{release} {}: {difference}", fixture.name)),
                }
            }
        }
    }
    assert!(
        unexpected.is_empty(),
        "whoever upgrades pays for these; undo them, or list them with a reason in {}:\n{}",
        "crates/llm-operator/tests/upgrade/accepted.rs",
        unexpected.join("\n")
    );
    for (index, one) in ACCEPTED.iter().enumerate() {
        assert!(used.contains(&index), "nothing is like that any more: {one:?}");
        assert!(!one.reason.is_empty(), "{one:?}");
    }
}

/// The newest release has a fixture of every kind that makes objects.
#[test]
fn every_kind_is_kept() {
    let newest = releases().pop().unwrap();
    let text: String = fixtures(&newest).into_iter().map(|one| one.manifest).collect();
    for kind in KINDS {
        assert!(
            text.contains(&format!("kind: {kind}\n")),
            "{newest} has no {kind}"
        );
    }
}
