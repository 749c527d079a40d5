//! One change of a release at a time.
//!
//! In: names of releases. Out: a guard that lasts until the last process of a change is gone, also when whoever asked for the
//! change went away before.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use crate::ReleaseName;

/// The releases that are being changed.
#[derive(Debug, Default)]
pub(super) struct Releases {
    turns: Mutex<HashMap<ReleaseName, Weak<Turn<()>>>>,
}

impl Releases {
    /// Waits for its turn.
    pub(super) async fn turn(&self, release: &ReleaseName) -> OwnedMutexGuard<()> {
        let turn = self.of(release);
        turn.lock_owned().await
    }

    fn of(&self, release: &ReleaseName) -> Arc<Turn<()>> {
        let mut turns = self.turns.lock();
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(release).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(Turn::new(()));
        turns.insert(release.clone(), Arc::downgrade(&turn));
        turn
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn one_waits_for_the_other_and_nothing_is_kept() {
        let releases = Releases::default();
        let name = |name: &str| ReleaseName {
            namespace: "models".to_owned(),
            name: name.to_owned(),
        };
        let first = releases.turn(&name("a")).await;
        assert!(releases.turn(&name("a")).now_or_never().is_none());
        assert!(releases.turn(&name("b")).now_or_never().is_some());
        drop(first);
        assert!(releases.turn(&name("a")).now_or_never().is_some());
        releases.of(&name("c"));
        assert_eq!(releases.turns.lock().len(), 1);
    }
}
