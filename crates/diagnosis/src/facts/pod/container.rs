//! The containers of a Pod, reduced: spec and status of one container in one place.

use std::fmt::Write;

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{
        Container, ContainerState as ApiState, ContainerStateTerminated, ContainerStatus, PodSpec, PodStatus,
        Probe,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use crate::facts::boxed;

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Termination {
    /// Exit code; 128 + n after signal n.
    pub exit_code: i32,
    /// `Error`, `OOMKilled`, `Completed`, `ContainerCannotRun`, `StartError`.
    pub reason: Option<Box<str>>,
    /// Termination message: the end of the log with `FallbackToLogsOnError`.
    pub message: Option<Box<str>>,
    /// How long it ran, in seconds, when the kubelet knows.
    pub ran_seconds: Option<i64>,
}

/// What a container is doing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum ContainerState {
    /// The kubelet has not reported on it yet.
    #[default]
    Unreported,
    /// Not running yet, or again.
    Waiting {
        /// E.g. `ContainerCreating`, `ImagePullBackOff`, `CrashLoopBackOff`.
        reason: Box<str>,
        /// The kubelet's words.
        message: Box<str>,
    },
    /// Running.
    Running,
    /// Ended and not restarted (yet).
    Terminated(Box<Termination>),
}

/// One probe, as far as a sentence needs it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ProbeFacts {
    /// What is probed: `GET :8000/health`, `TCP :8080`, `gRPC :9000`, `exec cat`.
    pub target: Box<str>,
    /// Seconds until a probe that never succeeds gives up: initial delay + failures × period.
    pub budget_seconds: i64,
    /// Seconds between two tries.
    pub period_seconds: i64,
    /// So many failures in a row are believed.
    pub failures: i64,
}

/// The part of a container in its Pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ContainerRole {
    /// Runs to its end before the next starts.
    Init,
    /// An init container that runs beside the others (`restartPolicy: Always`).
    Sidecar,
    /// The Pod's work.
    #[default]
    Main,
}

/// What a diagnosis needs of a container.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ContainerFacts {
    /// Name.
    pub name: Box<str>,
    /// Its part in the Pod.
    pub role: ContainerRole,
    /// Image, as written in the spec.
    pub image: Box<str>,
    /// State now.
    pub state: ContainerState,
    /// How the run before this one ended.
    pub last: Option<Box<Termination>>,
    /// How often it was restarted.
    pub restarts: i32,
    /// Its readiness probe passes.
    pub ready: bool,
    /// The Pod was ready in this run of it, and is not any more.
    pub lost_readiness: bool,
    /// Its startup probe has passed (or it has none and runs).
    pub started: bool,
    /// Startup probe.
    pub startup: Option<Box<ProbeFacts>>,
    /// Readiness probe.
    pub readiness: Option<Box<ProbeFacts>>,
    /// Liveness probe.
    pub liveness: Option<Box<ProbeFacts>>,
    /// Memory limit, as written.
    pub memory_limit: Option<Box<str>>,
}

impl ContainerFacts {
    /// The latest ending: this state if it has ended, else the run before.
    pub fn ending(&self) -> Option<&Termination> {
        match &self.state {
            ContainerState::Terminated(ending) => Some(ending),
            _ => self.last.as_deref(),
        }
    }
}

/// All containers of a Pod in start order.
pub(super) fn containers(spec: &PodSpec, status: &PodStatus) -> Box<[ContainerFacts]> {
    let unready_since = super::unready_since(status);
    let init = spec.init_containers.as_deref().unwrap_or_default();
    let init_statuses = status.init_container_statuses.as_deref().unwrap_or_default();
    let statuses = status.container_statuses.as_deref().unwrap_or_default();
    let first = init
        .iter()
        .map(|container| one(container, init_role(container), init_statuses, unready_since));
    let then = spec
        .containers
        .iter()
        .map(|container| one(container, ContainerRole::Main, statuses, unready_since));
    first.chain(then).collect()
}

fn init_role(container: &Container) -> ContainerRole {
    match container.restart_policy.as_deref() {
        Some("Always") => ContainerRole::Sidecar,
        _ => ContainerRole::Init,
    }
}

fn one(
    container: &Container,
    role: ContainerRole,
    statuses: &[ContainerStatus],
    unready_since: Option<Timestamp>,
) -> ContainerFacts {
    let status = statuses.iter().find(|status| status.name == container.name);
    let running = status.and_then(|status| status.state.as_ref()?.running.as_ref());
    let started_at = running.and_then(|running| running.started_at.as_ref());
    let limits = container
        .resources
        .as_ref()
        .and_then(|resources| resources.limits.as_ref());
    ContainerFacts {
        name: container.name.as_str().into(),
        role,
        image: container.image.as_deref().unwrap_or_default().into(),
        state: status
            .and_then(|status| status.state.as_ref())
            .map_or(ContainerState::Unreported, state),
        last: status
            .and_then(|status| status.last_state.as_ref()?.terminated.as_ref())
            .map(|ending| Box::new(termination(ending))),
        restarts: status.map_or(0, |status| status.restart_count),
        ready: status.is_some_and(|status| status.ready),
        lost_readiness: unready_since
            .zip(started_at)
            .is_some_and(|(since, start)| since > start.0),
        started: status.and_then(|status| status.started).unwrap_or(false),
        startup: probe(container, container.startup_probe.as_ref()),
        readiness: probe(container, container.readiness_probe.as_ref()),
        liveness: probe(container, container.liveness_probe.as_ref()),
        memory_limit: limits
            .and_then(|limits| limits.get("memory"))
            .map(|limit| limit.0.as_str().into()),
    }
}

