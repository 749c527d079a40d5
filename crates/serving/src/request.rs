//! What a kind asks for: the input of [`ServingPlan::new`](crate::plan::ServingPlan::new).
//!
//! In: a resource and its referents, parsed by a kind's own validation. Out: a value in the words of this crate, the
//! same for every kind. It must not decide anything: defaults and rules are the plan's.

use std::collections::BTreeMap;

use api::shared::{AccessMode, Engine, ImagePullPolicy};
use k8s_openapi::{
    api::{
        core::v1::{
            Affinity, EnvFromSource, EnvVar, PodSecurityContext, Probe, SecurityContext, Toleration,
            TopologySpreadConstraint,
        },
        networking::v1::NetworkPolicyPeer,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use crate::{
    engine::prem::PremRequest,
    gpu::GpuRequest,
    plan::{ConfigPlan, IngressPlan, ScalingPlan},
    quantity::Quantity,
    sizing::Sizing,
    source::ModelSource,
    template::Template,
};

/// The resource for which everything is made; its children carry it as their controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.uid`; of an offline rendering a placeholder.
    pub uid: String,
    /// For example `LLMDeployment`.
    pub kind: String,
    /// For example `llm.example.com`.
    pub group: String,
    /// For example `v1alpha1`.
    pub version: String,
}

impl Identity {
    /// `<lower case kind>.<group>`, the value of the label `llm-operator.io/kind`.
    pub fn kind_label(&self) -> String {
        format!("{}.{}", self.kind.to_lowercase(), self.group)
    }

    /// `<group>/<version>`.
    pub fn api_version(&self) -> String {
        format!("{}/{}", self.group, self.version)
    }
}

/// Everything that one serving resource asks for. `None` and empty mean "not said".
#[derive(Clone, Debug, PartialEq)]
pub struct ServingRequest {
    /// The resource.
    pub identity: Identity,
    /// The name of what is made; `None`: the resource's.
    pub name: Option<String>,
    /// The program in the image.
    pub engine: EngineRequest,
    /// Whose promises about Pods hold.
    pub form: PodForm,
    /// The model.
    pub model: ModelRequest,
    /// The engine's container.
    pub container: ContainerRequest,
    /// GPUs of one replica.
    pub gpu: Option<GpuRequest>,
    /// A volume for the weights.
    pub storage: Option<StorageRequest>,
    /// Access modes of claims that exist, by name; a claim that is not in it may be mounted anywhere.
    pub claims: BTreeMap<String, AccessMode>,
    /// How many, and how they are replaced.
    pub workload: WorkloadRequest,
    /// Everything else about the Pods.
    pub pod: PodRequest,
    /// The Service.
    pub service: ServiceRequest,
    /// The way in from outside the cluster.
    pub ingress: Option<IngressPlan>,
    /// Files for the engine.
    pub config: Option<ConfigPlan>,
    /// Where the engine's own settings stand.
    pub settings: Settings,
    /// How the number of replicas follows the load; `None`: it does not.
    pub scaling: Option<ScalingPlan>,
    /// What was chosen for a model of the catalogue; for people, and as what is expected of its speed.
    pub sizing: Option<Box<Sizing>>,
    /// The disruption budget.
    pub budget: BudgetRequest,
    /// Who may reach the port.
    pub access: Access,
}

impl ServingRequest {
    /// The name of what is made.
    pub fn child_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.identity.name)
    }

    /// The name of the engine's container.
    pub fn container_name(&self) -> &'static str {
        self.container.name.unwrap_or(self.form.container())
    }

    /// Whether the Pods end when their work is done.
    pub fn ends(&self) -> bool {
        matches!(self.workload, WorkloadRequest::Pod { ends: true })
    }
}

/// The program in the image, and what only it needs to know.
#[derive(Clone, Debug, PartialEq)]
pub enum EngineRequest {
    /// An engine as this operator runs it.
    Own(Engine),
    /// An engine as prem-operator runs it: image, port, arguments, volumes and probes to the letter.
    Prem(Box<PremRequest>),
}

impl EngineRequest {
    /// The value of the label `app.kubernetes.io/name`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Own(engine) => engine.as_str(),
            Self::Prem(request) => request.engine.as_str(),
        }
    }
}

/// Whose promises about Pods hold: labels, names of containers and ports, and what is added to keep them safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodForm {
    /// This operator's.
    Own,
    /// prem-operator's.
    Prem(Additions),
}

/// What the operator adds to Pods whose form is another operator's: security defaults, a pause before the stop signal, last words
/// of a crash, the toleration of GPU nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Additions {
    /// All of it.
    All,
    /// Nothing, so that Pods that the other operator made go on running.
    Nothing,
}

impl PodForm {
    /// The name of the engine's container.
    pub const fn container(self) -> &'static str {
        match self {
            Self::Own => "engine",
            Self::Prem(_) => "serving",
        }
    }

    /// The name of the port; `None`: it has none and goes by its number.
    pub const fn port_name(self) -> Option<&'static str> {
        match self {
            Self::Own => Some(crate::plan::PORT_NAME),
            Self::Prem(_) => None,
        }
    }

    /// Whether the operator adds its own to what is declared.
    pub const fn adds(self) -> bool {
        matches!(self, Self::Own | Self::Prem(Additions::All))
    }
}

/// The model and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRequest {
    /// The name that clients use.
    pub name: String,
    /// Where the weights come from; `None`: in the image, or what the engine makes of the name.
    pub source: Option<ModelSource>,
    /// A Secret with credentials for the source.
    pub credentials_secret: Option<String>,
    /// Size of the weights in bytes, when the kind knows it better than the catalogue does.
    pub weights_bytes: Option<u64>,
}

