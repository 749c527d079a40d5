//! One replica of the operator, with its own way to the API server, kept alive as a kubelet does.
//!
//! In: orders to kill, freeze or end it. Out: its role and memory, and a violation when it ends for a reason that is none.

use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::journal::Journal;
use crate::operator::OperatorProcess;
use crate::plane::Port;
use crate::plane::proxy::FaultProxy;
use crate::process::Signal;

/// The lease's duration, which is the shipped default.
pub const LEASE_DURATION: Duration = Duration::from_secs(15);
/// A page that is not answered by then is not answered.
const PAGE: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Debug)]
pub struct Replica {
    /// Its name in the lease.
    pub identity: String,
    /// Its way to the API server.
    pub proxy: FaultProxy,
    binary: PathBuf,
    kubeconfig: PathBuf,
    log: PathBuf,
    port: Port,
    process: Mutex<Option<OperatorProcess>>,
    /// Somebody has ended it on purpose.
    ended: Mutex<bool>,
    /// Bytes of the log that have been looked at.
    read: Mutex<usize>,
}

impl Replica {
    /// A replica to be.
    pub fn new(
        identity: &str,
        proxy: FaultProxy,
        binary: &Path,
        kubeconfig: PathBuf,
        log: PathBuf,
    ) -> Result<Self, String> {
        Ok(Self {
            identity: identity.to_owned(),
            proxy,
            binary: binary.to_owned(),
            kubeconfig,
            log,
            port: Port::claim().map_err(|error| error.to_string())?,
            process: Mutex::new(None),
            ended: Mutex::new(false),
            read: Mutex::new(0),
        })
    }

    /// Starts it if it does not run; what it ended with is judged.
    pub fn keep(&self, journal: &Journal) -> Result<(), String> {
        let mut process = self.process.lock();
        if let Some(running) = process.as_mut() {
            let Some(code) = running.exit_code() else {
                return Ok(());
            };
            let said = running.last_lines(400);
            self.judge(code, &said, journal);
        }
        let http = format!("127.0.0.1:{}", self.port.number());
        let started = OperatorProcess::builder(&self.binary)
            .args(["run", "--http-address", &http, "--identity", &self.identity])
            .env("EXTERNAL_METRICS", "false")
            .kubeconfig(&self.kubeconfig)
            .log(&self.log)
            .start()
            .map_err(|error| error.to_string())?;
        *process = Some(started);
        Ok(())
    }

    /// It may end when it was told to, and when it has lost its lease; never otherwise.
    fn judge(&self, code: i32, said: &str, journal: &Journal) {
        let was_told = std::mem::take(&mut *self.ended.lock());
        let lost = code == 1
            && said
                .lines()
                .rev()
                .take(20)
                .any(|line| line.contains("lease was lost"));
        if was_told {
            journal.say(format!("{} is started again", self.identity));
        } else if lost {
            journal.say(format!(
                "{} had lost its lease and is started again",
                self.identity
            ));
        } else {
            let lines: Vec<&str> = said.lines().rev().take(15).collect();
            let lines: Vec<&str> = lines.into_iter().rev().collect();
            journal.violation(format!(
                "{} ended by itself with {code}:\n{}",
                self.identity,
                lines.join("\n")
            ));
        }
    }

    /// `kill -9`.
    pub fn kill(&self) {
        *self.ended.lock() = true;
        if let Some(process) = self.process.lock().as_mut() {
            process.kill9();
        }
    }

    /// A signal; that it does not run is well.
    pub fn signal(&self, signal: Signal) {
        if matches!(signal, Signal::Terminate) {
            *self.ended.lock() = true;
        }
        if let Some(process) = self.process.lock().as_mut() {
            // It may just have ended by itself, which `keep` finds.
            let _ = process.signal(signal);
        }
    }

    /// Whether it leads, as its page says.
    pub async fn leads(&self) -> bool {
        self.page("/readyz")
            .await
            .is_some_and(|page| page.contains("role: leader"))
    }

    /// A page of its own.
    pub async fn page(&self, path: &str) -> Option<String> {
        let ask = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port.number())).await.ok()?;
            let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.ok()?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.ok()?;
            Some(String::from_utf8_lossy(&answer).into_owned())
        };
        tokio::time::timeout(PAGE, ask).await.ok().flatten()
    }

    /// Resident memory in MB of 10^6 bytes.
    pub fn resident(&self) -> Option<f64> {
        let pid = self.process.lock().as_ref().map(OperatorProcess::pid)?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u32 = line.split_whitespace().next()?.parse().ok()?;
        Some(f64::from(kib) * 1024.0 / 1e6)
    }

    /// Copies its log.
    pub fn copy_log(&self, to: &Path) -> std::io::Result<()> {
        std::fs::copy(&self.log, to).map(drop)
    }

    /// Lines of its log since the last look that tell of a panic.
    pub fn panics(&self) -> Vec<String> {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let mut read = self.read.lock();
        let fresh = String::from_utf8_lossy(log.get(*read..).unwrap_or_default()).into_owned();
        *read = log.len();
        let told = fresh.lines().filter(|line| line.contains("panicked at"));
        told.map(str::to_owned).collect()
    }
}
