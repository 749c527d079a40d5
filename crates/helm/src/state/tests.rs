use serde_json::json;

use super::*;
use crate::{
    Applied, HelmError, ReleaseName, Started, Step, drift::Difference, manifest::Object,
    release::fixture::head,
};

fn wanted() -> Wanted {
    Wanted {
        chart: "chart".to_owned(),
        version: Version::new("v1.2.3"),
        values_digest: "values".to_owned(),
        digest: "digest".to_owned(),
    }
}

fn ours() -> BTreeMap<String, String> {
    [("ours".to_owned(), "yes".to_owned())].into()
}

fn judge_with(history: &[ReleaseHead], attempts: &Attempts) -> State {
    let heads: Vec<_> = history.iter().collect();
    let view = View {
        history: &heads,
        wanted: Some(&wanted()),
        ours: &ours(),
        drift: &[],
        running: false,
    };
    determine(&view, attempts)
}

fn judge(history: &[ReleaseHead]) -> State {
    judge_with(history, &Attempts::default())
}

fn changed(mut head: ReleaseHead, change: impl FnOnce(&mut ReleaseHead)) -> ReleaseHead {
    change(&mut head);
    head
}

fn old(revision: u32, status: Status) -> ReleaseHead {
    changed(head(revision, status), |head| {
        head.version = Version::new("1.0.0");
    })
}

fn failed(revision: u32, message: &str) -> ReleaseHead {
    changed(head(revision, Status::Failed), |head| {
        message.clone_into(&mut head.description);
    })
}

fn good_and(good: Option<u32>, revision: u32, message: &str) -> State {
    State::Failed {
        revision,
        good,
        message: message.to_owned(),
    }
}

fn out(revision: u32, why: Mismatch) -> State {
    State::OutOfSync { revision, why }
}

#[test]
fn what_is_deployed_is_compared_with_what_is_wanted() {
    let deployed = || head(3, Status::Deployed);
    let cases = [
        ("as wanted", deployed(), State::InSync { revision: 3 }),
        (
            "another chart",
            changed(deployed(), |head| {
                "renamed".clone_into(&mut head.chart);
            }),
            out(3, Mismatch::Chart),
        ),
        (
            "another version",
            old(3, Status::Deployed),
            out(3, Mismatch::Version),
        ),
        (
            "other values",
            changed(deployed(), |head| {
                "others".clone_into(&mut head.values_digest);
            }),
            out(3, Mismatch::Values),
        ),
        (
            "the chart was published anew under its version",
            changed(deployed(), |head| {
                head.labels.insert(DIGEST_LABEL.to_owned(), "another".to_owned());
            }),
            out(3, Mismatch::Content),
        ),
        (
            "the same content",
            changed(deployed(), |head| {
                head.labels.insert(DIGEST_LABEL.to_owned(), "digest".to_owned());
            }),
            State::InSync { revision: 3 },
        ),
    ];
    for (name, deployed, state) in cases {
        assert_eq!(judge(&[deployed]), state, "{name}");
    }
}

#[test]
fn the_last_revision_decides_in_whatever_order_they_come() {
    let cases = [
        ("no release", vec![], State::Absent),
        (
            "a failed first installation",
            vec![failed(1, "Release \"demo\" failed: no")],
            good_and(None, 1, "Release \"demo\" failed: no"),
        ),
        (
            "a failed upgrade of a deployed revision",
            vec![
                failed(4, "no"),
                old(3, Status::Deployed),
                old(2, Status::Superseded),
            ],
            good_and(Some(3), 4, "no"),
        ),
        (
            "a failed rollback has marked a revision as superseded that never was deployed",
            vec![
                old(1, Status::Deployed),
                old(2, Status::Superseded),
                failed(3, "no"),
            ],
            good_and(Some(1), 3, "no"),
        ),
        (
            "killed after the old one was superseded",
            vec![
                old(1, Status::Superseded),
                old(2, Status::Superseded),
                failed(3, "Unlocked: left"),
            ],
            good_and(Some(2), 3, "Unlocked: left"),
        ),
        (
            "a failed rollback has marked the failed upgrade as superseded",
            vec![
                old(1, Status::Superseded),
                changed(failed(2, "Upgrade \"demo\" failed: no"), |head| {
                    head.status = Status::Superseded;
                }),
                failed(3, "Rollback \"demo\" failed: no"),
            ],
            good_and(Some(1), 3, "Rollback \"demo\" failed: no"),
        ),
        (
            "the only good one is not ours to go back to",
            vec![
                changed(old(1, Status::Deployed), |head| {
                    head.labels.clear();
                }),
                failed(2, "no"),
            ],
            good_and(None, 2, "no"),
        ),
        (
            "a good rollback after a failed upgrade",
            vec![
                old(1, Status::Superseded),
                failed(2, "no"),
                changed(old(3, Status::Deployed), |head| {
                    head.rollback_of = Some(1);
                }),
            ],
            out(3, Mismatch::Version),
        ),
    ];
    for (name, history, state) in cases {
        both_ways(name, history, &state);
    }
}