/// The engine's container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerRequest {
    /// Its name; `None`: the form's.
    pub name: Option<&'static str>,
    /// Image reference.
    pub image: String,
    /// When the image is pulled.
    pub pull_policy: Option<ImagePullPolicy>,
    /// Replaces the engine's command and arguments when not empty.
    pub command: Vec<String>,
    /// Arguments after the engine's own, or alone after `command`.
    pub args: Vec<String>,
    /// Arguments that the kind decides, between the engine's own and those of a person.
    pub engine_args: Vec<String>,
    /// Variables that win over the engine's.
    pub env: Vec<EnvVar>,
    /// Sources of variables.
    pub env_from: Vec<EnvFromSource>,
    /// The port on which the container listens; `None`: the Service's.
    pub port: Option<u16>,
    /// CPUs, as a request.
    pub cpu: Option<Quantity>,
    /// Bytes, as request and limit.
    pub memory: Option<Quantity>,
    /// What is reserved beside that, by resource.
    pub requests: BTreeMap<String, Quantity>,
    /// What it may use at most beside that, by resource.
    pub limits: BTreeMap<String, Quantity>,
    /// Startup probe instead of the engine's.
    pub startup_probe: Option<Probe>,
    /// Readiness probe instead of the engine's.
    pub readiness_probe: Option<Probe>,
    /// Liveness probe instead of the engine's.
    pub liveness_probe: Option<Probe>,
    /// Fields that win over the engine's.
    pub security: Option<SecurityContext>,
}

/// A volume for the weights.
#[derive(Clone, Debug, PartialEq)]
pub struct StorageRequest {
    /// Which claim.
    pub claim: ClaimRequest,
    /// Where it is mounted; `None`: `/models`.
    pub mount_path: Option<String>,
}

/// Which claim holds the weights.
#[derive(Clone, Debug, PartialEq)]
pub enum ClaimRequest {
    /// A new one, owned by the resource.
    New {
        /// Bytes.
        size: Quantity,
        /// Storage class; `None`: the cluster's default.
        class: Option<String>,
        /// Access mode.
        mode: AccessMode,
    },
    /// One that exists, by name.
    Existing(String),
}

/// Where the settings that the operator decides for an engine stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Settings {
    /// In the container's arguments.
    #[default]
    Arguments,
    /// In a ConfigMap, so that everybody can read what the server was told; an engine that reads no such file keeps its arguments.
    File,
}

/// What runs the Pods. Families with other workloads add variants.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkloadRequest {
    /// A StatefulSet: Pods with stable names, each with a claim of its own when there is a new one.
    StatefulSet {
        /// How many, or the least of them.
        replicas: i32,
    },
    /// Nothing: there is one Pod, which the operator itself replaces.
    Pod {
        /// Whether it ends when its work is done, and is not restarted.
        ends: bool,
    },
    /// A Deployment.
    Deployment {
        /// How many; `None`: whoever scales the Deployment decides, and at first there is one.
        replicas: Option<i32>,
        /// How a new version replaces the old one.
        strategy: StrategyRequest,
    },
}

/// How a new version replaces the old one.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum StrategyRequest {
    /// What suits the storage: rolling where that can work.
    #[default]
    Automatic,
    /// Kubernetes' own: a quarter of the Pods at a time, which may be missing meanwhile.
    Kubernetes,
    /// New Pods first.
    RollingUpdate {
        /// Pods above the number of replicas; `None`: 1.
        max_surge: Option<IntOrString>,
        /// Pods that may be missing; `None`: 0.
        max_unavailable: Option<IntOrString>,
    },
    /// Old Pods go first.
    Recreate,
}

/// Everything about the Pods that is not their containers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodRequest {
    /// Labels beside the operator's.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Labels that a node must have.
    pub node_selector: BTreeMap<String, String>,
    /// Taints that are tolerated beside the GPU's own.
    pub tolerations: Vec<Toleration>,
    /// Affinity beside what GPUs and claims require.
    pub affinity: Option<Affinity>,
    /// Spreading; a constraint without a selector means this resource's Pods.
    pub topology_spread: Vec<TopologySpreadConstraint>,
    /// Priority class.
    pub priority_class: Option<String>,
    /// Runtime class.
    pub runtime_class: Option<String>,
    /// Seconds between the stop signal and the kill; `None`: 60.
    pub grace_period_seconds: Option<i64>,
    /// Fields that win over the engine's.
    pub security: Option<PodSecurityContext>,
    /// Secrets for private registries.
    pub image_pull_secrets: Vec<String>,
    /// What a Pod template says beside all that.
    pub template: Template,
}

/// Where the Service can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServiceKind {
    /// Inside the cluster.
    #[default]
    ClusterIp,
    /// On every node.
    NodePort,
    /// Behind a load balancer.
    LoadBalancer,
}

impl ServiceKind {
    /// The word that Kubernetes uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIp => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}

/// The Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRequest {
    /// Whether there is one.
    pub made: bool,
    /// Its port.
    pub port: u16,
    /// Ports that lead to the same number, beside that one.
    pub more_ports: Vec<u16>,
    /// Where it can be reached.
    pub kind: ServiceKind,
    /// Labels beside the operator's.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

/// How many replicas may be missing while nodes are drained.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum BudgetRequest {
    /// From two replicas up, one may be missing.
    #[default]
    Automatic,
    /// No budget.
    Disabled,
    /// So many must stay.
    MinAvailable(IntOrString),
    /// So many may be missing.
    MaxUnavailable(IntOrString),
}

/// Who may reach the port.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Access {
    /// Everyone.
    #[default]
    Anywhere,
    /// Only these peers and the operator.
    From {
        /// Peers as in a NetworkPolicy; never empty.
        peers: Vec<NetworkPolicyPeer>,
        /// The namespace in which the operator runs.
        operator_namespace: String,
    },
}
