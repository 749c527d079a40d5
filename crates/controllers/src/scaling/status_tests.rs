use k8s_openapi::jiff::Timestamp;

use super::{
    super::{
        Zero,
        test_bed::{DAY, decided},
    },
    *,
};

fn stored(change: impl FnOnce(&mut ScalingStatus)) -> ScalingStatus {
    let mut status = candidate(&decided(14, Reason::Enough), None);
    change(&mut status);
    status
}

fn text(text: &str) -> String {
    text.to_owned()
}

#[test]
fn a_decision_reads_like_this() {
    let status = scaling(&decided(14, Reason::RateRises), None, Some(Transport::Metric));
    let expected = ScalingStatus {
        desired_replicas: Some(14),
        min_replicas: Some(2),
        max_replicas: Some(20),
        transport: Some(Transport::Metric),
        reason: Some(text("RateRises")),
        message: Some(text("14 replicas")),
        decided_at: Some(Time(Timestamp::from_second(DAY).unwrap())),
        arrivals: Some(text("151.0/s")),
        ready_for: Some(text("166.2/s")),
        replica_capacity: Some(text("12.31/s")),
        limited_by: Some(text("time per output token")),
        waiting: Some(text("0")),
        time_per_output_token: Some(text("14.8ms")),
        startup_time: Some(text("62s")),
        idle_since: None,
        wake_seen: None,
    };
    assert_eq!(status, expected);
}

#[test]
fn what_is_not_seen_is_not_told() {
    let mut blind = decided(4, Reason::ScrapeFailed);
    blind.decision.inputs.scraped = 0;
    let status = scaling(&blind, None, None);
    assert_eq!(
        (status.desired_replicas, status.arrivals, status.limited_by),
        (Some(4), None, None)
    );
    let status = scaling(&decided(4, Reason::NotObservable), None, None);
    assert_eq!((status.waiting, status.startup_time), (None, None));
}

type Change = fn(&mut ScalingStatus);

#[test]
fn only_what_says_something_new_differs() {
    let new = stored(|_| {});
    let cases: [(&str, Change, Difference); 17] = [
        ("nothing", |_| {}, Difference::None),
        (
            "the number",
            |s| s.desired_replicas = Some(13),
            Difference::Number,
        ),
        ("the most", |s| s.max_replicas = Some(8), Difference::Number),
        ("the least", |s| s.min_replicas = Some(1), Difference::Number),
        (
            "a trouble that is over",
            |s| s.reason = Some(text("NotObservable")),
            Difference::Number,
        ),
        (
            "a bound that limited the same number",
            |s| s.reason = Some(text("Limited")),
            Difference::Inputs,
        ),
        (
            "another trouble",
            |s| s.reason = Some(text("ScrapeFailed")),
            Difference::Number,
        ),
        (
            "a word for the same number",
            |s| s.reason = Some(text("WaitsToShrink")),
            Difference::Inputs,
        ),
        (
            "what limits",
            |s| s.limited_by = Some(text("key-value cache")),
            Difference::Inputs,
        ),
        (
            "the rate by 9 %",
            |s| s.arrivals = Some(text("139.0/s")),
            Difference::None,
        ),
        (
            "the rate by 12 %",
            |s| s.arrivals = Some(text("135.0/s")),
            Difference::Inputs,
        ),
        (
            "the rate, unknown before",
            |s| s.arrivals = None,
            Difference::Inputs,
        ),
        ("two waiting", |s| s.waiting = Some(text("2")), Difference::None),
        (
            "thirty waiting",
            |s| s.waiting = Some(text("30")),
            Difference::Inputs,
        ),
        (
            "the start-up time by a second",
            |s| s.startup_time = Some(text("61s")),
            Difference::None,
        ),
        (
            "the start-up time",
            |s| s.startup_time = Some(text("90s")),
            Difference::Inputs,
        ),
        (
            "the sentence alone",
            |s| s.message = Some(text("other numbers")),
            Difference::None,
        ),
    ];
    for (what, change, expected) in cases {
        assert_eq!(difference(Some(&stored(change)), &new), expected, "{what}");
    }
    assert_eq!(difference(None, &new), Difference::Number);
}

#[test]
fn what_says_nothing_new_is_the_stored_status() {
    let before = stored(|status| {
        status.arrivals = Some(text("150.2/s"));
        status.message = Some(text("as it was"));
        status.transport = Some(Transport::Metric);
    });
    let same = scaling(&decided(14, Reason::Enough), Some(&before), None);
    assert_eq!(same, before);
    let told = scaling(
        &decided(14, Reason::Enough),
        Some(&before),
        Some(Transport::Scale),
    );
    assert_eq!(told.transport, Some(Transport::Scale));
    // And again, from what was stored then.
    assert_eq!(
        scaling(&decided(14, Reason::Enough), Some(&told), Some(Transport::Scale)),
        told
    );
}

