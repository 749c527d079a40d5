//! The queue under fake time.

use std::time::Duration;

use tokio::time::Instant;

use super::{Queue, Verdict};
use crate::{jitter::Backoff, key::ObjectKey};

const NOW: Duration = Duration::ZERO;

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("Thing", "ns", name)
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn pop(queue: &mut Queue, now: Instant) -> Option<String> {
    queue.pop(now).map(|(key, _)| key.name.to_string())
}

#[test]
fn the_same_key_is_queued_once_and_never_runs_twice_at_a_time() {
    let (mut q, t) = (Queue::default(), Instant::now());
    q.add(key("a"), t, NOW);
    q.add(key("a"), t, NOW);
    assert_eq!(pop(&mut q, t).as_deref(), Some("a"));
    q.add(key("a"), t, NOW);
    assert_eq!(pop(&mut q, t), None, "it is running");
    assert_eq!(q.finish(&key("a"), t, Verdict::Done), Some(NOW));
    assert_eq!(
        pop(&mut q, t).as_deref(),
        Some("a"),
        "what changed meanwhile is looked at"
    );
    assert_eq!(q.finish(&key("a"), t, Verdict::Done), None);
    assert!(q.is_empty(), "nothing is kept of an object that is done");
}

#[test]
fn a_burst_within_the_delay_costs_one_run_and_a_stream_does_not_starve() {
    let (mut q, t) = (Queue::default(), Instant::now());
    for i in 0..10 {
        q.add(key("a"), t + ms(i * 20), ms(100));
        if i < 5 {
            assert_eq!(pop(&mut q, t + ms(i * 20)), None);
        }
    }
    assert_eq!(q.next_due(), Some(t + ms(100)));
    assert_eq!(
        pop(&mut q, t + ms(180)).as_deref(),
        Some("a"),
        "due 100 ms after the first event"
    );
}

#[test]
fn an_earlier_request_overtakes_a_delay() {
    let (mut q, t) = (Queue::default(), Instant::now());
    q.add(key("a"), t, Duration::from_mins(1));
    q.add(key("a"), t + ms(1), NOW);
    assert_eq!(pop(&mut q, t + ms(1)).as_deref(), Some("a"));
    assert_eq!(q.finish(&key("a"), t + ms(2), Verdict::Done), None);
    assert_eq!(q.next_due(), None, "the overtaken delay is gone");
}

#[test]
fn failures_grow_the_delay_per_object_and_success_resets_it() {
    let backoff = Backoff {
        base: ms(100),
        max: ms(1000),
    };
    let (mut q, mut t) = (Queue::new(backoff), Instant::now());
    q.add(key("bad"), t, NOW);
    for expected in [100, 200, 400, 800, 1000, 1000] {
        assert_eq!(pop(&mut q, t).as_deref(), Some("bad"));
        let delay = q.finish(&key("bad"), t, Verdict::Failed(Duration::ZERO)).unwrap();
        assert!(
            delay >= ms(expected * 9 / 10) && delay <= ms(expected * 11 / 10 + 1),
            "{delay:?}"
        );
        t += delay;
    }
    assert_eq!(q.failures(&key("bad")), 6);
    assert_eq!(pop(&mut q, t).as_deref(), Some("bad"));
    assert_eq!(q.finish(&key("bad"), t, Verdict::After(ms(5))), Some(ms(5)));
    assert_eq!(q.failures(&key("bad")), 0);
}

#[test]
fn a_change_during_back_off_is_looked_at_at_once() {
    let (mut q, t) = (Queue::default(), Instant::now());
    q.add(key("a"), t, NOW);
    q.pop(t);
    q.finish(&key("a"), t, Verdict::FailedForGood);
    assert!(q.next_due().unwrap() > t + Duration::from_secs(200));
    q.add(key("a"), t + ms(1), NOW);
    assert_eq!(pop(&mut q, t + ms(1)).as_deref(), Some("a"));
}

#[test]
fn a_hot_object_does_not_delay_the_others() {
    let (mut q, t) = (Queue::default(), Instant::now());
    for name in ["hot", "b", "c"] {
        q.add(key(name), t, NOW);
    }
    let mut order = Vec::new();
    for _ in 0..4 {
        let name = pop(&mut q, t).unwrap();
        q.add(key("hot"), t, NOW);
        q.finish(&key(&name), t, Verdict::Done);
        order.push(name);
    }
    assert_eq!(order, ["hot", "b", "c", "hot"]);
}

#[test]
fn waiting_time_counts_from_when_the_object_was_due() {
    let (mut q, t) = (Queue::default(), Instant::now());
    q.add(key("a"), t, ms(100));
    assert_eq!(q.pop(t + ms(130)), Some((key("a"), ms(30))));
}

#[test]
fn when_the_cause_is_over_only_the_failed_are_hurried() {
    let (mut q, t) = (Queue::default(), Instant::now());
    for name in ["failed", "resync"] {
        q.add(key(name), t, NOW);
        q.pop(t);
    }
    q.finish(&key("failed"), t, Verdict::FailedForGood);
    q.finish(&key("resync"), t, Verdict::After(Duration::from_mins(1)));
    q.expedite_failed(t + ms(1));
    assert_eq!(pop(&mut q, t + ms(1)).as_deref(), Some("failed"));
    assert_eq!(pop(&mut q, t + ms(1)), None);
    assert_eq!(q.failures(&key("failed")), 1, "its history is kept");
}

#[test]
fn a_failure_waits_for_as_long_as_the_server_asks() {
    let (mut q, t) = (Queue::default(), Instant::now());
    q.add(key("a"), t, NOW);
    q.pop(t);
    let wanted = Duration::from_secs(7);
    assert_eq!(q.finish(&key("a"), t, Verdict::Failed(wanted)), Some(wanted));
    assert!(q.pop(t + wanted - ms(1)).is_none());
    assert!(q.pop(t + wanted).is_some());
    let soon = q.finish(&key("a"), t, Verdict::Failed(ms(1))).unwrap();
    assert!(soon > ms(400), "the back-off goes on: {soon:?}");
}
