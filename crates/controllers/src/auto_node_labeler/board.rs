//! What the reconcilers of nodes and of labelers tell each other. Memory only; it is empty after a restart.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;
use reconcile::{Failure, ObjectKey};
use tokio::time::{Duration, Instant};

use super::fights::Fights;

/// Why a node could not be labelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Documented reason.
    pub reason: &'static str,
    /// One sentence.
    pub message: String,
    /// The API server's own trouble: it passes.
    pub passes: bool,
}

impl From<&Failure> for Trouble {
    fn from(failure: &Failure) -> Self {
        Self {
            reason: failure.reason,
            message: failure.message.clone(),
            passes: failure.reason == "ApiUnavailable",
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Board {
    /// Nodes have changed since a labeler has last looked at them.
    stale: AtomicBool,
    /// Nodes were left alone since it was not known which labelers there are.
    skipped: AtomicBool,
    troubles: Mutex<HashMap<Box<str>, Trouble>>,
    /// Labels that go again.
    pub fights: Mutex<Fights>,
    waiting: Mutex<HashMap<ObjectKey, Instant>>,
}

impl Board {
    /// Notes how the last attempt on a node ended. `true` when the labelers have to be told: the first time since one of
    /// them has looked, so that a burst of nodes wakes each of them once.
    pub fn worked_on(&self, node: &str, trouble: Option<Trouble>) -> bool {
        let mut troubles = self.troubles.lock();
        match trouble {
            Some(trouble) => {
                troubles.insert(node.into(), trouble);
            }
            None => {
                troubles.remove(node);
            }
        }
        drop(troubles);
        !self.stale.swap(true, Ordering::SeqCst)
    }

    /// A labeler is about to look at all nodes.
    pub fn looking(&self) {
        self.stale.store(false, Ordering::SeqCst);
    }

    /// A node is left alone, since it is not known which labelers there are.
    pub fn skip(&self) {
        self.skipped.store(true, Ordering::SeqCst);
    }

    /// Whether nodes were left alone since this was last asked.
    pub fn take_skipped(&self) -> bool {
        self.skipped.swap(false, Ordering::SeqCst)
    }

    /// Why the last attempt on a node failed, if it did.
    pub fn trouble(&self, node: &str) -> Option<Trouble> {
        self.troubles.lock().get(node).cloned()
    }

    /// How long a labeler has been waiting for nodes; from now, when it is not `waits`.
    pub fn waited(&self, labeler: &ObjectKey, waits: bool) -> Duration {
        let mut waiting = self.waiting.lock();
        if waits {
            waiting
                .entry(labeler.clone())
                .or_insert_with(Instant::now)
                .elapsed()
        } else {
            waiting.remove(labeler);
            Duration::ZERO
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_skipped_is_made_up_for_once() {
        let board = Board::default();
        assert!(!board.take_skipped());
        board.skip();
        board.skip();
        assert!(board.take_skipped() && !board.take_skipped());
    }

    #[test]
    fn a_burst_of_nodes_tells_the_labelers_once() {
        let board = Board::default();
        let told = (0..100).filter(|_| board.worked_on("n", None)).count();
        assert_eq!(told, 1);
        board.looking();
        let trouble = Trouble::from(&Failure::retry("ApiUnavailable", "m"));
        assert!(board.worked_on("n", Some(trouble.clone())));
        assert_eq!(board.trouble("n"), Some(trouble));
        assert!(!board.worked_on("n", None) && board.trouble("n").is_none());
    }
}
