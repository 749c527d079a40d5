//! A Pod, reduced.

mod container;

use std::net::IpAddr;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod, PodCondition, PodSpec, PodStatus, Toleration};

pub use container::{ContainerFacts, ContainerRole, ContainerState, ProbeFacts, Termination};

use super::{DeviceCounts, KIND_LABEL, NAME_LABEL, boxed, count_of, devices};

const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// The custom resource a Pod belongs to, as its labels tell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// `<lower kind>.<group>`, e.g. `llmdeployment.llm.example.com`.
    pub kind: Box<str>,
    /// Name of the resource.
    pub name: Box<str>,
}

/// `status.phase`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PodPhase {
    /// Accepted, but not all containers were started once.
    #[default]
    Pending,
    /// Bound, and a container runs or is being restarted.
    Running,
    /// All containers ended well.
    Succeeded,
    /// All containers ended, one of them badly; or the kubelet gave the Pod up.
    Failed,
    /// The node's state could not be obtained.
    Unknown,
}

/// What the scheduler said.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Scheduling {
    /// Nothing yet.
    #[default]
    Undecided,
    /// Bound to a node.
    Placed,
    /// No node was found.
    Refused {
        /// `Unschedulable`, `SchedulingGated`, `SchedulerError`.
        reason: Box<str>,
        /// The scheduler's words.
        message: Box<str>,
    },
}

/// What a diagnosis needs of a Pod.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PodFacts {
    /// Namespace.
    pub namespace: Box<str>,
    /// Name.
    pub name: Box<str>,
    /// Uid.
    pub uid: Box<str>,
    /// The custom resource it belongs to, if ours.
    pub owner: Option<Owner>,
    /// Label `pod-template-hash` of the `ReplicaSet` that made it, or `controller-revision-hash` of the StatefulSet.
    pub template_hash: Option<Box<str>>,
    /// Creation time.
    pub created: Option<Timestamp>,
    /// Phase.
    pub phase: PodPhase,
    /// `status.reason`, e.g. `Evicted`, `NodeLost`.
    pub reason: Option<Box<str>>,
    /// `status.message`.
    pub message: Option<Box<str>>,
    /// Node it is bound to.
    pub node: Option<Box<str>>,
    /// Its address, once its sandbox has one.
    pub ip: Option<IpAddr>,
    /// Deletion was asked for.
    pub deleting: bool,
    /// Annotation `controller.kubernetes.io/pod-deletion-cost`: of Pods that are ready alike, the lowest goes first.
    pub deletion_cost: Option<i32>,
    /// The scheduler's verdict.
    pub scheduling: Scheduling,
    /// Sandbox and volumes are ready (condition `PodReadyToStartContainers`): what is missing now is the image.
    pub sandbox_ready: bool,
    /// Condition `Ready` is `True`.
    pub ready: bool,
    /// Since when it is ready.
    pub ready_since: Option<Timestamp>,
    /// Devices it asks for (`nvidia.com/gpu: 2`).
    pub devices: DeviceCounts,
    /// Claims it mounts, in the Pod's order.
    pub claims: Box<[Box<str>]>,
    /// Image pull secrets it names.
    pub pull_secrets: Box<[Box<str>]>,
    /// Init containers, then containers, in the Pod's order.
    pub containers: Box<[ContainerFacts]>,
    /// What placement looked at; dropped once the Pod is bound, to save memory.
    pub placement: Option<Box<Placement>>,
}

/// What the scheduler matches against nodes; kept only while a Pod has no node.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Placement {
    /// CPU request of the Pod's containers, as written, joined with `+`.
    pub cpu: Box<str>,
    /// Memory request of the Pod's containers, as written, joined with `+`.
    pub memory: Box<str>,
    /// `nodeSelector` as `key=value`, sorted.
    pub node_selector: Box<[Box<str>]>,
    /// Keys of tolerated taints; an empty key tolerates everything.
    pub tolerated: Box<[Box<str>]>,
}

impl PodFacts {
    /// It counts as a serving replica: ready and not on its way out.
    pub fn serves(&self) -> bool {
        self.ready && !self.deleting
    }

    /// It occupies the devices that it asked for: bound to a node and not ended.
    pub fn holds_devices(&self) -> bool {
        self.node.is_some()
            && !self.devices.is_empty()
            && !matches!(self.phase, PodPhase::Succeeded | PodPhase::Failed)
    }

    /// What is left of a Pod that only matters because it occupies devices; `None` when it occupies none.
    pub fn into_holder(self) -> Option<Self> {
        self.holds_devices().then(|| Self {
            namespace: self.namespace,
            name: self.name,
            uid: self.uid,
            phase: self.phase,
            node: self.node,
            scheduling: self.scheduling,
            devices: self.devices,
            ..Self::default()
        })
    }

