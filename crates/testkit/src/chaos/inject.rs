//! Faults, ordered. In: a fault to be. Out: it has happened, and what lasts for a while is taken back.
//!
//! What people and nodes do goes past the proxies: only the operator's way to the API server is made bad.

use std::time::Duration;

use serde_json::{Value, json};

use super::declared::{Id, NAMESPACES};
use super::desk::Desk;
use super::fault::Fault;
use super::plan::Ordered;
use super::replica::LEASE_DURATION;
use super::stage::{GPUS, Stage};
use crate::node::{SimulatedNodes, Target};
use crate::plane::Program;
use crate::plane::proxy::{Fault as Way, Matching};
use crate::process::Signal;
use crate::wait::until;

/// A node comes back, the API server starts, another replica leads: on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(3);
const WEBHOOK: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const API_SERVICES: &str = "/apis/apiregistration.k8s.io/v1/apiservices";

/// Orders the fault, waits for as long as it lasts, and takes it back. What was done, in words.
pub async fn inject(stage: &Stage, ordered: Ordered) -> Result<String, String> {
    let hold = Duration::from_millis(ordered.hold);
    match ordered.fault {
        Fault::EngineCrash | Fault::EngineOutOfMemory | Fault::EngineHang | Fault::Eviction => {
            engines(stage, ordered, hold).await
        }
        Fault::PodDeleted | Fault::ServiceDeleted | Fault::ServiceEdited => people(stage, ordered).await,
        Fault::NodeSilent | Fault::NodeNotReady | Fault::NodeLost | Fault::GpusLost => {
            nodes(stage, ordered, hold).await
        }
        Fault::LeaderKilled | Fault::StandbyKilled | Fault::LeaderSwitch | Fault::ClockJump => {
            operators(stage, ordered, hold).await
        }
        Fault::ApiServerRestart => restart(stage, Program::ApiServer, hold).await,
        Fault::ControllerManagerRestart => restart(stage, Program::ControllerManager, hold).await,
        Fault::SchedulerRestart => restart(stage, Program::Scheduler, hold).await,
        Fault::EtcdPause => {
            stage
                .cluster
                .pause(Program::Etcd)
                .map_err(|error| error.to_string())?;
            tokio::time::sleep(hold).await;
            stage
                .cluster
                .resume(Program::Etcd)
                .map_err(|error| error.to_string())?;
            Ok(format!("for {hold:?}"))
        }
        Fault::Throttling
        | Fault::ServerErrors
        | Fault::LostAnswers
        | Fault::SlowAnswers
        | Fault::ExpiredWatches
        | Fault::CutWatches
        | Fault::Partition => Ok(network(stage, ordered, hold).await),
        Fault::WebhookUnavailable => {
            let name = "chaos-unavailable";
            standing(stage, WEBHOOK, name, &webhook(name), hold * 2).await
        }
        Fault::AggregatedApiUnavailable => {
            let name = "v1.unavailable.chaos.example.com";
            standing(stage, API_SERVICES, name, &api_service(name), hold * 2).await
        }
    }
}

async fn engines(stage: &Stage, ordered: Ordered, hold: Duration) -> Result<String, String> {
    let id = ordered.resource.ok_or("no resource")?;
    let target = Target::pods(id.namespace(), id.name());
    let faults = simulated(stage)?.faults();
    let hit = match ordered.fault {
        Fault::EngineCrash => {
            faults.crash(&target, 1, "CUDA error: an illegal memory access was encountered")
        }
        Fault::EngineOutOfMemory => faults.oom(&target),
        Fault::Eviction => faults.evict(&target),
        _ => {
            faults.hang(&target);
            tokio::time::sleep(hold).await;
            faults.heal(&target);
            return Ok(format!("{} for {hold:?}", id.title()));
        }
    };
    Ok(format!("{}: {hit}", id.title()))
}

