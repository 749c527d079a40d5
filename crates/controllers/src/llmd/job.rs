//! Work that takes long, beside the reconciles: at most one at a time in each [`Job`].
//!
//! In: a future with a label that says what it is. Out: its result, once, and a wake-up when it is there. Dropping the job, or
//! stopping it, drops the future, and with it what it runs.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use k8s_openapi::jiff::Timestamp;
use parking_lot::Mutex;
use reconcile::{ObjectKey, WorkQueue};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

/// At most one piece of work, labelled by an `L`, that comes to a `T`.
pub struct Job<L, T> {
    queue: WorkQueue,
    serial: AtomicU64,
    held: Arc<Mutex<Option<Held<L, T>>>>,
}

struct Held<L, T> {
    /// Tells one piece of work from its successor.
    serial: u64,
    label: L,
    since: Timestamp,
    /// What keeps the work going; none once it has ended.
    task: Option<AbortOnDropHandle<()>>,
    result: Option<T>,
}

impl<L: Clone + Send + 'static, T: Send + 'static> Job<L, T> {
    /// Nothing to do yet; wake-ups go to `queue`.
    pub fn new(queue: WorkQueue) -> Self {
        Self {
            queue,
            serial: AtomicU64::default(),
            held: Arc::default(),
        }
    }

    /// Begins work, in place of what was there. Must be called inside a tokio runtime.
    pub fn start(&self, label: L, wakes: ObjectKey, work: impl Future<Output = T> + Send + 'static) {
        let (held, queue) = (Arc::downgrade(&self.held), self.queue.clone());
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        // The lock is held until the task is stored: it cannot end before it is known.
        let mut place = self.held.lock();
        let work = work.in_current_span();
        let task = tokio::spawn(async move {
            let result = work.await;
            if let Some(held) = held.upgrade()
                && let Some(held) = &mut *held.lock()
                // What was replaced while it ended must not pass for its successor.
                && held.serial == serial
            {
                held.result = Some(result);
                held.task = None;
            }
            queue.add(wakes);
        });
        *place = Some(Held {
            serial,
            label,
            since: Timestamp::now(),
            task: Some(AbortOnDropHandle::new(task)),
            result: None,
        });
    }

    /// What is under way, and since when.
    pub fn running(&self) -> Option<(L, Timestamp)> {
        let held = self.held.lock();
        let held = held.as_ref().filter(|held| held.result.is_none())?;
        Some((held.label.clone(), held.since))
    }

    /// What has ended, handed out once.
    pub fn take(&self) -> Option<(L, T)> {
        let mut held = self.held.lock();
        if held.as_ref().is_none_or(|held| held.result.is_none()) {
            return None;
        }
        let Held { label, result, .. } = held.take()?;
        result.map(|result| (label, result))
    }

    /// Ends what is under way; its result is lost.
    pub fn stop(&self) {
        *self.held.lock() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ObjectKey {
        ObjectKey::new("Llmd", "", "default-llm-d")
    }

    #[tokio::test]
    async fn a_result_is_handed_out_once_and_wakes() {
        let queue = WorkQueue::new();
        let job = Job::<&str, u32>::new(queue.clone());
        assert!(job.running().is_none() && job.take().is_none());
        job.start("count", key(), async { 7 });
        assert_eq!(job.running().map(|(label, _)| label), Some("count"));
        while job.running().is_some() {
            tokio::task::yield_now().await;
        }
        assert_eq!(job.take(), Some(("count", 7)));
        assert_eq!(job.take(), None);
        while queue.depth() == 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn stopping_drops_what_runs() {
        struct Noted(Arc<Mutex<bool>>);
        impl Drop for Noted {
            fn drop(&mut self) {
                *self.0.lock() = true;
            }
        }
        let dropped = Arc::new(Mutex::new(false));
        let noted = Noted(dropped.clone());
        let job = Job::<&str, ()>::new(WorkQueue::new());
        job.start("hang", key(), async move {
            let _noted = noted;
            std::future::pending::<()>().await;
        });
        tokio::task::yield_now().await;
        job.stop();
        while !*dropped.lock() {
            tokio::task::yield_now().await;
        }
        assert!(job.running().is_none());
    }
}
