//! The local control plane: what a test relies on when it uses one.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::process::Command;
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::api::node::v1::RuntimeClass;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use testkit::plane::ClusterBuilder;
use testkit::plane::audit::Filter;
use testkit::plane::proxy::{Fault, Matching};
use testkit::{Cluster, Identity, Program, until};

const LIMIT: Duration = Duration::from_mins(1);

fn choices() -> ClusterBuilder {
    Cluster::builder().audit()
}

async fn cluster() -> &'static Cluster {
    testkit::shared(choices).await.unwrap()
}

fn config_map(name: &str) -> ConfigMap {
    serde_json::from_value(serde_json::json!({ "metadata": { "name": name } })).unwrap()
}

#[tokio::test]
async fn controllers_admission_and_the_runtime_class_work() {
    let cluster = cluster().await;
    let client = cluster.admin_client().await.unwrap();
    Api::<RuntimeClass>::all(client.clone())
        .get("nvidia")
        .await
        .unwrap();
    cluster
        .apply_yaml(
            "
apiVersion: v1
kind: Namespace
metadata: { name: admission, labels: { pod-security.kubernetes.io/enforce: restricted } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: admission }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [ { name: web, image: web } ] }
",
        )
        .await
        .unwrap();
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), "admission");
    // The controller tries to create a Pod, and Pod Security refuses it.
    until("ReplicaFailure", LIMIT, async || {
        let conditions = deployments.get("web").await.ok()?.status?.conditions?;
        conditions.into_iter().find(|c| {
            c.type_ == "ReplicaFailure" && c.message.as_ref().is_some_and(|m| m.contains("restricted"))
        })
    })
    .await
    .unwrap();
    // Without nodes the scheduler says so.
    cluster
        .apply_yaml("{apiVersion: v1, kind: Pod, metadata: {name: lonely}, spec: {containers: [{name: a, image: a}]}}")
        .await
        .unwrap();
    let pods: Api<Pod> = Api::namespaced(client, "default");
    until("Unschedulable", LIMIT, async || {
        let conditions = pods.get("lonely").await.ok()?.status?.conditions?;
        conditions
            .into_iter()
            .find(|c| c.reason.as_deref() == Some("Unschedulable"))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn custom_resources_can_follow_their_definition() {
    let cluster = cluster().await;
    let stored = cluster
        .apply_yaml(
            "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: things.test.example.com }
spec:
  group: test.example.com
  scope: Namespaced
  names: { kind: Thing, plural: things, singular: thing }
  versions:
  - name: v1
    served: true
    storage: true
    schema: { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } }
---
apiVersion: test.example.com/v1
kind: Thing
metadata: { name: one }
",
        )
        .await
        .unwrap();
    assert_eq!(stored[1].name_any(), "one");
    let output = cluster.kubectl(&["get", "things", "-o", "name"]).await.unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "thing.test.example.com/one"
    );
    let error = cluster
        .apply_yaml("{apiVersion: no.such/v1, kind: Nothing, metadata: {name: a}}")
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("does not serve no.such/v1/Nothing"),
        "{error}"
    );
}

#[tokio::test]
async fn a_service_account_may_do_what_its_role_says_and_the_log_counts_it() {
    let cluster = cluster().await;
    cluster
        .apply_yaml(
            "
{apiVersion: v1, kind: ServiceAccount, metadata: {name: counted}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: counted }
rules:
- { apiGroups: [''], resources: [configmaps], verbs: [get, list, watch, create] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: counted }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: counted }
subjects: [ { kind: ServiceAccount, name: counted, namespace: default } ]
",
        )
        .await
        .unwrap();
    let access = cluster.service_account("default", "counted").await.unwrap();
    let client = access.client().await.unwrap();
    let config_maps: Api<ConfigMap> = Api::namespaced(client, "default");
    until("the role to be in force", LIMIT, async || {
        config_maps.list(&ListParams::default()).await
    })
    .await
    .unwrap();

    let log = cluster.audit_log();
    let mark = log.mark();
    config_maps
        .create(&PostParams::default(), &config_map("counted"))
        .await
        .unwrap();
    config_maps.list(&ListParams::default()).await.unwrap();
    let refused = config_maps
        .delete("counted", &DeleteParams::default())
        .await
        .unwrap_err();
    assert!(matches!(refused, kube::Error::Api(status) if status.code == 403));
    let filter = Filter::user("default:counted");
    let counts = until("three requests", LIMIT, async || {
        let counts = log.count_since(&mark, &filter).ok()?;
        (counts.total() >= 3).then_some(counts)
    })
    .await
    .unwrap();
    assert_eq!(
        (counts.of("create", "configmaps"), counts.of("list", "configmaps")),
        (1, 1),
        "{counts}"
    );
    assert_eq!((counts.writes(), counts.reads()), (2, 1), "{counts}");
}

