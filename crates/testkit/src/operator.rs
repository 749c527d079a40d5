//! The operator as a process of its own.
//!
//! In: the path of its executable, arguments, environment. Out: [`OperatorProcess`], which dies with the test. Must not
//! know the operator's flags: callers pass them.

use std::ffi::OsString;
use std::fmt::{self, Debug, Display};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::process::{ProcessError, Program, Signal, Supervised, TemporaryDirectory};
use crate::wait::until;

/// Lines of its log shown in errors.
const SHOWN_LINES: usize = 30;

/// The operator could not be started, or did not do what was asked.
#[derive(thiserror::Error)]
pub enum OperatorError {
    /// It cannot be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It ended by itself.
    #[error("the operator ended with code {code}; the last lines of its log:\n{log}")]
    Ended {
        /// Its exit code.
        code: i32,
        /// The end of its log.
        log: String,
    },
    /// It did not become ready, or did not end, in time.
    #[error("{what}; the last lines of the operator's log:\n{log}")]
    TooSlow {
        /// What was waited for.
        what: String,
        /// The end of its log.
        log: String,
    },
}

impl Debug for OperatorError {
    /// The same words as [`Display`]: `unwrap` in a test shows them.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, formatter)
    }
}

/// How the operator is run.
#[derive(Debug, Clone)]
pub struct OperatorBuilder {
    binary: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    log: Option<PathBuf>,
}

impl OperatorBuilder {
    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// An environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The kubeconfig that it uses.
    #[must_use]
    pub fn kubeconfig(self, path: &Path) -> Self {
        self.env("KUBECONFIG", path)
    }

    /// Appends its output to this file. Default: a temporary file that goes with the process.
    #[must_use]
    pub fn log(mut self, path: impl Into<PathBuf>) -> Self {
        self.log = Some(path.into());
        self
    }

    /// Starts it. It is not ready yet: see [`OperatorProcess::wait_ready`].
    pub fn start(self) -> Result<OperatorProcess, OperatorError> {
        let directory = TemporaryDirectory::new("operator")?;
        let program = Program {
            name: "the operator".to_owned(),
            path: self.binary,
            args: self.args,
            env: self.env,
            directory: None,
            log: self.log.unwrap_or_else(|| directory.path().join("log")),
        };
        Ok(OperatorProcess {
            child: Supervised::start(&program)?,
            _directory: directory,
        })
    }
}

/// A running operator. Dropping it kills it; so does the end of the test process.
#[derive(Debug)]
pub struct OperatorProcess {
    child: Supervised,
    _directory: TemporaryDirectory,
}

impl OperatorProcess {
    /// An operator to be, of this executable, such as `env!("CARGO_BIN_EXE_llm-operator")`.
    pub fn builder(binary: impl Into<PathBuf>) -> OperatorBuilder {
        OperatorBuilder {
            binary: binary.into(),
            args: Vec::new(),
            env: Vec::new(),
            log: None,
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Everything it has said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.child.log()).unwrap_or_default()
    }

    /// The last `count` lines it said.
    pub fn last_lines(&self, count: usize) -> String {
        self.child.last_lines(count)
    }

    /// Its exit code once it has ended, `128 + signal` when a signal ended it.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.child.exit_code()
    }

    /// Waits until a GET of `url`, its `/readyz`, is answered with a success. Ends at once when the process does.
    pub async fn wait_ready(&mut self, url: &str, limit: Duration) -> Result<(), OperatorError> {
        let seen = until(format!("{url} to answer 200"), limit, async || {
            if let Some(code) = self.child.exit_code() {
                return Ok(Err(code));
            }
            get_status(url).await.map(Ok)
        });
        match seen.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(code)) => Err(OperatorError::Ended {
                code,
                log: self.child.last_lines(SHOWN_LINES),
            }),
            Err(error) => Err(self.too_slow(&error.to_string())),
        }
    }

    /// Ends it as a crash would, without any clean-up of its own.
    pub fn kill9(&mut self) {
        self.child.kill();
    }

    /// Sends SIGTERM and waits for it to end; its exit code.
    pub async fn terminate(&mut self, limit: Duration) -> Result<i32, OperatorError> {
        self.child.signal(Signal::Terminate)?;
        let ended = until("the operator to end after SIGTERM", limit, async || {
            self.child.exit_code()
        })
        .await;
        ended.map_err(|error| self.too_slow(&error.to_string()))
    }

    /// Sends a signal, such as [`Signal::Stop`] to freeze it.
    pub fn signal(&mut self, signal: Signal) -> Result<(), OperatorError> {
        Ok(self.child.signal(signal)?)
    }

    fn too_slow(&self, what: &str) -> OperatorError {
        OperatorError::TooSlow {
            what: what.to_owned(),
            log: self.child.last_lines(SHOWN_LINES),
        }
    }
}

async fn get_status(url: &str) -> Result<(), String> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
    let response = client.get(uri).await.map_err(|error| with_causes(&error))?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let body = response
        .into_body()
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    Err(format!("{status}: {}", String::from_utf8_lossy(&body).trim()))
}

/// An error of the HTTP client says little without what it wraps.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::{OperatorError, OperatorProcess};
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const LIMIT: Duration = Duration::from_secs(10);

    fn shell(script: &str) -> OperatorProcess {
        OperatorProcess::builder("sh")
            .args(["-c", script])
            .env("WORD", "hello")
            .start()
            .unwrap()
    }

    /// A listener that answers one connection after the other with these statuses.
    async fn answers(statuses: &'static [&'static str]) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/readyz", listener.local_addr().unwrap());
        tokio::spawn(async move {
            for status in statuses {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _request = stream.read(&mut [0; 4096]).await.unwrap();
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: 5\r\nconnection: close\r\n\r\nwords");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        url
    }

    #[tokio::test]
    async fn readiness_is_waited_for_and_sigterm_ends_it() {
        let mut operator = shell("trap 'echo bye; exit 4' TERM; echo $WORD; while :; do sleep 0.02; done");
        let url = answers(&["503 Service Unavailable", "200 OK"]).await;
        operator.wait_ready(&url, LIMIT).await.unwrap();
        assert_eq!(operator.terminate(LIMIT).await.unwrap(), 4);
        assert_eq!(operator.log(), "hello\nbye\n");
    }

    #[tokio::test]
    async fn an_early_end_and_a_slow_start_are_told_with_the_log() {
        let mut operator = shell("echo no kubeconfig; exit 2");
        let error = operator
            .wait_ready("http://127.0.0.1:1/readyz", LIMIT)
            .await
            .unwrap_err();
        assert!(
            matches!(&error, OperatorError::Ended { code: 2, log } if log == "no kubeconfig"),
            "{error}"
        );

        let mut operator = shell("echo starting; sleep 600");
        let url = answers(&["503 Service Unavailable"; 1000]).await;
        let error = operator
            .wait_ready(&url, Duration::from_millis(200))
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("503 Service Unavailable: words") && error.ends_with("starting"),
            "{error}"
        );
        operator.kill9();
        assert!(operator.exit_code().is_some());
    }
}
