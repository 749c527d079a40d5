//! Simulated GPU nodes: a client configuration and hardware in; Nodes that run the Pods bound to them out.
//! They do what kubelet does and no more: scheduling, ownership and endpoints are the real control plane's.

pub mod addresses;
mod events;
pub mod faults;
mod file_server;
mod heartbeat;
mod hub;
mod image_table;
pub mod journal;
mod logs;
mod pod;
mod pods;
mod server;
pub mod spec;
mod state;
mod storage;

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use engine_sim::Speed;
use parking_lot::RwLock;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use crate::process::{ProcessError, TemporaryDirectory};

pub use addresses::NoFreeBlock;
pub use faults::{Faults, Target};
pub use file_server::{FileServer, archive};
pub use image_table::{ImageEntry, ImageTable, Runs, Tools};
pub use journal::Records;
pub use spec::{GpuModel, NodeSpec};

use addresses::AddressBlock;
use events::EventSink;
use logs::LogStore;
use state::NodeState;
use storage::claims::Attachments;

/// Enough to keep an API server busy, few enough not to crowd out others' requests.
const WRITES_AT_ONCE: usize = 32;

/// How simulated nodes behave.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// The images that exist.
    pub images: ImageTable,
    /// How fast engines load and generate.
    pub speed: Speed,
    /// Factor on kubelet's back-offs and retry periods (1 = real: 10 s doubling to 5 min). Smaller is faster.
    pub backoff_scale: f64,
    /// Factor on the periods, delays and timeouts of probes (1 = as written in the Pod).
    pub probe_scale: f64,
    /// Write Normal Events too. Off for benchmarks; Warnings are always written.
    pub normal_events: bool,
    /// How long changes of a Pod's status are collected before they are written.
    pub status_window: Duration,
    /// Where the files of claims are kept. Default: a directory that goes with the nodes. A cluster whose own directory
    /// is kept must keep them too.
    pub claims: Option<PathBuf>,
    /// Version that nodes report.
    pub kubelet_version: String,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self {
            images: ImageTable::default(),
            speed: Speed::REAL,
            backoff_scale: 1.0,
            probe_scale: 1.0,
            normal_events: true,
            status_window: Duration::from_millis(20),
            claims: None,
            kubelet_version: "v1.36.3".to_owned(),
        }
    }
}

impl From<ImageTable> for NodeOptions {
    fn from(images: ImageTable) -> Self {
        Self {
            images,
            ..Self::default()
        }
    }
}

/// Why nodes could not be simulated.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// No addresses for Pods.
    #[error(transparent)]
    Addresses(#[from] NoFreeBlock),
    /// The API server refused or could not be reached.
    #[error("node {node}: {source}")]
    Api {
        /// The node, or the object that nodes need.
        node: String,
        /// What the API server said.
        source: Box<kube::Error>,
    },
    /// This machine refused.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The certificate of the kubelet API could not be made.
    #[error("kubelet API: {0}")]
    Tls(String),
    /// The directory of the Pods' files could not be made.
    #[error(transparent)]
    Files(#[from] ProcessError),
    /// The nodes were stopped.
    #[error("the simulated nodes have stopped; start new ones")]
    Stopped,
}

/// All that Pods, probes and nodes of one simulation share.
pub(crate) struct Shared {
    pub(crate) client: kube::Client,
    pub(crate) options: NodeOptions,
    pub(crate) block: Arc<AddressBlock>,
    /// Where commands' downloads from the internet are led.
    pub(crate) hub: std::net::SocketAddr,
    pub(crate) faults: Faults,
    pub(crate) events: EventSink,
    pub(crate) logs: LogStore,
    pub(crate) containers: pod::Containers,
    pub(crate) attachments: Attachments,
    /// Directory of Pods' files.
    pub(crate) files: PathBuf,
    /// Directory of claims' files.
    pub(crate) claims: PathBuf,
    pub(crate) nodes: RwLock<HashMap<String, Arc<NodeState>>>,
    /// Bounds the writes to the API server that are under way at once.
    pub(crate) writes: Semaphore,
    pub(crate) tls: Arc<rustls::ClientConfig>,
}

impl Shared {
    pub(crate) fn node(&self, name: &str) -> Option<Arc<NodeState>> {
        self.nodes.read().get(name).cloned()
    }

    /// What engines write down for tests.
    pub(crate) fn journal_file(&self) -> PathBuf {
        self.files.join("journal.jsonl")
    }

    /// kubelet's back-offs and retry periods, scaled.
    pub(crate) fn backoff(&self, real: Duration) -> Duration {
        real.mul_f64(self.options.backoff_scale.max(0.0))
    }

    /// Times of probes, scaled.
    pub(crate) fn probe_time(&self, real: Duration) -> Duration {
        real.mul_f64(self.options.probe_scale.max(0.0))
    }
}

/// Simulated nodes on a control plane, in a thread of their own. Dropping them ends all their containers at once, as
/// a power failure would, and leaves the objects behind.
pub struct SimulatedNodes {
    shared: Arc<Shared>,
    pods: pods::Control,
    runtime: tokio::runtime::Handle,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl std::fmt::Debug for SimulatedNodes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<String> = self.shared.nodes.read().keys().cloned().collect();
        formatter.debug_tuple("SimulatedNodes").field(&names).finish()
    }
}

