//! The running components of one plane.
//!
//! In: programs to start, waits for what they bring about. Out: [`Processes`]. A wait ends at once when the component
//! it depends on dies, with the end of that component's log.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::binaries::Program;
use super::error::{ClusterError, SHOWN_LINES};
use crate::process::{self, Signal, Supervised};

/// The longest that a component may take to become ready. A loaded CI machine needs a good part of it.
const LIMIT: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(20);

/// The components that run now.
#[derive(Debug, Default)]
pub(super) struct Processes {
    running: Mutex<BTreeMap<Program, Supervised>>,
}

impl Processes {
    /// Starts a component; an earlier process of it is killed first.
    pub(super) fn start(&self, program: Program, what: &process::Program) -> Result<(), ClusterError> {
        self.stop(program);
        let child = Supervised::start(what)?;
        self.running.lock().insert(program, child);
        Ok(())
    }

    /// Kills a component. Nothing happens when it does not run.
    pub(super) fn stop(&self, program: Program) {
        let child = self.running.lock().remove(&program);
        drop(child);
    }

    pub(super) fn signal(&self, program: Program, signal: Signal) -> Result<(), ClusterError> {
        let mut running = self.running.lock();
        let child = running.get_mut(&program).ok_or(ClusterError::NotRunning {
            component: program.name(),
        })?;
        Ok(child.signal(signal)?)
    }

    pub(super) fn pid(&self, program: Program) -> Option<u32> {
        self.running.lock().get(&program).map(Supervised::pid)
    }

    /// The end of a component's log.
    pub(super) fn last_lines(&self, program: Program, count: usize) -> Option<String> {
        self.running
            .lock()
            .get(&program)
            .map(|child| child.last_lines(count))
    }

    /// Fails when the component has ended by itself.
    pub(super) fn check(&self, program: Program) -> Result<(), ClusterError> {
        let mut running = self.running.lock();
        let child = running.get_mut(&program).ok_or(ClusterError::NotRunning {
            component: program.name(),
        })?;
        match child.exit_code() {
            None => Ok(()),
            Some(code) => Err(ClusterError::Died {
                component: program.name().to_owned(),
                code,
                log: child.last_lines(SHOWN_LINES),
            }),
        }
    }

    /// Repeats `observe` until it succeeds, the component dies or time runs out.
    pub(super) async fn wait<T, F>(
        &self,
        program: Program,
        what: &str,
        mut observe: impl FnMut() -> F,
    ) -> Result<T, ClusterError>
    where
        F: Future<Output = Result<T, String>>,
    {
        let start = Instant::now();
        loop {
            let last = match observe().await {
                Ok(value) => return Ok(value),
                Err(last) => last,
            };
            self.check(program)?;
            if start.elapsed() > LIMIT {
                return Err(ClusterError::NotReady {
                    what: what.to_owned(),
                    seconds: LIMIT.as_secs(),
                    last,
                    component: program.name().to_owned(),
                    log: self.last_lines(program, SHOWN_LINES).unwrap_or_default(),
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
