//! The Pod's status: a board in, kubelet's `PodStatus` out, written only when it differs from what was written before.
//! Rendering is pure; only the writer at the end knows a client.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
    Pod,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use super::PodContext;
use super::board::{Ended, Record, Role, Snapshot, State};

/// `phase` by kubelet's rules.
fn phase(now: &Snapshot, restart_policy: &str) -> &'static str {
    if now.verdict.is_some() {
        return "Failed";
    }
    let failed_for_good =
        |record: &Record| record.last_end().is_some_and(|end| end.code != 0) && restart_policy == "Never";
    let of = |role: Role| now.containers.iter().filter(move |record| record.role == role);
    if of(Role::Init).any(failed_for_good) {
        return "Failed";
    }
    let mains: Vec<&Record> = of(Role::Main).collect();
    let ran = mains
        .iter()
        .any(|record| record.running() || record.last_end().is_some());
    let initializing = of(Role::Init).any(|record| !record.is_ready())
        || (!ran && of(Role::Sidecar).any(|record| !(record.running() && record.started)));
    let all_ended = mains.iter().all(|record| record.last_end().is_some());
    let all_succeeded = mains
        .iter()
        .all(|record| record.last_end().is_some_and(|end| end.code == 0));
    let over = now.finished || restart_policy == "Never" || (restart_policy == "OnFailure" && all_succeeded);
    let waits_for_first_run = mains
        .iter()
        .any(|record| !record.running() && record.last_end().is_none());
    match () {
        () if now.finished && (initializing || waits_for_first_run) => "Failed",
        () if initializing || waits_for_first_run => "Pending",
        () if all_ended && over && all_succeeded => "Succeeded",
        () if all_ended && over => "Failed",
        () => "Running",
    }
}

struct Condition {
    kind: &'static str,
    status: bool,
    reason: String,
    message: String,
}

impl Condition {
    fn met(kind: &'static str) -> Self {
        Self {
            kind,
            status: true,
            reason: String::new(),
            message: String::new(),
        }
    }

    fn unmet(kind: &'static str, reason: &str, message: String) -> Self {
        Self {
            kind,
            status: false,
            reason: reason.to_owned(),
            message,
        }
    }
}

fn listed(names: &[&str]) -> String {
    format!("[{}]", names.join(" "))
}

fn conditions(now: &Snapshot, phase: &str, pod: &Pod) -> Vec<Condition> {
    let names = |wanted: &dyn Fn(&Record) -> bool| -> Vec<&str> {
        now.containers
            .iter()
            .filter(|record| wanted(record))
            .map(|record| record.name.as_str())
            .collect()
    };
    let incomplete = names(&|record| match record.role {
        Role::Init => !record.is_ready(),
        Role::Sidecar => !(record.running() && record.started),
        Role::Main => false,
    });
    let any_ran = now
        .containers
        .iter()
        .any(|record| record.role == Role::Main && (record.running() || record.last_end().is_some()));
    let initialized = match phase {
        "Succeeded" => Condition {
            reason: "PodCompleted".to_owned(),
            ..Condition::met("Initialized")
        },
        _ if incomplete.is_empty() || any_ran => Condition::met("Initialized"),
        _ => Condition::unmet(
            "Initialized",
            "ContainersNotInitialized",
            format!("containers with incomplete status: {}", listed(&incomplete)),
        ),
    };
    let unready = names(&|record| record.role != Role::Init && (now.terminating || !record.is_ready()));
    let (ready, reason, message) = match phase {
        "Succeeded" => (false, "PodCompleted", String::new()),
        "Failed" => (false, "PodFailed", String::new()),
        _ if unready.is_empty() => (true, "", String::new()),
        _ => (
            false,
            "ContainersNotReady",
            format!("containers with unready status: {}", listed(&unready)),
        ),
    };
    let containers_ready = Condition {
        kind: "ContainersReady",
        status: ready,
        reason: reason.to_owned(),
        message: message.clone(),
    };
    let gates = unmet_gates(pod);
    let pod_ready = if ready && !gates.is_empty() {
        Condition::unmet("Ready", "ReadinessGatesNotReady", gates.join(", "))
    } else {
        Condition {
            kind: "Ready",
            status: ready,
            reason: reason.to_owned(),
            message,
        }
    };
    let sandbox = if now.sandbox && !matches!(phase, "Succeeded" | "Failed") {
        Condition::met("PodReadyToStartContainers")
    } else {
        Condition::unmet("PodReadyToStartContainers", "", String::new())
    };
    vec![sandbox, initialized, containers_ready, pod_ready]
}

