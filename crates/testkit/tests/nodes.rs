//! Simulated nodes behind a real scheduler and controller-manager: what kubelet would do is done.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Namespace, Node, PersistentVolumeClaim, Pod};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use testkit::plane::audit::Filter;
use testkit::{Cluster, ImageEntry, ImageTable, NodeOptions, NodeSpec, Target, until};

/// Kubelet's times fifty times faster, probes ten times; everything else as it is.
fn build() -> testkit::ClusterBuilder {
    let options = NodeOptions {
        images: ImageTable::default().with("private/model", ImageEntry::generic().private()),
        speed: engine_sim::Speed::INSTANT,
        backoff_scale: 0.02,
        probe_scale: 0.1,
        ..NodeOptions::default()
    };
    Cluster::builder()
        .node(NodeSpec::h100("gpu-1", 8))
        .node(NodeSpec::h100("gpu-2", 2))
        .node(NodeSpec::cpu("cpu-1"))
        .node_options(options)
        .audit()
}

const LIMIT: Duration = Duration::from_secs(30);

struct Bed {
    cluster: &'static Cluster,
    client: Client,
    namespace: String,
}

impl Bed {
    async fn new(namespace: &str) -> Self {
        let cluster = testkit::shared(build).await.unwrap();
        let client = cluster.admin_client().await.unwrap();
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let object = serde_json::from_value(json!({ "metadata": { "name": namespace } })).unwrap();
        namespaces.create(&PostParams::default(), &object).await.unwrap();
        let bed = Self {
            cluster,
            client,
            namespace: namespace.to_owned(),
        };
        let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> = bed.api();
        until("the service account", LIMIT, async || {
            accounts.get("default").await.map(drop)
        })
        .await
        .unwrap();
        bed
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn create<K>(&self, object: Value) -> K
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::Serialize
            + serde::de::DeserializeOwned,
    {
        let object: K = serde_json::from_value(object).unwrap();
        self.api::<K>()
            .create(&PostParams::default(), &object)
            .await
            .unwrap()
    }

    /// A Pod with one container named `engine`, `extra` laid over it.
    async fn pod(&self, name: &str, container: Value) -> Pod {
        self.pod_with(name, container, json!({})).await
    }

    async fn pod_with(&self, name: &str, container: Value, spec: Value) -> Pod {
        let mut engine = json!({ "name": "engine", "image": "your-registry/gpt-small:v1" });
        merge(&mut engine, container);
        let mut whole = json!({ "containers": [engine], "automountServiceAccountToken": false });
        merge(&mut whole, spec);
        self.create(json!({ "metadata": { "name": name }, "spec": whole }))
            .await
    }

    /// Waits until the Pod satisfies `judge`.
    async fn until_pod(&self, name: &str, what: &str, judge: impl Fn(&Pod) -> bool) -> Pod {
        let pods: Api<Pod> = self.api();
        until(format!("{name}: {what}"), LIMIT, async || {
            let pod = pods.get(name).await.map_err(|error| error.to_string())?;
            if judge(&pod) {
                Ok(pod)
            } else {
                Err(json!(pod.status).to_string())
            }
        })
        .await
        .unwrap()
    }

    async fn until_event(&self, reason: &str, text: &str) -> Event {
        let events: Api<Event> = self.api();
        until(format!("event {reason}: {text}"), LIMIT, async || {
            let all = events
                .list(&ListParams::default())
                .await
                .map_err(|error| error.to_string())?;
            let seen: Vec<String> = all
                .iter()
                .map(|e| format!("{:?} {:?}", e.reason.as_deref(), e.message.as_deref()))
                .collect();
            all.items
                .into_iter()
                .find(|e| {
                    e.reason.as_deref() == Some(reason) && e.message.as_deref().unwrap_or("").contains(text)
                })
                .ok_or_else(|| seen.join("\n"))
        })
        .await
        .unwrap()
    }
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

fn status(pod: &Pod) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.container_statuses.as_ref()?.first()
}

fn waiting<'a>(pod: &'a Pod, reason: &str) -> Option<&'a str> {
    let waiting = status(pod)?.state.as_ref()?.waiting.as_ref()?;
    (waiting.reason.as_deref() == Some(reason)).then(|| waiting.message.as_deref().unwrap_or(""))
}

fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a str> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions
        .iter()
        .find(|c| c.type_ == kind)
        .map(|c| c.status.as_str())
}

fn ready(pod: &Pod) -> bool {
    condition(pod, "Ready") == Some("True")
}

