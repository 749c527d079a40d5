//! A container's process: a [`Launch`] in, a running engine or command and its [`Exit`] out.
//! Dropping it is SIGKILL.

use std::sync::Arc;

use engine_sim::{Exit, FaultHandle, LogSink};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::env::Launch;
use super::{PodContext, exec};

/// Exit code of a process that was killed.
const KILLED: i32 = 137;

/// A running process.
#[derive(Debug)]
pub(crate) struct Process {
    task: JoinHandle<Exit>,
    stop: CancellationToken,
}

impl Process {
    /// Starts it. One that cannot start ends at once and says why.
    pub(crate) fn start(
        context: &Arc<PodContext>,
        launch: &Launch,
        faults: &FaultHandle,
        log: LogSink,
    ) -> Self {
        let stop = CancellationToken::new();
        let task = if let Some(program) = &launch.program {
            let spec = exec::process_spec(context, launch, program.clone());
            tokio::spawn(engine_sim::run(spec, faults.clone(), log, stop.clone()))
        } else {
            let (context, launch, stop) = (Arc::clone(context), launch.clone(), stop.clone());
            tokio::spawn(async move { exec::container(&context, &launch, log, stop).await })
        };
        Self { task, stop }
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        self.stop.cancel();
    }

    /// Resolves when it has ended. Must not be called again after that.
    pub(crate) async fn wait(&mut self) -> Exit {
        match (&mut self.task).await {
            Ok(exit) => exit,
            Err(error) if error.is_cancelled() => Exit::exited(KILLED, ""),
            Err(error) => Exit::exited(2, format!("the simulated engine panicked: {error}")),
        }
    }

    /// SIGKILL; its ports are closed when this returns.
    pub(crate) async fn kill(&mut self) -> Exit {
        self.task.abort();
        self.wait().await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.task.abort();
    }
}