fn state(state: &ApiState) -> ContainerState {
    if let Some(ending) = &state.terminated {
        ContainerState::Terminated(Box::new(termination(ending)))
    } else if state.running.is_some() {
        ContainerState::Running
    } else if let Some(waiting) = &state.waiting {
        ContainerState::Waiting {
            reason: boxed(waiting.reason.as_ref()).unwrap_or_default(),
            message: boxed(waiting.message.as_ref()).unwrap_or_default(),
        }
    } else {
        ContainerState::Unreported
    }
}

fn termination(ending: &ContainerStateTerminated) -> Termination {
    let ran = ending
        .started_at
        .as_ref()
        .zip(ending.finished_at.as_ref())
        .map(|(from, to)| to.0.as_second().saturating_sub(from.0.as_second()));
    Termination {
        exit_code: ending.exit_code,
        reason: boxed(ending.reason.as_ref()),
        message: boxed(ending.message.as_ref()),
        ran_seconds: ran,
    }
}

fn probe(container: &Container, probe: Option<&Probe>) -> Option<Box<ProbeFacts>> {
    let probe = probe?;
    let mut target = String::new();
    if let Some(http) = &probe.http_get {
        let path = http.path.as_deref().unwrap_or("/");
        let _ = write!(target, "GET :{}{path}", port(container, &http.port));
    } else if let Some(tcp) = &probe.tcp_socket {
        let _ = write!(target, "TCP :{}", port(container, &tcp.port));
    } else if let Some(grpc) = &probe.grpc {
        let _ = write!(target, "gRPC :{}", grpc.port);
    } else if let Some(exec) = &probe.exec {
        let program = exec.command.as_deref().unwrap_or_default().first();
        let _ = write!(target, "exec {}", program.map_or("", String::as_str));
    }
    // Kubernetes' defaults: delay 0 s, period 10 s, 3 failures.
    let delay = i64::from(probe.initial_delay_seconds.unwrap_or(0));
    let period = i64::from(probe.period_seconds.unwrap_or(10));
    let failures = i64::from(probe.failure_threshold.unwrap_or(3));
    Some(Box::new(ProbeFacts {
        target: target.into(),
        budget_seconds: delay.saturating_add(period.saturating_mul(failures)),
        period_seconds: period,
        failures,
    }))
}

/// The number behind a named port, so that the sentence names what a person can connect to.
fn port(container: &Container, port: &IntOrString) -> String {
    match port {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(name) => container
            .ports
            .iter()
            .flatten()
            .find(|port| port.name.as_deref() == Some(name))
            .map_or_else(|| name.clone(), |port| port.container_port.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_names_its_port_and_counts_its_budget() {
        let container: Container = serde_json::from_value(serde_json::json!({
            "name": "engine",
            "ports": [{"name": "http", "containerPort": 8000}],
            "startupProbe": {"httpGet": {"port": "http", "path": "/health"},
                "initialDelaySeconds": 5, "periodSeconds": 10, "failureThreshold": 60},
            "readinessProbe": {"tcpSocket": {"port": 8080}},
            "resources": {"limits": {"memory": "32Gi"}}
        }))
        .unwrap();
        let facts = one(&container, ContainerRole::Main, &[], None);
        let startup = facts.startup.unwrap();
        assert_eq!(&*startup.target, "GET :8000/health");
        assert_eq!(startup.budget_seconds, 605);
        let readiness = facts.readiness.unwrap();
        assert_eq!(&*readiness.target, "TCP :8080");
        assert_eq!((readiness.budget_seconds, readiness.failures), (30, 3));
        assert_eq!(facts.memory_limit.as_deref(), Some("32Gi"));
    }

    #[test]
    fn an_ending_knows_how_long_the_container_ran() {
        let container: Container = serde_json::from_value(serde_json::json!({"name": "engine"})).unwrap();
        let status: ContainerStatus = serde_json::from_value(serde_json::json!({
            "name": "engine", "image": "", "imageID": "", "ready": false, "restartCount": 2,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "Error",
                "startedAt": "2026-11-01T10:00:00Z", "finishedAt": "2026-11-01T10:10:05Z"}}
        }))
        .unwrap();
        let facts = one(&container, ContainerRole::Main, &[status], None);
        assert_eq!(facts.ending().unwrap().ran_seconds, Some(605));
        assert_eq!(facts.restarts, 2);
    }
}
