//! Whatever happens, the loop ends where it should: a caller, a simulated Helm, and a world that interferes.

mod simulated;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use self::simulated::{Cluster, Made, Outcome};
use super::*;
use crate::{
    DIGEST_LABEL, Version, Wanted,
    drift::{Difference, Finding},
    manifest::{KindId, ObjectId},
    release::Status,
};

/// What happens to the release.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// One pass, whose step ends so.
    Pass(Outcome),
    /// One pass, after whose step begins we die; what was not written to the status is lost. Helm ends so.
    Crash(Outcome),
    /// Time passes.
    Seconds(u32),
    /// Another version is wanted.
    Want(u8),
    /// The release is not wanted.
    Remove,
    /// Somebody asks to try again.
    Retry,
    /// The status is wiped.
    Forget,
    /// Somebody's own Helm.
    Upgraded(u8, Outcome),
    RolledBack(u8, Outcome),
    Uninstalled(Outcome),
    KeptHistory,
    Reinstalled(Outcome),
    /// Somebody edits objects or Secrets by hand.
    Drift,
    LastDeleted,
    OldestDeleted,
    BothDeployed,
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        3 => Just(Outcome::Succeeds),
        1 => Just(Outcome::Refused),
        4 => Just(Outcome::Fails),
        3 => (0..4_usize).prop_map(Outcome::Killed),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => outcome().prop_map(Event::Pass),
        4 => outcome().prop_map(Event::Crash),
        4 => (1..2000_u32).prop_map(Event::Seconds),
        2 => (0..3_u8).prop_map(Event::Want),
        1 => Just(Event::Remove),
        1 => Just(Event::Retry),
        1 => Just(Event::Forget),
        2 => ((0..3_u8), outcome()).prop_map(|(version, outcome)| Event::Upgraded(version, outcome)),
        1 => ((0..9_u8), outcome()).prop_map(|(revision, outcome)| Event::RolledBack(revision, outcome)),
        1 => outcome().prop_map(Event::Uninstalled),
        1 => Just(Event::KeptHistory),
        1 => outcome().prop_map(Event::Reinstalled),
        2 => Just(Event::Drift),
        1 => Just(Event::LastDeleted),
        1 => Just(Event::OldestDeleted),
        1 => Just(Event::BothDeployed),
    ]
}

fn remediation() -> impl Strategy<Value = Remediation> {
    let install = prop_oneof![Just(InstallRemedy::Uninstall), Just(InstallRemedy::Keep)];
    let upgrade = prop_oneof![
        Just(UpgradeRemedy::Rollback),
        Just(UpgradeRemedy::Uninstall),
        Just(UpgradeRemedy::Keep)
    ];
    (0..4_u32, install, upgrade).prop_map(|(retries, install, upgrade)| Remediation {
        retries,
        install,
        upgrade,
    })
}

fn wanted(version: u8) -> Wanted {
    Wanted {
        chart: "chart".to_owned(),
        version: Version::new(&format!("1.0.{version}")),
        values_digest: "values".to_owned(),
        digest: format!("digest-{version}"),
    }
}

struct World {
    cluster: Cluster,
    wanted: Option<Wanted>,
    attempts: Attempts,
    request: Request,
    remediation: Remediation,
    now: Timestamp,
    /// Installations and upgrades that failed since the count of them had a reason to start anew.
    failures: u32,
    /// The revision that we were working on when we died; whether it failed can be seen as long as it is the last.
    unseen: Option<String>,
}

impl World {
    fn new(remediation: Remediation) -> Self {
        Self {
            cluster: Cluster::default(),
            wanted: Some(wanted(0)),
            attempts: Attempts::default(),
            request: Request::default(),
            remediation,
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            failures: 0,
            unseen: None,
        }
    }

    fn pass(&mut self) -> Pass {
        let last = self.cluster.history.last();
        if let Some(uid) = self.unseen.take()
            && last.is_some_and(|last| {
                last.uid == uid && last.status == Status::Failed && last.description.contains("failed: ")
            })
        {
            self.failures += 1;
        }
        let ours = [("ours".to_owned(), "yes".to_owned())].into();
        let drift = drift(self.cluster.drifted);
        let heads = self.cluster.heads();
        let view = View {
            history: &heads,
            wanted: self.wanted.as_ref(),
            ours: &ours,
            drift: &drift,
            running: false,
        };
        let pass = pass(
            &view,
            self.attempts.clone(),
            &self.request,
            self.remediation,
            self.now,
        );
        self.attempts = pass.attempts.clone();
        if matches!(
            pass.state,
            State::InSync { .. } | State::Drifted { .. } | State::Unmanaged { .. }
        ) {
            self.failures = 0;
        }
        pass
    }

