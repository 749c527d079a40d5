//! One Pod on its node, from binding to the end: the Pod object in, running containers and its status out.
//! It reads from top to bottom as kubelet's own order of things. It must not know other Pods.

mod backoff;
mod board;
mod container;
mod entered;
mod env;
mod exec;
mod fields;
mod files;
mod hook;
mod http;
mod image;
mod init;
mod mounts;
mod probe;
mod process;
mod quantity;
mod restart;
mod shims;
mod status;
mod termination;
mod volumes;
mod writer;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine_sim::journal::{Journal, Owner};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, ObjectReference, Pod, PodSpec};
use kube::ResourceExt as _;
use tokio::sync::watch;

use super::Shared;
use super::addresses::PodAddress;
use super::events::Recorder;
use super::faults::PodFaults;
use super::state::{Gpus, NodeState};
use board::{Board, Verdict};
use termination::Stop;

/// How long a Pod waits for GPUs whose last holder has vanished from the API but not yet from the node.
const GPU_PATIENCE: Duration = Duration::from_secs(5);

/// All that the parts of one Pod share.
pub(crate) struct PodContext {
    pub(crate) shared: Arc<Shared>,
    pub(crate) node: Arc<NodeState>,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    /// The object as it was bound; only its images may change later (see [`PodContext::as_it_is`]).
    pub(crate) pod: Arc<Pod>,
    pub(crate) spec: PodSpec,
    pub(crate) latest: watch::Receiver<Arc<Pod>>,
    pub(crate) board: Board,
    pub(crate) events: Recorder,
    pub(crate) faults: Arc<PodFaults>,
    pub(crate) stop: Stop,
    pub(crate) started: Timestamp,
    address: PodAddress,
}

impl PodContext {
    /// `None`: no address is left.
    pub(crate) fn new(
        shared: Arc<Shared>,
        node: Arc<NodeState>,
        pod: Arc<Pod>,
        latest: watch::Receiver<Arc<Pod>>,
    ) -> Option<Self> {
        let address = shared.block.take()?;
        let spec = pod.spec.clone().unwrap_or_default();
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        let uid = pod.uid().unwrap_or_default();
        let about = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            namespace: Some(namespace.clone()),
            name: Some(name.clone()),
            uid: Some(uid.clone()),
            resource_version: pod.resource_version(),
            ..ObjectReference::default()
        };
        let all = spec.init_containers.iter().flatten().chain(&spec.containers);
        let names: Vec<&str> = all.map(|container| container.name.as_str()).collect();
        Some(Self {
            events: Recorder::new(shared.events.clone(), about, "kubelet", &node.spec.name),
            faults: shared.faults.register(&namespace, &name, &names),
            board: Board::new(&spec),
            stop: Stop::default(),
            started: Timestamp::now(),
            shared,
            node,
            namespace,
            name,
            uid,
            pod,
            spec,
            latest,
            address,
        })
    }

    /// The Pod's own address.
    pub(crate) fn ip(&self) -> Ipv4Addr {
        self.address.ip()
    }

    /// The directory of this Pod's files.
    pub(crate) fn dir(&self) -> PathBuf {
        self.shared.files.join("pods").join(&self.uid)
    }

    /// Where the faults ordered to a container's engine lie for processes that its scripts start.
    pub(crate) fn fault_file(&self, container: &str) -> PathBuf {
        self.dir().join(format!("faults-{container}.json"))
    }

    /// What a container's engines write down for tests.
    pub(crate) fn journal(&self, container: &str) -> Journal {
        Journal {
            file: self.shared.journal_file(),
            owner: Owner {
                namespace: self.namespace.clone(),
                pod: self.name.clone(),
                uid: self.uid.clone(),
                container: container.to_owned(),
            },
        }
    }

    /// `name_namespace(uid)`, as kubelet writes Pods in messages.
    pub(crate) fn display(&self) -> String {
        format!("{}_{}({})", self.name, self.namespace, self.uid)
    }

    /// The container with the image that the Pod names for it now.
    pub(crate) fn as_it_is(&self, container: &Container) -> Container {
        let image = image_of(&self.latest.borrow(), &container.name);
        Container {
            image: image.or_else(|| container.image.clone()),
            ..container.clone()
        }
    }

    /// Resolves once the Pod names another image for the container than this one's.
    pub(crate) async fn redefined(&self, container: &Container) {
        let mut latest = self.latest.clone();
        let differs = |pod: &Arc<Pod>| {
            let image = image_of(pod, &container.name);
            image.is_some() && image != container.image
        };
        if latest.wait_for(differs).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Sleeps kubelet's time, scaled; `false` when the Pod is to stop meanwhile.
    pub(crate) async fn rest(&self, real: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(self.shared.backoff(real)) => true,
            () = self.stop.requested() => false,
        }
    }

    /// GPUs that a container may use.
    pub(crate) fn gpu_limit(&self, container: &Container) -> usize {
        let limits = container
            .resources
            .as_ref()
            .and_then(|resources| resources.limits.as_ref());
        let given = limits.and_then(|limits| limits.get(&self.node.spec.gpu_resource));
        given.and_then(|quantity| quantity.0.parse().ok()).unwrap_or(0)
    }

    /// Main containers hold theirs together; init containers have them one after the other.
    fn gpus_wanted(&self) -> usize {
        let together = self
            .spec
            .containers
            .iter()
            .map(|container| self.gpu_limit(container))
            .sum();
        let before = self
            .spec
            .init_containers
            .iter()
            .flatten()
            .map(|container| self.gpu_limit(container));
        before.fold(together, usize::max)
    }
}

