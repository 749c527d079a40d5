use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::*;
use crate::{
    DIGEST_LABEL, HelmError, Mismatch,
    drift::{Difference, Finding},
    manifest::{KindId, ObjectId},
    release::{ReleaseHead, Status, fixture::head},
};

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn in_seconds(seconds: i64) -> Timestamp {
    now().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

/// Asked for, and failed so often, last right now.
fn failed_times(failures: u32) -> Attempts {
    Attempts {
        digest: "digest".to_owned(),
        failures,
        last_failure: (failures > 0).then(now),
        message: (failures > 0).then(|| "the chart's own error".to_owned()),
        ..Attempts::default()
    }
}

fn failed_state(good: Option<u32>) -> State {
    State::Failed {
        revision: 4,
        good,
        message: String::new(),
    }
}

fn error() -> HelmError {
    HelmError::Failed {
        message: "no".to_owned(),
    }
}

fn stalled() -> Step {
    Step::Stalled {
        reason: "the chart's own error".to_owned(),
    }
}

#[test]
fn every_state_has_its_step() {
    let object = ObjectId {
        kind: KindId {
            group: "apps".to_owned(),
            version: "v1".to_owned(),
            kind: "Deployment".to_owned(),
        },
        namespace: None,
        name: "a".to_owned(),
    };
    let finding = |path: &str| Finding {
        object: object.clone(),
        path: path.to_owned(),
        difference: Difference::Changed,
    };
    let drifted = State::Drifted {
        revision: 4,
        findings: vec![finding("spec.replicas"), finding("spec.paused")],
    };
    let out = State::OutOfSync {
        revision: 4,
        why: Mismatch::Version,
    };
    let cases = [
        (State::Absent, Step::Install),
        (State::Unmanaged { revision: 4 }, Step::Nothing),
        (State::Running, Step::Nothing),
        (State::InSync { revision: 4 }, Step::Nothing),
        (out, Step::Upgrade { from: 4 }),
        (
            drifted,
            Step::CorrectDrift {
                objects: vec![object],
            },
        ),
        (State::Uninstalling { revision: 4 }, Step::Uninstall),
        (State::Uninstalled { revision: 4 }, Step::Uninstall),
        (State::Unwanted { revision: 4 }, Step::Uninstall),
        (failed_state(Some(3)), Step::Upgrade { from: 4 }),
        (failed_state(None), Step::Uninstall),
    ];
    for (state, step) in cases {
        assert_eq!(
            decide(&state, &failed_times(0), Remediation::default(), now()),
            step,
            "{state:?}"
        );
    }
    let unwanted = Attempts::default();
    assert_eq!(
        decide(&State::Absent, &unwanted, Remediation::default(), now()),
        Step::Nothing
    );
}

use {InstallRemedy as Install, UpgradeRemedy as Upgrade};

#[test]
fn failures_are_remedied_as_asked_and_then_tried_again() {
    let upgrade = Step::Upgrade { from: 4 };
    let back = Step::Rollback { to: 3 };
    let rules = |install, upgrade| Remediation {
        retries: 2,
        install,
        upgrade,
    };
    let cases = [
        (Install::Uninstall, Upgrade::Rollback, Some(3), 1, back.clone()),
        (Install::Uninstall, Upgrade::Rollback, Some(3), 3, back),
        (
            Install::Uninstall,
            Upgrade::Uninstall,
            Some(3),
            1,
            Step::Uninstall,
        ),
        (
            Install::Uninstall,
            Upgrade::Keep,
            Some(3),
            1,
            Step::Wait {
                until: in_seconds(15),
            },
        ),
        (Install::Uninstall, Upgrade::Keep, Some(3), 3, stalled()),
        (Install::Uninstall, Upgrade::Keep, None, 1, Step::Uninstall),
        (Install::Uninstall, Upgrade::Rollback, None, 3, Step::Uninstall),
        (Install::Keep, Upgrade::Rollback, None, 0, upgrade),
        (
            Install::Keep,
            Upgrade::Rollback,
            None,
            2,
            Step::Wait {
                until: in_seconds(30),
            },
        ),
        (Install::Keep, Upgrade::Rollback, None, 3, stalled()),
    ];
    for (install, upgrade, good, failures, step) in cases {
        let decided = decide(
            &failed_state(good),
            &failed_times(failures),
            rules(install, upgrade),
            now(),
        );
        assert_eq!(decided, step, "{install:?} {upgrade:?} {good:?} after {failures}");
    }
}

#[test]
fn out_of_retries_nothing_is_tried_until_something_else_is_asked_for() {
    let rules = Remediation {
        retries: 1,
        ..Remediation::default()
    };
    let out = State::OutOfSync {
        revision: 4,
        why: Mismatch::Version,
    };
    for state in [&State::Absent, &out] {
        let paused = decide(state, &failed_times(1), rules, now());
        assert_eq!(
            paused,
            Step::Wait {
                until: in_seconds(15)
            }
        );
        assert!(decide(state, &failed_times(1), rules, in_seconds(15)).is_operation());
        assert_eq!(
            decide(state, &failed_times(2), rules, in_seconds(9_999)),
            stalled()
        );
    }

    let request = |generation, retry: Option<&str>| Request {
        generation,
        retry: retry.map(str::to_owned),
    };
    let spent = failed_times(2);
    assert_eq!(spent.clone().asked("digest", &request(0, None)).failures, 2);
    assert_eq!(spent.clone().asked("other", &request(0, None)).failures, 0);
    assert_eq!(spent.clone().asked("digest", &request(1, None)).failures, 0);
    let retried = spent.asked("digest", &request(0, Some("now")));
    assert_eq!(retried.failures, 0);
    let again = Attempts {
        failures: 2,
        ..retried
    };
    let seen = again.asked("digest", &request(0, Some("now")));
    assert_eq!(seen.failures, 2, "one request to try again is one");
    let withdrawn = seen
        .asked("digest", &request(0, None))
        .asked("digest", &request(0, Some("now")));
    assert_eq!(
        withdrawn.failures, 2,
        "taken away and set again it is still the same"
    );
}

#[test]
fn pauses_double_up_to_ten_minutes() {
    let pauses: Vec<_> = (0..10)
        .map(|failures| {
            let until = failed_times(failures).pause_until();
            until.map_or(0, |until| until.duration_since(now()).as_secs())
        })
        .collect();
    assert_eq!(pauses, [0, 15, 30, 60, 120, 240, 480, 600, 600, 600]);
    assert_eq!(failed_times(u32::MAX).pause_until(), Some(in_seconds(600)));
}

#[test]
fn a_remedy_that_fails_gives_way_after_as_many_retries() {
    let rules = Remediation {
        retries: 1,
        ..Remediation::default()
    };
    let step = |failures, remedy_failures, after| {
        let attempts = Attempts {
            remedy_failures,
            ..failed_times(failures)
        };
        decide(&failed_state(Some(3)), &attempts, rules, in_seconds(after))
    };
    assert_eq!(
        step(1, 0, 0),
        Step::Rollback { to: 3 },
        "the first follows at once"
    );
    assert_eq!(
        step(1, 1, 0),
        Step::Wait {
            until: in_seconds(15)
        }
    );
    assert_eq!(step(1, 1, 15), Step::Rollback { to: 3 });
    assert_eq!(step(1, 2, 999), Step::Upgrade { from: 4 });
    assert_eq!(step(2, 2, 999), stalled());
}

#[test]
fn a_lock_of_somebody_elses_is_respected_for_five_minutes() {
    let locked = |since: Option<Timestamp>, gone| State::Locked {
        revision: 4,
        status: Status::PendingUpgrade,
        since,
        gone,
    };
    let step = |state: &State| decide(state, &failed_times(9), Remediation::default(), now());
    let unlock = Step::Unlock { revision: 4 };
    assert_eq!(step(&locked(Some(now()), true)), unlock, "even out of retries");
    assert_eq!(
        step(&locked(Some(now()), false)),
        Step::Wait {
            until: in_seconds(300)
        }
    );
    assert_eq!(step(&locked(Some(in_seconds(-300)), false)), unlock);
    assert_eq!(step(&locked(None, false)), unlock);
    assert_eq!(
        step(&locked(Some(in_seconds(99_999)), false)),
        unlock,
        "a time that cannot be"
    );
}

#[test]
fn an_error_says_whether_it_counts() {
    let begun = |step: &Step| failed_times(0).begin(step, &[]);
    let message = || "no".to_owned();
    let cases = [
        (error(), 1, 0, false),
        (
            HelmError::TimedOut {
                after: std::time::Duration::from_secs(1),
                message: message(),
            },
            1,
            0,
            false,
        ),
        (HelmError::Values { message: message() }, 1, 0, true),
        (HelmError::Render { message: message() }, 1, 0, true),
        (HelmError::Locked { release: message() }, 0, 1, false),
    ];
    for (error, failures, interruptions, hopeless) in cases {
        let ended = begun(&Step::Install).end(&Step::Install, Err(&error), now());
        assert_eq!(
            (ended.failures, ended.interruptions, ended.hopeless),
            (failures, interruptions, hopeless),
            "{error}"
        );
        assert_eq!(ended.last_failure, Some(now()));
    }
    let hopeless = begun(&Step::Install).end(
        &Step::Install,
        Err(&HelmError::Values { message: message() }),
        now(),
    );
    let step = decide(&State::Absent, &hopeless, Remediation::default(), in_seconds(999));
    assert!(
        matches!(&step, Step::Stalled { reason } if reason.contains("values do not fit")),
        "{step:?}"
    );

    let back = Step::Rollback { to: 1 };
    let ended = failed_times(1).begin(&back, &[]).end(&back, Err(&error()), now());
    assert_eq!((ended.failures, ended.remedy_failures), (1, 1));
    let correction = Step::CorrectDrift { objects: Vec::new() };
    let ended = failed_times(0)
        .begin(&correction, &[])
        .end(&correction, Err(&error()), now());
    assert_eq!((ended.failures, ended.interruptions, ended.started), (0, 1, None));
}

fn settled(step: &Step, history: &[ReleaseHead]) -> Attempts {
    let before = head(1, Status::Deployed);
    let begun = failed_times(0).begin(step, &[&before]);
    // What a status keeps is what is read from it again.
    let kept: Attempts = serde_json::from_str(&serde_json::to_string(&begun).unwrap()).unwrap();
    assert_eq!(kept, begun);
    kept.settle(&history.iter().collect::<Vec<_>>(), now())
}

#[test]
fn what_nobody_saw_the_end_of_is_learned_from_the_history() {
    let upgrade = Step::Upgrade { from: 1 };
    let told = |status, description: &str| {
        let mut last = head(2, status);
        description.clone_into(&mut last.description);
        last.labels.insert(DIGEST_LABEL.to_owned(), "digest".to_owned());
        [head(1, Status::Deployed), last]
    };

    let failed = settled(&upgrade, &told(Status::Failed, "Upgrade \"demo\" failed: no"));
    assert_eq!((failed.failures, failed.interruptions), (1, 0));
    assert_eq!(failed.message.as_deref(), Some("Upgrade \"demo\" failed: no"));
    assert_eq!(failed.started, None);

    for cut_short in [
        "Unlocked: left pending-upgrade",
        "Upgrade \"demo\" failed: context canceled",
    ] {
        let killed = settled(&upgrade, &told(Status::Failed, cut_short));
        assert_eq!(
            (killed.failures, killed.interruptions, killed.started),
            (0, 1, None)
        );
    }
    let nothing = settled(&upgrade, &[head(1, Status::Deployed)]);
    assert_eq!(
        (nothing.failures, nothing.interruptions, nothing.started),
        (0, 1, None)
    );

    let pending = settled(&upgrade, &told(Status::PendingUpgrade, ""));
    assert!(pending.started.is_some(), "it is ours until it is unlocked");

    let good = settled(&upgrade, &told(Status::Deployed, ""));
    assert_eq!((good.failures, good.interruptions, good.started), (0, 0, None));

    let gone = settled(&Step::Uninstall, &[]);
    assert_eq!(
        (gone.remedy_failures, gone.interruptions, gone.started),
        (0, 0, None)
    );
    let left = settled(&Step::Uninstall, &[head(1, Status::Uninstalling)]);
    assert_eq!(
        (left.remedy_failures, left.interruptions, left.started),
        (0, 1, None)
    );
}

#[test]
fn the_first_interruption_is_followed_at_once() {
    let out = State::OutOfSync {
        revision: 1,
        why: Mismatch::Version,
    };
    let killed = settled(&Step::Upgrade { from: 1 }, &[head(1, Status::Deployed)]);
    let step = |attempts: &Attempts| decide(&out, attempts, Remediation::default(), now());
    assert_eq!(step(&killed), Step::Upgrade { from: 1 });
    let twice = Attempts {
        interruptions: 2,
        ..killed
    };
    assert_eq!(
        step(&twice),
        Step::Wait {
            until: in_seconds(15)
        }
    );
}

#[test]
fn what_succeeded_is_remembered_and_failures_are_forgotten() {
    let wanted = crate::Wanted {
        chart: "chart".to_owned(),
        version: crate::Version::new("1.2.3"),
        values_digest: "not as Helm records it".to_owned(),
        digest: "digest".to_owned(),
    };
    let (old, mut new) = (head(1, Status::Superseded), head(2, Status::Deployed));
    new.labels.insert(DIGEST_LABEL.to_owned(), wanted.digest.clone());
    let step = Step::Upgrade { from: 1 };
    let attempts = failed_times(2).begin(&step, &[&old]).end(&step, Ok(()), now());
    let history = [&old, &new];
    let ours = [("ours".to_owned(), "yes".to_owned())].into();
    let view = View {
        history: &history,
        wanted: Some(&wanted),
        ours: &ours,
        drift: &[],
        running: false,
    };
    let look = |attempts| {
        pass(
            &view,
            attempts,
            &Request::default(),
            Remediation::default(),
            now(),
        )
    };
    let first = look(attempts);
    assert_eq!(first.state, State::InSync { revision: 2 });
    assert_eq!(first.step, Step::Nothing);
    assert_eq!((first.attempts.failures, &first.attempts.message), (0, &None));
    let second = look(first.attempts.clone());
    assert_eq!(second, first, "nothing changes at rest");
}