    /// Devices of one resource name that it asks for.
    pub fn device_count(&self, resource: &str) -> i64 {
        count_of(&self.devices, resource)
    }
}

impl From<&Pod> for PodFacts {
    fn from(pod: &Pod) -> Self {
        let label = |key: &str| boxed(pod.metadata.labels.as_ref()?.get(key));
        let default_spec = PodSpec::default();
        let spec = pod.spec.as_ref().unwrap_or(&default_spec);
        let default_status = PodStatus::default();
        let status = pod.status.as_ref().unwrap_or(&default_status);
        let node = boxed(spec.node_name.as_ref());
        let ready = condition(status, "Ready").filter(|condition| condition.status == "True");
        Self {
            namespace: pod.metadata.namespace.as_deref().unwrap_or_default().into(),
            name: pod.metadata.name.as_deref().unwrap_or_default().into(),
            uid: pod.metadata.uid.as_deref().unwrap_or_default().into(),
            owner: label(KIND_LABEL)
                .zip(label(NAME_LABEL))
                .map(|(kind, name)| Owner { kind, name }),
            template_hash: label("pod-template-hash").or_else(|| label("controller-revision-hash")),
            created: pod.metadata.creation_timestamp.as_ref().map(|time| time.0),
            phase: phase(status.phase.as_deref()),
            reason: boxed(status.reason.as_ref()),
            message: boxed(status.message.as_ref()),
            ip: status.pod_ip.as_deref().and_then(|ip| ip.parse().ok()),
            deleting: pod.metadata.deletion_timestamp.is_some(),
            deletion_cost: pod
                .metadata
                .annotations
                .as_ref()
                .and_then(|annotations| annotations.get(DELETION_COST)?.parse().ok()),
            scheduling: scheduling(node.is_some(), status),
            sandbox_ready: condition(status, "PodReadyToStartContainers")
                .is_some_and(|condition| condition.status == "True"),
            ready: ready.is_some(),
            ready_since: ready
                .and_then(|condition| condition.last_transition_time.as_ref())
                .map(|time| time.0),
            devices: requested_devices(spec),
            claims: spec
                .volumes
                .iter()
                .flatten()
                .filter_map(|volume| volume.persistent_volume_claim.as_ref())
                .map(|claim| claim.claim_name.as_str().into())
                .collect(),
            pull_secrets: spec
                .image_pull_secrets
                .iter()
                .flatten()
                .map(|secret| secret.name.as_str().into())
                .collect(),
            containers: container::containers(spec, status),
            placement: node.is_none().then(|| Box::new(placement(spec))),
            node,
        }
    }
}

fn phase(text: Option<&str>) -> PodPhase {
    match text {
        Some("Running") => PodPhase::Running,
        Some("Succeeded") => PodPhase::Succeeded,
        Some("Failed") => PodPhase::Failed,
        Some("Unknown") => PodPhase::Unknown,
        _ => PodPhase::Pending,
    }
}

fn condition<'a>(status: &'a PodStatus, kind: &str) -> Option<&'a PodCondition> {
    status
        .conditions
        .as_deref()?
        .iter()
        .find(|condition| condition.type_ == kind)
}

/// Since when the Pod is not ready: from its beginning, before any container runs, or from the end of one that was.
fn unready_since(status: &PodStatus) -> Option<Timestamp> {
    let unready = condition(status, "Ready").filter(|condition| condition.status == "False")?;
    unready.last_transition_time.as_ref().map(|time| time.0)
}

fn scheduling(bound: bool, status: &PodStatus) -> Scheduling {
    if bound {
        return Scheduling::Placed;
    }
    match condition(status, "PodScheduled") {
        Some(condition) if condition.status == "False" => Scheduling::Refused {
            reason: boxed(condition.reason.as_ref()).unwrap_or_default(),
            message: boxed(condition.message.as_ref()).unwrap_or_default(),
        },
        _ => Scheduling::Undecided,
    }
}

/// As the scheduler counts: the containers and sidecars together, or one init container if that asks for more.
fn requested_devices(spec: &PodSpec) -> DeviceCounts {
    let sidecar = |container: &Container| container.restart_policy.as_deref() == Some("Always");
    let init = spec.init_containers.as_deref().unwrap_or_default();
    let mut total = std::collections::BTreeMap::<&str, i64>::new();
    for container in spec
        .containers
        .iter()
        .chain(init.iter().filter(|container| sidecar(container)))
    {
        for (name, count) in asked(container) {
            let sum = total.entry(name).or_default();
            *sum = sum.saturating_add(count);
        }
    }
    for container in init.iter().filter(|container| !sidecar(container)) {
        for (name, count) in asked(container) {
            let most = total.entry(name).or_default();
            *most = (*most).max(count);
        }
    }
    total
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| (name.into(), count))
        .collect()
}

