//! Whether this process may still write.
//!
//! In: until when its lease lets it, moved by the [`Elector`](crate::lease::Elector) with every renewal. Out: a yes or no for
//! each request of the [`client`](crate::client). A process that was frozen (SIGSTOP, a virtual machine that was paused) wakes in
//! the middle of its work, and must not send what it had in hand before it finds out that another leads.
//!
//! It must not hold back the lease itself, by which the process finds out, nor questions, which change nothing.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Open until a lease sets a deadline. Clones are the same fence.
#[derive(Clone, Debug, Default)]
pub struct Fence(Arc<Mutex<Option<Instant>>>);

impl Fence {
    /// Writes may begin until `deadline`.
    pub fn permit_until(&self, deadline: Instant) {
        *self.0.lock() = Some(deadline);
    }

    /// Whether a write may begin now.
    pub fn is_open(&self) -> bool {
        self.0.lock().is_none_or(|deadline| Instant::now() < deadline)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn closes_at_its_deadline_and_opens_with_the_next() {
        let fence = Fence::default();
        let second = Duration::from_secs(1);
        assert!(fence.is_open(), "nobody asks for leadership");
        fence.clone().permit_until(Instant::now() + second);
        assert!(fence.is_open());
        tokio::time::advance(second).await;
        assert!(!fence.is_open());
        fence.permit_until(Instant::now() + second);
        assert!(fence.is_open());
    }
}
