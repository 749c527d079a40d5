//! A release from its installation to its removal, in the namespaces of the documents.

use serde_json::json;

use crate::{
    bed::{TURN, cluster, kubectl, nothing_is_left, run_helm, says, try_helm},
    common::{leftovers::FINALIZED, repository_file, root},
    rendered::text,
};

/// What an operator makes where its numbers are asked for; in `NAMESPACE`.
const API: &str = "
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata:
  name: v1beta1.external.metrics.k8s.io
  labels: {app.kubernetes.io/managed-by: llm-operator, app.kubernetes.io/component: external-metrics}
spec:
  group: external.metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  service: {namespace: NAMESPACE, name: llm-operator-external-metrics, port: 443}
";

/// A namespace that takes only restricted Pods.
async fn restricted(namespace: &str) {
    kubectl(&format!(
        "label namespace {namespace} --overwrite pod-security.kubernetes.io/enforce=restricted \
         pod-security.kubernetes.io/warn=restricted"
    ))
    .await;
}

/// A model that the operator serves, with its Deployment's uid and its Pods.
pub async fn serve(namespace: &str) -> String {
    let files = root().join("examples/llm");
    for file in ["model.yaml", "deployment.yaml"] {
        kubectl(&format!("apply -n {namespace} -f {}", files.join(file).display())).await;
    }
    says(
        &format!("get llmdeployment -n {namespace} chat-service -o jsonpath={{.status.state}}"),
        "Ready",
    )
    .await;
    served(namespace).await
}

/// Whether what serves is the same, and runs on.
pub async fn served(namespace: &str) -> String {
    let what = "jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[0].containerID}{.metadata.deletionTimestamp}{\"\\n\"}{end}";
    kubectl_args(&[
        "get",
        "deployments,pods",
        "-n",
        namespace,
        "-l",
        "llm-operator.io/name=chat-service",
        "-o",
        what,
    ])
    .await
}

async fn kubectl_args(args: &[&str]) -> String {
    let output = cluster().await.kubectl(args).await.unwrap();
    let said = text(&output);
    assert!(output.status.success(), "kubectl {args:?}: {said}");
    said
}

/// Waits until the operator's replicas are those of its Deployment.
pub async fn rolled_out(namespace: &str) {
    kubectl(&format!(
        "rollout status -n {namespace} deployment/llm-operator --timeout=60s"
    ))
    .await;
}

/// Only the other's finalizer is left; then it goes too, and nothing is stuck.
async fn let_go(namespace: &str) {
    for resource in [
        format!("autonodelabelers.premlabs.io left -n {namespace}"),
        format!("nvidiagpullms.infra.example.com left -n {namespace}"),
        "llmds default-llm-d".to_owned(),
    ] {
        let left = kubectl(&format!("get {resource} -o jsonpath={{.metadata.finalizers}}")).await;
        assert_eq!(left.trim(), r#"["example.com/other"]"#, "{resource}");
        kubectl(&format!("delete --wait=false {resource}")).await;
        let none = json!({"metadata": {"finalizers": null}}).to_string();
        let mut args = vec!["patch"];
        args.extend(resource.split(' '));
        args.extend(["--type=merge", "-p", &none]);
        kubectl_args(&args).await;
    }
}

/// The document's three commands; then another version of values and definitions, and removal: what serves runs on through all
/// of it, nothing waits for an operator that is gone, and no API is left that nobody answers.
/// Promises: S2-15
#[tokio::test]
async fn a_release_lives_in_llm_system() {
    let _turn = TURN.lock().await;
    kubectl("create namespace llm-system").await;
    let crds = root().join("helm-charts/llm-operator/crds/");
    kubectl(&format!("apply -f {}", crds.display())).await;
    restricted("llm-system").await;
    let said = run_helm(&[
        "install",
        "llm-operator",
        "./helm-charts/llm-operator",
        "--namespace",
        "llm-system",
    ])
    .await;
    assert!(
        said.contains("rollout status deployment/llm-operator"),
        "notes: {said}"
    );
    assert!(!said.contains("would violate PodSecurity"), "{said}");
    rolled_out("llm-system").await;
    let log = kubectl("logs -n llm-system -l app=llm-operator --tail=-1").await;
    assert!(log.contains("starting"), "{log}");
    kubectl("create namespace team-one").await;
    let before = serve("team-one").await;

    // Definitions of an older version, which Helm leaves as they are.
    let definition = repository_file("config/crd/infra.example.com_nvidiagpullms.yaml");
    let mut older: serde_json::Value = serde_saphyr::from_str(&definition).unwrap();
    let schema =
        &mut older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
    assert!(schema.as_object_mut().unwrap().remove("keepAlive").is_some());
    cluster().await.apply_yaml(&older.to_string()).await.unwrap();
    let keep_alive = "get crd nvidiagpullms.infra.example.com -o jsonpath={.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.keepAlive.type}";
    let upgrade = |more: &'static [&'static str]| {
        let args = [
            "upgrade",
            "llm-operator",
            "./helm-charts/llm-operator",
            "--namespace",
            "llm-system",
            "--wait",
            "--timeout",
            "60s",
        ];
        [&args[..], more].concat()
    };
    let said = run_helm(&upgrade(&["--set", "replicas=1,logLevel=debug"])).await;
    assert!(
        said.contains("--server-side --force-conflicts -f crds/"),
        "notes: {said}"
    );
    assert_eq!(kubectl(keep_alive).await, "");
    let said = run_helm(&upgrade(&[
        "--set",
        "replicas=1,logLevel=debug,installCrds=true,charts.rights=false",
    ]))
    .await;
    assert!(!said.contains("charts.rights is on"), "{said}");
    says(keep_alive, "boolean").await;
    let role = try_kubectl("get clusterrole llm-operator-charts").await;
    assert!(role.contains("NotFound"), "{role}");
    rolled_out("llm-system").await;
    assert_eq!(
        kubectl("get deployment -n llm-system llm-operator -o jsonpath={.status.readyReplicas}").await,
        "1"
    );
    says(
        "get llmdeployment -n team-one chat-service -o jsonpath={.status.state}",
        "Ready",
    )
    .await;
    assert_eq!(served("team-one").await, before, "an upgrade restarts nothing");

    cluster()
        .await
        .apply_yaml(&FINALIZED.replace("NAMESPACE", "team-one"))
        .await
        .unwrap();
    cluster()
        .await
        .apply_yaml(&API.replace("NAMESPACE", "llm-system"))
        .await
        .unwrap();
    run_helm(&[
        "uninstall",
        "llm-operator",
        "--namespace",
        "llm-system",
        "--wait",
        "--timeout",
        "90s",
    ])
    .await;
    nothing_is_left().await;
    let apis = kubectl("get apiservices -o name").await;
    assert!(!apis.contains("external.metrics"), "{apis}");
    assert_eq!(served("team-one").await, before, "removal restarts nothing");
    let_go("team-one").await;
    kubectl("delete namespace llm-system team-one --timeout=60s").await;
}

