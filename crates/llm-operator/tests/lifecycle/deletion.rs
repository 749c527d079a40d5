//! What goes when a deployment goes, and how that looks meanwhile.

use api::llm_example_com::v1alpha1::LLMDeployment;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Namespace, PersistentVolumeClaim, Pod, Service},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams},
};

use super::{
    common::{Space, bed, condition},
    deployment, kubectl, model, serving,
};

/// A deployment with two replicas and a volume.
async fn with_volume(prefix: &str) -> Space {
    let space = bed().await.space(prefix).await;
    space
        .apply(
            &(model("v1", "1Gi")
                + "  storage: {size: 5Gi, accessMode: ReadWriteMany, storageClassName: shared}\n"),
        )
        .await;
    space.apply(&deployment("chat", 2, "")).await;
    space.wait_state("chat", "Ready").await;
    space
}

/// Deleting the resource deletes everything that was made for it, its volume included, and nothing else.
#[tokio::test]
async fn everything_goes_with_the_deployment() {
    let space = with_volume("delete").await;
    space.apply(&deployment("other", 1, "")).await;
    space.wait_state("other", "Ready").await;
    space.api::<PersistentVolumeClaim>().get("chat").await.unwrap();
    let (_, said) = space
        .kubectl(&["delete", "llmdeployment", "chat", "--timeout=30s"])
        .await;
    assert!(said.contains("deleted"), "{said}");
    space.wait_gone::<Deployment>("chat").await;
    space.wait_gone::<Service>("chat").await;
    space.wait_gone::<NetworkPolicy>("chat").await;
    space.wait_gone::<PodDisruptionBudget>("chat").await;
    space.wait_gone::<PersistentVolumeClaim>("chat").await;
    let pods = ListParams::default().labels("llm-operator.io/name=chat");
    testkit::until("the Pods are gone", super::common::PATIENCE, async || {
        let left = space.api::<Pod>().list(&pods).await.unwrap().items.len();
        if left == 0 {
            Ok(())
        } else {
            Err(format!("{left} Pods"))
        }
    })
    .await
    .unwrap();
    space.wait_state("other", "Ready").await;
    space.api::<PersistentVolumeClaim>().get("other").await.unwrap();
}

/// In a foreground deletion the resource outlives its children, and shows what it is waiting for.
#[tokio::test]
async fn a_foreground_deletion_shows_terminating() {
    let space = serving("foreground", 1).await;
    // Held until that was read: its children may else be gone before anybody has looked.
    let with = |finalizers: &str| format!(r#"{{"metadata":{{"finalizers":{finalizers}}}}}"#);
    let held = with(r#"["example.com/held"]"#);
    kubectl(&space, &["patch", "service", "chat", "--type=merge", "-p", &held]).await;
    space
        .api::<LLMDeployment>()
        .delete("chat", &DeleteParams::foreground())
        .await
        .unwrap();
    let seen = space
        .wait_status("chat", "Terminating", |status| {
            status.state.is_some_and(|state| state.as_str() == "Terminating")
        })
        .await;
    let ready = condition(&seen, "Ready").unwrap();
    assert_eq!(
        (ready.status.as_str(), ready.reason.as_str()),
        ("False", "Terminating")
    );
    let released = with("null");
    kubectl(
        &space,
        &["patch", "service", "chat", "--type=merge", "-p", &released],
    )
    .await;
    space.wait_gone::<LLMDeployment>("chat").await;
    assert!(
        space.api::<Deployment>().get_opt("chat").await.unwrap().is_none(),
        "children go first"
    );
    assert!(
        !space.events("chat").await.contains_key("Repaired"),
        "nothing was made again meanwhile"
    );
}

/// A namespace goes, whatever is in it: served, blocked, unfinished.
#[tokio::test]
async fn a_namespace_goes_without_hanging() {
    let space = with_volume("gone").await;
    space
        .apply(&deployment("lost", 1, "").replace("modelRef: small", "modelRef: nowhere"))
        .await;
    space.apply(&deployment("late", 3, "")).await;
    let namespaces: Api<Namespace> = Api::all(space.client.clone());
    namespaces
        .delete(&space.namespace, &DeleteParams::default())
        .await
        .unwrap();
    testkit::until(
        "the namespace is gone",
        super::common::PATIENCE,
        async || match namespaces.get_opt(&space.namespace).await.unwrap() {
            None => Ok(()),
            Some(left) => Err(format!("{:?}", left.status)),
        },
    )
    .await
    .unwrap();
    // The operator has nothing left to try there, and goes on elsewhere.
    let again = serving("after", 1).await;
    assert_eq!(
        again.api::<LLMDeployment>().get("chat").await.unwrap().name_any(),
        "chat"
    );
}
