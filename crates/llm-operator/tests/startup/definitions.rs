//! Custom resource definitions that are missing, come later, or are installed by the operator.

use k8s_openapi::{
    api::apps::v1::Deployment,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::Api;
use testkit::Cluster;

use crate::common::{
    PATIENCE, Space, install, operator_access, page, repository_file, spawn_operator,
    stand::{SMALL_MODEL, small_deployments},
    start_operator,
};

pub const BINDING: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: llm-operator-install-crds
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: llm-operator-install-crds
subjects:
  - kind: ServiceAccount
    name: llm-operator
    namespace: llm-system
";

async fn cluster_without_definitions() -> &'static Cluster {
    let cluster = Cluster::builder().start().await.unwrap();
    let cluster: &'static Cluster = Box::leak(Box::new(cluster));
    install(cluster, false).await;
    cluster
}

async fn works(cluster: &'static Cluster) {
    let space = Space::of(cluster, "works").await;
    space.apply(SMALL_MODEL).await;
    space.apply(&small_deployments(["chat"])).await;
    space.wait::<Deployment>("is made", "chat", |_| true).await;
}

/// Started before its definitions: ready, and says what is missing and how to install it. When they come it works, as
/// the same process, and says nothing more.
#[tokio::test]
async fn definitions_may_come_later() {
    let cluster = cluster_without_definitions().await;
    let access = operator_access(cluster).await;
    let mut operator = start_operator(&access, "later", &["--leader-elect", "false"]).await;
    let url = format!("{}/readyz", operator.url);
    let (code, text) = page(&url).await;
    assert_eq!(code, 200, "{text}");
    for (plural, group) in [
        ("llmmodels", "llm.example.com"),
        ("llmdeployments", "llm.example.com"),
        ("aideployments", "premlabs.io"),
        ("aimodelmaps", "premlabs.io"),
        ("llmmodels", "ai.example.com"),
        ("modeldeployments", "ai.example.com"),
    ] {
        let note = text
            .lines()
            .find(|line| line.starts_with(&format!("note: {plural}.{group}: not served")))
            .unwrap_or_else(|| panic!("{plural}: {text}"));
        assert!(note.contains("llm-operator crds | kubectl apply"), "{note}");
        let log = operator.process.log();
        let told = log.lines().filter(|line| {
            line.contains("not served by this cluster") && line.contains(plural) && line.contains(group)
        });
        assert_eq!(told.count(), 1, "said once: {log}");
    }

    install(cluster, true).await;
    works(cluster).await;
    testkit::until("no note is left", PATIENCE, async || {
        let (_, text) = page(&url).await;
        if text.contains("note:") { Err(text) } else { Ok(()) }
    })
    .await
    .unwrap();
    assert_eq!(operator.process.exit_code(), None, "the same process");

    // And they may go again, with everything in them.
    let crds: Api<CustomResourceDefinition> = Api::all(cluster.admin_client().await.unwrap());
    crds.delete(
        "llmdeployments.llm.example.com",
        &kube::api::DeleteParams::default(),
    )
    .await
    .unwrap();
    testkit::until("the note is back", PATIENCE, async || {
        let (_, text) = page(&url).await;
        text.contains("note: llmdeployments.llm.example.com: not served")
            .then_some(())
            .ok_or(text)
    })
    .await
    .unwrap();
    install(cluster, true).await;
    works(cluster).await;
}

/// Who has only the one family installed is served; what is missing of the other is said.
#[tokio::test]
async fn one_family_does_without_the_other() {
    let cluster = cluster_without_definitions().await;
    let ours = api::crds()
        .into_iter()
        .filter(|crd| crd.spec.group == "llm.example.com");
    let ours: Vec<String> = ours.map(|crd| serde_json::to_string(&crd).unwrap()).collect();
    cluster.apply_yaml(&ours.join("\n---\n")).await.unwrap();
    let access = operator_access(cluster).await;
    let operator = start_operator(&access, "one", &["--leader-elect", "false"]).await;
    works(cluster).await;
    let (code, text) = page(&format!("{}/readyz", operator.url)).await;
    assert_eq!(code, 200, "{text}");
    for name in [
        "aideployments.premlabs.io",
        "aimodelmaps.premlabs.io",
        "llmmodels.ai.example.com",
    ] {
        assert!(text.contains(&format!("note: {name}: not served")), "{text}");
    }
    assert!(!text.contains("llm.example.com"), "{text}");
}

/// `--install-crds` needs a role of its own: without it the operator says which, with it the definitions are installed,
/// and a second start leaves them as they are.
#[tokio::test]
async fn the_operator_installs_them_when_asked() {
    let cluster = cluster_without_definitions().await;
    let access = operator_access(cluster).await;
    let mut refused = spawn_operator(&access, "refused", &["--leader-elect", "false", "--install-crds"]);
    let code = testkit::until("it gives up", PATIENCE, async || refused.process.exit_code())
        .await
        .unwrap();
    let log = refused.process.log();
    assert_eq!(code, 1, "{log}");
    let last = log.lines().last().unwrap();
    for word in [
        "cannot install llmmodels.llm.example.com",
        "forbidden",
        "llm-operator-install-crds",
        "llm-operator crds | kubectl apply",
    ] {
        assert!(last.contains(word), "{word}: {last}");
    }

    cluster
        .apply_yaml(&repository_file("config/rbac/install_crds_role.yaml"))
        .await
        .unwrap();
    cluster.apply_yaml(BINDING).await.unwrap();
    let args = ["--leader-elect", "false", "--install-crds"];
    let mut operator = start_operator(&access, "installs", &args).await;
    works(cluster).await;
    assert_eq!(operator.process.terminate(PATIENCE).await.unwrap(), 0);

    let crds: Api<CustomResourceDefinition> = Api::all(cluster.admin_client().await.unwrap());
    let before = crds.get("llmmodels.llm.example.com").await.unwrap().metadata;
    // A manifest may leave WATCH_NAMESPACE empty: all namespaces.
    let args = [
        "--leader-elect",
        "false",
        "--install-crds",
        "true",
        "--watch-namespace=",
    ];
    let _again = start_operator(&access, "again", &args).await;
    let after = crds.get("llmmodels.llm.example.com").await.unwrap().metadata;
    assert_eq!(after.resource_version, before.resource_version);
    works(cluster).await;
}