async fn try_kubectl(line: &str) -> String {
    let args: Vec<&str> = line.split(' ').collect();
    text(&cluster().await.kubectl(&args).await.unwrap())
}

/// In `default`, as another document has it, and without the definitions applied before; what others have stays.
/// Promises: S2-15, S3-19, S3-20, S3-21, S3-24
#[tokio::test]
async fn a_release_lives_in_default() {
    let _turn = TURN.lock().await;
    restricted("default").await;
    run_helm(&[
        "install",
        "llm-operator",
        "./helm-charts/llm-operator",
        "--set",
        "replicas=1",
        "--wait",
        "--timeout",
        "60s",
    ])
    .await;
    let may = kubectl("auth can-i create deployments --as=system:serviceaccount:default:llm-operator").await;
    assert_eq!(may.trim(), "yes");
    let may = try_kubectl("auth can-i delete nodes --as=system:serviceaccount:default:llm-operator").await;
    assert!(may.contains("no"), "{may}");
    for kind in ["role", "clusterrole"] {
        let shown = kubectl(&format!("get {kind} llm-operator -o yaml")).await;
        assert!(shown.contains("llmdeployments/status"), "{shown}");
    }
    let found = kubectl("get deployments -l app=llm-operator -o name").await;
    assert_eq!(found.trim(), "deployment.apps/llm-operator");
    kubectl("set env deployment/llm-operator LOG_LEVEL=debug").await;
    rolled_out("default").await;
    says("logs -l app=llm-operator --tail=-1", "DEBUG").await;
    // Helm does not take back unasked what somebody else has set.
    let upgrade = [
        "upgrade",
        "llm-operator",
        "./helm-charts/llm-operator",
        "--set",
        "replicas=1,logLevel=warn",
    ];
    let refused = text(&try_helm(&upgrade).await);
    assert!(refused.contains("conflict"), "{refused}");
    run_helm(&[&upgrade[..], &["--force-conflicts"]].concat()).await;
    let level = "get deployment llm-operator -o jsonpath={.spec.template.spec.containers[0].env[?(@.name==\"LOG_LEVEL\")].value}";
    assert_eq!(kubectl(level).await, "warn");

    // An adapter of somebody else is left as it is.
    cluster()
        .await
        .apply_yaml(&API.replace("NAMESPACE", "elsewhere"))
        .await
        .unwrap();
    cluster()
        .await
        .apply_yaml(&FINALIZED.replace("NAMESPACE", "default"))
        .await
        .unwrap();
    run_helm(&["uninstall", "llm-operator", "--wait", "--timeout", "90s"]).await;
    nothing_is_left().await;
    assert!(
        kubectl("get apiservices -o name")
            .await
            .contains("external.metrics")
    );
    kubectl("delete apiservice v1beta1.external.metrics.k8s.io").await;
    let_go("default").await;
    let again = try_helm(&["uninstall", "llm-operator"]).await;
    assert!(text(&again).contains("not found"), "{}", text(&again));
}