    /// One pass and its step. `dies`: nothing of how it ended is kept.
    fn look(&mut self, outcome: Outcome, dies: bool) -> Pass {
        let pass = self.pass();
        let Some(action) = pass.step.action() else {
            return pass;
        };
        self.check(&pass);
        self.attempts = self.attempts.clone().begin(&pass.step, &self.cluster.heads());
        let made = Made {
            wanted: self.wanted.clone().unwrap_or_else(|| wanted(0)),
            ours: true,
        };
        let before = self.cluster.history.last().map(|last| last.uid.clone());
        let result = self.cluster.run(&pass.step, &made, outcome, self.now);
        let makes_one = matches!(action, Action::Install | Action::Upgrade);
        if dies {
            let last = self.cluster.history.last().filter(|_| makes_one);
            self.unseen = last
                .map(|last| last.uid.clone())
                .filter(|uid| before.as_ref() != Some(uid));
        } else {
            self.failures += u32::from(result.is_err() && makes_one);
            self.attempts = self
                .attempts
                .clone()
                .end(&pass.step, result.as_ref().copied(), self.now);
        }
        pass
    }

    /// What no step may do.
    fn check(&self, pass: &Pass) {
        if let Some(last) = self.cluster.history.last() {
            assert!(
                last.labels.contains_key("ours"),
                "{:?} touches what is somebody else's",
                pass.step
            );
        }
        match &pass.step {
            Step::Install | Step::Upgrade { .. } => {
                assert!(
                    self.failures <= self.remediation.retries,
                    "more attempts than allowed: {pass:?}"
                );
                assert!(self.wanted.is_some());
            }
            Step::Unlock { revision } => {
                let last = self.cluster.history.last().unwrap();
                let stuck = self
                    .cluster
                    .history
                    .iter()
                    .find(|head| head.revision == *revision)
                    .unwrap();
                let foreign = last.revision == *revision && self.cluster.foreign.contains(&stuck.uid);
                // One that Helm gave our own mark to cannot be told from ours.
                let begun = self.attempts.started.as_ref().map(|started| &started.digest);
                let marked = begun.is_some() && stuck.labels.get(DIGEST_LABEL) == begun;
                let age = self.now.duration_since(stuck.last_deployed.unwrap());
                assert!(
                    !foreign || marked || age >= SignedDuration::from_mins(5),
                    "a lock of somebody else's was broken"
                );
            }
            _ => {}
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Pass(outcome) => drop(self.look(outcome, false)),
            Event::Crash(outcome) => drop(self.look(outcome, true)),
            Event::Seconds(seconds) => {
                self.now = self
                    .now
                    .checked_add(SignedDuration::from_secs(seconds.into()))
                    .unwrap();
            }
            Event::Want(version) => {
                self.wanted = Some(wanted(version));
                self.request.generation += 1;
                self.start_anew();
            }
            Event::Remove => {
                self.wanted = None;
                self.request.generation += 1;
                self.start_anew();
            }
            Event::Retry => self.retry(),
            Event::Forget => {
                self.attempts = Attempts::default();
                self.cluster.foreign = self.cluster.history.iter().map(|head| head.uid.clone()).collect();
                self.start_anew();
            }
            Event::Upgraded(version, outcome) => {
                self.somebody(&Step::Upgrade { from: 0 }, version, outcome);
            }
            Event::RolledBack(revision, outcome) => {
                self.somebody(&Step::Rollback { to: revision.into() }, 0, outcome);
            }
            Event::Uninstalled(outcome) => self.somebody(&Step::Uninstall, 0, outcome),
            Event::KeptHistory => {
                if let Some(last) = self.cluster.history.last_mut() {
                    last.status = Status::Uninstalled;
                }
            }
            Event::Reinstalled(outcome) => {
                self.cluster.history.clear();
                self.somebody(&Step::Install, 0, outcome);
            }
            Event::Drift => self.cluster.drifted = true,
            Event::LastDeleted => drop(self.cluster.history.pop()),
            Event::OldestDeleted if self.cluster.history.is_empty() => {}
            Event::OldestDeleted => drop(self.cluster.history.remove(0)),
            Event::BothDeployed => {
                for head in self.cluster.history.iter_mut().rev().take(2) {
                    head.status = Status::Deployed;
                }
            }
        }
    }

    fn retry(&mut self) {
        let next = self.request.retry.as_ref().map_or(0, String::len) + 1;
        self.request.retry = Some("x".repeat(next));
        self.start_anew();
    }