fn phase(pod: &Pod) -> &str {
    pod.status
        .as_ref()
        .and_then(|s| s.phase.as_deref())
        .unwrap_or_default()
}

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
async fn what_is_missing_is_told_in_kubelets_words() {
    let bed = Bed::new("missing").await;
    let key = json!({ "secretKeyRef": { "name": "token", "key": "hf" } });
    bed.pod(
        "no-secret",
        json!({ "env": [{ "name": "HF_TOKEN", "valueFrom": key }] }),
    )
    .await;
    let pod = bed
        .until_pod("no-secret", "CreateContainerConfigError", |pod| {
            waiting(pod, "CreateContainerConfigError").is_some()
        })
        .await;
    assert_eq!(
        waiting(&pod, "CreateContainerConfigError"),
        Some("secret \"token\" not found")
    );
    bed.until_event("Failed", "Error: secret \"token\" not found")
        .await;
    bed.create::<k8s_openapi::api::core::v1::Secret>(
        json!({ "metadata": { "name": "token" }, "stringData": { "hf": "x" } }),
    )
    .await;
    bed.until_pod("no-secret", "ready once the secret is there", ready)
        .await;

    let volume = json!({ "volumes": [{ "name": "config", "configMap": { "name": "absent" } }] });
    bed.pod_with("no-map", json!({}), volume).await;
    bed.until_event(
        "FailedMount",
        "MountVolume.SetUp failed for volume \"config\" : configmap \"absent\" not found",
    )
    .await;
    bed.until_pod("no-map", "still creating", |pod| {
        waiting(pod, "ContainerCreating").is_some()
    })
    .await;

    bed.pod("no-image", json!({ "image": "nobody/nothing:v1" })).await;
    let pod = bed
        .until_pod("no-image", "ImagePullBackOff", |pod| {
            waiting(pod, "ImagePullBackOff").is_some()
        })
        .await;
    let message = waiting(&pod, "ImagePullBackOff").unwrap();
    assert!(
        message.starts_with("Back-off pulling image \"nobody/nothing:v1\": ErrImagePull: rpc error"),
        "{message}"
    );
    bed.until_event("Failed", "docker.io/nobody/nothing:v1: not found")
        .await;

    bed.pod("root", json!({ "securityContext": { "runAsNonRoot": true } }))
        .await;
    let pod = bed
        .until_pod("root", "CreateContainerConfigError", |pod| {
            waiting(pod, "CreateContainerConfigError").is_some()
        })
        .await;
    assert!(
        waiting(&pod, "CreateContainerConfigError")
            .unwrap()
            .contains("image will run as root")
    );
}

#[tokio::test]
async fn probes_decide_about_readiness_and_restarts() {
    let bed = Bed::new("probes").await;
    bed.pod(
        "wrong-port",
        json!({ "readinessProbe": { "httpGet": { "path": "/health", "port": 9 }, "periodSeconds": 1 } }),
    )
    .await;
    bed.until_event("Unhealthy", "Readiness probe failed: Get \"http://127.")
        .await;
    let pod = bed
        .until_pod("wrong-port", "running", |pod| phase(pod) == "Running")
        .await;
    assert!(!ready(&pod));

    bed.pod(
        "dead",
        json!({
            "livenessProbe": { "tcpSocket": { "port": 9 }, "periodSeconds": 1, "failureThreshold": 1 },
        }),
    )
    .await;
    bed.until_pod("dead", "restarted", |pod| {
        status(pod).is_some_and(|s| s.restart_count > 0)
    })
    .await;
    bed.until_event(
        "Killing",
        "Container engine failed liveness probe, will be restarted",
    )
    .await;

    bed.pod(
        "toggled",
        json!({ "readinessProbe": { "tcpSocket": { "port": 8080 }, "periodSeconds": 1, "failureThreshold": 1 } }),
    )
    .await;
    bed.until_pod("toggled", "ready", ready).await;
    let faults = bed.cluster.nodes().unwrap().faults();
    let target = Target::pods("probes", "toggled");
    faults.fail_readiness(&target);
    bed.until_pod("toggled", "not ready", |pod| !ready(pod)).await;
    faults.heal(&target);
    bed.until_pod("toggled", "ready again", ready).await;
}

