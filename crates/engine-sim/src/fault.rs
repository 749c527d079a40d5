//! Faults that a test orders while an engine runs: orders in, the state that engines look at out.
//! It must not act by itself: the running process watches the handle and does what it says.

use std::sync::Arc;

use tokio::sync::watch;

/// How a process is to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Death {
    /// Exit with this code; the message is the last line on standard error.
    Crash {
        /// Exit code.
        code: i32,
        /// Last line of the log.
        message: String,
    },
    /// Killed by the kernel for memory: exit 137.
    OutOfMemory,
}

/// What an engine's health path answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// As the engine would.
    #[default]
    Normal,
    /// 503 at once.
    Failing,
    /// No answer on any path: the connection is accepted and nothing comes.
    Hanging,
}

#[derive(Clone, Debug)]
pub(crate) struct Faults {
    pub(crate) health: Health,
    pub(crate) load_slowdown: f64,
    pub(crate) stalled: bool,
    pub(crate) at_start: Option<Death>,
    deaths: u64,
    death: Option<Death>,
}

/// Orders faults to every process started with a clone of this handle. Orders given by `crash` and `oom` reach the
/// processes that run now; the others stay until taken back, so they hold for restarts too.
#[derive(Clone, Debug)]
pub struct FaultHandle(Arc<watch::Sender<Faults>>);

impl Default for FaultHandle {
    fn default() -> Self {
        Self::new()
    }
}

impl FaultHandle {
    /// A handle without faults.
    pub fn new() -> Self {
        let none = Faults {
            health: Health::Normal,
            load_slowdown: 1.0,
            stalled: false,
            at_start: None,
            deaths: 0,
            death: None,
        };
        Self(Arc::new(watch::Sender::new(none)))
    }

    /// Ends the running process with `code`; `message` is its last words.
    pub fn crash(&self, code: i32, message: impl Into<String>) {
        self.kill(Death::Crash {
            code,
            message: message.into(),
        });
    }

    /// Kills the running process as the kernel does when a memory limit is hit.
    pub fn oom(&self) {
        self.kill(Death::OutOfMemory);
    }

    /// Every start ends like this until `None` is ordered: a crash loop.
    pub fn at_start(&self, death: Option<Death>) {
        self.0.send_modify(|f| f.at_start = death);
    }

    /// What health paths answer from now on.
    pub fn health(&self, health: Health) {
        self.0.send_modify(|f| f.health = health);
    }

    /// Loading steps that begin from now on take `factor` times as long (1 = as usual).
    pub fn slow_load(&self, factor: f64) {
        self.0.send_modify(|f| f.load_slowdown = factor);
    }

    /// `true`: loading stands still, also when under way, until `false` is ordered.
    pub fn stall_load(&self, stalled: bool) {
        self.0.send_modify(|f| f.stalled = stalled);
    }

    fn kill(&self, death: Death) {
        self.0.send_modify(|f| {
            f.deaths += 1;
            f.death = Some(death);
        });
    }

    pub(crate) fn current_health(&self) -> Health {
        self.0.borrow().health
    }

    /// Sleeps `time`, longer by the ordered slow-down, and until loading is no longer stalled.
    pub(crate) async fn load_for(&self, time: std::time::Duration) {
        let factor = self.0.borrow().load_slowdown;
        let slowed = time.mul_f64(if factor.is_finite() && factor > 0.0 {
            factor
        } else {
            1.0
        });
        if !slowed.is_zero() {
            tokio::time::sleep(slowed).await;
        }
        let mut faults = self.0.subscribe();
        // The sender lives in self, so the wait cannot fail.
        let _ = faults.wait_for(|f| !f.stalled).await;
    }

    /// Resolves with the first death ordered after this call, or the one that every start is to meet.
    pub(crate) fn death(&self) -> impl Future<Output = Death> + Send + 'static {
        let handle = self.clone();
        let mut faults = self.0.subscribe();
        let seen = faults.borrow_and_update().deaths;
        async move {
            let due = |f: &Faults| f.at_start.is_some() || f.deaths > seen;
            let death = match faults.wait_for(due).await {
                Ok(f) => f.at_start.clone().or_else(|| f.death.clone()),
                Err(_) => None,
            };
            drop(handle);
            match death {
                Some(death) => death,
                None => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn an_old_crash_does_not_reach_a_new_process_but_a_start_fault_does() {
        let faults = FaultHandle::new();
        faults.crash(3, "gone");
        assert!(
            tokio::time::timeout(Duration::from_millis(5), faults.death())
                .await
                .is_err()
        );
        let waiting = faults.death();
        faults.crash(4, "again");
        assert_eq!(
            waiting.await,
            Death::Crash {
                code: 4,
                message: "again".into()
            }
        );
        faults.at_start(Some(Death::OutOfMemory));
        assert_eq!(faults.death().await, Death::OutOfMemory);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_load_goes_on_when_released() {
        let faults = FaultHandle::new();
        faults.stall_load(true);
        let load = tokio::spawn({
            let faults = faults.clone();
            async move { faults.load_for(Duration::from_secs(1)).await }
        });
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(!load.is_finished());
        faults.stall_load(false);
        load.await.unwrap();
    }
}