#[tokio::test]
async fn the_proxy_fails_delays_and_loses_as_ordered() {
    let cluster = cluster().await;
    let proxy = cluster.fault_proxy().await.unwrap();
    let client = cluster
        .access(Identity::Admin)
        .through(&proxy.url())
        .client()
        .await
        .unwrap();
    let config_maps: Api<ConfigMap> = Api::namespaced(client, "default");

    proxy.fail_next(1, "POST", "/configmaps", 429, Some(Duration::from_secs(3)));
    let error = config_maps
        .create(&PostParams::default(), &config_map("faulty"))
        .await
        .unwrap_err();
    assert!(matches!(error, kube::Error::Api(status) if status.code == 429));
    proxy.order(1, Matching::method("POST"), Fault::LostAnswer);
    assert!(
        config_maps
            .create(&PostParams::default(), &config_map("faulty"))
            .await
            .is_err()
    );
    // The answer was lost, the object was not.
    config_maps.get("faulty").await.unwrap();
    proxy.order(1, Matching::any(), Fault::Delay(Duration::from_millis(300)));
    let start = Instant::now();
    config_maps.list(&ListParams::default()).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert_eq!(proxy.pending(), 0);

    proxy.set_unreachable(true);
    assert!(config_maps.get("faulty").await.is_err());
    proxy.clear();
    config_maps.get("faulty").await.unwrap();
    let counts = proxy.counts();
    assert_eq!((counts["create"], counts["list"]), (2, 1), "{counts:?}");
}

#[tokio::test]
async fn watches_through_the_proxy_survive_a_cut_and_an_expiry() {
    let cluster = cluster().await;
    let proxy = cluster.fault_proxy().await.unwrap();
    let client = cluster
        .access(Identity::Admin)
        .through(&proxy.url())
        .client()
        .await
        .unwrap();
    let config_maps: Api<ConfigMap> = Api::namespaced(client, "default");
    let seen = std::sync::Arc::new(parking_lot::Mutex::new(Vec::new()));
    let names = seen.clone();
    let stream = watcher(config_maps.clone(), watcher::Config::default())
        .default_backoff()
        .applied_objects();
    let watch = tokio::spawn(futures::StreamExt::for_each(stream, move |object| {
        names.lock().extend(object.ok().map(|object| object.name_any()));
        std::future::ready(())
    }));
    let open = |what: &'static str| until(what, LIMIT, async || (proxy.open_watches() == 1).then_some(()));
    let watches = || proxy.counts().get("watch").copied().unwrap_or_default();
    for (name, break_watch) in [
        ("before", None),
        ("after-cut", Some(false)),
        ("after-expiry", Some(true)),
    ] {
        open("a watch").await.unwrap();
        let before = watches();
        if let Some(expire) = break_watch {
            if expire {
                proxy.expire_next_watch("/configmaps");
            }
            proxy.cut_watches();
            until("a new watch", LIMIT, async || (watches() > before).then_some(()))
                .await
                .unwrap();
        }
        assert!(!seen.lock().iter().any(|seen| seen == name));
        config_maps
            .create(&PostParams::default(), &config_map(name))
            .await
            .unwrap();
        until(name, LIMIT, async || {
            seen.lock().iter().any(|seen| seen == name).then_some(())
        })
        .await
        .unwrap();
        assert_eq!(proxy.pending(), 0);
    }
    watch.abort();
}

#[tokio::test]
async fn the_api_server_comes_back_on_the_same_port_with_the_same_objects() {
    let cluster = Cluster::builder().bare().start().await.unwrap();
    let client = cluster.admin_client().await.unwrap();
    let config_maps: Api<ConfigMap> = Api::namespaced(client, "default");
    config_maps
        .create(&PostParams::default(), &config_map("kept"))
        .await
        .unwrap();
    let url = cluster.url();
    cluster.stop_apiserver();
    assert!(config_maps.get("kept").await.is_err());
    cluster.start_apiserver().await.unwrap();
    assert_eq!(cluster.url(), url);
    config_maps.get("kept").await.unwrap();

    cluster.pause(Program::ApiServer).unwrap();
    let frozen = tokio::time::timeout(Duration::from_millis(500), config_maps.get("kept")).await;
    assert!(!matches!(frozen, Ok(Ok(_))), "nothing is answered");
    cluster.resume(Program::ApiServer).unwrap();
    config_maps.get("kept").await.unwrap();
}

