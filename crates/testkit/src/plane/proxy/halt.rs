//! A client that is stopped at one of its changes, so that a test can kill it exactly there.
//!
//! In: an order for the n-th change; the changes as they come and as the API server has done them. Out: which of them wait.
//! Events, leases and dry runs are no changes: nothing follows from them.

use parking_lot::Mutex;
use tokio::sync::watch;

/// When the client is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The API server has done the change, and the client does not learn it.
    BeforeAnswer,
    /// The client has the answer; its next change does not reach the API server.
    AfterAnswer,
}

/// What a change is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    GoOn,
    /// Its answer is kept back.
    Keep,
}

#[derive(Debug, Default)]
struct Order {
    /// Changes until it is due, the last one included; zero when nothing is ordered.
    left: u64,
    part: String,
    moment: Option<Moment>,
    done: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Halt {
    order: Mutex<Order>,
    halted: watch::Sender<bool>,
    waiting: watch::Sender<usize>,
}

impl Default for Halt {
    fn default() -> Self {
        Self {
            order: Mutex::default(),
            halted: watch::Sender::new(false),
            waiting: watch::Sender::new(0),
        }
    }
}

impl Halt {
    /// Stops at the `nth` successful change from now on whose path contains `part`.
    pub(super) fn order(&self, nth: u64, part: &str, moment: Moment) {
        let mut order = self.order.lock();
        order.left = nth;
        part.clone_into(&mut order.part);
        order.moment = Some(moment);
    }

    /// Forgets the order. What waits goes on.
    pub(super) fn clear(&self) {
        self.order.lock().left = 0;
        self.halted.send_replace(false);
    }

    /// Successful changes so far.
    pub(super) fn done(&self) -> u64 {
        self.order.lock().done
    }

    /// Resolves when the client is stopped.
    pub(super) async fn halted(&self) {
        let _ = self.halted.subscribe().wait_for(|halted| *halted).await;
    }

    /// Resolves when a change of the stopped client waits.
    pub(super) async fn waited(&self) {
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting > 0).await;
    }

    /// Lets a change through unless the client is stopped; then it waits.
    pub(super) async fn pass(&self) {
        let mut halted = self.halted.subscribe();
        if !*halted.borrow_and_update() {
            return;
        }
        let _waiting = Waiting::begin(&self.waiting);
        let _ = halted.wait_for(|halted| !*halted).await;
    }

    /// The API server has done a change.
    pub(super) fn succeeded(&self, path: &str) -> Turn {
        let mut order = self.order.lock();
        order.done += 1;
        if order.left == 0 || !path.contains(&order.part) {
            return Turn::GoOn;
        }
        order.left -= 1;
        if order.left > 0 {
            return Turn::GoOn;
        }
        self.halted.send_replace(true);
        match order.moment {
            Some(Moment::BeforeAnswer) => Turn::Keep,
            Some(Moment::AfterAnswer) | None => Turn::GoOn,
        }
    }
}

/// A change that waits; no longer when its connection ends.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn begin(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Whether a request changes something that counts.
pub(super) fn is_change(method: &str, path: &str, query: Option<&str>) -> bool {
    let writes = matches!(method, "POST" | "PUT" | "PATCH" | "DELETE");
    let aside = ["/events", "/leases", "reviews"]
        .iter()
        .any(|part| path.contains(part));
    writes && !aside && !query.unwrap_or_default().contains("dryRun=All")
}

#[cfg(test)]
mod tests {
    use super::{Halt, Moment, Turn, is_change};

    #[tokio::test]
    async fn the_ordered_change_stops_what_comes_after_it() {
        let halt = Halt::default();
        halt.order(2, "/pods/", Moment::BeforeAnswer);
        assert_eq!(halt.succeeded("/pods/a"), Turn::GoOn);
        assert_eq!(halt.succeeded("/services/a"), Turn::GoOn, "of another path");
        halt.pass().await;
        assert_eq!(halt.succeeded("/pods/a"), Turn::Keep);
        halt.halted().await;
        tokio::select! {
            () = halt.pass() => unreachable!("it is stopped"),
            () = halt.waited() => {}
        }
        halt.clear();
        halt.pass().await;
        assert_eq!(halt.succeeded("/pods/a"), Turn::GoOn);
        assert_eq!(halt.done(), 4);
    }

    #[test]
    fn what_counts_as_a_change() {
        for (method, path, query, expected) in [
            ("PATCH", "/api/v1/namespaces/a/pods/x", None, true),
            ("DELETE", "/api/v1/namespaces/a/pods/x", None, true),
            (
                "PATCH",
                "/api/v1/namespaces/a/pods/x",
                Some("force=true&dryRun=All"),
                false,
            ),
            ("GET", "/api/v1/namespaces/a/pods/x", None, false),
            ("POST", "/apis/events.k8s.io/v1/namespaces/a/events", None, false),
            (
                "PUT",
                "/apis/coordination.k8s.io/v1/namespaces/a/leases/x",
                None,
                false,
            ),
        ] {
            assert_eq!(is_change(method, path, query), expected, "{method} {path}");
        }
    }
}
