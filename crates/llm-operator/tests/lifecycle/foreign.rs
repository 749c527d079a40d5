//! Names that somebody else's objects have.

use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::Deployment,
        core::v1::{ConfigMap, Service},
        networking::v1::NetworkPolicy,
        policy::v1::PodDisruptionBudget,
    },
};
use kube::{Resource, ResourceExt, api::PostParams};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    common::{Space, bed, condition},
    deployment, model,
};

/// Who the foreign object says it belongs to.
#[derive(Clone, Copy, PartialEq)]
enum Claims {
    /// Nobody, and it has no label of ours.
    Nothing,
    /// It carries our managed-by label, and no owner.
    OurLabel,
    /// Our label, and another controller.
    OtherOwner,
}

async fn owner(space: &Space, claims: Claims) -> Value {
    let map: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "owner"}})).unwrap();
    let map = space.api().create(&PostParams::default(), &map).await.unwrap();
    if claims == Claims::OtherOwner {
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": map.uid(), "controller": true}])
    } else {
        json!([])
    }
}

/// Creates a foreign object named `chat`, sees that a deployment `chat` leaves it alone and says so, and that it goes
/// on when the object goes.
async fn is_left_alone<K>(claims: Claims, spec: Value)
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Serialize
        + DeserializeOwned
        + std::fmt::Debug,
{
    let space = bed().await.space("foreign").await;
    let kind = K::kind(&()).into_owned();
    let labels = if claims == Claims::Nothing {
        json!({"app": "theirs"})
    } else {
        json!({"app.kubernetes.io/managed-by": "llm-operator", "app.kubernetes.io/instance": "chat"})
    };
    let object = json!({"metadata": {"name": "chat", "labels": labels, "ownerReferences": owner(&space, claims).await},
        "spec": spec});
    let theirs: K = serde_json::from_value(object).unwrap();
    let theirs: K = space.api().create(&PostParams::default(), &theirs).await.unwrap();
    space.apply(&model("v1", "1Gi")).await;
    space.apply(&deployment("chat", 2, "")).await;

    let status = space.wait_state("chat", "Blocked").await;
    assert_eq!(status.reason.as_deref(), Some("NameTaken"), "{status:?}");
    let applied = condition(&status, "Applied").unwrap();
    assert_eq!(
        (applied.status.as_str(), applied.reason.as_str()),
        ("False", "NameTaken")
    );
    let belongs = if claims == Claims::OtherOwner {
        "ConfigMap owner"
    } else {
        "nobody"
    };
    for word in [format!("{kind} chat").as_str(), belongs] {
        assert!(applied.message.contains(word), "{word}: {}", applied.message);
    }
    assert_eq!(condition(&status, "Accepted").unwrap().status, "True");
    assert_eq!(super::told(&space, "chat", "NameTaken").await, 1);
    let now: K = space.api().get("chat").await.unwrap();
    let spec = |object: &K| serde_json::to_value(object).unwrap()["spec"].clone();
    assert_eq!(
        (spec(&now), now.labels(), now.uid()),
        (spec(&theirs), theirs.labels(), theirs.uid())
    );
    let ours = |manager: &str| manager.contains("llm-operator");
    assert!(
        now.managed_fields()
            .iter()
            .filter_map(|entry| entry.manager.as_deref())
            .all(|name| !ours(name))
    );

    space.delete::<K>("chat").await;
    let status = space.wait_state("chat", "Ready").await;
    assert_eq!(condition(&status, "Applied").unwrap().status, "True");
}

fn foreign_deployment() -> Value {
    json!({"replicas": 0, "selector": {"matchLabels": {"app": "theirs"}}, "template": {
        "metadata": {"labels": {"app": "theirs"}},
        "spec": {"containers": [{"name": "c", "image": "your-registry/gpt-small:theirs"}]}}})
}

#[tokio::test]
async fn a_deployment_of_nobody() {
    is_left_alone::<Deployment>(Claims::Nothing, foreign_deployment()).await;
}

#[tokio::test]
async fn a_deployment_with_our_label() {
    is_left_alone::<Deployment>(Claims::OurLabel, foreign_deployment()).await;
}

#[tokio::test]
async fn a_deployment_of_another_owner() {
    is_left_alone::<Deployment>(Claims::OtherOwner, foreign_deployment()).await;
}

fn foreign_service() -> Value {
    json!({"ports": [{"port": 1234}], "selector": {"app": "theirs"}})
}

#[tokio::test]
async fn a_service_of_nobody() {
    is_left_alone::<Service>(Claims::Nothing, foreign_service()).await;
}

#[tokio::test]
async fn a_service_with_our_label() {
    is_left_alone::<Service>(Claims::OurLabel, foreign_service()).await;
}

#[tokio::test]
async fn a_service_of_another_owner() {
    is_left_alone::<Service>(Claims::OtherOwner, foreign_service()).await;
}

fn foreign_policy() -> Value {
    json!({"podSelector": {"matchLabels": {"app": "theirs"}}, "policyTypes": ["Ingress"]})
}

#[tokio::test]
async fn a_network_policy_of_nobody() {
    is_left_alone::<NetworkPolicy>(Claims::Nothing, foreign_policy()).await;
}

#[tokio::test]
async fn a_network_policy_of_another_owner() {
    is_left_alone::<NetworkPolicy>(Claims::OtherOwner, foreign_policy()).await;
}

#[tokio::test]
async fn a_budget_with_our_label() {
    let spec = json!({"maxUnavailable": 1, "selector": {"matchLabels": {"app": "theirs"}}});
    is_left_alone::<PodDisruptionBudget>(Claims::OurLabel, spec).await;
}