#[tokio::test]
async fn a_kept_directory_keeps_objects_and_tokens() {
    let directory = testkit::process::TemporaryDirectory::new("kept").unwrap();
    let build = || Cluster::builder().bare().directory(directory.path()).start();
    let first = build().await.unwrap();
    let config_maps: Api<ConfigMap> = Api::namespaced(first.admin_client().await.unwrap(), "default");
    config_maps
        .create(&PostParams::default(), &config_map("kept"))
        .await
        .unwrap();
    let token = first.access(Identity::Admin).token;
    drop(first);
    let second = build().await.unwrap();
    assert_eq!(second.access(Identity::Admin).token, token);
    let config_maps: Api<ConfigMap> = Api::namespaced(second.admin_client().await.unwrap(), "default");
    config_maps.get("kept").await.unwrap();
}

#[tokio::test]
async fn several_clusters_run_at_once() {
    let (one, two) = tokio::join!(
        Cluster::builder().bare().start(),
        Cluster::builder().bare().start()
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.url(), two.url());
    let config_maps: Api<ConfigMap> = Api::namespaced(one.admin_client().await.unwrap(), "default");
    config_maps
        .create(&PostParams::default(), &config_map("mine"))
        .await
        .unwrap();
    let others: Api<ConfigMap> = Api::namespaced(two.admin_client().await.unwrap(), "default");
    assert!(others.get("mine").await.is_err());
}

#[tokio::test]
async fn the_front_proxy_is_published_for_aggregated_apis() {
    let cluster = cluster().await;
    let api: Api<ConfigMap> = Api::namespaced(cluster.admin_client().await.unwrap(), "kube-system");
    let published = until("the front proxy's settings", LIMIT, async || {
        let map = api.get_opt("extension-apiserver-authentication").await.ok()??;
        map.data
            .filter(|data| data.contains_key("requestheader-client-ca-file"))
    });
    let data = published.await.unwrap();
    assert_eq!(data["requestheader-allowed-names"], "[\"front-proxy-client\"]");
    assert_eq!(data["requestheader-username-headers"], "[\"X-Remote-User\"]");
    assert!(cluster.front_proxy().key.is_file());
}

#[tokio::test]
async fn a_component_that_dies_is_told_with_the_end_of_its_log() {
    let error = Cluster::builder()
        .bare()
        .api_server_flag("--no-such-flag")
        .start()
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("kube-apiserver ended with code 1") && text.contains("no-such-flag"),
        "{text}"
    );
}

#[tokio::test]
async fn dropping_a_cluster_leaves_nothing() {
    let cluster = Cluster::builder().start().await.unwrap();
    let directory = cluster.directory().to_owned();
    assert!(!processes_of(&directory.display().to_string()).is_empty());
    drop(cluster);
    assert_eq!(
        processes_of(&directory.display().to_string()),
        Vec::<String>::new()
    );
    assert!(!directory.exists());
}

#[test]
fn kill_9_of_the_owner_leaves_nothing() {
    let own = std::env::current_exe().unwrap();
    let log = testkit::process::TemporaryDirectory::new("owner").unwrap();
    let path = log.path().join("directory");
    let mut owner = Command::new(own)
        .args(["--exact", "owner_of_a_cluster", "--ignored"])
        .env("OWNER_OUTPUT", &path)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let directory = wait_for(|| {
        std::fs::read_to_string(&path)
            .ok()
            .filter(|text| text.ends_with('\n'))
    });
    let directory = directory.trim();
    assert!(
        processes_of(directory).len() >= 4,
        "{:?}",
        processes_of(directory)
    );
    owner.kill().unwrap();
    owner.wait().unwrap();
    wait_for(|| processes_of(directory).is_empty().then_some(()));
    wait_for(|| (!std::path::Path::new(directory).exists()).then_some(()));
}

/// Not a test: the process that `kill_9_of_the_owner_leaves_nothing` kills.
#[tokio::test]
#[ignore = "started by kill_9_of_the_owner_leaves_nothing"]
async fn owner_of_a_cluster() {
    let Some(output) = std::env::var_os("OWNER_OUTPUT") else {
        return;
    };
    let cluster = Cluster::builder().start().await.unwrap();
    std::fs::write(output, format!("{}\n", cluster.directory().display())).unwrap();
    std::future::pending::<()>().await;
}

fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < LIMIT, "nothing found in {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The command lines that name this directory, but for `ps` itself.
fn processes_of(directory: &str) -> Vec<String> {
    let output = Command::new("ps").args(["-eo", "pid,args"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .filter(|line| line.contains(directory))
        .map(str::to_owned)
        .collect()
}
