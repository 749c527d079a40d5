//! One supervised child.
//!
//! In: a [`Program`]. Out: [`Supervised`], which signals, watches and kills it. Uses threads and pipes of the standard
//! library only: the owner may live on any async runtime, or on none.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{ProcessError, last_lines};

/// The supervisor's answer to a signal that it has passed on.
const SENT: &str = "sent";
/// The exit code of what SIGKILL ended.
const KILLED: i32 = 137;
const SUPERVISE: &str = include_str!("supervise.sh");

/// What to run.
#[derive(Debug, Clone)]
pub struct Program {
    /// The word used for it in messages.
    pub name: String,
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Environment variables added to the owner's.
    pub env: Vec<(OsString, OsString)>,
    /// Working directory; the owner's when absent.
    pub directory: Option<PathBuf>,
    /// The file that receives standard output and error, appended.
    pub log: PathBuf,
}

/// A signal that the owner may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ask it to end.
    Terminate,
    /// End it at once.
    Kill,
    /// Freeze it.
    Stop,
    /// Let it go on after [`Signal::Stop`].
    Continue,
    /// What Ctrl-C sends.
    Interrupt,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Terminate => "TERM",
            Self::Kill => "KILL",
            Self::Stop => "STOP",
            Self::Continue => "CONT",
            Self::Interrupt => "INT",
        }
    }
}

/// A running child that dies with its owner; dropping it kills it.
#[derive(Debug)]
pub struct Supervised {
    name: String,
    log: PathBuf,
    pid: u32,
    shell: Child,
    /// One line each: the process id, an answer to every signal, and at the end the exit code.
    report: BufReader<ChildStdout>,
    exit_code: Option<i32>,
}

impl Supervised {
    /// Starts the program under a supervising shell.
    pub fn start(program: &Program) -> Result<Self, ProcessError> {
        let failed = |source| ProcessError::Start {
            name: program.name.clone(),
            source,
        };
        let mut command = Command::new("sh");
        command
            .args(["-c", SUPERVISE, "supervise"])
            .arg(&program.log)
            .arg(&program.path)
            .args(&program.args);
        command.envs(program.env.iter().map(|(key, value)| (key, value)));
        if let Some(directory) = &program.directory {
            command.current_dir(directory);
        }
        command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut shell = command.spawn().map_err(failed)?;
        let report = shell
            .stdout
            .take()
            .ok_or_else(|| failed(std::io::Error::other("the shell has no output")))?;
        let mut report = BufReader::new(report);
        let pid = line(&mut report).and_then(|pid| pid.parse().ok());
        let pid = pid.ok_or_else(|| failed(std::io::Error::other("the shell `sh` named no process")))?;
        Ok(Self {
            name: program.name.clone(),
            log: program.log.clone(),
            pid,
            shell,
            report,
            exit_code: None,
        })
    }

    /// The name given to it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id of the program itself, not of its supervisor.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The file with its output.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last `count` lines of its output.
    pub fn last_lines(&self, count: usize) -> String {
        last_lines(&self.log, count)
    }

    /// Sends a signal to the program; it has been delivered when this returns.
    pub fn signal(&mut self, signal: Signal) -> Result<(), ProcessError> {
        let ended = || ProcessError::Ended {
            name: self.name.clone(),
        };
        let input = self.shell.stdin.as_mut().ok_or_else(ended)?;
        writeln!(input, "{}", signal.name()).map_err(|_| ended())?;
        match line(&mut self.report) {
            Some(answer) if answer == SENT => Ok(()),
            code => {
                self.exit_code = code.and_then(|code| code.parse().ok());
                Err(ended())
            }
        }
    }

    /// Its exit code once it has ended, `128 + signal` when a signal ended it; `None` while it runs.
    pub fn exit_code(&mut self) -> Option<i32> {
        if self.exit_code.is_none() && !matches!(self.shell.try_wait(), Ok(None)) {
            // A supervisor that was killed itself has nothing to report.
            let code = line(&mut self.report).and_then(|code| code.parse().ok());
            self.exit_code = Some(code.unwrap_or(KILLED));
        }
        self.exit_code
    }

    /// Waits for the program to end by itself; `None` when it still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<i32> {
        let start = Instant::now();
        loop {
            let code = self.exit_code();
            if code.is_some() || start.elapsed() >= limit {
                return code;
            }
            sleep(Duration::from_millis(5));
        }
    }

    /// Kills the program and whatever it started, and waits until they are gone.
    pub fn kill(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// The next line of the supervisor's report; `None` when it has ended.
fn line(report: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    report.read_line(&mut line).ok()?;
    line.pop().map(|_newline| line)
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::{Program, Signal, Supervised};
    use crate::process::TemporaryDirectory;
    use std::time::Duration;

    fn shell(directory: &TemporaryDirectory, script: &str) -> Supervised {
        let program = Program {
            name: "script".to_owned(),
            path: "sh".into(),
            args: vec!["-c".into(), script.into()],
            env: vec![("WORD".into(), "hello".into())],
            directory: None,
            log: directory.path().join("log"),
        };
        Supervised::start(&program).unwrap()
    }

    #[test]
    fn tells_the_exit_code_and_keeps_the_output() {
        let directory = TemporaryDirectory::new("test").unwrap();
        let mut child = shell(&directory, "echo $WORD; echo bad >&2; exit 7");
        assert_eq!(child.wait(Duration::from_secs(10)), Some(7));
        assert_eq!(child.last_lines(5), "hello\nbad");
        assert!(child.signal(Signal::Terminate).is_err() || child.exit_code() == Some(7));
    }

    #[test]
    fn passes_signals_on() {
        let directory = TemporaryDirectory::new("test").unwrap();
        let mut child = shell(
            &directory,
            "trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done",
        );
        while !child.last_lines(1).contains("up") {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(child.exit_code(), None);
        child.signal(Signal::Terminate).unwrap();
        assert_eq!(child.wait(Duration::from_secs(10)), Some(3));
    }

    #[test]
    fn kills_grandchildren_too() {
        let directory = TemporaryDirectory::new("test").unwrap();
        let mut child = shell(&directory, "sleep 600 & echo $!; wait");
        let grandchild = loop {
            if let Ok(pid) = child.last_lines(1).trim().parse::<u32>() {
                break pid;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        child.kill();
        let alive = || {
            std::process::Command::new("kill")
                .args(["-0", &grandchild.to_string()])
                .output()
                .unwrap()
                .status
                .success()
        };
        let start = std::time::Instant::now();
        while alive() {
            // An orphan stays a zombie for as long as nobody reaps it; a zombie is dead.
            let state = std::fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
            if state.contains(") Z") {
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(10), "{grandchild} survived");
        }
    }
}
