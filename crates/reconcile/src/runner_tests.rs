//! The runner under paused time, with reconcilers that panic, hang and fail.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

use super::*;

struct Probe {
    seen: mpsc::UnboundedSender<String>,
    active: AtomicUsize,
    peak: Arc<AtomicUsize>,
}

impl Reconciler for Probe {
    fn kind(&self) -> &'static str {
        "Thing"
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<Outcome, Failure> {
        let active = self.active.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(active, Ordering::SeqCst);
        self.seen.send(key.name.to_string()).unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.active.fetch_sub(1, Ordering::SeqCst);
        match &*key.name {
            "panics" => panic!("boom"),
            "fails" => Err(Failure::retry("Conflict", "somebody else wrote")),
            "hopeless" => Err(Failure::terminal("Invalid", "never works")),
            "again" => Ok(Outcome::RequeueAfter(Duration::from_mins(1))),
            _ => Ok(Outcome::Done),
        }
    }
}

struct Harness {
    queue: WorkQueue,
    metrics: Metrics,
    seen: mpsc::UnboundedReceiver<String>,
    peak: Arc<AtomicUsize>,
    stop: CancellationToken,
}

fn start(workers: usize) -> Harness {
    let (sender, seen) = mpsc::unbounded_channel();
    let (queue, metrics, stop) = (WorkQueue::new(), Metrics::new(), CancellationToken::new());
    let peak = Arc::new(AtomicUsize::new(0));
    let probe = Probe {
        seen: sender,
        active: AtomicUsize::new(0),
        peak: peak.clone(),
    };
    let runner = Runner::new(queue.clone(), metrics.clone())
        .with(probe)
        .concurrency(workers);
    let token = stop.clone();
    tokio::spawn(async move { runner.run(token).await });
    Harness {
        queue,
        metrics,
        seen,
        peak,
        stop,
    }
}

impl Harness {
    fn add(&self, name: &str) {
        self.queue.add(ObjectKey::new("Thing", "ns", name));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_counted_and_backed_off_and_others_go_on() {
    let mut h = start(2);
    h.add("panics");
    h.add("fine");
    let mut first = [h.seen.recv().await.unwrap(), h.seen.recv().await.unwrap()];
    first.sort();
    assert_eq!(first, ["fine", "panics"]);
    let begun = Instant::now();
    assert_eq!(h.seen.recv().await.unwrap(), "panics", "it is tried again");
    assert!(
        begun.elapsed() >= Duration::from_millis(200),
        "after its back-off"
    );
    let text = h.metrics.encode().unwrap();
    assert!(
        text.contains(r#"reconcile_errors_total{kind="Thing",reason="Panic"}"#),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn no_more_than_so_many_at_a_time() {
    let mut h = start(3);
    for i in 0..20 {
        h.add(&format!("o{i}"));
    }
    for _ in 0..20 {
        h.seen.recv().await.unwrap();
    }
    assert_eq!(h.peak.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn requeue_after_and_terminal_failures_wait_as_told() {
    let mut h = start(4);
    h.add("again");
    h.add("hopeless");
    let begun = Instant::now();
    let mut times = Vec::new();
    for _ in 0..4 {
        let name = h.seen.recv().await.unwrap();
        times.push((name, begun.elapsed().as_secs()));
    }
    let again: Vec<_> = times
        .iter()
        .filter(|(name, _)| name == "again")
        .map(|(_, at)| *at)
        .collect();
    assert_eq!(again, [0, 60, 120], "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn stopping_lets_running_work_end() {
    let mut h = start(1);
    h.add("a");
    h.add("b");
    h.seen.recv().await.unwrap();
    h.stop.cancel();
    assert_eq!(
        h.seen.recv().await,
        None,
        "b was never started, and the runner is gone"
    );
    assert_eq!(h.queue.depth(), 1);
}

#[test]
fn what_the_server_asks_for_reaches_the_queue_within_limits() {
    let refused = |seconds| ApplyError::Retryable {
        kind: "Service".to_owned(),
        name: "a".to_owned(),
        message: "too many requests".to_owned(),
        retry_after: Some(Duration::from_secs(seconds)),
    };
    let failure = Failure::from(&refused(7));
    assert!(failure.retryable);
    assert_eq!(failure.at_least, Duration::from_secs(7));
    assert_eq!(Failure::from(&refused(86_400)).at_least, OBJECT_BACKOFF.max);
}
