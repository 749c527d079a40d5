//! Deletion never hangs: with its namespace, without rights, without nodes.

use api::{premlabs_io::v1alpha1::AutoNodeLabeler, shared::State};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, api::DeleteParams};

use crate::{
    common::{
        PATIENCE, SYSTEM_NAMESPACE, Space, repository_file, spawn_operator,
        stand::{Stand, cluster},
    },
    scene::{Scene, labels_of, make_node, sentence, told, wait_reason},
};

/// A labeler goes with its namespace, and its labels before it.
/// Promises: S4-29
#[tokio::test]
async fn with_its_namespace() {
    let scene = Scene::new("gone").await;
    scene.node("a", &[("gpu", "h100")]).await;
    scene
        .labeler("gpus", ("gpu", "Exists", &[]), &[("tier", "gold")])
        .await;
    scene.wait("gpus", "Ready").await;
    let client = scene.space().client.clone();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let name = scene.space().namespace.clone();
    namespaces.delete(&name, &DeleteParams::default()).await.unwrap();
    testkit::until("the namespace is gone", PATIENCE, async || {
        let found = namespaces.get_opt(&name).await.unwrap();
        found.is_none().then_some(()).ok_or(format!("{found:?}"))
    })
    .await
    .unwrap();
    assert_eq!(labels_of(&client, &scene.node_name("a"), &name).await.len(), 1);
}

/// Nodes that are gone hold nothing up.
#[tokio::test]
async fn with_its_nodes_gone() {
    let scene = Scene::new("no-nodes").await;
    scene.node("a", &[("gpu", "h100")]).await;
    scene
        .labeler("gpus", ("gpu", "Exists", &[]), &[("tier", "gold")])
        .await;
    scene.wait("gpus", "Ready").await;
    scene.stand.proxy.set_unreachable(true);
    crate::scene::delete_node(&scene.space().client, &scene.node_name("a")).await;
    scene.space().delete::<AutoNodeLabeler>("gpus").await;
    scene.stand.proxy.set_unreachable(false);
    scene.space().wait_gone::<AutoNodeLabeler>("gpus").await;
}

/// Without the right to patch nodes the labeler says so, and its deletion ends all the same, with an Event that tells
/// what stays.
/// Promises: S4-29
#[tokio::test]
async fn without_the_right_to_write_nodes() {
    let space = Space::of(cluster().await, "no-patch").await;
    let namespace = space.namespace.clone();
    let key = |name: &str| format!("{namespace}.example.com/{name}");
    let node = format!("{namespace}-a");
    make_node(&space.client, &node, &[(key("gpu"), "h100".to_owned())].into()).await;
    let labels = [(key("tier"), "gold")].into();
    space
        .apply(&crate::scene::labeler(
            "gpus",
            &key("gpu"),
            "Exists",
            &[],
            &labels,
        ))
        .await;
    let args = alone(&namespace);

    // First with the right, so that there is something to leave behind.
    let shipped = repository_file("config/rbac/cluster_role.yaml");
    let access = account("no-patch", &shipped).await;
    let _operator = ready(&access, "no-patch", &args).await;
    wait_reason(&space, "gpus", "Ready").await;
    let without = shipped.replace(
        "    resources: [\"nodes\"]\n    verbs: [\"patch\"]\n",
        "    resources: [\"nodes\"]\n    verbs: [\"get\"]\n",
    );
    assert_ne!(shipped, without);
    cluster()
        .await
        .apply_yaml(&role_of("no-patch", &without))
        .await
        .unwrap();
    // The API server acts on a changed role a moment after it has stored it.
    let account = format!("--as=system:serviceaccount:{SYSTEM_NAMESPACE}:no-patch");
    testkit::until("the right is gone", PATIENCE, async || {
        let (_, said) = space
            .kubectl(&["auth", "can-i", "patch", "nodes", &account])
            .await;
        said.starts_with("no").then_some(()).ok_or(said)
    })
    .await
    .unwrap();

    let labels = [(key("tier"), "lead")].into();
    space
        .apply(&crate::scene::labeler(
            "gpus",
            &key("gpu"),
            "Exists",
            &[],
            &labels,
        ))
        .await;
    let status = wait_reason(&space, "gpus", "Forbidden").await;
    assert_eq!(status.state, Some(State::Blocked));
    for words in ["1 node could not be labelled", node.as_str(), "ClusterRole"] {
        assert!(sentence(&status, "Ready").contains(words), "{words}: {status:?}");
    }
    space.delete::<AutoNodeLabeler>("gpus").await;
    let status = crate::scene::wait_status(&space, "gpus", "terminating", |status| {
        status.state == Some(State::Terminating)
    })
    .await;
    assert!(sentence(&status, "Ready").contains("1 node"), "{status:?}");
    let api = space.api::<AutoNodeLabeler>();
    testkit::until("it is gone after a minute", PATIENCE * 2, async || {
        let found = api.get_opt("gpus").await.unwrap();
        found.is_none().then_some(()).ok_or(format!("{found:?}"))
    })
    .await
    .unwrap();
    testkit::until("an Event", PATIENCE, async || {
        let events = space.events("gpus").await;
        events
            .contains_key("LabelsLeft")
            .then_some(())
            .ok_or(format!("{events:?}"))
    })
    .await
    .unwrap();
    // The right comes back: what was left is known by its manager, and goes.
    cluster()
        .await
        .apply_yaml(&role_of("no-patch", &shipped))
        .await
        .unwrap();
    let again = ready(&access, "no-patch-again", &args).await;
    crate::scene::wait_labels(&space.client, &node, &key("tier"), &[].into()).await;
    drop(again);
}

