//! The document's best practices, as an operator that looks at everything three times a second keeps them.

use api::ai_example_com::v1::LLMModel;
use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        core::v1::{Pod, Service},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Resource,
    api::{ListParams, ObjectMeta},
};
use testkit::{
    Cluster, NodeOptions,
    plane::audit::{Filter, Request},
};

use crate::{
    common::{PATIENCE, Space, install, operator_access, scrape::scrape, start_operator},
    plane,
};

const MODEL: &str = "
apiVersion: ai.example.com/v1
kind: LLMModel
metadata: {name: chat}
spec: {modelName: qwen2.5-0.5b, replicas: 2}
";

const KIND: &str = "LLMModel.ai.example.com";

async fn settled() -> (&'static Cluster, crate::common::Operator, Space) {
    let cluster = plane(NodeOptions::default()).audit().start().await.unwrap();
    let cluster: &'static Cluster = Box::leak(Box::new(cluster));
    install(cluster, true).await;
    let access = operator_access(cluster).await;
    let args = ["--leader-elect", "false", "--resync-period", "300ms"];
    let operator = start_operator(&access, "practices", &args).await;
    let space = Space::of(cluster, "practices").await;
    space.apply(MODEL).await;
    space
        .wait("Ready", "chat", |model: &LLMModel| {
            let status = model.status.as_ref();
            status
                .and_then(|status| status.state)
                .is_some_and(|state| state.as_str() == "Ready")
        })
        .await;
    (cluster, operator, space)
}

/// What is as wanted is not written, however often it is looked at; of the resource only the status is ever written. Decisions
/// stand in the log, figures in the metrics, and what was made says whose it is.
/// Promises: S3-25, S3-27, S3-28, S3-29, S3-30, S3-32
#[tokio::test]
async fn the_best_practices_are_kept() {
    let (cluster, operator, space) = settled().await;
    let looks = async || {
        let scrape = scrape(&operator).await;
        let of_ours = [("kind", KIND), ("result", "ok")];
        scrape.sum("llm_operator_reconcile_duration_seconds_count", &of_ours)
    };
    let at_least = async |count: f64| {
        testkit::until("it looks again", PATIENCE, async || {
            let now = looks().await;
            (now >= count).then_some(()).ok_or(now)
        })
        .await
        .unwrap();
    };
    space.wait_event("chat", "AllReplicasReady").await;
    at_least(looks().await + 3.0).await;
    let mark = cluster.audit_log().mark();
    at_least(looks().await + 5.0).await;
    let ours = Filter::user("system:serviceaccount:llm-system:llm-operator");
    let since = cluster.audit_log().requests_since(&mark, &ours).unwrap();
    let writes: Vec<&Request> = since.iter().filter(|request| request.is_write()).collect();
    assert!(writes.is_empty(), "{writes:?}");

    let stored: LLMModel = space.api().get("chat").await.unwrap();
    assert_eq!(stored.metadata.generation, Some(1), "the spec is as it was");
    let entries = stored.metadata.managed_fields.iter().flatten();
    for entry in entries.filter(|entry| entry.manager.as_deref() == Some("llm-operator")) {
        assert_eq!(entry.subresource.as_deref(), Some("status"), "{entry:?}");
    }

    let deployment: Deployment = space.api().get("chat").await.unwrap();
    belongs(&deployment.metadata, &stored);
    let service: Service = space.api().get("chat").await.unwrap();
    belongs(&service.metadata, &stored);
    let labels = ListParams::default().labels("app.kubernetes.io/instance=chat");
    assert_eq!(space.api::<Pod>().list(&labels).await.unwrap().items.len(), 2);

    let log = operator.process.log();
    for kind in ["Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget"] {
        let decided = format!("created child_kind=\"{kind}\" child=\"chat\"");
        let told = log.lines().filter(|line| line.contains(&decided)).count();
        assert_eq!(told, 1, "{decided}: {log}");
    }
    let scrape = scrape(&operator).await;
    assert!(scrape.has("llm_operator_resources", &[("kind", KIND), ("state", "Ready")]));
}

/// Labels by which it is found, and the resource as its controller.
fn belongs(metadata: &ObjectMeta, owner: &LLMModel) {
    let labels = metadata.labels.as_ref().unwrap();
    for (key, value) in [
        ("app.kubernetes.io/instance", "chat"),
        ("app.kubernetes.io/managed-by", "llm-operator"),
        ("llm-operator.io/kind", "llmmodel.ai.example.com"),
        ("llm-operator.io/name", "chat"),
    ] {
        assert_eq!(labels.get(key).map(String::as_str), Some(value), "{key}");
    }
    let owners = metadata.owner_references.as_ref().unwrap();
    assert_eq!(
        owners,
        &[owner.controller_owner_ref(&()).unwrap()].map(|mut reference| {
            reference.block_owner_deletion = Some(true);
            reference
        })
    );
}

/// Kinds that the document only names are not ours to define.
/// Promises: S3-33
#[tokio::test]
async fn kinds_that_are_only_named_are_not_installed() {
    let cluster = &crate::bed().await.cluster;
    let crds: Api<CustomResourceDefinition> = Api::all(cluster.admin_client().await.unwrap());
    let installed = crds.list(&ListParams::default()).await.unwrap();
    let kinds: Vec<String> = installed.into_iter().map(|crd| crd.spec.names.kind).collect();
    assert!(kinds.contains(&"ModelDeployment".to_owned()), "{kinds:?}");
    for named in ["TrainingJob", "Certificate", "Prometheus", "MyResource"] {
        assert!(!kinds.contains(&named.to_owned()), "{named}");
    }
}
