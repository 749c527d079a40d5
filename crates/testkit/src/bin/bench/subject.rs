//! What is measured: the operator as shipped, or the minimal client. Both are processes of their own under the same
//! service account.

use std::{
    fmt::{self, Display},
    path::Path,
    process::Stdio,
    time::Duration,
};

use testkit::OperatorProcess;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
    sync::mpsc,
};

use crate::{
    bed::Bed,
    cost::{self, Cost},
    templates::Templates,
    workload::Created,
};

/// Long enough for a loaded machine.
const READY: Duration = Duration::from_mins(1);

/// Which subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// `llm-operator run`.
    Operator,
    /// `bench minimal-client`.
    Minimal,
}

impl Display for Which {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Operator => "operator",
            Self::Minimal => "minimal client",
        })
    }
}

/// A subject that runs; dropping it ends it.
pub enum Subject {
    /// The operator.
    Operator {
        /// Its process.
        process: Box<OperatorProcess>,
        /// Address of its pages.
        url: String,
    },
    /// The minimal client.
    Minimal {
        /// Its process.
        child: Child,
        /// Tasks on their way to it.
        tasks: Teller,
    },
}

impl Subject {
    /// Starts the operator with further arguments of `run`, and waits until it is ready.
    pub async fn operator(bed: &Bed, binary: &Path, args: &[&str]) -> Result<Self, String> {
        let mut subject = Self::start_operator(bed, binary, args)?;
        if let Self::Operator { process, url } = &mut subject {
            let ready = process.wait_ready(&format!("{url}/readyz"), READY).await;
            ready.map_err(|error| error.to_string())?;
        }
        Ok(subject)
    }

    /// Starts the operator and waits for nothing.
    pub fn start_operator(bed: &Bed, binary: &Path, args: &[&str]) -> Result<Self, String> {
        let kubeconfig = kubeconfig(bed)?;
        let address = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .map_err(|error| format!("no free port: {error}"))?;
        let process = OperatorProcess::builder(binary)
            .args(["run", "--http-address", &address.to_string()])
            .args(args.iter().copied())
            .kubeconfig(&kubeconfig)
            .log(bed.cluster.directory().join("operator.log"))
            .start()
            .map_err(|error| error.to_string())?;
        Ok(Self::Operator {
            process: Box::new(process),
            url: format!("http://{address}"),
        })
    }

    /// Starts the minimal client.
    pub fn minimal(bed: &Bed, templates: &Templates) -> Result<Self, String> {
        let file = bed.cluster.directory().join("templates.json");
        let text = serde_json::to_vec(templates).map_err(|error| error.to_string())?;
        std::fs::write(&file, text).map_err(|error| error.to_string())?;
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(this)
            .arg("minimal-client")
            .arg(file)
            .env("KUBECONFIG", kubeconfig(bed)?)
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("the minimal client cannot be started: {error}"))?;
        let mut stdin = child.stdin.take().ok_or("the minimal client has no input")?;
        let (tasks, mut waiting) = mpsc::unbounded_channel::<String>();
        tokio::spawn(async move {
            while let Some(line) = waiting.recv().await {
                if stdin.write_all(line.as_bytes()).await.is_err() {
                    break;
                }
            }
        });
        Ok(Self::Minimal {
            child,
            tasks: Teller(Some(tasks)),
        })
    }

    /// The way to tell it of resources; the operator finds out by itself.
    pub fn teller(&self) -> Teller {
        match self {
            Self::Minimal { tasks, .. } => tasks.clone(),
            Self::Operator { .. } => Teller(None),
        }
    }

    /// What it has cost so far.
    pub fn cost(&self) -> Result<Cost, String> {
        match self {
            Self::Operator { process, .. } => cost::of(process.pid()),
            Self::Minimal { child, .. } => cost::of(child.id().ok_or("the minimal client has ended")?),
        }
    }

    /// Fails when it has ended.
    pub fn check(&mut self) -> Result<(), String> {
        match self {
            Self::Operator { process, .. } => match process.exit_code() {
                Some(code) => Err(format!(
                    "the operator ended with {code}: {}",
                    process.last_lines(20)
                )),
                None => Ok(()),
            },
            Self::Minimal { child, .. } => match child.try_wait() {
                Ok(None) => Ok(()),
                ended => Err(format!("the minimal client ended: {ended:?}")),
            },
        }
    }

    /// Ends it with SIGKILL: it gives nothing back.
    pub fn kill(self) {
        if let Self::Operator { mut process, .. } = self {
            process.kill9();
        }
    }

    /// Ends it and waits until it is gone.
    pub async fn stop(self) -> Result<(), String> {
        if let Self::Operator { mut process, .. } = self {
            let ended = process.terminate(READY).await;
            ended.map(drop).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

/// Tells a subject of resources.
#[derive(Clone)]
pub struct Teller(Option<mpsc::UnboundedSender<String>>);

impl Teller {
    /// Tells of one.
    pub fn tell(&self, created: &Created) {
        if let Some(tasks) = &self.0 {
            let Created { kind, name, uid } = created;
            // An ended client is found by `check`.
            let _ = tasks.send(format!("{kind} {name} {uid}\n"));
        }
    }
}

fn kubeconfig(bed: &Bed) -> Result<std::path::PathBuf, String> {
    let path = bed.cluster.directory().join("subject.kubeconfig");
    let written = bed.access.write_kubeconfig(&path);
    written.map(|()| path).map_err(|error| error.to_string())
}
