//! The Node object: hardware in, a registered node with fresh conditions and a renewed Lease out.
//! It must not look at Pods.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, Time};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::Shared;
use super::addresses::AddressBlock;
use super::spec::NodeSpec;

/// How often kubelet renews its Lease, and how long the Lease says it lasts.
const RENEW_EVERY: Duration = Duration::from_secs(10);
const LEASE_SECONDS: i32 = 40;
/// How often kubelet writes an unchanged status.
const REPORT_EVERY: Duration = Duration::from_mins(5);
const LEASES: &str = "kube-node-lease";

/// Creates or updates the Node with its status, and its Lease.
pub(crate) async fn register(shared: &Shared, spec: &NodeSpec) -> Result<(), kube::Error> {
    let nodes: Api<Node> = Api::all(shared.client.clone());
    let taints: Vec<Value> = spec
        .taints
        .iter()
        .map(|(key, value, effect)| json!({ "key": key, "value": value, "effect": effect }))
        .collect();
    let object = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": spec.name, "labels": spec.all_labels() },
        "spec": { "taints": taints, "providerID": format!("simulated://{}", spec.name) },
        "status": status(shared, spec),
    });
    let node: Node = serde_json::from_value(object.clone()).map_err(kube::Error::SerdeError)?;
    let created = match nodes.create(&PostParams::default(), &node).await {
        Err(kube::Error::Api(error)) if error.is_already_exists() => {
            let params = PatchParams::default();
            let object = json!({ "metadata": { "labels": spec.all_labels() }, "spec": { "taints": taints } });
            nodes.patch(&spec.name, &params, &Patch::Merge(object)).await
        }
        other => other,
    }?;
    // The status given at creation is not kept by every version of the API server.
    report(shared, spec).await?;
    match lease(shared, &created).await {
        Err(kube::Error::Api(error)) if error.is_already_exists() => renew(shared, &spec.name).await,
        other => other,
    }
}

/// Creates the Node's Lease.
async fn lease(shared: &Shared, node: &Node) -> Result<(), kube::Error> {
    let leases: Api<Lease> = Api::namespaced(shared.client.clone(), LEASES);
    let ObjectMeta { name, uid, .. } = &node.metadata;
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": name,
            "ownerReferences": [{ "apiVersion": "v1", "kind": "Node", "name": name, "uid": uid }],
        },
        "spec": {
            "holderIdentity": name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": MicroTime(Timestamp::now()),
        },
    });
    let lease: Lease = serde_json::from_value(lease).map_err(kube::Error::SerdeError)?;
    leases.create(&PostParams::default(), &lease).await.map(drop)
}

/// Removes the Node; its Lease and Pods follow by the control plane's garbage collectors.
pub(crate) async fn unregister(shared: &Shared, name: &str) -> Result<(), kube::Error> {
    let nodes: Api<Node> = Api::all(shared.client.clone());
    match nodes.delete(name, &DeleteParams::default()).await {
        Err(kube::Error::Api(error)) if error.is_not_found() => Ok(()),
        other => other.map(drop),
    }
}

/// Renews all Leases and reports conditions, at kubelet's pace and whenever a node's faults change.
pub(crate) async fn keep_alive(shared: Arc<Shared>) {
    let mut faults = shared.faults.node_faults();
    let mut reported_at = tokio::time::Instant::now();
    let mut reported = faults.borrow_and_update().clone();
    let mut tick = tokio::time::interval(RENEW_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let all_due = tokio::select! {
            _ = tick.tick() => reported_at.elapsed() >= REPORT_EVERY,
            changed = faults.changed() => {
                if changed.is_err() {
                    return;
                }
                false
            }
        };
        if all_due {
            reported_at = tokio::time::Instant::now();
        }
        let now = faults.borrow_and_update().clone();
        let specs: Vec<NodeSpec> = shared
            .nodes
            .read()
            .values()
            .map(|node| node.spec.clone())
            .collect();
        let beats = specs
            .iter()
            .filter(|spec| !shared.faults.of_node(&spec.name).silent)
            .map(|spec| {
                let report_due = all_due || now.get(&spec.name) != reported.get(&spec.name);
                beat(&shared, spec, report_due)
            });
        join_all(beats).await;
        reported = now;
    }
}

