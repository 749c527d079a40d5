//! The Pod's status: a board in, kubelet's `PodStatus` out. It must not write it.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
    Pod,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Map, Value, json};

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
    let mut all = vec![sandbox, initialized, containers_ready, pod_ready];
    if let Some(verdict) = now.verdict.as_ref().filter(|verdict| verdict.reason == "Evicted") {
        all.push(Condition {
            reason: "TerminationByKubelet".to_owned(),
            message: verdict.message.clone(),
            ..Condition::met("DisruptionTarget")
        });
    }
    all
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
pub(crate) type Transitions = std::collections::HashMap<&'static str, (bool, Timestamp)>;

/// The status as it is to be written.
pub(crate) fn render(context: &PodContext, now: &Snapshot, transitions: &mut Transitions) -> Value {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::pod::board::{Board, Verdict};
    use k8s_openapi::api::core::v1::{Container, PodSpec};

    fn board() -> Board {
        let container = |name: &str| Container {
            name: name.to_owned(),
            ..Container::default()
        };
        Board::new(&PodSpec {
            init_containers: Some(vec![container("init")]),
            containers: vec![container("engine")],
            ..PodSpec::default()
        })
    }

    fn ended(code: i32) -> State {
        let now = Timestamp::now();
        State::Ended(Ended {
            code,
            reason: String::new(),
            message: String::new(),
            started: now,
            finished: now,
            container_id: String::new(),
        })
    }

    #[test]
    fn the_phase_follows_kubelets_rules() {
        let board = board();
        let now = || board.snapshot();
        assert_eq!(phase(&now(), "Always"), "Pending");
        board.update("init", |record| record.state = ended(1));
        assert_eq!(phase(&now(), "Always"), "Pending", "it will be tried again");
        assert_eq!(phase(&now(), "Never"), "Failed");
        board.update("init", |record| record.state = ended(0));
        board.update("engine", |record| {
            record.state = State::Running {
                since: Timestamp::now(),
            }
        });
        assert_eq!(phase(&now(), "Always"), "Running");
        board.update("engine", |record| record.state = ended(0));
        assert_eq!(phase(&now(), "Always"), "Running");
        assert_eq!(phase(&now(), "OnFailure"), "Succeeded");
        board.waiting("engine", "CrashLoopBackOff", "");
        assert_eq!(phase(&now(), "Always"), "Running");
        board.judge(Verdict::failed("Evicted", String::new()));
        assert_eq!(phase(&now(), "Always"), "Failed");
    }

    #[test]
    fn unready_containers_are_named_and_deletion_makes_all_unready() {
        let board = board();
        let find = |kind: &str| {
            let now = board.snapshot();
            let all = conditions(&now, phase(&now, "Always"), &Pod::default());
            all.into_iter()
                .find(|condition| condition.kind == kind)
                .map(|c| (c.status, c.message))
                .unwrap()
        };
        assert_eq!(
            find("Initialized"),
            (false, "containers with incomplete status: [init]".to_owned())
        );
        board.update("init", |record| record.state = ended(0));
        board.update("engine", |record| {
            record.state = State::Running {
                since: Timestamp::now(),
            };
            record.started = true;
        });
        assert_eq!(
            find("Ready"),
            (false, "containers with unready status: [engine]".to_owned())
        );
        board.update("engine", |record| record.ready = true);
        assert!(find("Ready").0 && find("ContainersReady").0 && find("Initialized").0);
        board.terminating();
        assert!(!find("Ready").0);
    }
}
