use diagnosis::GpuNeed;

use super::{
    super::test_bed::{DAY, failed, pods, subject, told},
    *,
};

/// A resource over time, seen every 15 s.
struct Story {
    subject: Subject,
    scaled: Scaled,
    second: u64,
    room: Room,
}

impl Story {
    fn of(subject: Subject) -> Self {
        Self {
            scaled: Scaled::new(&subject),
            subject,
            second: 0,
            room: Room::default(),
        }
    }

    /// The next decision, published.
    fn next(&mut self, pods: &[Arc<PodFacts>], latest: impl Fn(u64) -> Vec<Latest>) -> Decided {
        self.second += 15;
        let latest = latest(self.second);
        let view = self.view(pods, &latest);
        let decided = self.scaled.decide(&self.subject, &view);
        self.scaled.order(decided.replicas);
        decided
    }

    fn view<'a>(&self, pods: &'a [Arc<PodFacts>], latest: &'a [Latest]) -> View<'a> {
        let second = i64::try_from(self.second).unwrap();
        View {
            pods,
            latest,
            room: self.room.clone(),
            clocks: Clocks {
                day: Timestamp::from_second(DAY + second).unwrap(),
                scraper: Duration::from_secs(self.second),
            },
            freshness: Duration::from_secs(15),
        }
    }
}

fn nobody(_: u64) -> Vec<Latest> {
    Vec::new()
}

/// `count` Pods of which each finishes so many requests a second.
fn busy(count: usize, rate: f64) -> impl Fn(u64) -> Vec<Latest> {
    move |second| {
        let at = f64::from(u32::try_from(second).unwrap());
        (0..count)
            .map(|n| told(n, second - 1, rate * at, rate, 0.0))
            .collect()
    }
}

#[test]
fn after_a_restart_the_stored_number_stays_until_something_is_known() {
    let mut story = Story::of(subject(1, 20, Some(6)));
    let pods = pods(6);
    assert_eq!(story.next(&pods, nobody).replicas, 6, "nobody was asked yet");
    for _ in 0..6 {
        let decided = story.next(&pods, busy(6, 0.001));
        assert_eq!(decided.replicas, 6, "{}", decided.message);
    }
    // Hardly anything arrives, for long enough.
    let fewer = (0..60).map(|_| story.next(&pods, busy(6, 0.001)).replicas).last();
    assert_eq!(fewer, Some(1));
}

#[test]
fn without_a_stored_number_the_workloads_counts() {
    let mut story = Story::of(subject(2, 20, None));
    story.room.asked = Some(5);
    assert_eq!(story.next(&pods(3), nobody).replicas, 5);
    let mut story = Story::of(subject(2, 20, None));
    assert_eq!(story.next(&pods(3), nobody).replicas, 3);
    let mut story = Story::of(subject(2, 20, Some(0)));
    assert_eq!(story.next(&[], nobody).replicas, 2, "never below the least");
}

#[test]
fn pods_that_are_missing_or_come_on_top_change_no_order() {
    let all_fail = |count: usize| move |_| (0..count).map(failed).collect::<Vec<_>>();
    let mut story = Story::of(subject(1, 20, Some(5)));
    for _ in 0..20 {
        assert_eq!(story.next(&pods(3), all_fail(3)).replicas, 5, "evicted");
        assert_eq!(story.next(&pods(7), all_fail(7)).replicas, 5, "a rollout's surge");
    }
}

#[test]
fn failures_are_told_with_counts_and_the_first_reason() {
    let mut story = Story::of(subject(1, 20, Some(3)));
    let some = |second| vec![failed(0), told(1, second - 1, 1.0, 0.0, 0.0), failed(2)];
    story.next(&pods(3), some);
    let decided = story.next(&pods(3), some);
    assert_eq!(
        (decided.replicas, decided.decision.reason),
        (3, Reason::ScrapeFailed)
    );
    let message = &decided.message;
    assert!(
        message.contains("2 of 3 replicas could not be scraped"),
        "{message}"
    );
    assert!(message.contains("the first: pod-0: status 404"), "{message}");
    assert_eq!(decided.latency, crate::scaling::Latency::Exported);
}