#[test]
fn the_time_is_that_of_the_number_and_its_reason() {
    let long_ago = Some(Time(Timestamp::from_second(DAY - 9999).unwrap()));
    let before = stored(|status| {
        status.decided_at.clone_from(&long_ago);
        status.arrivals = Some(text("90.0/s"));
    });
    let moved = scaling(&decided(14, Reason::Enough), Some(&before), None);
    assert_eq!(
        (moved.arrivals, moved.decided_at),
        (Some(text("151.0/s")), long_ago.clone())
    );
    let other = scaling(&decided(15, Reason::RateRises), Some(&before), None);
    assert_ne!(other.decided_at, long_ago);
}

#[test]
fn conditions_follow_the_decision() {
    for (reason, latency, active, observable, word) in [
        (Reason::Enough, Latency::Exported, true, Some(true), "Exported"),
        (Reason::Limited, Latency::Exported, true, Some(true), "Exported"),
        (Reason::Unreachable, Latency::Unknown, true, None, "NotSeenYet"),
        (Reason::ScrapeFailed, Latency::Unknown, false, None, "NotSeenYet"),
        (
            Reason::RateRises,
            Latency::Missing("time to first token"),
            true,
            Some(false),
            "NotExported",
        ),
        (
            Reason::NotObservable,
            Latency::NoMetrics,
            false,
            Some(false),
            "NoMetrics",
        ),
    ] {
        let mut decided = decided(3, reason);
        decided.latency = latency;
        let status = scaling(&decided, None, None);
        let [first, second] = findings(&decided, &status, 7);
        assert_eq!(
            (first.type_, first.status),
            ("ScalingActive", Some(active)),
            "{reason:?}"
        );
        assert_eq!(first.reason, reasons::word(reason));
        assert_eq!(first.message, "3 replicas");
        assert_eq!(
            (second.type_, second.status),
            ("LatencyObservable", observable),
            "{latency:?}"
        );
        assert_eq!((second.reason.as_str(), second.observed_generation), (word, 7));
        assert!(!second.message.is_empty());
    }
}

/// What is told of a model at zero stays the same, whatever little is seen of the Pods that end.
#[test]
fn at_zero_there_is_nothing_new_to_say() {
    let since = Timestamp::from_second(DAY - 900).unwrap();
    let zero = |scraped: u32, arrivals: f64| {
        let mut zero = decided(0, Reason::ScaledToZero);
        zero.decision.inputs.scraped = scraped;
        zero.decision.inputs.arrivals = arrivals;
        zero.zero = Some(Zero {
            idle_since: Some(since),
            wake_seen: Some("7".to_owned()),
        });
        zero
    };
    let awake = candidate(&decided(2, Reason::Enough), None);
    let first = zero(1, 0.3);
    assert_eq!(
        difference(Some(&awake), &candidate(&first, Some(&awake))),
        Difference::Number
    );
    let stored = scaling(&first, Some(&awake), None);
    assert_eq!(stored.desired_replicas, Some(0));
    assert_eq!(stored.min_replicas, Some(2), "the fewest while there are some");
    assert_eq!(stored.idle_since, Some(Time(since)));
    assert_eq!(stored.wake_seen.as_deref(), Some("7"));
    assert_eq!(
        (&stored.arrivals, &stored.startup_time),
        (&None, &Some("62s".to_owned()))
    );
    for later in [zero(1, 0.0), zero(0, 5.0)] {
        assert_eq!(
            difference(Some(&stored), &candidate(&later, Some(&stored))),
            Difference::None
        );
        assert_eq!(scaling(&later, Some(&stored), None), stored);
    }
    let findings = findings(&first, &stored, 1);
    assert_eq!(
        (findings[0].status, findings[0].reason.as_str()),
        (Some(true), "ScaledToZero")
    );
    let woken = decided(2, Reason::Waking);
    assert_eq!(
        difference(Some(&stored), &candidate(&woken, Some(&stored))),
        Difference::Number
    );
    let woken = scaling(&woken, Some(&stored), None);
    assert_eq!((&woken.idle_since, &woken.wake_seen), (&None, &None));
    let served = candidate(&decided(2, Reason::Enough), Some(&woken));
    assert_eq!(
        difference(Some(&woken), &served),
        Difference::Number,
        "told at once"
    );
}
