//! [`ServingPlan`]: what will be made, decided to the last default.
//!
//! In: a [`ServingRequest`](crate::request::ServingRequest). Out: one validated value from which `build` makes objects, or everything that
//! is wrong with the request. It must not know a Kubernetes object that is not part of a Pod.

mod assemble;
mod check;
pub(crate) mod ending;
mod placement;
mod rollout;
pub(crate) mod scaling;
pub(crate) mod security;
mod settings;
pub(crate) mod weights;

use std::collections::BTreeMap;

use api::shared::{AccessMode, ImagePullPolicy};
use k8s_openapi::{
    api::core::v1::{
        Affinity, Container, EnvFromSource, EnvVar, PodSecurityContext, Probe, SecurityContext, Toleration,
        TopologySpreadConstraint, Volume, VolumeMount,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use crate::{
    gpu::GpuRequest,
    quantity::Quantity,
    request::{Access, Identity, PodForm, ServiceKind},
    sizing::Sizing,
    source::ModelSource,
    template::Template,
};

/// The name of the port of the engine's container and of the Service.
pub const PORT_NAME: &str = "http";

pub use scaling::{ATTAINMENT_PPM, Promise, ScalingPlan};

/// Everything that is made for one serving resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ServingPlan {
    /// The resource; owner of all that is made.
    pub identity: Identity,
    /// The name of all that is made.
    pub name: String,
    /// Labels of everything that is made; they contain [`selector`](Self::selector).
    pub labels: BTreeMap<String, String>,
    /// Labels by which the Pods are found; never changed.
    pub selector: BTreeMap<String, String>,
    /// What runs the Pods.
    pub workload: Workload,
    /// The Pods.
    pub pod: PodPlan,
    /// The Pods without what is added to another operator's form: for a workload that the other operator made, whose Pods go on
    /// running. `None`: there is no other operator.
    pub pod_as_found: Option<Box<PodPlan>>,
    /// The Service for clients.
    pub service: ServicePlan,
    /// The way in from outside the cluster.
    pub ingress: Option<IngressPlan>,
    /// Files for the engine.
    pub config: Option<ConfigPlan>,
    /// Who may reach the port.
    pub access: Access,
    /// Ports by number that may be reached beside the Service's; `None`: all of them.
    pub open_ports: Option<Vec<u16>>,
    /// How many Pods a drain may take.
    pub budget: Option<Budget>,
    /// A new claim for the weights, of all Pods together.
    pub claim: Option<ClaimPlan>,
    /// How the number of replicas follows the load.
    pub scaling: Option<ScalingPlan>,
    /// What was chosen for a model of the catalogue.
    pub sizing: Option<Box<Sizing>>,
    /// GPUs of one replica; [`GpuRequest::summary`] is the text for people.
    pub gpu: Option<GpuRequest>,
    /// The model's name for clients.
    pub model_name: String,
    /// Where the weights come from, when that is said.
    pub source: Option<ModelSource>,
}

/// What runs the Pods. Families with other workloads add variants.
#[derive(Clone, Debug, PartialEq)]
pub enum Workload {
    /// A Deployment.
    Deployment(DeploymentPlan),
    /// A StatefulSet.
    StatefulSet(StatefulSetPlan),
    /// One Pod without anything that would replace it.
    Pod {
        /// Whether it ends when its work is done, and is not restarted.
        ends: bool,
    },
}

/// A Deployment without its Pods.
#[derive(Clone, Debug, PartialEq)]
pub struct DeploymentPlan {
    /// How many; `None`: the field is not ours.
    pub replicas: Option<i32>,
    /// How a new version replaces the old one.
    pub strategy: Strategy,
    /// Seconds without progress after which Kubernetes calls a rollout failed; above the time that loading may take.
    pub progress_deadline_seconds: i32,
}

/// A StatefulSet without its Pods. They come and go together and a new version replaces the highest number first.
#[derive(Clone, Debug, PartialEq)]
pub struct StatefulSetPlan {
    /// How many.
    pub replicas: i32,
    /// The Service that gives each Pod a name of its own.
    pub headless_service: String,
    /// A claim for each Pod, mounted as the volume of this name.
    pub claim: Option<(String, ClaimPlan)>,
}

/// How a new version replaces the old one.
#[derive(Clone, Debug, PartialEq)]
pub enum Strategy {
    /// New Pods first.
    RollingUpdate {
        /// Pods above the number of replicas.
        max_surge: IntOrString,
        /// Pods that may be missing.
        max_unavailable: IntOrString,
    },
    /// Old Pods go first.
    Recreate,
    /// Not said.
    Kubernetes,
}

/// One Pod.
#[derive(Clone, Debug, PartialEq)]
pub struct PodPlan {
    /// Whose promises hold.
    pub form: PodForm,
    /// Labels, the selector's among them.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// The engine.
    pub engine: ContainerPlan,
    /// What must have ended before the engine starts, in order.
    pub init: Vec<ContainerPlan>,
    /// Volumes of all containers.
    pub volumes: Vec<Volume>,
    /// Where it may run.
    pub placement: Placement,
    /// Security context of the Pod.
    pub security: Option<PodSecurityContext>,
    /// Secrets for private registries.
    pub image_pull_secrets: Vec<String>,
    /// Priority class.
    pub priority_class: Option<String>,
    /// Runtime class.
    pub runtime_class: Option<String>,
    /// Seconds between the stop signal and the kill; `None`: Kubernetes' own.
    pub grace_period_seconds: Option<i64>,
    /// What a template says beside all that, its containers among it.
    pub template: Template,
}

/// One container.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerPlan {
    /// Its name in the Pod.
    pub name: String,
    /// Image reference.
    pub image: String,
    /// When the image is pulled.
    pub pull_policy: Option<ImagePullPolicy>,
    /// Replaces the image's entry point when not empty.
    pub command: Vec<String>,
    /// Arguments.
    pub args: Vec<String>,
    /// Variables, names unique.
    pub env: Vec<EnvVar>,
    /// Sources of variables.
    pub env_from: Vec<EnvFromSource>,
    /// The ports that it declares, without duplicates.
    pub ports: Vec<PortPlan>,
    /// What is reserved, by resource.
    pub requests: BTreeMap<String, Quantity>,
    /// What it may use at most, by resource.
    pub limits: BTreeMap<String, Quantity>,
    /// When it is started, ready, alive.
    pub probes: ProbesPlan,
    /// Where volumes are mounted.
    pub mounts: Vec<VolumeMount>,
    /// Security context of the container.
    pub security: Option<SecurityContext>,
    /// Seconds that it goes on serving after its end was decided, so that clients learn of it first; 0: none.
    pub drain_seconds: i64,
    /// Whether the last words of a crash are put into the Pod's status.
    pub last_words: bool,
    /// What a template says beside all that.
    pub template: Option<Box<Container>>,
}

