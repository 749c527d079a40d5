//! Faults that a test orders while an engine runs: orders in, the state that engines look at out.
//! It must not act by itself: the running process watches the handle and does what it says.
//! Engines that a script starts are processes of their own: for them the state lies in a file, written by the handle that
//! takes the orders and read, at every look, by the one in the process.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// How often a process looks whether a fault that it waits for has been taken back.
const LOOK: Duration = Duration::from_millis(20);

/// How a process is to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// As the engine would.
    #[default]
    Normal,
    /// 503 at once.
    Failing,
    /// No answer on any path: the connection is accepted and nothing comes.
    Hanging,
}

/// How a request with a prompt goes wrong (Ollama).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Broken {
    /// Answered with this status and message.
    Fails {
        /// HTTP status.
        status: u16,
        /// The `error` of the answer.
        message: String,
    },
    /// Never answered.
    Hangs,
    /// The connection is lost in the middle of the answer.
    Cut,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Faults {
    pub(crate) health: Health,
    pub(crate) load_slowdown: f64,
    pub(crate) stalled: bool,
    /// Part of the prompt, and what becomes of it; the last that fits counts.
    prompts: Vec<(String, Broken)>,
    model_pull_error: Option<String>,
    model_pull_time: Option<Duration>,
    pub(crate) at_start: Option<Death>,
    deaths: u64,
    death: Option<Death>,
}

/// Orders faults to every process started with a clone of this handle. Orders given by `crash` and `oom` reach the
/// processes that run now; the others stay until taken back, so they hold for restarts too.
#[derive(Clone, Debug)]
pub struct FaultHandle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: watch::Sender<Faults>,
    file: OnceLock<File>,
    /// One writer of the file at a time.
    writing: Mutex<()>,
}