struct Started {
    shared: Arc<Shared>,
    pods: pods::Control,
    runtime: tokio::runtime::Handle,
}

impl SimulatedNodes {
    /// Adds `specs` to the cluster behind `config` (an administrator's) and runs what gets bound to them. Returns when
    /// all nodes are registered and the storage class `standard` exists.
    pub async fn start(
        config: kube::Config,
        specs: Vec<NodeSpec>,
        options: impl Into<NodeOptions>,
    ) -> Result<Self, NodeError> {
        let options = options.into();
        let (block, claim) = AddressBlock::claim()?;
        let files = TemporaryDirectory::new("nodes")?;
        let stop = CancellationToken::new();
        let (ready, started) = oneshot::channel();
        let setup = Setup {
            config,
            specs,
            options,
            block,
            claim,
            files,
        };
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("simulated-nodes".to_owned())
            .spawn(move || run(setup, ready, &stopped))
            .map_err(|source| NodeError::Io {
                what: "a thread for the nodes".to_owned(),
                source,
            })?;
        let Started {
            shared,
            pods,
            runtime,
        } = started.await.map_err(|_| NodeError::Stopped)??;
        Ok(Self {
            shared,
            pods,
            runtime,
            stop,
            thread: Some(thread),
        })
    }

    /// Adds a node and returns when it is registered.
    pub async fn add(&self, spec: NodeSpec) -> Result<(), NodeError> {
        let shared = Arc::clone(&self.shared);
        self.inside(async move { add(&shared, spec).await }).await
    }

    /// Takes a node away with all that runs on it, as if its machine had been switched off and its Node deleted.
    pub async fn remove(&self, name: &str) -> Result<(), NodeError> {
        let (shared, name) = (Arc::clone(&self.shared), name.to_owned());
        shared.nodes.write().remove(&name);
        self.pods.kill_node(&name);
        let deleted = async move {
            let result = heartbeat::unregister(&shared, &name).await;
            result.map_err(|source| NodeError::Api {
                node: name,
                source: Box::new(source),
            })
        };
        self.inside(deleted).await
    }

    /// Orders faults on these nodes and their Pods.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// What engines were asked and what they downloaded, in all Pods that were ever here, the oldest first.
    pub fn journal(&self) -> Records {
        Records::read(&self.shared.journal_file())
    }

    /// Runs a command in a running container, as `kubectl exec` does on real nodes (the API server's path to these has no
    /// streams): its exit code, and what it printed, errors last.
    pub async fn exec(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        command: &[&str],
    ) -> Result<(i32, String), NodeError> {
        let shared = Arc::clone(&self.shared);
        let [namespace, pod, container] = [namespace, pod, container].map(str::to_owned);
        let argv: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        let what = format!("{command:?} in container {container} of Pod {namespace}/{pod}");
        let run = async move {
            let done = shared.containers.run(&namespace, &pod, &container, &argv).await;
            let not_running = || Err("it does not run".to_owned());
            done.unwrap_or_else(not_running).map_err(|error| NodeError::Io {
                what,
                source: std::io::Error::other(error),
            })
        };
        self.inside(run).await
    }