/// Limits of extended resources equal their requests and may stand alone before defaulting.
fn asked(container: &Container) -> std::collections::BTreeMap<&str, i64> {
    let resources = container.resources.as_ref();
    let mut counts = devices(resources.and_then(|resources| resources.limits.as_ref()));
    counts.extend(devices(
        resources.and_then(|resources| resources.requests.as_ref()),
    ));
    counts
}

fn placement(spec: &PodSpec) -> Placement {
    let request = |name: &str| {
        spec.containers
            .iter()
            .filter_map(|container| {
                let quantity = container.resources.as_ref()?.requests.as_ref()?.get(name)?;
                Some(quantity.0.as_str())
            })
            .collect::<Vec<_>>()
            .join("+")
            .into()
    };
    Placement {
        cpu: request("cpu"),
        memory: request("memory"),
        node_selector: spec
            .node_selector
            .iter()
            .flatten()
            .map(|(key, value)| format!("{key}={value}").into())
            .collect(),
        tolerated: spec
            .tolerations
            .iter()
            .flatten()
            .filter(|toleration| !default_toleration(toleration))
            .map(|toleration| toleration.key.as_deref().unwrap_or_default().into())
            .collect(),
    }
}

/// The two tolerations that admission adds to every Pod say nothing about placement.
fn default_toleration(toleration: &Toleration) -> bool {
    toleration.toleration_seconds.is_some()
        && matches!(
            toleration.key.as_deref(),
            Some("node.kubernetes.io/not-ready" | "node.kubernetes.io/unreachable")
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(value: serde_json::Value) -> PodFacts {
        PodFacts::from(&serde_json::from_value::<Pod>(value).unwrap())
    }

    #[test]
    fn a_waiting_pod_keeps_what_placement_looked_at() {
        let facts = pod(serde_json::json!({
            "metadata": {"name": "code-7c9f-x2x4q", "namespace": "ml", "uid": "u", "labels": {
                "pod-template-hash": "7c9f", "llm-operator.io/name": "code",
                "llm-operator.io/kind": "llmdeployment.llm.example.com"}},
            "spec": {
                "nodeSelector": {"pool": "a100"},
                "tolerations": [
                    {"key": "nvidia.com/gpu", "operator": "Exists"},
                    {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
                        "tolerationSeconds": 300}],
                "volumes": [{"name": "m", "persistentVolumeClaim": {"claimName": "weights"}}],
                "initContainers": [{"name": "get", "resources": {"limits": {"nvidia.com/gpu": "4"}}}],
                "containers": [
                    {"name": "engine", "image": "vllm/vllm-openai:v0.33.0", "resources": {
                        "requests": {"cpu": "4", "memory": "32Gi", "nvidia.com/gpu": "2"},
                        "limits": {"nvidia.com/gpu": "2", "memory": "32Gi"}}}]},
            "status": {"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]}
        }));
        assert_eq!(
            facts.device_count("nvidia.com/gpu"),
            4,
            "the init container asks for most"
        );
        let placement = facts.placement.as_ref().unwrap();
        assert_eq!(&*placement.memory, "32Gi");
        assert_eq!(&*placement.node_selector[0], "pool=a100");
        assert_eq!(placement.tolerated.len(), 1);
        assert_eq!(&*facts.claims[0], "weights");
        assert_eq!(facts.owner.as_ref().map(|owner| &*owner.name), Some("code"));
        assert!(matches!(facts.scheduling, Scheduling::Refused { .. }));
        assert!(!facts.holds_devices());
        assert_eq!(facts.containers.len(), 2);
        assert_eq!(facts.containers[0].role, ContainerRole::Init);
        assert_eq!(facts.containers[1].role, ContainerRole::Main);
    }

    #[test]
    fn a_bound_pod_holds_its_devices_and_drops_placement() {
        let facts = pod(serde_json::json!({
            "metadata": {"name": "p", "namespace": "ml"},
            "spec": {"nodeName": "n", "containers": [
                {"name": "engine", "resources": {"limits": {"nvidia.com/gpu": "2"}}}]},
            "status": {"phase": "Running", "conditions": [
                {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-01T10:00:00Z"}]}
        }));
        assert!(facts.holds_devices() && facts.serves() && facts.placement.is_none());
        assert_eq!(facts.device_count("nvidia.com/gpu"), 2);
        assert!(facts.ready_since.is_some());
    }
}
