//! The scripts on an empty cluster: a definition that does nothing, then an operator that they bring.

use std::collections::BTreeSet;

use k8s_openapi::{
    api::rbac::v1::{ClusterRole, PolicyRule, Role},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{Api, api::ListParams};
use testkit::Cluster;

use crate::{common::repository_file, kubectl, passes, pod, script, try_kubectl};

/// A definition alone does nothing; the operator in its Pod, with its own Role, acts; its log and rights are where the document
/// looks for them; all of it goes again.
/// Promises: S3-6, S3-7, S3-8, S3-17, S3-19, S3-20, S3-21, S3-23, S3-24
#[tokio::test]
async fn they_bring_an_operator_where_there_is_none() {
    let cluster = pod::cluster().await;
    let said = passes(&cluster, "01-test-crd.sh").await;
    let nothing = "ok: no Deployment, no Service, no Pod, no status: it takes an operator to act";
    assert!(said.contains(nothing), "{said}");

    let said = passes(&cluster, "02-test-operator.sh").await;
    for words in [
        "ok: its ServiceAccount may create deployments",
        "ok: its Role has the status",
        "ok: there is another Deployment my-chat",
        "ok: my-chat is Ready",
        "Ready=True",
        "llmmodel/my-chat",
    ] {
        assert!(said.contains(words), "{words}:\n{said}");
    }
    as_the_document_looks(&cluster).await;
    debug_logging(&cluster).await;

    let again = passes(&cluster, "test-all-crd-operator.sh").await;
    assert!(again.contains("ALL PASSED"), "{again}");
    refuses_to_delete_others(&cluster).await;
    let said = passes(&cluster, "cleanup-all-crd-operator.sh").await;
    assert!(said.contains("is gone, and with it every instance"), "{said}");
    let crds: Api<CustomResourceDefinition> = Api::all(cluster.admin_client().await.unwrap());
    assert!(crds.list(&ListParams::default()).await.unwrap().items.is_empty());
    let kinds =
        "deployments,services,pods,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings";
    let left = kubectl(
        &cluster,
        &["get", kinds, "-A", "-l", "app=llm-operator", "-o", "name"],
    )
    .await;
    assert_eq!(left, "");
}

/// The document's own commands, without a namespace.
async fn as_the_document_looks(cluster: &Cluster) {
    let pods = kubectl(cluster, &["get", "pods", "-l", "app=llm-operator"]).await;
    assert!(pods.contains("1/1") && pods.contains("Running"), "{pods}");
    let log = kubectl(cluster, &["logs", "-l", "app=llm-operator", "--tail=100"]).await;
    assert!(log.contains("leading") && !log.contains("DEBUG"), "{log}");
    let account = "--as=system:serviceaccount:default:llm-operator";
    let may = kubectl(cluster, &["auth", "can-i", "create", "deployments", account]).await;
    assert_eq!(may.trim(), "yes");
    let (may, said) = try_kubectl(
        cluster,
        &[
            "auth",
            "can-i",
            "create",
            "deployments",
            account,
            "-n",
            "kube-system",
        ],
    )
    .await;
    assert!(!may, "no more than it needs: {said}");
    let role = kubectl(cluster, &["get", "role", "llm-operator", "-o", "yaml"]).await;
    assert!(role.contains("llmmodels/status"), "{role}");
    let path = "jsonpath={.spec.versions[0].subresources}";
    let subresources = kubectl(cluster, &["get", "crd", "llmmodels.ai.example.com", "-o", path]).await;
    assert!(subresources.contains("status"), "{subresources}");
    let events = kubectl(cluster, &["get", "events", "--sort-by=.lastTimestamp"]).await;
    assert!(events.contains("llmmodel/my-chat"), "{events}");
}

async fn debug_logging(cluster: &Cluster) {
    kubectl(
        cluster,
        &["set", "env", "deployment/llm-operator", "LOG_LEVEL=debug"],
    )
    .await;
    kubectl(
        cluster,
        &["rollout", "status", "deployment/llm-operator", "--timeout=60s"],
    )
    .await;
    testkit::until("the log has more to say", crate::PATIENCE, async || {
        let (_, log) = try_kubectl(cluster, &["logs", "-l", "app=llm-operator", "--tail=1000"]).await;
        log.contains("DEBUG").then_some(()).ok_or(log)
    })
    .await
    .unwrap();
}

/// Somebody's own model is not deleted with the examples' definition, unless that is asked for.
async fn refuses_to_delete_others(cluster: &Cluster) {
    let other = "apiVersion: ai.example.com/v1\nkind: LLMModel\nmetadata: {name: mine, namespace: kube-public}\n\
        spec: {modelName: qwen2.5-0.5b}\n";
    cluster.apply_yaml(other).await.unwrap();
    let (passed, said) = script(cluster, "cleanup-all-crd-operator.sh").await;
    assert!(
        passed && said.contains("has instances of others; it stays"),
        "{said}"
    );
    kubectl(cluster, &["get", "llmmodel", "mine", "-n", "kube-public"]).await;
    kubectl(cluster, &["delete", "llmmodel", "mine", "-n", "kube-public"]).await;
}

/// One right: group, resource, names, verb.
type Right = (String, String, Vec<String>, String);

fn rights(rules: &[PolicyRule]) -> BTreeSet<Right> {
    let mut all = BTreeSet::new();
    for rule in rules {
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                for verb in &rule.verbs {
                    let names = rule.resource_names.clone().unwrap_or_default();
                    all.insert((group.clone(), resource.clone(), names, verb.clone()));
                }
            }
        }
    }
    all
}

/// The example's Role is what is shipped, as far as that has a namespace, and the right to one lease; nothing more.
/// Promises: S3-21, S3-31
#[test]
fn the_example_has_the_shipped_rights_of_a_namespace() {
    let shipped: ClusterRole =
        serde_saphyr::from_str(&repository_file("config/rbac/cluster_role.yaml")).unwrap();
    let example = repository_file("examples/crd-operator/02-simple-operator.yaml");
    let documents: Vec<serde_json::Value> = example
        .split("\n---\n")
        .map(|document| serde_saphyr::from_str(document).unwrap())
        .collect();
    let of = |kind: &str| {
        let found = documents.iter().find(|document| document["kind"] == kind);
        found.unwrap().clone()
    };
    let role: Role = serde_json::from_value(of("Role")).unwrap();
    let cluster: ClusterRole = serde_json::from_value(of("ClusterRole")).unwrap();
    let without_namespace = |right: &Right| matches!(right.1.as_str(), "nodes" | "storageclasses");
    // An operator of one namespace leaves llm-d alone, which belongs to the whole cluster.
    let of_llm_d = |right: &Right| {
        let names = right.2.iter().any(|name| name.ends_with("opendatahub.io"));
        names || right.0.ends_with("opendatahub.io")
    };
    let (wide, narrow): (BTreeSet<Right>, BTreeSet<Right>) = rights(&shipped.rules.unwrap())
        .into_iter()
        .filter(|right| !of_llm_d(right))
        .partition(without_namespace);
    let mut has = rights(&role.rules.unwrap());
    has.retain(|right| right.0 != "coordination.k8s.io");
    assert_eq!(has, narrow);
    let reads: BTreeSet<Right> = wide.into_iter().filter(|right| right.3 != "patch").collect();
    assert_eq!(rights(&cluster.rules.unwrap()), reads, "nodes are only read");
}