#[test]
fn an_engine_without_metrics_keeps_its_replicas() {
    let subject = Subject {
        metrics: None,
        ..subject(1, 20, Some(4))
    };
    let mut story = Story::of(subject);
    for _ in 0..30 {
        let decided = story.next(&pods(4), nobody);
        assert_eq!(
            (decided.replicas, decided.decision.reason),
            (4, Reason::NotObservable)
        );
        assert_eq!(decided.latency, crate::scaling::Latency::NoMetrics);
    }
}

#[test]
fn load_raises_the_number_and_what_limits_is_named() {
    let overload = |count: usize| {
        move |second: u64| {
            let at = f64::from(u32::try_from(second).unwrap());
            (0..count)
                .map(|n| told(n, second - 1, 10.0 * at, 60.0, 500.0))
                .collect::<Vec<_>>()
        }
    };
    let mut story = Story::of(subject(1, 20, Some(2)));
    let grown = (0..4).map(|_| story.next(&pods(2), overload(2))).last().unwrap();
    assert!(grown.replicas > 2, "{}", grown.message);
    let mut story = Story::of(subject(1, 20, Some(2)));
    story.subject.need = Some(GpuNeed::default());
    story.room.gpus = Some(3);
    let limited = (0..4).map(|_| story.next(&pods(2), overload(2))).last().unwrap();
    assert_eq!((limited.replicas, limited.decision.reason), (3, Reason::Limited));
    assert!(
        limited
            .message
            .ends_with("; free GPUs that exist are enough for 3 replicas; add nodes or free some."),
        "{}",
        limited.message
    );
}

#[test]
fn a_quotas_refusal_is_remembered_for_a_while() {
    let mut story = Story::of(subject(1, 20, Some(6)));
    story.room.quota = Some((4, "exceeded quota: gpus".to_owned()));
    assert_eq!(story.next(&pods(4), nobody).replicas, 4);
    // Now nothing more is asked for, so nothing is refused.
    story.room.quota = None;
    for _ in 0..20 {
        assert_eq!(story.next(&pods(4), nobody).bounds.max, 4);
    }
    assert_eq!(story.next(&pods(4), nobody).bounds.max, 20, "after five minutes");
}

#[test]
fn what_was_learned_goes_when_something_else_is_promised() {
    let mut story = Story::of(subject(1, 20, Some(6)));
    for _ in 0..100 {
        story.next(&pods(6), busy(6, 0.001));
    }
    let before = story.scaled.clone();
    story.subject.plan.most = 30;
    story.scaled.adapt(&story.subject);
    assert_eq!(
        story.scaled.config, before.config,
        "the bounds are told each time"
    );
    story.subject.expectation.expected.step_time.base *= 1.1;
    story.subject.expectation.startup *= 2;
    story.scaled.adapt(&story.subject);
    assert_eq!(story.scaled.config, before.config, "hardly another expectation");
    story.subject.plan.promise.time_per_output_token = Some(Duration::from_millis(20));
    story.scaled.adapt(&story.subject);
    assert_ne!(story.scaled.config, before.config);
    assert_eq!(story.scaled.ordered, before.ordered, "the number stays");
}

#[test]
fn more_waiting_requests_cannot_wait_but_only_when_all_have_told() {
    let mut story = Story::of(subject(1, 20, Some(2)));
    story.next(&pods(2), |second| {
        vec![
            told(0, second - 1, 1.0, 5.0, 5.0),
            told(1, second - 1, 1.0, 5.0, 5.0),
        ]
    });
    let urgent = |latest: Vec<Latest>| story.scaled.urgent(&latest);
    let at = |n, second, waiting| told(n, second, 1.0, 5.0, waiting);
    assert!(urgent(vec![at(0, 20, 8.0), at(1, 20, 8.0)]));
    assert!(!urgent(vec![at(0, 20, 6.0), at(1, 20, 5.0)]), "hardly more");
    assert!(
        !urgent(vec![at(0, 20, 50.0), at(1, 14, 5.0)]),
        "one has not told anything since"
    );
    assert!(
        urgent(vec![at(0, 20, 50.0), failed(1)]),
        "who fails is not waited for"
    );
    assert!(!urgent(Vec::new()));
}
