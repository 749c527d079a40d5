//! A process that ends with whoever started it.
//!
//! In: a command, standard input held open by the starter. Out: the command's exit code. When the input ends, because the
//! starter closed it or was killed in whatever way, the command is asked to end (SIGTERM) and killed [`GRACE`] later, and the
//! directory of the call is removed. A signal to end asks the command too. What the command leaves behind is killed and
//! waited for here.

use std::{
    env,
    ffi::OsString,
    fs,
    io::Read,
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait};
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

use super::{CALL_DIRECTORY, GRACE, NOT_STARTED};

/// What shells say when there is no such command.
const NO_COMMAND: u8 = 127;
/// What shells add to the number of the signal that ended a command.
const BY_SIGNAL: i32 = 128;
/// How long children of the command may take to die after it.
const LEFTOVERS: Duration = Duration::from_millis(500);

/// What has ended.
#[derive(Default)]
struct Ended {
    child: AtomicBool,
    input: AtomicBool,
}

/// Runs `command` (program and arguments) as described above. Returns what this process should exit with.
pub fn guard(command: &[OsString]) -> ExitCode {
    // Whoever loses its parent becomes our child instead of the first process's, which may not expect it.
    let _ = set_child_subreaper(Some(getpid()));
    let Some((program, args)) = command.split_first() else {
        eprintln!("{NOT_STARTED}no command was given");
        return NO_COMMAND.into();
    };
    let (ask, asked) = channel();
    if let Err(error) = ask_with_signals(ask.clone()) {
        eprintln!("{NOT_STARTED}{error}");
        return NO_COMMAND.into();
    }
    let child = Command::new(program).args(args).stdin(Stdio::null()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            eprintln!("{NOT_STARTED}{error}");
            return NO_COMMAND.into();
        }
    };
    let ended = Arc::new(Ended::default());
    end_when_asked(&child, asked, Arc::clone(&ended));
    ask_with_input(ask, Arc::clone(&ended));
    let status = child.wait();
    ended.child.store(true, Ordering::SeqCst);
    end_leftovers();
    if ended.input.load(Ordering::SeqCst)
        && let Some(directory) = env::var_os(CALL_DIRECTORY)
    {
        // Whoever started us may do the same.
        let _ = fs::remove_dir_all(directory);
    }
    status.map_or(ExitCode::FAILURE, |status| exit_code(status).into())
}

/// Ends the child once it is asked to.
fn end_when_asked(child: &Child, asked: Receiver<()>, ended: Arc<Ended>) {
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return;
    };
    thread::spawn(move || {
        if asked.recv().is_err() {
            return;
        }
        for (signal, pause) in [(Signal::TERM, GRACE), (Signal::KILL, Duration::ZERO)] {
            // Once it has been waited for, its number may be another's.
            if !ended.child.load(Ordering::SeqCst) {
                let _ = kill_process(pid, signal);
            }
            thread::sleep(pause);
        }
    });
}

/// Asks once standard input has ended.
fn ask_with_input(ask: Sender<()>, ended: Arc<Ended>) {
    thread::spawn(move || {
        // Nothing is ever written: anything but the end is passed over.
        let mut input = std::io::stdin().lock();
        let mut buffer = [0; 64];
        while matches!(input.read(&mut buffer), Ok(count) if count > 0) {}
        ended.input.store(true, Ordering::SeqCst);
        let _ = ask.send(());
    });
}

/// Asks when we are to end ourselves: by no signal but SIGKILL may the command lose its guard.
fn ask_with_signals(ask: Sender<()>) -> std::io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let within = runtime.enter();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    drop(within);
    thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    _ = hang_up.recv() => {}
                }
                let _ = ask.send(());
            }
        });
    });
    Ok(())
}

/// Kills what the command has left behind, and waits for it: all of it has become ours, one generation after the other.
fn end_leftovers() {
    let start = Instant::now();
    while start.elapsed() < LEFTOVERS {
        for child in children() {
            let _ = kill_process(child, Signal::KILL);
        }
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => {}
            Ok(None) => thread::sleep(Duration::from_millis(5)),
            Err(_) => return,
        }
    }
}

/// Our children, of whichever thread.
fn children() -> Vec<Pid> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| {
            let pids = list.split_whitespace().filter_map(|pid| pid.parse().ok());
            pids.filter_map(Pid::from_raw).collect::<Vec<Pid>>()
        })
        .collect()
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| BY_SIGNAL + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
