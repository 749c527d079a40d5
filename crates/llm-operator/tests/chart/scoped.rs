//! An operator of namespaces: Roles there instead of rights in the whole cluster.

use crate::{
    bed::{TURN, cluster, kubectl, nothing_is_left, run_helm, says},
    common::root,
    objects::{has, one},
    rendered::{rendered, variables},
};

/// Kinds that belong to no namespace.
const OF_THE_CLUSTER: [&str; 3] = ["ClusterRole", "ClusterRoleBinding", "APIService"];

/// Nothing is of the whole cluster, not even for the removal; what is watched has a Role each, with the families' rights.
#[test]
fn nothing_belongs_to_the_whole_cluster() {
    let objects = rendered("ops", "watchNamespaces: [team-a, team-b]");
    for id in objects.keys() {
        assert!(!OF_THE_CLUSTER.contains(&id.0.as_str()), "{id:?}");
        assert!(["ops", "team-a", "team-b"].contains(&id.1.as_str()), "{id:?}");
    }
    for namespace in ["team-a", "team-b"] {
        let id = (
            "RoleBinding".to_owned(),
            namespace.to_owned(),
            "llm-operator-namespace".to_owned(),
        );
        let subjects = &objects[&id]["subjects"];
        assert_eq!(subjects[0]["namespace"], "ops");
        assert!(objects.contains_key(&("Role".to_owned(), id.1, id.2)));
    }
    assert!(has(&objects, "Role", "llm-operator"), "its lease");
    assert!(!has(&objects, "Service", "llm-operator-external-metrics"));
    let variables = variables(&objects);
    assert_eq!(variables["WATCH_NAMESPACE"], "team-a,team-b");

    let narrow = rendered("ops", "{watchNamespaces: [team-a], families: [llm]}");
    let words = one(&narrow, "Role", "llm-operator-namespace")["rules"].to_string();
    assert!(
        words.contains("llm.example.com") && !words.contains("premlabs.io"),
        "{words}"
    );
    // Whoever wants definitions to follow says so, and grants that one right of the whole cluster.
    let asked = rendered("ops", "{watchNamespaces: [team-a], installCrds: true}");
    for id in asked.keys().filter(|id| OF_THE_CLUSTER.contains(&id.0.as_str())) {
        assert_eq!(id.2, "llm-operator-install-crds");
    }
}

/// It serves where it watches, its own namespace among them, and can be removed.
#[tokio::test]
async fn a_release_of_one_namespace_lives() {
    let _turn = TURN.lock().await;
    kubectl("create namespace ops").await;
    kubectl("create namespace team-a").await;
    run_helm(&[
        "install",
        "llm-operator",
        "./helm-charts/llm-operator",
        "--namespace",
        "ops",
        "--set",
        "watchNamespaces={team-a,ops},replicas=1",
        "--wait",
        "--timeout",
        "60s",
    ])
    .await;
    for namespace in ["team-a", "ops"] {
        for file in ["model.yaml", "deployment.yaml"] {
            let file = root().join("examples/llm").join(file);
            kubectl(&format!("apply -n {namespace} -f {}", file.display())).await;
        }
    }
    for namespace in ["team-a", "ops"] {
        says(
            &format!("get llmdeployment -n {namespace} chat-service -o jsonpath={{.status.state}}"),
            "Ready",
        )
        .await;
    }
    let finalized = "
apiVersion: infra.example.com/v1
kind: NvidiaGpuLlm
metadata: {name: left, namespace: team-a, finalizers: [infra.example.com/gpu-llm]}
spec: {action: install, llmName: left}
";
    cluster().await.apply_yaml(finalized).await.unwrap();
    let all = kubectl("get clusterroles,clusterrolebindings -o name").await;
    assert!(!all.contains("llm-operator"), "{all}");
    run_helm(&[
        "uninstall",
        "llm-operator",
        "--namespace",
        "ops",
        "--wait",
        "--timeout",
        "90s",
    ])
    .await;
    nothing_is_left().await;
    let left = kubectl("get gpullm -n team-a left -o jsonpath={.metadata.finalizers}").await;
    assert_eq!(left, "");
    kubectl("delete namespace ops team-a --timeout=60s").await;
}