    fn start_anew(&mut self) {
        self.failures = 0;
        self.unseen = None;
    }

    /// Somebody's own Helm, which knows nothing of our labels; an upgrade keeps them.
    fn somebody(&mut self, step: &Step, version: u8, outcome: Outcome) {
        let made = Made {
            wanted: wanted(version),
            ours: false,
        };
        let before: Vec<_> = self.cluster.history.iter().map(|head| head.uid.clone()).collect();
        // It does as it pleases, and may fail.
        let _ = self.cluster.run(step, &made, outcome, self.now);
        if let Some(last) = self
            .cluster
            .history
            .last()
            .filter(|last| !before.contains(&last.uid))
        {
            self.cluster.foreign.push(last.uid.clone());
        }
    }

    /// From now on everything succeeds. Where that leads to.
    fn settle(&mut self) -> Pass {
        for _ in 0..60 {
            let pass = self.look(Outcome::Succeeds, false);
            match pass.step {
                Step::Nothing => return pass,
                Step::Wait { until } => {
                    assert!(until > self.now, "a wait that is over");
                    self.now = until;
                }
                Step::Stalled { .. } => self.retry(),
                _ => {}
            }
        }
        panic!("it does not come to rest: {:#?}", self.cluster.history);
    }
}

fn drift(drifted: bool) -> Vec<Finding> {
    let object = ObjectId {
        kind: KindId {
            group: String::new(),
            version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
        },
        namespace: None,
        name: "a".to_owned(),
    };
    let finding = Finding {
        object,
        path: String::new(),
        difference: Difference::Missing,
    };
    drifted.then_some(finding).into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// However it came to be as it is: once operations succeed it ends in sync, or gone when it is not wanted; what is somebody else's is
    /// left as it is. Then nothing happens any more.
    #[test]
    fn it_comes_to_rest(remediation in remediation(), events in prop::collection::vec(event(), 0..40)) {
        let mut world = World::new(remediation);
        for event in events {
            world.happen(event);
        }
        let before = world.cluster.history.clone();
        let end = world.settle();
        match end.state {
            State::InSync { .. } => {
                let last = world.cluster.history.last().unwrap();
                prop_assert_eq!(last.status, Status::Deployed);
                prop_assert_eq!(&last.version, &world.wanted.clone().unwrap().version);
                prop_assert!(!world.cluster.drifted);
            }
            State::Absent => prop_assert!(world.wanted.is_none()),
            State::Unmanaged { .. } => prop_assert_eq!(before, world.cluster.history.clone()),
            ref state => prop_assert!(false, "ends {:?}", state),
        }
        let locked = world.cluster.history.iter().any(|head| head.status.is_pending());
        let unmanaged = matches!(end.state, State::Unmanaged { .. });
        prop_assert!(unmanaged || !locked);

        let rest = (world.cluster.history.clone(), world.attempts.clone());
        for _ in 0..100 {
            world.now = world.now.checked_add(SignedDuration::from_secs(60)).unwrap();
            let pass = world.look(Outcome::Succeeds, false);
            prop_assert_eq!(pass.step, Step::Nothing);
        }
        prop_assert_eq!(rest, (world.cluster.history, world.attempts));
    }

    /// When every operation fails it stalls after the allowed attempts, and holds no lock; what had been good before is back.
    #[test]
    fn it_stalls_when_nothing_succeeds(remediation in remediation(), was_there in any::<bool>()) {
        let mut world = World::new(remediation);
        if was_there {
            world.settle();
            world.happen(Event::Want(1));
        }
        let mut attempts = 0;
        let reason = loop {
            let pass = world.pass();
            let fails = matches!(pass.step, Step::Install | Step::Upgrade { .. });
            let outcome = if fails { Outcome::Fails } else { Outcome::Succeeds };
            attempts += u32::from(fails);
            match world.look(outcome, false).step {
                Step::Stalled { reason } => break reason,
                Step::Wait { until } => world.now = until,
                step => prop_assert!(step.is_operation(), "{:?}", step),
            }
        };
        prop_assert_eq!(attempts, remediation.retries + 1);
        prop_assert!(reason.contains("failed: chart"), "{}", reason);
        let last = world.cluster.history.last();
        if was_there && remediation.upgrade == UpgradeRemedy::Rollback {
            prop_assert_eq!(last.map(|head| (head.status, head.version.clone())), Some((Status::Deployed, wanted(0).version)));
        }
        if !was_there && remediation.install == InstallRemedy::Uninstall {
            prop_assert_eq!(last, None);
        }
    }
}