fn unmet_gates(pod: &Pod) -> Vec<String> {
    let gates = pod
        .spec
        .iter()
        .flat_map(|spec| spec.readiness_gates.iter().flatten());
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let judge = |kind: &str| match conditions.into_iter().flatten().find(|c| c.type_ == kind) {
        None => Some(format!(
            "corresponding condition of pod readiness gate \"{kind}\" does not exist."
        )),
        Some(condition) if condition.status == "True" => None,
        Some(condition) => Some(format!(
            "the status of pod readiness gate \"{kind}\" is not \"True\", but {}",
            condition.status
        )),
    };
    gates.filter_map(|gate| judge(&gate.condition_type)).collect()
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned()).filter(|v| !v.is_empty())
}

fn terminated(ended: &Ended) -> ContainerState {
    ContainerState {
        terminated: Some(ContainerStateTerminated {
            exit_code: ended.code,
            reason: text(&ended.reason),
            message: text(&ended.message),
            started_at: Some(Time(ended.started)),
            finished_at: Some(Time(ended.finished)),
            container_id: text(&ended.container_id),
            signal: None,
        }),
        ..ContainerState::default()
    }
}

fn container_status(record: &Record, terminating: bool) -> ContainerStatus {
    let state = match &record.state {
        State::Waiting { reason, message } => ContainerState {
            waiting: Some(ContainerStateWaiting {
                reason: text(reason),
                message: text(message),
            }),
            ..ContainerState::default()
        },
        State::Running { since } => ContainerState {
            running: Some(ContainerStateRunning {
                started_at: Some(Time(*since)),
            }),
            ..ContainerState::default()
        },
        State::Ended(ended) => terminated(ended),
    };
    ContainerStatus {
        name: record.name.clone(),
        image: record.image.clone(),
        image_id: record.image_id.clone(),
        container_id: text(&record.container_id),
        state: Some(state),
        last_state: Some(record.last.as_ref().map(terminated).unwrap_or_default()),
        ready: record.is_ready() && (record.role == Role::Init || !terminating),
        restart_count: record.restarts,
        started: Some(record.running() && record.started),
        ..ContainerStatus::default()
    }
}

/// `qosClass` by the resources of all containers.
fn qos(pod: &Pod) -> &'static str {
    let spec = pod.spec.as_ref();
    let containers: Vec<_> = spec
        .iter()
        .flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers))
        .map(|container| container.resources.clone().unwrap_or_default())
        .collect();
    let counted = ["cpu", "memory"];
    let any = containers.iter().any(|resources| {
        let given = resources.requests.iter().chain(resources.limits.iter()).flatten();
        given
            .into_iter()
            .any(|(name, _)| counted.contains(&name.as_str()))
    });
    let guaranteed = containers.iter().all(|resources| {
        counted.iter().all(|name| {
            let limit = resources.limits.as_ref().and_then(|limits| limits.get(*name));
            let request = resources
                .requests
                .as_ref()
                .and_then(|requests| requests.get(*name));
            limit.is_some() && (request.is_none() || request == limit)
        })
    });
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// When each condition took its present value.
type Transitions = std::collections::HashMap<&'static str, (bool, Timestamp)>;