/// A port of a container, TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortPlan {
    /// Its name.
    pub name: Option<&'static str>,
    /// Its number.
    pub number: u16,
}

/// Probes of a container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProbesPlan {
    /// Until it succeeds the others wait.
    pub startup: Option<Probe>,
    /// Whether clients may come.
    pub readiness: Option<Probe>,
    /// Whether it must be restarted.
    pub liveness: Option<Probe>,
}

/// Where Pods may run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placement {
    /// Labels that a node must have.
    pub node_selector: BTreeMap<String, String>,
    /// Taints that are tolerated.
    pub tolerations: Vec<Toleration>,
    /// Affinity.
    pub affinity: Option<Affinity>,
    /// Spreading.
    pub topology_spread: Vec<TopologySpreadConstraint>,
}

/// The Service for clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePlan {
    /// Whether there is one; without it the Pod can be reached at its own address.
    pub made: bool,
    /// Its port.
    pub port: u16,
    /// The name of its port and of the container's; `None`: it leads to the same number.
    pub port_name: Option<&'static str>,
    /// Ports that lead to the same number, beside that one.
    pub more_ports: Vec<u16>,
    /// Where it can be reached.
    pub kind: ServiceKind,
    /// Labels, the operator's among them.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

/// The way in from outside the cluster: everything under these hosts goes to the Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngressPlan {
    /// Host names; never empty.
    pub hosts: Vec<String>,
    /// Secret with the certificate of all hosts; `None`: no TLS.
    pub tls_secret: Option<String>,
    /// Ingress class; `None`: the cluster's default.
    pub class: Option<String>,
    /// Labels; in a plan the operator's among them.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

/// Files for the engine, as a ConfigMap that belongs to the resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigPlan {
    /// Name of the ConfigMap.
    pub name: String,
    /// Contents by key.
    pub data: BTreeMap<String, String>,
}

/// How many Pods a drain may take.
#[derive(Clone, Debug, PartialEq)]
pub enum Budget {
    /// So many must stay.
    MinAvailable(IntOrString),
    /// So many may be missing.
    MaxUnavailable(IntOrString),
}

/// A new claim.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimPlan {
    /// Bytes.
    pub size: Quantity,
    /// Storage class; `None`: the cluster's default.
    pub class: Option<String>,
    /// Access mode.
    pub mode: AccessMode,
}
