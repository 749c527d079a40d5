//! One simulated process from start to exit: a [`ProcessSpec`] in, an [`Exit`] out.
//! It must not know any engine's details beyond which module runs it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::aws;
use crate::deepspeed_mii;
use crate::fault::{Death, FaultHandle};
use crate::filesystem::Filesystem;
use crate::generic::{self, GenericOptions};
use crate::journal::{Event, Journal};
use crate::localai;
use crate::log::LogSink;
use crate::ollama;
use crate::speed::Speed;
use crate::triton;
use crate::vllm;

/// One GPU that the container got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuSpec {
    /// Product name as GPU feature discovery labels it, e.g. `NVIDIA-H100-80GB-HBM3`.
    pub product: String,
    /// Device memory in bytes.
    pub memory: u64,
}

/// Which program an image contains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Program {
    /// vLLM's OpenAI-compatible server (behaves as 0.33).
    Vllm,
    /// Ollama.
    Ollama,
    /// LocalAI (behaves as v2.15).
    LocalAi,
    /// DeepSpeed-MII's REST server as Prem's image starts it (behaves as 0.2.0).
    DeepspeedMii,
    /// NVIDIA's Triton inference server (behaves as 24.01).
    Triton,
    /// The AWS command line, as far as it copies models from buckets.
    Aws,
    /// Any other HTTP model server.
    Generic(GenericOptions),
}

/// What an image declares for its containers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// ENTRYPOINT.
    pub entrypoint: Vec<String>,
    /// CMD.
    pub command: Vec<String>,
    /// ENV; the container's own variables override it.
    pub env: BTreeMap<String, String>,
}

impl Image {
    /// The argument vector of a container: its `command` replaces the image's entrypoint and drops the image's CMD,
    /// its `args` replace the CMD. Empty counts as not given, as in Kubernetes.
    pub fn argv(&self, command: &[String], args: &[String]) -> Vec<String> {
        let (entrypoint, own_cmd) = match command {
            [] => (self.entrypoint.as_slice(), self.command.as_slice()),
            given => (given, [].as_slice()),
        };
        let args = if args.is_empty() { own_cmd } else { args };
        [entrypoint, args].concat()
    }
}

impl Program {
    /// What the program's usual image declares.
    pub fn image(&self) -> Image {
        let strings = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
        let env = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect()
        };
        match self {
            Self::Vllm => Image {
                entrypoint: strings(&["vllm", "serve"]),
                ..Image::default()
            },
            Self::Ollama => Image {
                entrypoint: strings(&["/bin/ollama"]),
                command: strings(&["serve"]),
                env: env(&[("OLLAMA_HOST", "0.0.0.0:11434")]),
            },
            Self::LocalAi => Image {
                entrypoint: strings(&["/build/entrypoint.sh"]),
                ..Image::default()
            },
            Self::DeepspeedMii => Image {
                entrypoint: strings(&["python3", "serve-rest-api.py"]),
                command: strings(&["--uri", "microsoft/phi-1_5"]),
                ..Image::default()
            },
            Self::Triton => Image {
                entrypoint: strings(&["/opt/nvidia/nvidia_entrypoint.sh"]),
                ..Image::default()
            },
            Self::Aws => Image {
                entrypoint: strings(&["aws"]),
                ..Image::default()
            },
            Self::Generic(_) => Image {
                entrypoint: strings(&["/server"]),
                ..Image::default()
            },
        }
    }
}

/// All that a container runtime gives to a process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessSpec {
    /// What the image contains.
    pub program: Program,
    /// Full argument vector, the image's entrypoint resolved (see [`Image::argv`]).
    pub argv: Vec<String>,
    /// Full environment, the image's included.
    pub env: BTreeMap<String, String>,
    /// The Pod's own address: what listens on all interfaces listens here.
    pub address: IpAddr,
    /// What stands for the Pod's own 127.0.0.1 (see [`loopback_of`]): not reachable under `address`.
    pub loopback: IpAddr,
    /// GPUs that the container got.
    pub gpus: Vec<GpuSpec>,
    /// Memory limit in bytes; use above it ends in an out-of-memory kill.
    pub memory_limit: Option<u64>,
    /// Files.
    pub files: Filesystem,
    /// Host name, as in log lines.
    pub host_name: String,
    /// How fast simulated time runs.
    pub speed: Speed,
    /// Where what tests count is written.
    pub journal: Option<Journal>,
    /// Where engines that scripts of this process start find the faults ordered to them.
    pub fault_file: Option<PathBuf>,
}

