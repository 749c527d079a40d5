//! The labelers that are at work, in the order in which they win.
//!
//! In: the cache of labelers. Out: their rules; nothing while it is not known which labelers there are.

use std::sync::Arc;

use reconcile::WatchCache;

use super::{labeler::Labeler, rule::Rule};

/// See the module.
#[derive(Debug, Default)]
pub struct View {
    labelers: Vec<Arc<Labeler>>,
    /// A labeler exists that cannot be read: what it asks for is unknown, and what it has set stays.
    pub hold: bool,
}

impl View {
    /// The labelers at work. `None` while they may not be watched, have not been listed yet, or are not served: an API
    /// server that has just started does not serve them for a moment, and no label may go for that.
    pub fn of(labelers: &WatchCache<Labeler>, allow_protected: bool) -> Option<Self> {
        let mut all = labelers.list(None);
        let unknown = |labeler: &Arc<Labeler>| labeler.is_unreadable() && !labeler.is_going();
        let hold = all.len() != labelers.len() || all.iter().any(unknown);
        // Asked after the list: that may have been empty because they ceased to be served.
        if !labelers.is_listed() {
            return None;
        }
        all.retain(|labeler| labeler.working(allow_protected).is_some());
        all.sort_by(|a, b| a.rank().cmp(&b.rank()));
        Some(Self { labelers: all, hold })
    }

    /// Their rules. The protected labels of those at work are allowed.
    pub fn rules(&self) -> Vec<&Rule> {
        let rules = self.labelers.iter().filter_map(|labeler| labeler.working(true));
        rules.collect()
    }

    /// The labeler at `place`.
    pub fn at(&self, place: usize) -> Option<&Labeler> {
        self.labelers.get(place).map(|labeler| &**labeler)
    }

    /// The place of `labeler`, if it is at work.
    pub fn place_of(&self, labeler: &Labeler) -> Option<usize> {
        self.labelers
            .iter()
            .position(|one| (one.namespace(), one.name()) == (labeler.namespace(), labeler.name()))
    }
}
