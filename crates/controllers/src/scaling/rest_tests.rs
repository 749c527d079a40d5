use autoscale::observe::Snapshot;

use super::{
    super::test_bed::{DAY, decided, subject},
    *,
};

const AFTER: Duration = Duration::from_mins(15);

fn bounds() -> Bounds {
    Bounds { min: 2, max: 4 }
}

/// A subject whose status says this.
fn stored(status: ScalingStatus) -> Subject {
    let mut subject = subject(2, 4, None);
    subject.plan.idle_after = Some(AFTER);
    subject.stored = Some(status);
    subject
}

fn at_zero() -> ScalingStatus {
    ScalingStatus {
        desired_replicas: Some(0),
        min_replicas: Some(2),
        reason: Some("ScaledToZero".to_owned()),
        message: Some("as it was told".to_owned()),
        wake_seen: Some("1".to_owned()),
        ..ScalingStatus::default()
    }
}

/// What is decided where the planner wants so many.
fn decide(rest: &mut Rest, subject: &Subject, told: Option<u32>, planned: u32) -> (Decision, Course) {
    let snapshot = Snapshot::default();
    let look = Look {
        snapshot: &snapshot,
        unasked: false,
        told,
        wake: subject.wake.as_deref(),
        after: subject.plan.idle_after,
        least: 2,
    };
    let day = Timestamp::from_second(DAY).unwrap();
    let planned = decided(planned, Reason::Enough).decision;
    rest.decide((subject, day), &look, bounds(), planned)
}

#[test]
fn a_restart_at_zero_keeps_zero_and_its_words() {
    let mut subject = stored(at_zero());
    subject.wake = Some("1".to_owned());
    let mut rest = Rest::new(&subject);
    let (decision, course) = decide(&mut rest, &subject, Some(0), 2);
    assert_eq!(
        (decision.replicas, decision.reason, course),
        (0, Reason::ScaledToZero, Course::Zero)
    );
    assert_eq!(decision.message, "as it was told");
    assert_eq!(rest.zero(course).unwrap().wake_seen.as_deref(), Some("1"));

    subject.wake = Some("2".to_owned());
    let (decision, course) = decide(&mut rest, &subject, Some(0), 3);
    assert_eq!(
        (decision.replicas, decision.reason),
        (3, Reason::Waking),
        "what the planner wants"
    );
    assert!(
        decision.message.contains("llm-operator.io/wake"),
        "{}",
        decision.message
    );
    assert_eq!(rest.zero(course), None);
    rest.ordered(3);
    let (decision, _) = decide(&mut rest, &subject, Some(3), 2);
    assert_eq!(decision.replicas, 3, "until one serves");
}

#[test]
fn somebodys_number_counts_within_bounds() {
    let mut rest = Rest::new(&stored(at_zero()));
    let (decision, _) = decide(&mut rest, &stored(at_zero()), Some(9), 2);
    assert_eq!((decision.replicas, decision.reason), (4, Reason::Waking));
}

#[test]
fn a_restart_on_the_way_up_goes_on() {
    let waking = ScalingStatus {
        desired_replicas: Some(2),
        reason: Some("Waking".to_owned()),
        ..ScalingStatus::default()
    };
    let subject = stored(waking);
    let mut rest = Rest::new(&subject);
    let (decision, course) = decide(&mut rest, &subject, Some(0), 2);
    assert_eq!(
        (decision.replicas, course),
        (2, Course::Waking(2)),
        "its order may not be seen yet"
    );
}

/// An operator that died between the workload's write and the status', or somebody who stopped it meanwhile.
#[test]
fn a_workload_that_is_found_at_zero_stays_there() {
    let subject = stored(ScalingStatus {
        desired_replicas: Some(2),
        ..ScalingStatus::default()
    });
    let mut rest = Rest::new(&subject);
    let (decision, course) = decide(&mut rest, &subject, Some(0), 2);
    assert_eq!((decision.replicas, course), (0, Course::Sleep(Asleep::ByHand)));
    let command = "kubectl -n n annotate modeldeployment.ai.example.com chat --overwrite \"llm-operator.io/wake=$(date +%s)\"";
    assert!(decision.message.ends_with(command), "{}", decision.message);
}

#[test]
fn a_new_promise_at_zero_is_no_sleep() {
    let mut subject = stored(ScalingStatus::default());
    subject.stored = None;
    let mut rest = Rest::new(&subject);
    assert_eq!(decide(&mut rest, &subject, Some(0), 2).0.replicas, 2);
}

#[test]
fn since_when_is_told_in_whole_seconds() {
    let day = Timestamp::from_millisecond(DAY * 1000 + 700).unwrap();
    let since = since(Asleep::Unused(AFTER), day).unwrap();
    assert_eq!(since, Timestamp::from_second(DAY - 900).unwrap());
    let said = asleep(Asleep::Unused(AFTER), Some(since), &subject(1, 4, None));
    assert!(
        said.starts_with("No replicas: no request for 15 minutes (since 2027-01-15T07:45:00Z). "),
        "{said}"
    );
}