#[test]
fn the_last_revision_decides_also_in_odd_histories() {
    let cases = [
        (
            "two say deployed, the later is meant",
            vec![old(1, Status::Deployed), head(2, Status::Deployed)],
            State::InSync { revision: 2 },
        ),
        (
            "the later ones were deleted",
            vec![head(1, Status::Superseded), head(2, Status::Superseded)],
            out(2, Mismatch::NotDeployed),
        ),
        (
            "pruned before what is deployed",
            vec![head(17, Status::Deployed)],
            State::InSync { revision: 17 },
        ),
        (
            "an uninstallation was cut short",
            vec![head(1, Status::Superseded), head(2, Status::Uninstalling)],
            State::Uninstalling { revision: 2 },
        ),
        (
            "uninstalled with its history kept",
            vec![head(1, Status::Superseded), head(2, Status::Uninstalled)],
            State::Uninstalled { revision: 2 },
        ),
        (
            "somebody else's",
            vec![changed(head(5, Status::Deployed), |head| {
                head.labels.clear();
            })],
            State::Unmanaged { revision: 5 },
        ),
        (
            "somebody else's, in the making",
            vec![changed(head(1, Status::PendingInstall), |head| {
                head.labels.clear();
            })],
            State::Unmanaged { revision: 1 },
        ),
        (
            "a status of a later Helm",
            vec![head(1, Status::Unknown)],
            good_and(None, 1, ""),
        ),
    ];
    for (name, history, state) in cases {
        both_ways(name, history, &state);
    }
}

fn both_ways(name: &str, mut history: Vec<ReleaseHead>, state: &State) {
    assert_eq!(judge(&history), *state, "{name}");
    history.reverse();
    assert_eq!(judge(&history), *state, "{name}, the other way round");
}

#[test]
fn a_pending_revision_is_a_lock_until_its_helm_is_known_to_be_gone() {
    let since = "2026-01-01T10:00:00Z".parse().unwrap();
    let pending = changed(head(2, Status::PendingUpgrade), |head| {
        head.last_deployed = Some(since);
        head.labels.insert(DIGEST_LABEL.to_owned(), "digest".to_owned());
    });
    let locked = |gone| State::Locked {
        revision: 2,
        status: Status::PendingUpgrade,
        since: Some(since),
        gone,
    };
    let history = [old(1, Status::Deployed), pending.clone()];
    assert_eq!(judge(&history), locked(false), "nobody knows whose it is");

    let asked = Attempts {
        digest: "digest".to_owned(),
        ..Attempts::default()
    };
    let begun = asked.clone().begin(&Step::Upgrade { from: 1 }, &[&history[0]]);
    assert_eq!(judge_with(&history, &begun), locked(true), "we began it");
    let timed_out = HelmError::TimedOut {
        after: std::time::Duration::from_secs(1),
        message: String::new(),
    };
    let ended = begun
        .clone()
        .end(&Step::Upgrade { from: 1 }, Err(&timed_out), since);
    assert_eq!(judge_with(&history, &ended), locked(true), "we killed it");
    let earlier = Attempts {
        started: begun.started.clone().map(|started| Started {
            revision: 0,
            ..started
        }),
        ..begun
    };
    assert_eq!(
        judge_with(&history, &earlier),
        locked(false),
        "ours was another revision"
    );

    let several = [history[0].clone(), pending, head(3, Status::PendingUpgrade)];
    assert!(matches!(
        judge(&several),
        State::Locked {
            revision: 3,
            gone: false,
            ..
        }
    ));
    let buried = [several[0].clone(), several[1].clone(), head(3, Status::Deployed)];
    assert_eq!(
        judge(&buried),
        locked(true),
        "no Helm works on a revision that is not the last"
    );
}