#[tokio::test]
async fn crashes_are_backed_off_and_say_why() {
    let bed = Bed::new("crashes").await;
    let faults = bed.cluster.nodes().unwrap().faults();
    faults.crash_at_start(
        &Target::pods("crashes", "crashing"),
        3,
        "CUDA error: out of memory",
    );
    bed.pod(
        "crashing",
        json!({ "terminationMessagePolicy": "FallbackToLogsOnError" }),
    )
    .await;
    let pod = bed
        .until_pod("crashing", "CrashLoopBackOff", |pod| {
            waiting(pod, "CrashLoopBackOff").is_some()
        })
        .await;
    let status_of = status(&pod).unwrap();
    let last = status_of
        .last_state
        .as_ref()
        .unwrap()
        .terminated
        .as_ref()
        .unwrap();
    assert_eq!((last.exit_code, last.reason.as_deref()), (3, Some("Error")));
    assert!(
        last.message
            .as_deref()
            .unwrap()
            .ends_with("CUDA error: out of memory\n"),
        "{last:?}"
    );
    bed.until_event(
        "BackOff",
        "Back-off restarting failed container engine in pod crashing_crashes(",
    )
    .await;
    let args = ["logs", "-n", "crashes", "crashing", "--previous"];
    let output = until("previous logs", LIMIT, async || {
        let output = bed.cluster.kubectl(&args).await.unwrap();
        if output.status.success() {
            Ok(output)
        } else {
            Err(format!("{output:?}"))
        }
    })
    .await
    .unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("CUDA error"));
    faults.heal(&Target::pods("crashes", "crashing"));
    bed.until_pod("crashing", "ready once healed", ready).await;

    bed.pod("eaten", json!({ "resources": { "limits": { "memory": "1Gi" } } }))
        .await;
    bed.until_pod("eaten", "ready", ready).await;
    assert_eq!(faults.oom(&Target::pods("crashes", "eaten")), 1);
    let pod = bed
        .until_pod("eaten", "restarted", |pod| {
            status(pod).is_some_and(|s| s.restart_count == 1)
        })
        .await;
    let last = status(&pod)
        .unwrap()
        .last_state
        .clone()
        .unwrap()
        .terminated
        .unwrap();
    assert_eq!((last.exit_code, last.reason.as_deref()), (137, Some("OOMKilled")));
}

#[tokio::test]
async fn jobs_end_and_shells_run_for_real() {
    let bed = Bed::new("shells").await;
    let script =
        "echo to $GREETED; echo kept > /data/file; cat /data/file; echo why > /dev/termination-log; exit 4";
    bed.pod_with(
        "script",
        json!({
            "image": "busybox:1", "command": ["sh", "-c", script],
            "env": [{ "name": "GREETED", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }],
            "volumeMounts": [{ "name": "data", "mountPath": "/data" }],
        }),
        json!({ "restartPolicy": "Never", "volumes": [{ "name": "data", "emptyDir": {} }] }),
    )
    .await;
    let pod = bed
        .until_pod("script", "failed", |pod| phase(pod) == "Failed")
        .await;
    let ended = status(&pod).unwrap().state.clone().unwrap().terminated.unwrap();
    assert_eq!((ended.exit_code, ended.message.as_deref()), (4, Some("why\n")));
    let logs = bed
        .cluster
        .kubectl(&["logs", "-n", "shells", "script"])
        .await
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&logs.stdout), "to script\nkept\n");

    let copy = json!([{
        "name": "fetch", "image": "busybox:1", "command": ["sh", "-c", "echo $(cat /in/key) > /out/key"],
        "volumeMounts": [{ "name": "in", "mountPath": "/in" }, { "name": "out", "mountPath": "/out" }],
    }]);
    bed.create::<k8s_openapi::api::core::v1::ConfigMap>(
        json!({ "metadata": { "name": "in" }, "data": { "key": "value" } }),
    )
    .await;
    bed.pod_with(
        "initialised",
        json!({
            "image": "busybox:1", "command": ["sh"], "args": ["-c", "grep -q value /out/key"],
            "volumeMounts": [{ "name": "out", "mountPath": "/out" }],
        }),
        json!({
            "restartPolicy": "Never", "initContainers": copy,
            "volumes": [{ "name": "in", "configMap": { "name": "in" } }, { "name": "out", "emptyDir": {} }],
        }),
    )
    .await;
    bed.until_pod("initialised", "succeeded", |pod| phase(pod) == "Succeeded")
        .await;
}