    /// The tail of what a container wrote, without going through the API server: at most 64 KiB.
    pub fn logs(&self, namespace: &str, pod: &str, container: &str) -> Option<String> {
        let buffer = self.shared.logs.find(namespace, pod, container, false)?;
        Some(buffer.tail(usize::MAX, usize::MAX))
    }

    /// Requests must run where the client's connections live.
    async fn inside<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, NodeError>> + Send + 'static,
    ) -> Result<T, NodeError> {
        self.runtime.spawn(work).await.map_err(|_| NodeError::Stopped)?
    }
}

impl Drop for SimulatedNodes {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // A panic in there has been printed by its own thread.
            let _ = thread.join();
        }
    }
}

struct Setup {
    config: kube::Config,
    specs: Vec<NodeSpec>,
    options: NodeOptions,
    block: Arc<AddressBlock>,
    claim: TcpListener,
    files: TemporaryDirectory,
}

fn run(setup: Setup, ready: oneshot::Sender<Result<Started, NodeError>>, stop: &CancellationToken) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("node")
        .enable_all()
        .build();
    let mut left_over = None;
    match runtime {
        Ok(runtime) => {
            runtime.block_on(async {
                match start(setup).await {
                    Ok((started, files)) => {
                        if ready.send(Ok(started)).is_ok() {
                            stop.cancelled().await;
                        }
                        left_over = Some(files);
                    }
                    // Whoever asked is told; if nobody waits any more, nobody needs the nodes.
                    Err(error) => drop(ready.send(Err(error))),
                }
            });
            runtime.shutdown_timeout(Duration::from_secs(2));
        }
        Err(source) => drop(ready.send(Err(NodeError::Io {
            what: "a runtime for the nodes".to_owned(),
            source,
        }))),
    }
    // After the runtime: nobody writes any more.
    drop(left_over);
}

async fn start(setup: Setup) -> Result<(Started, TemporaryDirectory), NodeError> {
    let Setup {
        mut config,
        specs,
        options,
        block,
        claim,
        files,
    } = setup;
    config.default_retry = false;
    // Another crate may have chosen a provider before; whichever it is will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cluster = config.cluster_url.to_string();
    let client = kube::Client::try_from(config).map_err(|source| NodeError::Api {
        node: cluster,
        source: Box::new(source),
    })?;
    let claims = options
        .claims
        .clone()
        .unwrap_or_else(|| files.path().join("claims"));
    let hub = hub::start(block.node_address())
        .await
        .map_err(|source| NodeError::Io {
            what: "a port for what stands for the internet".to_owned(),
            source,
        })?;
    let shared = Arc::new(Shared {
        events: EventSink::start(&client, options.normal_events),
        client,
        options,
        block,
        hub,
        faults: Faults::default(),
        logs: LogStore::default(),
        containers: pod::Containers::default(),
        attachments: Attachments::default(),
        claims,
        files: files.path().to_owned(),
        nodes: RwLock::default(),
        writes: Semaphore::new(WRITES_AT_ONCE),
        tls: server::trusting_client().map_err(|error| NodeError::Tls(error.to_string()))?,
    });
    server::start(Arc::clone(&shared), claim)?;
    storage::provisioner::start(&shared)
        .await
        .map_err(|source| NodeError::Api {
            node: "storage classes".to_owned(),
            source: Box::new(source),
        })?;
    futures::future::try_join_all(specs.into_iter().map(|spec| add(&shared, spec))).await?;
    tokio::spawn(heartbeat::keep_alive(Arc::clone(&shared)));
    let pods = pods::start(Arc::clone(&shared));
    Ok((
        Started {
            shared,
            pods,
            runtime: tokio::runtime::Handle::current(),
        },
        files,
    ))
}

async fn add(shared: &Shared, spec: NodeSpec) -> Result<(), NodeError> {
    let state = NodeState::new(spec.clone());
    shared.nodes.write().insert(spec.name.clone(), state);
    let registered = heartbeat::register(shared, &spec).await;
    registered.map_err(|source| NodeError::Api {
        node: spec.name,
        source: Box::new(source),
    })
}