#[test]
fn what_runs_and_what_is_not_wanted() {
    let deployed = head(1, Status::Deployed);
    let pending = head(1, Status::PendingInstall);
    let foreign = changed(deployed.clone(), |head| {
        head.labels.clear();
    });
    let (attempts, ours) = (Attempts::default(), ours());
    let judge = |history: &[&ReleaseHead], running| {
        let view = View {
            history,
            wanted: None,
            ours: &ours,
            drift: &[],
            running,
        };
        determine(&view, &attempts)
    };
    assert_eq!(judge(&[], true), State::Running);
    assert_eq!(judge(&[&pending], true), State::Running);
    assert_eq!(judge(&[&foreign], true), State::Unmanaged { revision: 1 });
    assert_eq!(judge(&[], false), State::Absent);
    assert_eq!(judge(&[&deployed], false), State::Unwanted { revision: 1 });
    assert_eq!(judge(&[&foreign], false), State::Unmanaged { revision: 1 });
    for status in [
        Status::Failed,
        Status::Uninstalled,
        Status::Uninstalling,
        Status::Superseded,
    ] {
        assert_eq!(
            judge(&[&head(1, status)], false),
            State::Unwanted { revision: 1 },
            "{status}"
        );
    }
    assert!(matches!(judge(&[&pending], false), State::Locked { .. }));
}

#[test]
fn drift_counts_only_for_what_is_in_sync() {
    let object =
        Object::read(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})).unwrap();
    let drift = [Finding {
        object: object.id,
        path: String::new(),
        difference: Difference::Missing,
    }];
    let judge = |head: &ReleaseHead| {
        let view = View {
            history: &[head],
            wanted: Some(&wanted()),
            ours: &ours(),
            drift: &drift,
            running: false,
        };
        determine(&view, &Attempts::default())
    };
    let drifted = State::Drifted {
        revision: 1,
        findings: drift.to_vec(),
    };
    assert_eq!(judge(&head(1, Status::Deployed)), drifted);
    assert_eq!(judge(&old(1, Status::Deployed)), out(1, Mismatch::Version));
}

#[test]
fn what_we_made_is_in_sync_however_helm_recorded_it() {
    let made = changed(head(2, Status::Deployed), |head| {
        "as Helm sees it".clone_into(&mut head.values_digest);
    });
    let attempts = Attempts {
        applied: Some(Applied {
            digest: "digest".to_owned(),
            revision: 2,
            uid: "uid-2".to_owned(),
        }),
        ..Attempts::default()
    };
    assert_eq!(judge(std::slice::from_ref(&made)), out(2, Mismatch::Values));
    assert_eq!(
        judge_with(std::slice::from_ref(&made), &attempts),
        State::InSync { revision: 2 }
    );
    let again = changed(made, |head| {
        "uid-of-a-new-installation".clone_into(&mut head.uid);
    });
    assert_eq!(judge_with(&[again], &attempts), out(2, Mismatch::Values));
}

#[test]
fn the_digest_is_over_all_that_makes_a_release() {
    let chart = || LocalChart {
        path: "/charts/chart.tgz".into(),
        name: "chart".to_owned(),
        version: "v1.2.3".to_owned(),
        digest: "files".to_owned(),
    };
    let spec = || ReleaseSpec {
        name: ReleaseName {
            namespace: "llm-d".to_owned(),
            name: "demo".to_owned(),
        },
        values: json!({"a": 1}),
        secrets: Vec::new(),
        release_labels: ours(),
        object_labels: BTreeMap::new(),
    };
    let wanted = Wanted::new(&chart(), &spec());
    assert_eq!(wanted.digest.len(), 40);
    assert_eq!(wanted.version, Version::new("1.2.3"));

    let mut marked = spec();
    wanted.mark(&mut marked);
    assert_eq!(marked.release_labels[DIGEST_LABEL], wanted.digest);
    assert_eq!(
        Wanted::new(&chart(), &marked),
        wanted,
        "the mark is no part of it"
    );

    let mut moved = chart();
    moved.path = "/other/chart.tgz".into();
    assert_eq!(
        Wanted::new(&moved, &spec()),
        wanted,
        "nor is the place of the chart"
    );

    let mut republished = chart();
    republished.digest = "others".to_owned();
    let mut labelled = spec();
    labelled
        .object_labels
        .insert("part-of".to_owned(), "llm-d".to_owned());
    let mut valued = spec();
    valued.values = json!({"a": 2});
    for (chart, spec) in [(republished, spec()), (chart(), labelled), (chart(), valued)] {
        assert_ne!(Wanted::new(&chart, &spec).digest, wanted.digest);
    }
}
