//! Upgrades with Pods: one that cannot serve fails in time, and going back costs nobody an answer.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

#[path = "cli/bed.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod bed;

use std::time::Duration;

use helm::{CliHelm, Helm, HelmError, LocalChart, Operation};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Namespace, Pod},
};
use kube::{
    Api, Client,
    api::{ListParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use testkit::{Charts, Cluster, NodeSpec, process::TemporaryDirectory, until};

use bed::{Bed, Desk, PATIENCE, listed, options};

async fn desk(namespace: &str) -> Desk {
    let charts = tokio::task::spawn_blocking(Charts::new).await.unwrap().unwrap();
    let cluster = Cluster::builder().node(NodeSpec::h100("gpu-0", 1)).start();
    let bed: &'static Bed = Box::leak(Box::new(Bed {
        cluster: cluster.await.unwrap(),
        charts,
    }));
    let home = TemporaryDirectory::new("helm-home").unwrap();
    let helm = CliHelm::new(options(bed, home.path()).await).unwrap();
    let client = bed.cluster.admin_client().await.unwrap();
    let object = Namespace {
        metadata: ObjectMeta {
            name: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    };
    let api: Api<Namespace> = Api::all(client.clone());
    api.create(&PostParams::default(), &object).await.unwrap();
    Desk {
        bed,
        helm,
        home,
        client,
        namespace: namespace.to_owned(),
    }
}

fn ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions
        .filter(|condition| condition.type_ == "Ready")
        .any(|condition| condition.status == "True")
}

async fn ready_pods(client: &Client, namespace: &str) -> Vec<Pod> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut pods = pods.list(&ListParams::default()).await.unwrap().items;
    pods.retain(ready);
    pods
}

#[tokio::test]
async fn an_upgrade_that_cannot_serve_fails_in_time_and_is_taken_back_while_the_old_pods_serve() {
    let desk = desk("upgrades").await;
    let chart: LocalChart = desk.plain().await;
    let release = desk.release("web");
    let spec = |values: Value| {
        let mut all = json!({ "deployment": { "create": true, "replicas": 1 } });
        all.as_object_mut()
            .unwrap()
            .extend(values.as_object().unwrap().clone());
        desk.spec("web", all)
    };
    let install = Operation::Install {
        chart: chart.clone(),
        spec: spec(json!({})),
    };
    desk.helm.run(&release, &install, PATIENCE).await.unwrap();
    let pods = until("a Pod that serves", PATIENCE, async || {
        let pods = ready_pods(&desk.client, &desk.namespace).await;
        (pods.len() == 1).then_some(pods)
    })
    .await
    .unwrap();
    let labels = pods[0].metadata.labels.clone().unwrap();
    assert_eq!(labels["app.kubernetes.io/part-of"], "llm-d");

    // A new revision that serves is waited for.
    let upgrade = |values| Operation::Upgrade {
        chart: chart.clone(),
        spec: spec(values),
    };
    desk.helm
        .run(&release, &upgrade(json!({ "message": "two" })), PATIENCE)
        .await
        .unwrap();
    let serving = ready_pods(&desk.client, &desk.namespace).await;
    let says = |pod: &Pod| pod.metadata.annotations.clone().unwrap_or_default()["message"].clone();
    assert!(serving.iter().any(|pod| says(pod) == "two"));

    let broken = upgrade(json!({ "message": "three", "faults": { "unready": "on-upgrade" } }));
    let result = desk.helm.run(&release, &broken, Duration::from_secs(8)).await;
    let Err(HelmError::TimedOut { message, .. }) = result else {
        panic!("{result:?}")
    };
    assert!(
        message.contains("web"),
        "it names what did not get there: {message}"
    );
    assert_eq!(desk.list().await, [listed("web", 3, "failed")]);
    let serving = ready_pods(&desk.client, &desk.namespace).await;
    let old = serving.iter().find(|pod| says(pod) == "two").unwrap();

    let rollback = Operation::Rollback { revision: 2 };
    desk.helm.run(&release, &rollback, PATIENCE).await.unwrap();
    assert_eq!(desk.list().await, [listed("web", 4, "deployed")]);
    let deployments: Api<Deployment> = Api::namespaced(desk.client.clone(), &desk.namespace);
    until("the old revision alone", PATIENCE, async || {
        let status = deployments.get("web").await.unwrap().status.unwrap_or_default();
        (status.replicas == Some(1) && status.ready_replicas == Some(1)).then_some(())
    })
    .await
    .unwrap();
    let serving = ready_pods(&desk.client, &desk.namespace).await;
    assert_eq!(serving.len(), 1);
    assert_eq!(
        serving[0].metadata.uid, old.metadata.uid,
        "the Pod that served all the while"
    );

    // Somebody scales by hand; the next revision takes it back.
    let scale = json!({ "spec": { "replicas": 0 } });
    deployments
        .patch("web", &PatchParams::default(), &Patch::Merge(scale))
        .await
        .unwrap();
    desk.helm
        .run(&release, &upgrade(json!({ "message": "two" })), PATIENCE)
        .await
        .unwrap();
    let spec = deployments.get("web").await.unwrap().spec.unwrap();
    assert_eq!(spec.replicas, Some(1));

    desk.helm
        .run(&release, &Operation::Uninstall, PATIENCE)
        .await
        .unwrap();
    until("the Pods to be gone", PATIENCE, async || {
        let pods: Api<Pod> = Api::namespaced(desk.client.clone(), &desk.namespace);
        pods.list(&ListParams::default())
            .await
            .unwrap()
            .items
            .is_empty()
            .then_some(())
    })
    .await
    .unwrap();
}