async fn people(stage: &Stage, ordered: Ordered) -> Result<String, String> {
    let id = ordered.resource.ok_or("no resource")?;
    let desk = &stage.desk;
    let services = format!("/api/v1/namespaces/{}/services", id.namespace());
    let service = format!("{services}/{}", id.name());
    match ordered.fault {
        Fault::ServiceDeleted => {
            Desk::insist("a Service is deleted", async || desk.delete(&service).await).await?;
            Ok(id.title())
        }
        Fault::ServiceEdited => {
            let patch = json!({"spec": {"selector": {"edited-by": "somebody"}}});
            // Not every resource has one.
            let done = Desk::insist("a Service is edited", async || {
                match desk.merge(&service, &patch).await {
                    Err(refused) if refused.code == 404 => Ok(false),
                    other => other.map(|_| true),
                }
            });
            Ok(format!(
                "{}{}",
                id.title(),
                if done.await? { "" } else { ": it has none" }
            ))
        }
        _ => {
            let path = format!("/api/v1/namespaces/{}/pods", id.namespace());
            let pods = Desk::insist("Pods are listed", async || desk.list(&path).await).await?;
            let names = pods.iter().filter_map(|pod| pod["metadata"]["name"].as_str());
            let mut count = 0;
            for name in names.filter(|name| Id::of_child(name) == Some(id)) {
                let path = format!("{path}/{name}");
                Desk::insist("a Pod is deleted", async || desk.delete(&path).await).await?;
                count += 1;
            }
            Ok(format!("{}: {count}", id.title()))
        }
    }
}

async fn nodes(stage: &Stage, ordered: Ordered, hold: Duration) -> Result<String, String> {
    let spec = &stage.nodes[usize::try_from(ordered.choice).unwrap_or_default() % stage.nodes.len()];
    let name = spec.name.as_str();
    let nodes = simulated(stage)?;
    match ordered.fault {
        Fault::NodeSilent => {
            // Some of them for longer than the control plane's patience with a node.
            let hold = hold * if ordered.choice.is_multiple_of(4) { 7 } else { 2 };
            nodes.faults().cut_off(name, true);
            tokio::time::sleep(hold).await;
            nodes.faults().cut_off(name, false);
            Ok(format!("{name} for {hold:?}"))
        }
        Fault::NodeNotReady => {
            nodes
                .faults()
                .node_not_ready(name, Some("container runtime is down"));
            tokio::time::sleep(hold * 2).await;
            nodes.faults().node_not_ready(name, None);
            Ok(format!("{name} for {:?}", hold * 2))
        }
        Fault::NodeLost => {
            let gone = async || nodes.remove(name).await;
            until("a node is removed", PATIENCE, gone)
                .await
                .map_err(|error| error.to_string())?;
            let count = forget_pods(&stage.desk, name).await?;
            tokio::time::sleep(hold).await;
            // Of those that the scheduler did not know to be too late.
            let late = forget_pods(&stage.desk, name).await?;
            let back = async || nodes.add(spec.clone()).await;
            until("a node is added", PATIENCE, back)
                .await
                .map_err(|error| error.to_string())?;
            Ok(format!("{name} with {} Pods, for {hold:?}", count + late))
        }
        _ => {
            let path = format!("/api/v1/nodes/{name}/status");
            let set = async |count: u32| {
                let gpus = json!({"status": {"allocatable": {"nvidia.com/gpu": count.to_string()}}});
                Desk::insist("GPUs of a node", async || stage.desk.merge(&path, &gpus).await).await
            };
            set(GPUS / 2).await?;
            tokio::time::sleep(hold * 2).await;
            set(GPUS).await?;
            Ok(format!("{} of {name} for {:?}", GPUS / 2, hold * 2))
        }
    }
}

/// What a cloud's garbage collector does when a machine is gone: its Pods are deleted without waiting for them.
async fn forget_pods(desk: &Desk, node: &str) -> Result<usize, String> {
    let path = format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{node}");
    let pods = Desk::insist("Pods of a node", async || desk.list(&path).await).await?;
    for pod in &pods {
        let word = |field: &str| pod["metadata"][field].as_str().unwrap_or_default();
        let (namespace, name) = (word("namespace"), word("name"));
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}?gracePeriodSeconds=0");
        Desk::insist("a Pod of a lost node is deleted", async || {
            desk.delete(&path).await
        })
        .await?;
    }
    Ok(pods.len())
}

async fn operators(stage: &Stage, ordered: Ordered, hold: Duration) -> Result<String, String> {
    let leader = stage.leads_now().await.unwrap_or(&stage.replicas[0]);
    let other = stage
        .replicas
        .iter()
        .find(|replica| replica.identity != leader.identity)
        .unwrap_or(leader);
    let hit = if ordered.fault == Fault::StandbyKilled {
        other
    } else {
        leader
    };
    match ordered.fault {
        Fault::LeaderKilled | Fault::StandbyKilled => hit.kill(),
        Fault::LeaderSwitch => hit.signal(Signal::Terminate),
        _ => {
            let jump = LEASE_DURATION + hold;
            hit.signal(Signal::Stop);
            tokio::time::sleep(jump).await;
            hit.signal(Signal::Continue);
            return Ok(format!("{} by {jump:?}", hit.identity));
        }
    }
    Ok(hit.identity.clone())
}