fn image_of(pod: &Pod, name: &str) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let mut all = spec.init_containers.iter().flatten().chain(&spec.containers);
    all.find(|container| container.name == name)?.image.clone()
}

impl Drop for PodContext {
    fn drop(&mut self) {
        self.shared.logs.remove(&self.namespace, &self.name);
        self.shared
            .faults
            .forget(&self.namespace, &self.name, &self.faults);
        self.shared.attachments.release(&self.uid);
        // What cannot be removed now goes with the whole directory.
        let _ = std::fs::remove_dir_all(self.dir());
    }
}

/// Runs the Pod until its object is gone.
pub(crate) async fn run(context: PodContext) {
    let context = Arc::new(context);
    let phase = context
        .pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    if matches!(phase, Some("Succeeded" | "Failed")) {
        termination::deleted(&context).await;
        termination::finalize(&context).await;
        return;
    }
    let mut object = context.latest.clone();
    tokio::select! {
        () = live(&context) => {}
        // The sender goes away with the object: nothing of the Pod may be left, and nobody is there to be told.
        () = async { while object.changed().await.is_ok() {} } => {}
    }
}

/// The Pod's whole life, status included.
async fn live(context: &Arc<PodContext>) {
    let writer = writer::Writer::new(context);
    tokio::select! {
        () = writer.keep_writing() => {}
        () = lead(context, &writer) => {}
    }
}

async fn lead(context: &Arc<PodContext>, writer: &writer::Writer) {
    let gpus = match admit(context).await {
        Ok(gpus) => gpus,
        Err(verdict) => {
            context.board.judge(verdict);
            writer.flush().await;
            termination::deleted(context).await;
            termination::finalize(context).await;
            return;
        }
    };
    let work = async {
        tokio::join!(
            termination::watch_deletion(context),
            termination::watch_eviction(context)
        );
    };
    tokio::select! {
        () = work_through(context, &gpus) => {}
        () = work => {}
    }
    context.board.finish();
    writer.flush().await;
    // The scheduler counts the devices as free from here on.
    drop(gpus);
    termination::deleted(context).await;
    termination::finalize(context).await;
}

/// Volumes, then init containers, then all containers until none is left to run.
async fn work_through(context: &Arc<PodContext>, gpus: &Gpus) {
    let Some(volumes) = volumes::mount_all(context).await else {
        return;
    };
    context.board.sandbox_ready();
    init::run_all(context, &volumes, gpus).await;
}

async fn admit(context: &PodContext) -> Result<Gpus, Verdict> {
    let wanted = context.gpus_wanted();
    let deadline = tokio::time::Instant::now() + GPU_PATIENCE;
    loop {
        let freed = context.node.gpus_freed();
        let available = match context.node.take_gpus(wanted) {
            Ok(gpus) => return Ok(gpus),
            Err(available) => available,
        };
        if tokio::time::timeout_at(deadline, freed).await.is_err() {
            let resource = &context.node.spec.gpu_resource;
            let message = format!(
                "Allocate failed due to requested number of devices unavailable for {resource}. Requested: \
                 {wanted}, Available: {available}, which is unexpected"
            );
            context
                .events
                .warning("", "UnexpectedAdmissionError", message.clone());
            return Err(Verdict::failed("UnexpectedAdmissionError", message));
        }
    }
}

pub(crate) use entered::Containers;
pub(crate) use quantity::bytes;

/// Environment or file contents by name.
pub(crate) type Pairs = BTreeMap<String, String>;
