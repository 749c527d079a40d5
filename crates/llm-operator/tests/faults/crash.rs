//! The operator dies in the middle of its work.

use std::{collections::BTreeMap, time::Duration};

use api::llm_example_com::v1alpha1::LLMDeployment;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{Deployment, ReplicaSet},
        core::v1::Service,
        networking::v1::NetworkPolicy,
    },
};
use kube::{Resource, ResourceExt, api::ListParams};
use serde::de::DeserializeOwned;
use testkit::plane::proxy::{Fault, Matching};

use crate::common::{
    PATIENCE, Space,
    scrape::scrape,
    stand::{Stand, small_deployments},
};

const RESOURCES: usize = 30;
/// Slow enough that the operator is in the middle of its work when it is killed.
const PER_WRITE: Duration = Duration::from_millis(150);

/// `kill -9` while 30 resources are being made: after a restart all of them serve, each with one set of children, and
/// what was made before the kill was not made again. One more restart then writes nothing.
#[tokio::test]
async fn killed_in_the_middle_of_thirty_creations() {
    let mut stand = Stand::new("crash").await;
    stand.small_model().await;
    stand
        .proxy
        .order_always(Matching::method("PATCH"), Fault::Delay(PER_WRITE));
    let names: Vec<String> = (0..RESOURCES).map(|number| format!("chat-{number:02}")).collect();
    stand
        .space
        .apply(&small_deployments(names.iter().map(String::as_str)))
        .await;
    let deployments = stand.space.api::<Deployment>();
    testkit::until("the first Deployments", PATIENCE, async || {
        let made = deployments
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .len();
        (made >= 3).then_some(()).ok_or(format!("{made} made"))
    })
    .await
    .unwrap();
    stand.operator.process.kill9();
    let before = uids::<Deployment>(&stand.space).await;
    assert!(
        (3..RESOURCES).contains(&before.len()),
        "killed in the middle, with {} of {RESOURCES} made",
        before.len()
    );
    let services_before = uids::<Service>(&stand.space).await;

    stand.proxy.clear();
    stand.restart().await;
    for name in &names {
        stand.space.wait_state(name, "Ready").await;
    }
    let after = uids::<Deployment>(&stand.space).await;
    assert_eq!(after.keys().collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
    assert_same(&before, &after);
    let services = uids::<Service>(&stand.space).await;
    assert_eq!(
        services.keys().collect::<Vec<_>>(),
        names.iter().collect::<Vec<_>>()
    );
    assert_same(&services_before, &services);
    assert_eq!(uids::<NetworkPolicy>(&stand.space).await.len(), RESOURCES);
    assert_eq!(
        uids::<ReplicaSet>(&stand.space).await.len(),
        RESOURCES,
        "one rollout each"
    );
    for deployment in list::<Deployment>(&stand.space).await {
        assert_eq!(
            deployment.metadata.generation,
            Some(1),
            "{} was changed after it was made",
            deployment.name_any()
        );
    }

    stand.operator.process.kill9();
    let writes_before = stand.writes();
    stand.restart().await;
    testkit::until(
        "the model and all thirty were looked at again",
        PATIENCE,
        async || {
            let done = scrape(&stand.operator).await.sum(
                "llm_operator_reconcile_duration_seconds_count",
                &[("result", "ok")],
            );
            (done > 30.5).then_some(()).ok_or(format!("{done} done"))
        },
    )
    .await
    .unwrap();
    assert_eq!(
        stand.writes(),
        writes_before,
        "a restart of an unchanged cluster writes nothing"
    );
}

/// Killed between a change of the spec and its effect: the change is not forgotten, and what was deleted meanwhile goes.
#[tokio::test]
async fn what_changes_while_it_is_down_is_caught_up() {
    let mut stand = Stand::new("down").await;
    stand.small_model().await;
    stand
        .space
        .apply(&small_deployments(["edited", "deleted", "damaged"]))
        .await;
    for name in ["edited", "deleted", "damaged"] {
        stand.space.wait_state(name, "Ready").await;
    }
    stand.operator.process.kill9();
    let scaled = stand
        .space
        .kubectl(&["scale", "llmdeployment/edited", "--replicas=2"])
        .await;
    assert!(scaled.0, "{}", scaled.1);
    stand.space.delete::<LLMDeployment>("deleted").await;
    stand.space.delete::<Service>("damaged").await;
    stand.space.apply(&small_deployments(["new"])).await;

    stand.restart().await;
    let edited = stand
        .space
        .wait_status("edited", "two replicas", |status| {
            status.ready_replicas == Some(2)
        })
        .await;
    assert_eq!(edited.state.map(api::shared::State::as_str), Some("Ready"));
    stand.space.wait_state("new", "Ready").await;
    stand
        .space
        .wait::<Service>("was made again", "damaged", |_| true)
        .await;
    stand.space.wait_gone::<Deployment>("deleted").await;
    stand.space.wait_gone::<Service>("deleted").await;
}

async fn list<K>(space: &Space) -> Vec<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    space.api::<K>().list(&ListParams::default()).await.unwrap().items
}

async fn uids<K>(space: &Space) -> BTreeMap<String, String>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let objects = list::<K>(space).await;
    objects
        .iter()
        .map(|object| (object.name_any(), object.uid().unwrap_or_default()))
        .collect()
}

fn assert_same(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) {
    for (name, uid) in before {
        assert_eq!(
            after.get(name),
            Some(uid),
            "{name} was there before the kill and stays the same object"
        );
    }
}