async fn restart(stage: &Stage, program: Program, hold: Duration) -> Result<String, String> {
    stage.cluster.stop(program);
    tokio::time::sleep(hold).await;
    let start = async || stage.cluster.start(program).await;
    until("a component starts", PATIENCE, start)
        .await
        .map_err(|error| error.to_string())?;
    Ok(format!("after {hold:?}"))
}

/// The proxies belong to this lane alone: what one order has set, its end takes back.
async fn network(stage: &Stage, ordered: Ordered, hold: Duration) -> String {
    let status = |status, retry_after| Way::Status { status, retry_after };
    let any = Matching::any;
    let (matching, way) = match ordered.fault {
        Fault::Throttling => (any(), status(429, Some(Duration::from_secs(1)))),
        Fault::ServerErrors if ordered.choice.is_multiple_of(2) => (any(), status(500, None)),
        Fault::ServerErrors => (any(), status(503, None)),
        Fault::LostAnswers => (Matching::method("PATCH"), Way::LostAnswer),
        Fault::SlowAnswers => (any(), Way::Delay(hold / 2)),
        Fault::ExpiredWatches => (Matching::watch(), Way::ExpiredWatch),
        Fault::Partition => return partition(stage, hold * 2).await,
        _ => {
            stage
                .replicas
                .iter()
                .for_each(|replica| replica.proxy.cut_watches());
            return "of all replicas".to_owned();
        }
    };
    for replica in &stage.replicas {
        replica.proxy.order_always(matching.clone(), way.clone());
        if ordered.fault == Fault::ExpiredWatches {
            replica.proxy.cut_watches();
        }
    }
    tokio::time::sleep(hold / 2).await;
    for replica in &stage.replicas {
        replica.proxy.clear();
    }
    format!("for {:?}", hold / 2)
}

async fn partition(stage: &Stage, hold: Duration) -> String {
    let leader = stage.leads_now().await.unwrap_or(&stage.replicas[0]);
    leader.proxy.set_unreachable(true);
    tokio::time::sleep(hold).await;
    leader.proxy.set_unreachable(false);
    format!("{} for {hold:?}", leader.identity)
}

/// An object that is there for a while.
async fn standing(
    stage: &Stage,
    path: &str,
    name: &str,
    body: &Value,
    hold: Duration,
) -> Result<String, String> {
    let desk = &stage.desk;
    Desk::insist(name, async || match desk.post(path, body).await {
        // An answer was lost.
        Err(refused) if refused.code == 409 => Ok(()),
        other => other.map(drop),
    })
    .await?;
    tokio::time::sleep(hold).await;
    let path = format!("{path}/{name}");
    Desk::insist(name, async || desk.delete(&path).await).await?;
    Ok(format!("for {hold:?}"))
}

fn webhook(name: &str) -> Value {
    let namespaces: Vec<String> = (0..NAMESPACES).map(|number| format!("chaos-{number}")).collect();
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [{
            "name": "unavailable.chaos.example.com", "failurePolicy": "Fail", "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "timeoutSeconds": 1,
            // Nobody listens there.
            "clientConfig": {"url": "https://127.0.0.1:1/validate"},
            "namespaceSelector": {"matchExpressions": [
                {"key": "kubernetes.io/metadata.name", "operator": "In", "values": namespaces},
            ]},
            "rules": [{
                "apiGroups": ["", "apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                "resources": ["pods", "services", "deployments", "statefulsets"],
            }],
        }],
    })
}

fn api_service(name: &str) -> Value {
    json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": name},
        "spec": {
            "group": "unavailable.chaos.example.com", "version": "v1",
            "groupPriorityMinimum": 100, "versionPriority": 100, "insecureSkipTLSVerify": true,
            "service": {"namespace": "default", "name": "nobody", "port": 443},
        },
    })
}

fn simulated(stage: &Stage) -> Result<&SimulatedNodes, String> {
    stage
        .cluster
        .nodes()
        .ok_or_else(|| "the cluster has no nodes".to_owned())
}
