//! One Helm process.
//!
//! In: its arguments, a time limit, what must outlive it. Out: how it [`Ended`]. It runs under [`crate::tool::guard`]: when the
//! caller goes away, when time is over, or when we are killed, the guard asks it to end and then kills it. A task of its own
//! waits for that, so that nothing of a call is given up before its process is gone.

use std::{any::Any, ffi::OsString, path::Path, process::Stdio, sync::Arc, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    process::{Child, Command},
    time::{Instant, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    CliHelm, environment,
    files::Scratch,
    output::{self, Bound, Kept},
};
use crate::{HelmError, tool};

/// Of standard error, and of standard output that is only told: more than any message that we show.
const TOLD: usize = 64 * 1024;
/// How long the guard is waited for, beyond the time that it gives to Helm.
const MARGIN: Duration = Duration::from_secs(3);

/// What is asked of Helm.
pub(super) struct Call {
    /// Everything behind the name of the program.
    pub(super) args: Vec<OsString>,
    /// Variables beside those that every process has.
    pub(super) env: Vec<(OsString, OsString)>,
    /// How long it may take, from when it is started.
    pub(super) limit: Duration,
    /// How much is kept of what it prints on standard output.
    pub(super) output: Bound,
    /// Its files, and whatever else must not be given up before it has ended.
    pub(super) scratch: Arc<Scratch>,
    pub(super) keep: Vec<Arc<dyn Any + Send + Sync>>,
}

impl Call {
    /// A call whose output is only told.
    pub(super) fn new(args: Vec<OsString>, limit: Duration, scratch: &Arc<Scratch>) -> Self {
        Self {
            args,
            env: Vec::new(),
            limit,
            output: Bound::Last(TOLD),
            scratch: Arc::clone(scratch),
            keep: Vec::new(),
        }
    }
}

/// How a process has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) success: bool,
    /// Whether it was ended because its time was over.
    pub(super) overdue: bool,
    pub(super) stdout: Kept,
    pub(super) stderr: String,
}

impl CliHelm {
    /// Runs Helm. Dropping the future ends the process.
    pub(super) async fn call(&self, call: Call) -> Result<Ended, HelmError> {
        // Each of those before us ends in time.
        let permit = Arc::clone(&self.processes).acquire_owned().await;
        let permit = permit.map_err(|error| HelmError::Failed {
            message: error.to_string(),
        })?;
        let deadline = Instant::now() + call.limit;
        let program = self.options.program.clone();
        let child = self.spawn(&call).map_err(|error| HelmError::NotInstalled {
            program: self.options.tool.display().to_string(),
            message: error.to_string(),
        })?;
        let gone = CancellationToken::new();
        let _caller: DropGuard = gone.clone().drop_guard();
        let task = tokio::spawn(async move {
            let ended = supervise(child, gone, deadline, call.output).await;
            drop((permit, call));
            ended
        });
        let ended = task.await.map_err(|error| HelmError::Failed {
            message: format!("waiting for Helm was cut short: {error}"),
        })?;
        not_started(&program, ended)
    }

    fn spawn(&self, call: &Call) -> std::io::Result<Child> {
        let scratch = call.scratch.path();
        tracing::debug!(args = ?call.args, "helm");
        Command::new(&self.options.tool)
            .arg(tool::GUARD)
            .arg(&self.options.program)
            .args(&call.args)
            .env_clear()
            .envs(environment::variables(&self.home, scratch))
            .envs(call.env.iter().map(|(name, value)| (name, value)))
            .env(tool::CALL_DIRECTORY, scratch)
            .current_dir(scratch)
            // Signals for us are not for them, and all of them can be killed at once.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Never killed itself: it ends Helm once its input is closed.
            .spawn()
    }
}

/// Waits until the process has ended, or ends it.
async fn supervise(mut child: Child, gone: CancellationToken, deadline: Instant, bound: Bound) -> Ended {
    let group = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    let stdin = child.stdin.take();
    let stdout = child.stdout.take();
    let stderr = child.stderr.take();
    let stdout = tokio::spawn(async move { read(stdout, bound).await });
    let stderr = tokio::spawn(async move { read(stderr, Bound::Last(TOLD)).await });
    let mut overdue = false;
    let status = tokio::select! {
        status = child.wait() => status.ok(),
        () = tokio::time::sleep_until(deadline) => { overdue = true; None }
        () = gone.cancelled() => None,
    };
    let status = if status.is_some() {
        status
    } else {
        // The guard sees the end of its input and ends Helm.
        drop(stdin);
        let patience = tool::GRACE + MARGIN;
        timeout(patience, child.wait()).await.ok().and_then(Result::ok)
    };
    // Nothing is left of it as a rule.
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let status = match status {
        Some(status) => Some(status),
        None => child.wait().await.ok(),
    };
    Ended {
        success: !overdue && status.is_some_and(|status| status.success()),
        overdue,
        stdout: stdout.await.unwrap_or_default(),
        stderr: stderr.await.unwrap_or_default().text,
    }
}

async fn read<P: tokio::io::AsyncRead + Unpin>(pipe: Option<P>, bound: Bound) -> Kept {
    match pipe {
        Some(pipe) => output::read(pipe, bound).await,
        None => Kept::default(),
    }
}

/// The guard's own words, when it could not start Helm.
fn not_started(program: &Path, ended: Ended) -> Result<Ended, HelmError> {
    match ended.stderr.trim().strip_prefix(tool::NOT_STARTED) {
        Some(message) if !ended.success => Err(HelmError::NotInstalled {
            program: program.display().to_string(),
            message: message.trim().to_owned(),
        }),
        _ => Ok(ended),
    }
}