fn render(context: &PodContext, now: &Snapshot, transitions: &mut Transitions) -> Value {
    let latest = context.latest.borrow().clone();
    let phase = phase(now, context.spec.restart_policy.as_deref().unwrap_or("Always"));
    let generation = latest.metadata.generation;
    let mut rendered = Vec::new();
    for condition in conditions(now, phase, &latest) {
        let entry = transitions
            .entry(condition.kind)
            .or_insert_with(|| (condition.status, Timestamp::now()));
        if entry.0 != condition.status {
            *entry = (condition.status, Timestamp::now());
        }
        rendered.push(json!({
            "type": condition.kind,
            "status": if condition.status { "True" } else { "False" },
            "reason": text(&condition.reason),
            "message": text(&condition.message),
            "lastProbeTime": null,
            "lastTransitionTime": Time(entry.1),
            "observedGeneration": generation,
        }));
    }
    let statuses = |main: bool| -> Vec<ContainerStatus> {
        let records = now
            .containers
            .iter()
            .filter(|record| (record.role == Role::Main) == main);
        records
            .map(|record| container_status(record, now.terminating))
            .collect()
    };
    let mut status = Map::new();
    let mut set = |key: &str, value: Value| status.insert(key.to_owned(), value);
    set("phase", json!(phase));
    set("observedGeneration", json!(generation));
    set("conditions", json!(rendered));
    if let Some(verdict) = &now.verdict {
        set("reason", json!(verdict.reason));
        set("message", json!(verdict.message));
    }
    let host = context.shared.block.node_address().to_string();
    set("hostIP", json!(host));
    set("hostIPs", json!([{ "ip": host }]));
    set("startTime", json!(Time(context.started)));
    set("qosClass", json!(qos(&latest)));
    if now.sandbox {
        let ip = context.ip().to_string();
        set("podIP", json!(ip));
        set("podIPs", json!([{ "ip": ip }]));
    }
    set("containerStatuses", json!(statuses(true)));
    let inits = statuses(false);
    if !inits.is_empty() {
        set("initContainerStatuses", json!(inits));
    }
    Value::Object(status)
}

#[derive(Default)]
struct Written {
    status: Option<Value>,
    transitions: Transitions,
}

/// Writes one Pod's status.
pub(crate) struct Writer {
    context: Arc<PodContext>,
    written: Mutex<Written>,
}

impl Writer {
    pub(crate) fn new(context: &Arc<PodContext>) -> Self {
        Self {
            context: Arc::clone(context),
            written: Mutex::default(),
        }
    }

    /// Writes after every change, changes of a short while together. Never returns.
    pub(crate) async fn keep_writing(&self) {
        let mut board = self.context.board.subscribe();
        let mut object = self.context.latest.clone();
        let gated = self
            .context
            .spec
            .readiness_gates
            .as_ref()
            .is_some_and(|gates| !gates.is_empty());
        loop {
            tokio::time::sleep(self.context.shared.options.status_window).await;
            board.mark_unchanged();
            self.flush().await;
            let woken = tokio::select! {
                changed = board.changed() => changed,
                // Conditions that others write decide about readiness too.
                changed = object.changed(), if gated => changed,
            };
            if woken.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Writes what is not yet written, until it is or the object is gone.
    pub(crate) async fn flush(&self) {
        let context = &self.context;
        let mut pause = Duration::from_millis(100);
        loop {
            if context.shared.faults.of_node(&context.node.spec.name).silent {
                self.wait_until_joined().await;
            }
            match self.write_once().await {
                Ok(()) => return,
                Err(kube::Error::Api(error)) if error.is_not_found() || error.is_conflict() => return,
                Err(error) => {
                    tracing::debug!(pod = context.name, %error, "the status was not written; it will be tried again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
            }
        }
    }

    async fn write_once(&self) -> Result<(), kube::Error> {
        let context = &self.context;
        let mut written = self.written.lock().await;
        let permit = context.shared.writes.acquire().await;
        let status = render(context, &context.board.snapshot(), &mut written.transitions);
        if written.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let pods: Api<Pod> = Api::namespaced(context.shared.client.clone(), &context.namespace);
        // The uid keeps the patch off a younger Pod of the same name.
        let patch = json!({ "metadata": { "uid": context.uid }, "status": status });
        pods.patch_status(&context.name, &PatchParams::default(), &Patch::Strategic(patch))
            .await?;
        drop(permit);
        written.status = Some(status);
        Ok(())
    }

    async fn wait_until_joined(&self) {
        let mut faults = self.context.shared.faults.node_faults();
        let node = &self.context.node.spec.name;
        // The sender lives in `shared`, so this cannot fail.
        let _ = faults
            .wait_for(|nodes| nodes.get(node).is_none_or(|fault| !fault.silent))
            .await;
    }
}
