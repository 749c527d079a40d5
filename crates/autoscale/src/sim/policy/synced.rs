//! A policy that somebody acts on only every so often, as a `HorizontalPodAutoscaler` does.

use super::Policy;
use crate::observe::Snapshot;

/// Shows every snapshot to the policy inside, but passes on what it says only once per period.
#[derive(Clone, Debug)]
pub struct Synced<P> {
    /// The policy inside.
    pub inner: P,
    period: f64,
    next: f64,
    standing: Option<u32>,
}

impl<P: Policy> Synced<P> {
    /// Acts every `period` seconds.
    pub fn new(inner: P, period: f64) -> Self {
        Self {
            inner,
            period,
            next: 0.0,
            standing: None,
        }
    }
}

impl<P: Policy> Policy for Synced<P> {
    fn desired(&mut self, snapshot: &Snapshot) -> u32 {
        let said = self.inner.desired(snapshot);
        let now = snapshot.now.as_secs_f64();
        let standing = self.standing.get_or_insert(said);
        if now + 1e-9 >= self.next {
            *standing = said;
            self.next = now + self.period;
        }
        *standing
    }
}
