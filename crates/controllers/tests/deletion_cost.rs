//! Deletion costs on a real API server: what is written, beside what, and what is not touched.
#![allow(clippy::unwrap_used)]

use controllers::scaling::{
    CostWriter, CostWrites as _,
    costs::{ANNOTATION, CostWrite, GOES},
};
use diagnosis::facts::PodFacts;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::{Api, Client, ResourceExt as _, api::PostParams};
use serde_json::json;
use testkit::{Cluster, shared};

async fn pods(admin: &Client, namespace: &str) -> Api<Pod> {
    let post = PostParams::default();
    let made: Namespace = serde_json::from_value(json!({"metadata": {"name": namespace}})).unwrap();
    Api::all(admin.clone()).create(&post, &made).await.unwrap();
    let account: ServiceAccount = serde_json::from_value(json!({"metadata": {"name": "default"}})).unwrap();
    // Without a controller manager nobody makes it; with one, it may be there already.
    let _ = Api::namespaced(admin.clone(), namespace)
        .create(&post, &account)
        .await;
    Api::namespaced(admin.clone(), namespace)
}

fn write(pod: &Pod, cost: Option<i32>) -> CostWrite {
    CostWrite {
        namespace: pod.namespace().unwrap().into(),
        name: pod.name_any().into(),
        uid: pod.uid().unwrap().into(),
        cost,
    }
}

#[tokio::test]
async fn a_cost_comes_and_goes_beside_other_annotations() {
    let cluster = shared(|| Cluster::builder().bare()).await.unwrap();
    let admin = cluster.admin_client().await.unwrap();
    let pods = pods(&admin, "costs").await;
    let wanted: Pod = serde_json::from_value(json!({
        "metadata": {"name": "a", "annotations": {"theirs": "stays"}},
        "spec": {"containers": [{"name": "engine", "image": "i"}]},
    }))
    .unwrap();
    let pod = pods.create(&PostParams::default(), &wanted).await.unwrap();
    let writer = CostWriter::new(admin.clone());

    writer.write(&write(&pod, Some(GOES))).await.unwrap();
    let marked = pods.get("a").await.unwrap();
    assert_eq!(PodFacts::from(&marked).deletion_cost, Some(GOES));
    assert_eq!(marked.annotations()["theirs"], "stays");
    let managers = marked.managed_fields().iter();
    let ours = managers.filter(|entry| entry.manager.as_deref() == Some("llm-operator"));
    assert_eq!(ours.count(), 1, "written under our name");

    // Another Pod of that name, or none, is nobody's trouble, and not written to.
    let mut other = write(&pod, None);
    other.uid = "00000000-0000-0000-0000-000000000000".into();
    writer.write(&other).await.unwrap();
    let mut missing = write(&pod, Some(GOES));
    missing.name = "missing".into();
    writer.write(&missing).await.unwrap();
    assert_eq!(
        pods.get("a").await.unwrap().resource_version(),
        marked.resource_version()
    );

    writer.write(&write(&pod, None)).await.unwrap();
    let cleared = pods.get("a").await.unwrap();
    assert!(!cleared.annotations().contains_key(ANNOTATION));
    assert_eq!(cleared.annotations()["theirs"], "stays");
}
