//! Runs reconciles: takes due objects from the work queue, at most so many at a time, never one object twice, and
//! puts them back according to how they ended. A reconcile that panics is one failed object, not a dead operator.

use std::{collections::HashMap, fmt, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::{
    apply::ApplyError,
    key::ObjectKey,
    metrics::Metrics,
    queue::{OBJECT_BACKOFF, Queue, Verdict},
};

/// Reconciles at the same time, unless told otherwise.
pub const DEFAULT_CONCURRENCY: usize = 16;

/// The work queue as everybody shares it. Clones are the same queue.
#[derive(Clone, Debug, Default)]
pub struct WorkQueue {
    queue: Arc<Mutex<Queue>>,
    changed: Arc<Notify>,
}

impl WorkQueue {
    /// An empty queue with the default back-off.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a reconcile of `key` now.
    pub fn add(&self, key: ObjectKey) {
        self.add_after(key, Duration::ZERO);
    }

    /// Asks for a reconcile of `key` no later than `delay` from now.
    pub fn add_after(&self, key: ObjectKey, delay: Duration) {
        self.add_all([key], delay);
    }

    /// Asks for a reconcile of every key no later than `delay` from now.
    pub fn add_all(&self, keys: impl IntoIterator<Item = ObjectKey>, delay: Duration) {
        let mut keys = keys.into_iter().peekable();
        if keys.peek().is_none() {
            return;
        }
        let now = Instant::now();
        let mut queue = self.queue.lock();
        for key in keys {
            queue.add(key, now, delay);
        }
        drop(queue);
        self.changed.notify_one();
    }

    /// Lets every object that waits for its back-off try now, because the API server is reachable again.
    pub fn expedite_failed(&self) {
        self.queue.lock().expedite_failed(Instant::now());
        self.changed.notify_one();
    }

    /// Number of objects that are due and wait for a worker.
    pub fn depth(&self) -> usize {
        self.queue.lock().depth()
    }

    /// Failures in a row of `key`; for the message of a condition or a log line.
    pub fn failures(&self, key: &ObjectKey) -> u32 {
        self.queue.lock().failures(key)
    }

    /// Whether nothing waits, is delayed or runs.
    pub fn is_idle(&self) -> bool {
        self.queue.lock().is_empty()
    }

    async fn pop(&self) -> (ObjectKey, Duration) {
        loop {
            let due = {
                let mut queue = self.queue.lock();
                if let Some(next) = queue.pop(Instant::now()) {
                    return next;
                }
                queue.next_due()
            };
            // `notify_one` stores a permit, so an `add` between the lock and this wait is not lost.
            match due {
                Some(due) => tokio::select! {
                    () = sleep_until(due) => {}
                    () = self.changed.notified() => {}
                },
                None => self.changed.notified().await,
            }
        }
    }

    fn finish(&self, key: &ObjectKey, verdict: Verdict) -> Option<Duration> {
        let next = self.queue.lock().finish(key, Instant::now(), verdict);
        self.changed.notify_one();
        next
    }
}

/// How a reconcile ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to do until something changes. Also for an object that no longer exists.
    Done,
    /// Look again after this time, changed or not.
    RequeueAfter(Duration),
}

/// Why a reconcile failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Failure {
    /// One `CamelCase` word from a fixed set; label of `llm_operator_reconcile_errors_total`.
    pub reason: &'static str,
    /// Whether trying again soon may help. If not, the object waits for a change, or 5 min.
    pub retryable: bool,
    /// One sentence for the log.
    pub message: String,
    /// Not again before this time, however short the back-off is; zero unless the server asks for it.
    pub at_least: Duration,
}

impl Failure {
    /// A failure that time may heal.
    pub fn retry(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            retryable: true,
            message: message.into(),
            at_least: Duration::ZERO,
        }
    }

    /// A failure that needs somebody to change something.
    pub fn terminal(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            retryable: false,
            message: message.into(),
            at_least: Duration::ZERO,
        }
    }

    /// The same, not tried again before `delay`; a server that asks for more than the longest back-off gets that.
    #[must_use]
    pub fn not_before(self, delay: Duration) -> Self {
        Self {
            at_least: delay.min(OBJECT_BACKOFF.max),
            ..self
        }
    }
}

/// Brings one kind of object to its desired state.
pub trait Reconciler: Send + Sync + 'static {
    /// The kind of the keys that come to this reconciler.
    fn kind(&self) -> &'static str;

    /// Makes the world match the object `key` names. Called again after every change and every failure, so it must be
    /// idempotent. Implementations may write `async fn reconcile(..)`.
    fn reconcile(&self, key: &ObjectKey) -> impl Future<Output = Result<Outcome, Failure>> + Send;
}

/// The failure of a reconcile that ended with this error.
impl From<&ApplyError> for Failure {
    fn from(error: &ApplyError) -> Self {
        let (reason, words) = (error.reason(), error.to_string());
        if error.retryable() {
            Self::retry(reason, words).not_before(error.retry_after())
        } else {
            Self::terminal(reason, words)
        }
    }
}