/// Without the right to watch nodes the labeler says so, and works when it is granted; other kinds are not held up.
/// Promises: S4-29
#[tokio::test]
async fn without_the_right_to_watch_nodes() {
    let space = Space::of(cluster().await, "no-nodes-watch").await;
    let namespace = space.namespace.clone();
    let key = |name: &str| format!("{namespace}.example.com/{name}");
    let node = format!("{namespace}-a");
    make_node(&space.client, &node, &[(key("gpu"), "h100".to_owned())].into()).await;
    let shipped = repository_file("config/rbac/cluster_role.yaml");
    let without = shipped.replace("[\"nodes\", \"events\"]", "[\"events\"]");
    assert_ne!(shipped, without);
    let access = account("no-nodes-watch", &without).await;
    let args = alone(&namespace);
    let _operator = ready(&access, "no-nodes-watch", &args).await;
    let labels = [(key("tier"), "gold")].into();
    space
        .apply(&crate::scene::labeler(
            "gpus",
            &key("gpu"),
            "Exists",
            &[],
            &labels,
        ))
        .await;
    let status = wait_reason(&space, "gpus", "NodesUnwatched").await;
    assert_eq!(told(&status, "Applied"), ("False", "NodesUnwatched"));
    cluster()
        .await
        .apply_yaml(&role_of("no-nodes-watch", &shipped))
        .await
        .unwrap();
    let expected = [(key("tier"), "gold".to_owned())].into();
    crate::scene::wait_labels(&space.client, &node, &key("tier"), &expected).await;
    wait_reason(&space, "gpus", "Ready").await;
}

/// Labels that were set survive an API server that does not serve labelers for a moment, or refuses to list them.
#[tokio::test]
async fn no_label_goes_because_labelers_cannot_be_seen() {
    let mut scene = Scene::new("unseen").await;
    scene.node("a", &[("gpu", "h100")]).await;
    scene
        .labeler("gpus", ("gpu", "Exists", &[]), &[("tier", "gold")])
        .await;
    scene.wait("gpus", "Ready").await;
    let mark = scene.mark().await;
    let stand: &mut Stand = &mut scene.stand;
    stand.operator.process.kill9();
    let shipped = repository_file("config/rbac/cluster_role.yaml");
    let without = shipped.replace(
        "\"autonodelabelers\"]\n    verbs: [\"list\", \"watch\", ",
        "\"autonodelabelers\"]\n    verbs: [",
    );
    assert_ne!(shipped, without);
    let access = account("unseen", &without).await;
    let namespace = stand.space.namespace.clone();
    let args = alone(&namespace);
    let operator = ready(&access, "unseen", &args).await;
    // It works: it has looked at the nodes, and at a change of one.
    scene.label("a", "noise=1").await;
    testkit::until("nodes were looked at", PATIENCE, async || {
        let page = crate::common::scrape::scrape(&operator).await;
        let count = page.sum(
            "llm_operator_reconcile_duration_seconds_count",
            &[("kind", "Node")],
        );
        (count >= 1.0).then_some(()).ok_or(count)
    })
    .await
    .unwrap();
    assert!(scene.node_writes(&mark).await.is_empty());
    scene
        .wait_labels("a", &[("gpu", "h100"), ("tier", "gold"), ("noise", "1")])
        .await;
}

/// Flags of an operator of one namespace, an installation of its own.
fn alone(namespace: &str) -> [&str; 6] {
    [
        "--leader-elect",
        "false",
        "--lease-name",
        namespace,
        "--watch-namespace",
        namespace,
    ]
}

async fn ready(access: &testkit::Access, name: &str, args: &[&str]) -> crate::common::Operator {
    let mut operator = spawn_operator(access, name, args);
    let url = format!("{}/readyz", operator.url);
    operator.process.wait_ready(&url, PATIENCE).await.unwrap();
    operator
}

/// A service account `name` with `role` in place of the shipped one.
async fn account(name: &str, role: &str) -> testkit::Access {
    let cluster = cluster().await;
    cluster.apply_yaml(&role_of(name, role)).await.unwrap();
    let subject = format!(
        "---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: {name}, namespace: {SYSTEM_NAMESPACE}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: {name}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {name}}}
subjects:
  - {{kind: ServiceAccount, name: {name}, namespace: {SYSTEM_NAMESPACE}}}
"
    );
    cluster.apply_yaml(&subject).await.unwrap();
    cluster.service_account(SYSTEM_NAMESPACE, name).await.unwrap()
}

fn role_of(name: &str, role: &str) -> String {
    role.replacen("  name: llm-operator\n", &format!("  name: {name}\n"), 1)
}