async fn beat(shared: &Shared, spec: &NodeSpec, report_due: bool) {
    if let Err(error) = renew(shared, &spec.name).await {
        tracing::warn!(node = spec.name, %error, "the node's Lease was not renewed");
    }
    let due = report_due || was_overruled(shared, &spec.name).await;
    if due && let Err(error) = report(shared, spec).await {
        tracing::warn!(node = spec.name, %error, "the node's status was not written");
    }
}

/// Does the stored Node say something else than the node does? The control plane sets conditions to `Unknown` when it
/// has not heard of a node, and it is the node's part to set them right: kubelet looks with every heartbeat.
async fn was_overruled(shared: &Shared, name: &str) -> bool {
    let nodes: Api<Node> = Api::all(shared.client.clone());
    let Ok(node) = nodes.get(name).await else {
        return false;
    };
    let stored = node
        .status
        .and_then(|status| status.conditions)
        .unwrap_or_default();
    conditions(shared, name).iter().any(|ours| {
        let theirs = stored.iter().find(|theirs| ours["type"] == theirs.type_);
        theirs.is_none_or(|theirs| ours["status"] != theirs.status)
    })
}

/// A Lease that is gone is made again, as kubelet does: where a node of the same name was there before, its Lease goes with it, also
/// after this one has registered.
async fn renew(shared: &Shared, name: &str) -> Result<(), kube::Error> {
    let leases: Api<Lease> = Api::namespaced(shared.client.clone(), LEASES);
    let patch = json!({ "spec": { "renewTime": MicroTime(Timestamp::now()) } });
    let renewed = leases
        .patch(name, &PatchParams::default(), &Patch::Merge(patch))
        .await;
    match renewed {
        Err(kube::Error::Api(error)) if error.is_not_found() => {
            let nodes: Api<Node> = Api::all(shared.client.clone());
            lease(shared, &nodes.get(name).await?).await
        }
        other => other.map(drop),
    }
}

async fn report(shared: &Shared, spec: &NodeSpec) -> Result<(), kube::Error> {
    let nodes: Api<Node> = Api::all(shared.client.clone());
    let patch = json!({ "status": status(shared, spec) });
    nodes
        .patch_status(&spec.name, &PatchParams::default(), &Patch::Strategic(patch))
        .await
        .map(drop)
}

fn status(shared: &Shared, spec: &NodeSpec) -> Value {
    let version = &shared.options.kubelet_version;
    json!({
        "capacity": spec.capacity(),
        "allocatable": spec.capacity(),
        "conditions": conditions(shared, &spec.name),
        "addresses": [{ "type": "InternalIP", "address": shared.block.node_address().to_string() }],
        "daemonEndpoints": { "kubeletEndpoint": { "Port": AddressBlock::port() } },
        "nodeInfo": {
            "architecture": "amd64", "operatingSystem": "linux", "kubeletVersion": version,
            "kubeProxyVersion": "", "containerRuntimeVersion": "simulated://1", "osImage": "simulated",
            "kernelVersion": "simulated", "bootID": "", "machineID": spec.name, "systemUUID": spec.name,
        },
    })
}

fn conditions(shared: &Shared, node: &str) -> Vec<Value> {
    let fault = shared.faults.of_node(node);
    let ready = fault.not_ready.is_none();
    let ready_message = fault
        .not_ready
        .unwrap_or_else(|| "kubelet is posting ready status".to_owned());
    let state = shared.node(node);
    let condition = |kind: &'static str, status: bool, reason: &str, message: &str| {
        let now = Timestamp::now();
        let since = state.as_ref().map_or(now, |state| state.since(kind, status));
        json!({
            "type": kind, "status": if status { "True" } else { "False" }, "reason": reason, "message": message,
            "lastHeartbeatTime": Time(now), "lastTransitionTime": Time(since),
        })
    };
    vec![
        condition(
            "MemoryPressure",
            false,
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available",
        ),
        if fault.disk_pressure {
            condition(
                "DiskPressure",
                true,
                "KubeletHasDiskPressure",
                "kubelet has disk pressure",
            )
        } else {
            condition(
                "DiskPressure",
                false,
                "KubeletHasNoDiskPressure",
                "kubelet has no disk pressure",
            )
        },
        condition(
            "PIDPressure",
            false,
            "KubeletHasSufficientPID",
            "kubelet has sufficient PID available",
        ),
        condition(
            "Ready",
            ready,
            if ready { "KubeletReady" } else { "KubeletNotReady" },
            &ready_message,
        ),
    ]
}