trait DynReconciler: Send + Sync {
    fn run(self: Arc<Self>, key: ObjectKey) -> BoxFuture<'static, Result<Outcome, Failure>>;
}

impl<R: Reconciler> DynReconciler for R {
    fn run(self: Arc<Self>, key: ObjectKey) -> BoxFuture<'static, Result<Outcome, Failure>> {
        Box::pin(async move { self.reconcile(&key).await })
    }
}

/// Works the queue off. See [`Runner::run`].
pub struct Runner {
    queue: WorkQueue,
    metrics: Metrics,
    reconcilers: HashMap<&'static str, Arc<dyn DynReconciler>>,
    generations: Generations,
    concurrency: usize,
}

/// Tells the generation of what a key names.
type Generations = Box<dyn Fn(&ObjectKey) -> Option<i64> + Send + Sync>;

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner")
            .field("kinds", &self.reconcilers.keys())
            .finish_non_exhaustive()
    }
}

impl Runner {
    /// A runner without reconcilers, with [`DEFAULT_CONCURRENCY`].
    pub fn new(queue: WorkQueue, metrics: Metrics) -> Self {
        Self {
            queue,
            metrics,
            reconcilers: HashMap::new(),
            generations: Box::new(|_| None),
            concurrency: DEFAULT_CONCURRENCY,
        }
    }

    /// Adds the reconciler of one kind; a second one for the same kind replaces the first.
    #[must_use]
    pub fn with(mut self, reconciler: impl Reconciler) -> Self {
        self.reconcilers.insert(reconciler.kind(), Arc::new(reconciler));
        self
    }

    /// Where the generation in the log comes from: every line of a reconcile has kind, namespace, name and generation, which
    /// is 0 where there is none, as of Nodes and of what is gone.
    #[must_use]
    pub fn generations(mut self, of: impl Fn(&ObjectKey) -> Option<i64> + Send + Sync + 'static) -> Self {
        self.generations = Box::new(of);
        self
    }

    /// At most this many reconciles at a time; at least one.
    #[must_use]
    pub fn concurrency(mut self, workers: usize) -> Self {
        self.concurrency = workers.max(1);
        self
    }

    /// Works until `stop` is cancelled, then lets running reconciles end and returns. Dropping the future instead
    /// aborts them at their next await: what a lost lease calls for.
    pub async fn run(&self, stop: CancellationToken) {
        let mut running = JoinSet::new();
        loop {
            self.metrics.set_queue_depth(self.queue.depth());
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(_) = running.join_next(), if !running.is_empty() => {}
                (key, waited) = self.queue.pop(), if running.len() < self.concurrency => {
                    self.metrics.queue_waited(waited);
                    self.start(key, &mut running);
                }
            }
        }
        while running.join_next().await.is_some() {}
    }

    fn start(&self, key: ObjectKey, running: &mut JoinSet<()>) {
        let Some(reconciler) = self.reconcilers.get(key.kind).cloned() else {
            tracing::error!(object = %key, "woken, but nobody reconciles this kind");
            self.queue.finish(&key, Verdict::Done);
            return;
        };
        let (queue, metrics) = (self.queue.clone(), self.metrics.clone());
        // Of the highest level, so that it is there for whatever level is logged.
        let span = tracing::error_span!(
            "reconcile",
            kind = key.kind,
            namespace = &*key.namespace,
            name = &*key.name,
            generation = (self.generations)(&key).unwrap_or_default(),
        );
        let work = async move {
            let ticket = Ticket {
                key: Some(key.clone()),
                queue,
            };
            let begun = Instant::now();
            let result = AssertUnwindSafe(reconciler.run(key.clone())).catch_unwind().await;
            let result = result.unwrap_or_else(|panic| Err(Failure::retry("Panic", panic_text(&*panic))));
            metrics.reconciled(
                key.kind,
                begun.elapsed(),
                result.as_ref().err().map(|failure| failure.reason),
            );
            ticket.finish(result);
        };
        running.spawn(work.instrument(span));
    }
}

/// The right to work on one object; an aborted reconcile gives it back.
struct Ticket {
    key: Option<ObjectKey>,
    queue: WorkQueue,
}

impl Ticket {
    fn finish(mut self, result: Result<Outcome, Failure>) {
        let Some(key) = self.key.take() else { return };
        let verdict = match &result {
            Ok(Outcome::Done) => Verdict::Done,
            Ok(Outcome::RequeueAfter(delay)) => Verdict::After(*delay),
            Err(failure) if failure.retryable => Verdict::Failed(failure.at_least),
            Err(_) => Verdict::FailedForGood,
        };
        let next = self.queue.finish(&key, verdict);
        if let Err(failure) = result {
            let again_in = next.map(|delay| format!("{:.1}s", delay.as_secs_f64()));
            tracing::warn!(object = %key, reason = failure.reason, again_in, "reconcile failed: {}", failure.message);
        } else {
            tracing::debug!(object = %key, "reconciled");
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.queue.finish(&key, Verdict::After(Duration::ZERO));
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the reconcile panicked: {}", text.unwrap_or("no message"))
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