#[derive(Debug)]
enum File {
    /// Written after every order.
    Published(PathBuf),
    /// Read before every look.
    Followed(PathBuf),
}

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
            prompts: Vec::new(),
            model_pull_error: None,
            model_pull_time: None,
            at_start: None,
            deaths: 0,
            death: None,
        };
        Self(Arc::new(Inner {
            state: watch::Sender::new(none),
            file: OnceLock::new(),
            writing: Mutex::new(()),
        }))
    }

    /// A handle that takes its orders from a file which another handle publishes.
    pub fn following(file: PathBuf) -> Self {
        let handle = Self::new();
        let _ = handle.0.file.set(File::Followed(file));
        handle
    }

    /// Keeps `file` as the orders are, for processes that follow it. The first file of a handle counts.
    pub fn publish(&self, file: &Path) -> io::Result<()> {
        let _ = self.0.file.set(File::Published(file.to_owned()));
        self.write()
    }

    fn write(&self) -> io::Result<()> {
        let Some(File::Published(file)) = self.0.file.get() else {
            return Ok(());
        };
        let _one = self.0.writing.lock();
        let json = serde_json::to_vec(&*self.0.state.borrow())?;
        // Readers must never see half a file.
        let young = file.with_extension("new");
        std::fs::write(&young, json)?;
        std::fs::rename(young, file)
    }

    fn order(&self, change: impl FnOnce(&mut Faults)) {
        self.0.state.send_modify(change);
        // A file that cannot be written is gone with its Pod, and so are its readers.
        let _ = self.write();
    }

    /// What is ordered now.
    fn now(&self) -> watch::Ref<'_, Faults> {
        if let Some(File::Followed(file)) = self.0.file.get()
            && let Ok(bytes) = std::fs::read(file)
            && let Ok(faults) = serde_json::from_slice::<Faults>(&bytes)
        {
            self.0.state.send_if_modified(|known| {
                let differs = *known != faults;
                *known = faults;
                differs
            });
        }
        self.0.state.borrow()
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
        self.order(|f| f.at_start = death);
    }

    /// What health paths answer from now on.
    pub fn health(&self, health: Health) {
        self.order(|f| f.health = health);
    }

    /// Loading steps that begin from now on take `factor` times as long (1 = as usual).
    pub fn slow_load(&self, factor: f64) {
        self.order(|f| f.load_slowdown = factor);
    }

    /// `true`: loading stands still, also when under way, until `false` is ordered.
    pub fn stall_load(&self, stalled: bool) {
        self.order(|f| f.stalled = stalled);
    }

    /// Requests whose prompt contains `part` (all of them: an empty part) go wrong, until [`FaultHandle::heal_prompts`].
    pub fn break_prompts(&self, part: &str, how: Broken) {
        self.order(|f| f.prompts.push((part.to_owned(), how)));
    }

    /// Takes back every [`FaultHandle::break_prompts`].
    pub fn heal_prompts(&self) {
        self.order(|f| f.prompts.clear());
    }

    /// Pulls of models end with this error, as the registry's; `None`: they work again.
    pub fn fail_model_pulls(&self, error: Option<String>) {
        self.order(|f| f.model_pull_error = error);
    }

    /// Downloads of models that begin from now on take this long, whatever the simulation's speed; `None`: as usual.
    pub fn slow_model_pulls(&self, time: Option<Duration>) {
        self.order(|f| f.model_pull_time = time);
    }

    fn kill(&self, death: Death) {
        self.order(|f| {
            f.deaths += 1;
            f.death = Some(death);
        });
    }

    pub(crate) fn current_health(&self) -> Health {
        self.now().health
    }

    /// What is to become of a request with this prompt.
    pub(crate) fn of_prompt(&self, prompt: &str) -> Option<Broken> {
        let now = self.now();
        let fits = now.prompts.iter().rev().find(|(part, _)| prompt.contains(part));
        fits.map(|(_, how)| how.clone())
    }

    pub(crate) fn model_pull_error(&self) -> Option<String> {
        self.now().model_pull_error.clone()
    }

    pub(crate) fn model_pull_time(&self) -> Option<Duration> {
        self.now().model_pull_time
    }

    /// Sleeps `time`, longer by the ordered slow-down, and until loading is no longer stalled.
    pub(crate) async fn load_for(&self, time: Duration) {
        self.slowed(time).await;
        self.unstalled().await;
    }

    /// Sleeps `time`, longer by the ordered slow-down.
    pub(crate) async fn slowed(&self, time: Duration) {
        let factor = self.now().load_slowdown;
        let slowed = time.mul_f64(if factor.is_finite() && factor > 0.0 {
            factor
        } else {
            1.0
        });
        if !slowed.is_zero() {
            tokio::time::sleep(slowed).await;
        }
    }

    /// Resolves when loading is not stalled.
    pub(crate) async fn unstalled(&self) {
        if matches!(self.0.file.get(), Some(File::Followed(_))) {
            while self.now().stalled {
                tokio::time::sleep(LOOK).await;
            }
            return;
        }
        let mut faults = self.0.state.subscribe();
        // The sender lives in self, so the wait cannot fail.
        let _ = faults.wait_for(|f| !f.stalled).await;
    }

    /// Resolves with the first death ordered after this call, or the one that every start is to meet.
    pub(crate) fn death(&self) -> impl Future<Output = Death> + Send + 'static {
        let handle = self.clone();
        let mut faults = self.0.state.subscribe();
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

    #[tokio::test]
    async fn a_follower_does_what_is_ordered_elsewhere() {
        let file = std::env::temp_dir().join(format!("engine-sim-faults-{}", std::process::id()));
        let (orders, follower) = (FaultHandle::new(), FaultHandle::following(file.clone()));
        assert_eq!(follower.current_health(), Health::Normal);
        orders.health(Health::Failing);
        orders.publish(&file).unwrap();
        assert_eq!(follower.current_health(), Health::Failing);
        orders.break_prompts("", Broken::Hangs);
        orders.break_prompts("sky", Broken::Cut);
        assert_eq!(follower.of_prompt("why is the sky blue"), Some(Broken::Cut));
        assert_eq!(follower.of_prompt("hello"), Some(Broken::Hangs));
        orders.heal_prompts();
        assert_eq!(follower.of_prompt("hello"), None);
        orders.stall_load(true);
        let load = tokio::spawn(async move { follower.load_for(Duration::ZERO).await });
        tokio::time::sleep(LOOK * 2).await;
        assert!(!load.is_finished());
        orders.stall_load(false);
        load.await.unwrap();
        std::fs::remove_file(&file).unwrap();
    }
}
