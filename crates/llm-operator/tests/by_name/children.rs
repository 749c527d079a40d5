//! What is made goes with the resource, and with the definition of its kind.

use api::ai_example_com::v1::{LLMModel, ModelDeployment};
use k8s_openapi::{
    api::{
        apps::v1::{Deployment, StatefulSet},
        autoscaling::v2::HorizontalPodAutoscaler,
        core::v1::{ConfigMap, Pod, Service},
        networking::v1::NetworkPolicy,
        policy::v1::PodDisruptionBudget,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{Api, ResourceExt, api::DeleteParams};
use serde_json::json;
use testkit::{Cluster, NodeSpec};
use tokio::sync::OnceCell;

use crate::{
    bed,
    common::{Operator, PATIENCE, Space, install, operator_access, page, start_operator},
    seen::{names, resource, small, small_set, wait_state},
};

/// Everything that the operator has made in the namespace and that is still there.
async fn left(space: &Space) -> Vec<String> {
    let mut all = names::<Deployment>(space).await;
    all.extend(names::<StatefulSet>(space).await);
    all.extend(names::<Service>(space).await);
    all.extend(names::<NetworkPolicy>(space).await);
    all.extend(names::<PodDisruptionBudget>(space).await);
    all.extend(names::<HorizontalPodAutoscaler>(space).await);
    all.extend(names::<Pod>(space).await);
    let maps = names::<ConfigMap>(space).await;
    all.extend(
        maps.into_iter()
            .filter(|name| !name.ends_with("kube-root-ca.crt")),
    );
    all
}

async fn nothing_left(space: &Space) {
    testkit::until("nothing is left", PATIENCE, async || {
        let left = left(space).await;
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await
    .unwrap();
}

async fn serving(space: &Space) {
    let scaling = json!({"scaling": {"timePerOutputToken": "100ms"}, "replicas": 2});
    space.apply(&resource("LLMModel", "plain", small(scaling))).await;
    let sla = json!({"sla": {"maxLatency": "100ms"}, "replicas": 2});
    space
        .apply(&resource("ModelDeployment", "set", small_set(sla)))
        .await;
    wait_state::<LLMModel>(space, "plain", "Ready").await;
    wait_state::<ModelDeployment>(space, "set", "Ready").await;
}

/// Owner references on everything, no finalizers, and nothing left after a deletion.
/// Promises: S3-26, S3-30
#[tokio::test]
async fn deletion_takes_everything_along() {
    let space = bed().await.space("deletion").await;
    serving(&space).await;
    let service = space.api::<Service>().get("set").await.unwrap();
    let owner = &service.owner_references()[0];
    assert_eq!(
        (
            owner.api_version.as_str(),
            owner.kind.as_str(),
            owner.controller,
            owner.block_owner_deletion
        ),
        ("ai.example.com/v1", "ModelDeployment", Some(true), Some(true))
    );
    let set = space.api::<ModelDeployment>().get("set").await.unwrap();
    assert!(set.finalizers().is_empty());
    // Not before the API server reaches the metrics API, which the first promise of the cluster asks for.
    for name in ["plain", "set"] {
        space
            .wait::<HorizontalPodAutoscaler>("made", name, |_| true)
            .await;
    }
    assert_eq!(names::<HorizontalPodAutoscaler>(&space).await.len(), 2);
    space.delete::<LLMModel>("plain").await;
    space.delete::<ModelDeployment>("set").await;
    nothing_left(&space).await;
}

static OWN: OnceCell<(Cluster, Operator)> = OnceCell::const_new();

/// Deleting the definitions deletes the resources and what was made for them; the operator goes on with the rest, and they may come again.
/// Promises: S3-18
#[tokio::test]
async fn deleting_a_definition_deletes_its_resources() {
    let (cluster, operator) = OWN
        .get_or_init(|| async {
            let cluster = Cluster::builder()
                .node(NodeSpec::h100("gpu", 8))
                .start()
                .await
                .unwrap();
            install(&cluster, true).await;
            let access = operator_access(&cluster).await;
            let operator = start_operator(&access, "definitions", &["--leader-elect", "false"]).await;
            (cluster, operator)
        })
        .await;
    let space = Space::of(cluster, "definitions").await;
    serving(&space).await;
    let crds: Api<CustomResourceDefinition> = Api::all(space.client.clone());
    let own = ["llmmodels.ai.example.com", "modeldeployments.ai.example.com"];
    for name in own {
        let (worked, said) = space.kubectl(&["describe", "crd", name]).await;
        assert!(worked && said.contains("ai.example.com"), "{said}");
        crds.delete(name, &DeleteParams::default()).await.unwrap();
    }
    for name in own {
        testkit::until(format!("{name} is gone"), PATIENCE, async || {
            let found = crds.get_opt(name).await.unwrap();
            found.map_or(Ok(()), |crd| Err(format!("{:?}", crd.status)))
        })
        .await
        .unwrap();
    }
    nothing_left(&space).await;
    let (code, said) = page(&format!("{}/readyz", operator.url)).await;
    assert!(said.contains("llmmodels.ai.example.com"), "{code} {said}");

    for crd in api::crds()
        .iter()
        .filter(|crd| own.contains(&crd.name_any().as_str()))
    {
        cluster
            .apply_yaml(&serde_json::to_string(crd).unwrap())
            .await
            .unwrap();
    }
    testkit::until("the kind is served again", PATIENCE, async || {
        space
            .try_apply(&resource("LLMModel", "plain", small(json!({}))))
            .await
            .0
            .then_some(())
    })
    .await
    .unwrap();
    wait_state::<LLMModel>(&space, "plain", "Ready").await;
}