#[tokio::test]
async fn gpus_run_out_and_come_back() {
    let bed = Bed::new("gpus").await;
    let four = |count: &str| json!({ "resources": { "limits": { "nvidia.com/gpu": count } } });
    let selector = json!({
        "nodeSelector": { "kubernetes.io/hostname": "gpu-2" }, "terminationGracePeriodSeconds": 1,
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
async fn claims_are_provisioned_and_belong_to_one_node() {
    let bed = Bed::new("claims").await;
    bed.create::<PersistentVolumeClaim>(json!({
        "metadata": { "name": "weights" },
        "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } },
        },
    }))
    .await;
    let on = |node: &str| {
        json!({
            "nodeSelector": { "kubernetes.io/hostname": node }, "terminationGracePeriodSeconds": 1,
            "volumes": [{ "name": "w", "persistentVolumeClaim": { "claimName": "weights" } }],
        })
    };
    let mount = json!({ "volumeMounts": [{ "name": "w", "mountPath": "/w" }] });
    bed.pod_with("one", mount.clone(), on("gpu-1")).await;
    bed.until_pod("one", "ready on a provisioned claim", ready).await;
    bed.pod_with("two", mount, on("gpu-2")).await;
    bed.until_event("FailedAttachVolume", "Volume is already used by pod(s) one")
        .await;
    bed.api::<Pod>()
        .delete("one", &DeleteParams::default())
        .await
        .unwrap();
    bed.until_pod("two", "ready once the first has gone", ready).await;
}

#[tokio::test]
async fn evictions_and_lost_nodes_show() {
    let bed = Bed::new("losses").await;
    let nodes = bed.cluster.nodes().unwrap();
    bed.pod("evicted", json!({})).await;
    bed.until_pod("evicted", "ready", ready).await;
    assert_eq!(nodes.faults().evict(&Target::pods("losses", "evicted")), 1);
    let pod = bed
        .until_pod("evicted", "failed", |pod| phase(pod) == "Failed")
        .await;
    assert_eq!(pod.status.unwrap().reason.as_deref(), Some("Evicted"));

    nodes.add(NodeSpec::cpu("short-lived")).await.unwrap();
    let there = json!({ "nodeSelector": { "kubernetes.io/hostname": "short-lived" } });
    bed.pod_with("lost", json!({}), there).await;
    bed.until_pod("lost", "ready", ready).await;
    let api: Api<Node> = Api::all(bed.client.clone());
    nodes
        .faults()
        .node_not_ready("short-lived", Some("container runtime is down"));
    until("the node not ready", LIMIT, async || {
        let node = api.get("short-lived").await.unwrap();
        let conditions = node.status.and_then(|s| s.conditions).unwrap_or_default();
        conditions
            .into_iter()
            .find(|c| c.type_ == "Ready" && c.status == "False")
    })
    .await
    .unwrap();
    nodes.remove("short-lived").await.unwrap();
    assert!(api.get_opt("short-lived").await.unwrap().is_none());
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
    let writes = || {
        let requests = log
            .requests_since(&mark, &Filter::user("simulated-nodes"))
            .unwrap();
        let of_pod = requests
            .iter()
            .filter(|r| r.namespace == "cost" && r.resource == "pods/status" && r.is_write());
        of_pod.count()
    };
    let to_ready = writes();
    assert!(to_ready <= 2, "{to_ready} status writes until ready");
    // Several probes later nothing more has been written.
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(writes(), to_ready);
}

#[tokio::test]
async fn sidecars_run_beside_and_end_after_the_main_container() {
    let bed = Bed::new("sidecars").await;
    let sidecar = json!([{
        "name": "proxy", "image": "your-registry/gpt-small:v1", "restartPolicy": "Always",
        "env": [{ "name": "PORT", "value": "9000" }],
        "startupProbe": { "tcpSocket": { "port": 9000 }, "periodSeconds": 1 },
    }]);
    bed.pod_with(
        "job",
        json!({ "image": "busybox:1", "command": ["sh", "-c", "echo done"] }),
        json!({ "restartPolicy": "Never", "initContainers": sidecar, "terminationGracePeriodSeconds": 5 }),
    )
    .await;
    let pod = bed
        .until_pod("job", "succeeded", |pod| phase(pod) == "Succeeded")
        .await;
    let proxy = &pod.status.unwrap().init_container_statuses.unwrap()[0];
    assert!(proxy.state.as_ref().unwrap().terminated.is_some(), "{proxy:?}");
}

#[tokio::test]
async fn deletion_runs_the_hook_and_keeps_to_the_grace_period() {
    let bed = Bed::new("deletion").await;
    let trap = "trap 'echo terminated; exit 0' TERM; echo up; while true; do sleep 0.05; done";
    bed.pod_with(
        "hooked",
        json!({
            "image": "busybox:1", "command": ["sh", "-c", trap],
            "lifecycle": { "preStop": { "exec": { "command": ["sh", "-c", "echo hook > /shared/hook"] } } },
            "volumeMounts": [{ "name": "shared", "mountPath": "/shared" }],
        }),
        json!({
            "volumes": [{ "name": "shared", "persistentVolumeClaim": { "claimName": "shared" } }],
            "terminationGracePeriodSeconds": 20,
        }),
    )
    .await;
    bed.create::<PersistentVolumeClaim>(json!({
        "metadata": { "name": "shared" },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } },
    }))
    .await;
    bed.until_pod("hooked", "ready", ready).await;
    let nodes = bed.cluster.nodes().unwrap();
    until("the trap set", LIMIT, async || {
        nodes
            .logs("deletion", "hooked", "engine")
            .filter(|l| l.contains("up"))
    })
    .await
    .unwrap();
    bed.api::<Pod>()
        .delete("hooked", &DeleteParams::default())
        .await
        .unwrap();
    until("the Pod gone", Duration::from_secs(15), async || {
        bed.api::<Pod>()
            .get_opt("hooked")
            .await
            .unwrap()
            .is_none()
            .then_some(())
    })
    .await
    .unwrap();
    // The claim has outlived the Pod, and with it what the hook wrote.
    bed.pod_with(
        "reader",
        json!({
            "image": "busybox:1", "command": ["sh", "-c", "cat /shared/hook"],
            "volumeMounts": [{ "name": "shared", "mountPath": "/shared" }],
        }),
        json!({
            "restartPolicy": "Never",
            "volumes": [{ "name": "shared", "persistentVolumeClaim": { "claimName": "shared" } }],
        }),
    )
    .await;
    bed.until_pod("reader", "succeeded", |pod| phase(pod) == "Succeeded")
        .await;
    assert_eq!(
        nodes.logs("deletion", "reader", "engine").as_deref(),
        Some("hook\n")
    );

    // One that ignores SIGTERM is killed when its time is over.
    bed.pod_with(
        "stubborn",
        json!({ "image": "busybox:1", "command": ["sh", "-c", "trap '' TERM; echo up; while true; do sleep 1; done"] }),
        json!({ "terminationGracePeriodSeconds": 1 }),
    )
    .await;
    bed.until_pod("stubborn", "ready", ready).await;
    bed.api::<Pod>()
        .delete("stubborn", &DeleteParams::default())
        .await
        .unwrap();
    until("the stubborn Pod gone", Duration::from_secs(15), async || {
        bed.api::<Pod>()
            .get_opt("stubborn")
            .await
            .unwrap()
            .is_none()
            .then_some(())
    })
    .await
    .unwrap();

    // Forced, the object goes first and the process with it.
    bed.pod("forced", json!({})).await;
    let pod = bed.until_pod("forced", "ready", ready).await;
    let address = format!("{}:8080", pod.status.unwrap().pod_ip.unwrap());
    let now = DeleteParams {
        grace_period_seconds: Some(0),
        ..DeleteParams::default()
    };
    bed.api::<Pod>().delete("forced", &now).await.unwrap();
    until("the port closed", LIMIT, async || {
        tokio::net::TcpStream::connect(&address).await.err()
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn pulls_can_fail_for_a_while_or_need_a_secret() {
    let bed = Bed::new("pulls").await;
    let faults = bed.cluster.nodes().unwrap().faults();
    faults.fail_pull(
        "your-registry/gpt-small:flaky",
        1,
        "net/http: TLS handshake timeout",
    );
    bed.pod("flaky", json!({ "image": "your-registry/gpt-small:flaky" }))
        .await;
    bed.until_event(
        "Failed",
        "Failed to pull image \"your-registry/gpt-small:flaky\": net/http",
    )
    .await;
    bed.until_pod("flaky", "ready after another try", ready).await;

    bed.pod(
        "never",
        json!({ "image": "your-registry/gpt-small:unseen", "imagePullPolicy": "Never" }),
    )
    .await;
    let pod = bed
        .until_pod("never", "ErrImageNeverPull", |pod| {
            waiting(pod, "ErrImageNeverPull").is_some()
        })
        .await;
    assert!(
        waiting(&pod, "ErrImageNeverPull")
            .unwrap()
            .ends_with("with pull policy of Never")
    );

    let secret = json!({ "imagePullSecrets": [{ "name": "registry" }] });
    bed.pod_with("private", json!({ "image": "private/model:v1" }), secret)
        .await;
    bed.until_event("FailedToRetrieveImagePullSecret", "(registry)")
        .await;
    bed.until_event("Failed", "pull access denied").await;
    bed.create::<k8s_openapi::api::core::v1::Secret>(json!({
        "metadata": { "name": "registry" }, "type": "kubernetes.io/dockerconfigjson",
        "stringData": { ".dockerconfigjson": "{\"auths\":{}}" },
    }))
    .await;
    bed.until_pod("private", "ready with the secret", ready).await;
}
