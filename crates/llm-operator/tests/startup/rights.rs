//! Rights that are missing.

use crate::common::{
    PATIENCE, SYSTEM_NAMESPACE, Space, page, repository_file, spawn_operator,
    stand::{SMALL_MODEL, cluster, small_deployments},
    start_operator,
};

/// A service account `name` with the shipped role after `edit`.
async fn account(name: &str, edit: impl Fn(&str) -> String) -> testkit::Access {
    let cluster = cluster().await;
    let role = repository_file("config/rbac/cluster_role.yaml");
    let edited = edit(&role);
    assert_ne!(role, edited, "the role has what is taken away");
    cluster.apply_yaml(&role_of(name, &edited)).await.unwrap();
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

/// Without the right to watch Services the operator is not ready, and says which right; when it is granted, it works
/// without a restart.
#[tokio::test]
async fn a_watch_that_is_forbidden() {
    let shipped = repository_file("config/rbac/cluster_role.yaml");
    let access = account("no-watch", |role| {
        role.replace(
            "    resources: [\"services\", \"configmaps\"]\n    verbs: [\"get\", \"list\", \"watch\", ",
            "    resources: [\"services\", \"configmaps\"]\n    verbs: [",
        )
    })
    .await;
    let space = Space::of(cluster().await, "no-watch").await;
    let args = [
        "--leader-elect",
        "false",
        "--watch-namespace",
        space.namespace.as_str(),
    ];
    let mut operator = spawn_operator(&access, "no-watch", &args);
    let url = format!("{}/readyz", operator.url);
    testkit::until("readyz names the right", PATIENCE, async || {
        let (code, text) = page(&url).await;
        let told = text.contains("note: services: may not be watched")
            && text.contains("cannot list resource \"services\"");
        (code == 503 && told)
            .then_some(())
            .ok_or(format!("{code} {text}"))
    })
    .await
    .unwrap();
    let log = operator.process.log();
    assert!(
        log.contains("may not be watched") && log.contains("cannot list resource \\\"services\\\"")
            || log.contains("cannot list resource \"services\""),
        "{log}"
    );

    cluster()
        .await
        .apply_yaml(&role_of("no-watch", &shipped))
        .await
        .unwrap();
    operator.process.wait_ready(&url, PATIENCE).await.unwrap();
    space.apply(SMALL_MODEL).await;
    space.apply(&small_deployments(["chat"])).await;
    space.wait_state("chat", "Ready").await;
}

/// Without the right to write Services the resource says so, and names the role that lacks it.
#[tokio::test]
async fn a_write_that_is_forbidden() {
    let access = account("no-write", |role| {
        role.replace(
            "    resources: [\"services\", \"configmaps\"]\n    verbs: [\"get\", \"list\", \"watch\", \"create\", \"patch\", \"delete\"]",
            "    resources: [\"services\", \"configmaps\"]\n    verbs: [\"get\", \"list\", \"watch\"]",
        )
    })
    .await;
    let space = Space::of(cluster().await, "no-write").await;
    let args = [
        "--leader-elect",
        "false",
        "--watch-namespace",
        space.namespace.as_str(),
    ];
    let operator = start_operator(&access, "no-write", &args).await;
    space.apply(SMALL_MODEL).await;
    space.apply(&small_deployments(["chat"])).await;
    let message = space.wait_reason("chat", "Forbidden").await;
    for word in ["Service chat", "ClusterRole", "cannot"] {
        assert!(message.contains(word), "{word}: {message}");
    }
    // The log tells it after the status.
    testkit::until("the log tells it", PATIENCE, async || {
        let log = operator.process.log();
        log.contains("reason=\"Forbidden\"").then_some(()).ok_or(log)
    })
    .await
    .unwrap();
}
