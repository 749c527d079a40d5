//! What runs: Deployments, nodes, GPUs, and what it costs.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use testkit::plane::audit::Filter;
use testkit::until;

use crate::bed::{Bed, LIMIT, condition, ready};

#[tokio::test]
async fn a_deployment_becomes_available_and_its_pods_answer() {
    let bed = Bed::new("available").await;
    let deployment: Deployment = bed
        .create(json!({
            "metadata": { "name": "chat" },
            "spec": {
                "replicas": 2,
                "selector": { "matchLabels": { "app": "chat" } },
                "template": {
                    "metadata": { "labels": { "app": "chat" } },
                    "spec": { "containers": [{
                        "name": "engine",
                        "image": "your-registry/gpt-small:v1",
                        "env": [{ "name": "PORT", "value": "8080" }],
                        "ports": [{ "name": "http", "containerPort": 8080 }],
                        "readinessProbe": { "tcpSocket": { "port": "http" }, "periodSeconds": 1 },
                    }] },
                },
            },
        }))
        .await;
    let deployments: Api<Deployment> = bed.api();
    until("two available replicas", LIMIT, async || {
        let status = deployments
            .get(&deployment.name_any())
            .await
            .unwrap()
            .status
            .unwrap_or_default();
        if status.available_replicas == Some(2) {
            Ok(())
        } else {
            Err(format!("{status:?}"))
        }
    })
    .await
    .unwrap();
    let pods = bed
        .api::<Pod>()
        .list(&ListParams::default().labels("app=chat"))
        .await
        .unwrap();
    let mut addresses: Vec<String> = pods
        .iter()
        .map(|pod| pod.status.clone().unwrap().pod_ip.unwrap())
        .collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 2);
    for address in addresses {
        tokio::net::TcpStream::connect(format!("{address}:8080"))
            .await
            .unwrap();
    }
    let pod = &pods.items[0];
    assert_eq!(condition(pod, "PodScheduled"), Some("True"));
    assert_eq!(condition(pod, "Initialized"), Some("True"));
    assert_eq!(
        pod.status.as_ref().unwrap().qos_class.as_deref(),
        Some("BestEffort")
    );

    // kubectl logs goes through the API server to the kubelet API.
    let name = pod.name_any();
    let output = bed
        .cluster
        .kubectl(&["logs", "-n", "available", &name])
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let logs = bed
        .cluster
        .nodes()
        .unwrap()
        .logs("available", &name, "engine")
        .unwrap();
    assert!(
        !logs.is_empty() && String::from_utf8_lossy(&output.stdout).contains(logs.lines().next().unwrap())
    );

    // Deleted, they go by themselves and their ports close.
    deployments
        .delete("chat", &DeleteParams::default())
        .await
        .unwrap();
    until("no Pods", LIMIT, async || {
        let left = bed.api::<Pod>().list(&ListParams::default()).await.unwrap();
        if left.items.is_empty() {
            Ok(())
        } else {
            Err(format!("{} left", left.items.len()))
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn nodes_are_as_gpu_nodes_are() {
    let bed = Bed::new("nodes").await;
    let nodes: Api<Node> = Api::all(bed.client.clone());
    let node = until("gpu-1 without taints", LIMIT, async || {
        let node = nodes.get("gpu-1").await.unwrap();
        let taints = node
            .spec
            .as_ref()
            .and_then(|spec| spec.taints.clone())
            .unwrap_or_default();
        if taints.is_empty() {
            Ok(node)
        } else {
            Err(format!("{taints:?}"))
        }
    })
    .await
    .unwrap();
    assert_eq!(node.labels()["nvidia.com/gpu.product"], "NVIDIA-H100-80GB-HBM3");
    let status = node.status.unwrap();
    assert_eq!(status.allocatable.unwrap()["nvidia.com/gpu"].0, "8");
    let ready = status
        .conditions
        .unwrap()
        .into_iter()
        .find(|c| c.type_ == "Ready")
        .unwrap();
    assert_eq!(
        (ready.status.as_str(), ready.reason.as_deref()),
        ("True", Some("KubeletReady"))
    );
}

#[tokio::test]
async fn gpus_run_out_and_come_back() {
    let bed = Bed::new("gpus").await;
    let four = |count: &str| json!({ "resources": { "limits": { "nvidia.com/gpu": count } } });
    let selector = json!({
        // Tainted, so that no other test's Pod takes one of its two GPUs.
        "nodeSelector": { "kubernetes.io/hostname": "gpu-scarce" },
        "tolerations": [{ "key": "scarce", "operator": "Exists" }],
        "terminationGracePeriodSeconds": 1,
    });
    bed.pod_with("first", four("2"), selector.clone()).await;
    bed.until_pod("first", "ready", ready).await;
    bed.pod_with("second", four("1"), selector).await;
    bed.until_event("FailedScheduling", "Insufficient nvidia.com/gpu")
        .await;
    bed.api::<Pod>()
        .delete("first", &DeleteParams::default())
        .await
        .unwrap();
    bed.until_pod("second", "ready on the freed GPU", ready).await;
}

#[tokio::test]
async fn a_pod_costs_two_status_writes_to_ready_and_none_at_rest() {
    let bed = Bed::new("cost").await;
    let log = bed.cluster.audit_log();
    let mark = log.mark();
    bed.pod(
        "quiet",
        json!({ "readinessProbe": { "tcpSocket": { "port": 8080 }, "periodSeconds": 1 } }),
    )
    .await;
    bed.until_pod("quiet", "ready", ready).await;
    let version = async || bed.api::<Pod>().get("quiet").await.unwrap().resource_version();
    let when_ready = version().await;
    // Several probes later nothing more has been written. The version says so, not the audit log alone: that may be told of a
    // write after those who watch.
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(version().await, when_ready);
    let requests = log
        .requests_since(&mark, &Filter::user("simulated-nodes"))
        .unwrap();
    let writes = requests
        .iter()
        .filter(|r| r.namespace == "cost" && r.resource == "pods/status" && r.is_write())
        .count();
    assert!((1..=2).contains(&writes), "{writes} status writes");
}