/// A second loopback address for the Pod with `address` 127.x.y.z: the highest bit of x turned over. Addresses given to
/// Pods should come from 127.0.0.0/9, so that no Pod's address is another's loopback. Other addresses: 127.0.0.1.
pub fn loopback_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) if v4.is_loopback() => {
            let [a, b, c, d] = v4.octets();
            IpAddr::V4(Ipv4Addr::new(a, b ^ 0x80, c, d))
        }
        _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}

/// Why a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It exited by itself with its code.
    Exited,
    /// The kernel killed it for memory (code 137).
    OomKilled,
    /// It never ran: no such executable in the image (code 128; the runtime's `StartError`).
    CannotStart,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Exit code.
    pub code: i32,
    /// Why.
    pub cause: Cause,
    /// The error that ended it, without log prefixes; empty after success. What `FallbackToLogsOnError` takes is the
    /// log's tail, which the owner of the [`LogSink`] has.
    pub message: String,
}

impl Exit {
    /// Ended by itself with `code`, `message` being the last words.
    pub fn exited(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            cause: Cause::Exited,
            message: message.into(),
        }
    }

    /// Ended by itself without an error.
    pub fn success() -> Self {
        Self::exited(0, "")
    }

    /// Killed for memory. The kernel says nothing in the container's log.
    pub fn oom_killed() -> Self {
        Self {
            code: 137,
            cause: Cause::OomKilled,
            message: String::new(),
        }
    }

    /// The executable is not in the image.
    pub fn cannot_start(executable: &str) -> Self {
        let reason = if executable.contains('/') {
            format!("stat {executable}: no such file or directory")
        } else {
            "executable file not found in $PATH".to_owned()
        };
        let message = format!("exec: \"{executable}\": {reason}");
        Self {
            code: 128,
            cause: Cause::CannotStart,
            message,
        }
    }
}

/// What every engine works with while it runs.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) spec: ProcessSpec,
    pub(crate) faults: FaultHandle,
    pub(crate) log: LogSink,
    pub(crate) stop: CancellationToken,
}

impl Context {
    pub(crate) fn env(&self, name: &str) -> Option<&str> {
        self.spec
            .env
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Notes what tests count.
    pub(crate) fn note(&self, event: Event) {
        if let Some(journal) = &self.spec.journal {
            journal.write(event);
        }
    }

    /// Ends the process when it uses more memory than it may.
    pub(crate) fn use_memory(&self, bytes: u64) -> Result<(), Exit> {
        match self.spec.memory_limit {
            Some(limit) if bytes > limit => Err(Exit::oom_killed()),
            _ => Ok(()),
        }
    }
}

/// Runs the program until it ends by itself, is told to (`stop` is its SIGTERM), or an ordered fault ends it.
/// Dropping the future is SIGKILL: the ports close and all requests under way are cut.
pub async fn run(spec: ProcessSpec, faults: FaultHandle, log: LogSink, stop: CancellationToken) -> Exit {
    let death = faults.death();
    let context = Context {
        spec,
        faults,
        log: log.clone(),
        stop,
    };
    tokio::select! {
        biased;
        death = death => match death {
            Death::Crash { code, message } => {
                log.err(&message);
                Exit::exited(code, message)
            }
            Death::OutOfMemory => Exit::oom_killed(),
        },
        exit = dispatch(context) => exit,
    }
}

async fn dispatch(context: Context) -> Exit {
    match context.spec.program.clone() {
        Program::Generic(options) => generic::run(context, options).await,
        Program::Vllm => vllm::run(context).await,
        Program::Ollama => ollama::run(context).await,
        Program::LocalAi => localai::run(context).await,
        Program::DeepspeedMii => deepspeed_mii::run(context).await,
        Program::Triton => triton::run(context).await,
        Program::Aws => aws::run(context).await,
    }
}
