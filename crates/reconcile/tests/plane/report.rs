//! Status writes and Events.

use k8s_openapi::api::{
    apps::v1::{Deployment, DeploymentCondition, DeploymentStatus},
    core::v1::{Event, ObjectReference},
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api, CustomResource,
    api::{DeleteParams, ListParams, PostParams},
    core::CustomResourceExt,
};
use reconcile::{EventKind, EventRecorder, NewEvent, StatusTarget, StatusWriter, status::StatusWritten};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use testkit::until;

use crate::bed::{LIMIT, bed, desired};

fn status(ready: i32, condition: Option<&str>) -> DeploymentStatus {
    DeploymentStatus {
        replicas: Some(ready),
        ready_replicas: Some(ready),
        conditions: condition.map(|type_| {
            vec![DeploymentCondition {
                type_: type_.into(),
                status: "True".into(),
                ..DeploymentCondition::default()
            }]
        }),
        ..DeploymentStatus::default()
    }
}

fn target(namespace: &str, name: &str, uid: &str, generation: i64) -> StatusTarget {
    StatusTarget::of(&Deployment {
        metadata: ObjectMeta {
            namespace: Some(namespace.into()),
            name: Some(name.into()),
            uid: Some(uid.into()),
            generation: Some(generation),
            ..ObjectMeta::default()
        },
        ..Deployment::default()
    })
}

#[tokio::test]
async fn a_status_is_written_when_it_says_something_new_and_stale_fields_go() {
    let bed = bed("status").await;
    let child = bed
        .applier
        .apply(&desired(bed.deployment("a", "i:1")))
        .await
        .unwrap()
        .child;
    let writer = StatusWriter::new(bed.client.clone());
    let target = target(&bed.namespace, "a", &child.uid, child.generation);
    let before = bed.writes();
    let first = status(2, Some("Available"));
    let written = writer
        .write(&target, None, &first, &*bed.deployments)
        .await
        .unwrap();
    assert_eq!(written, StatusWritten::Written);
    assert_eq!(
        bed.deployments
            .get(&bed.namespace, "a")
            .unwrap()
            .facts
            .status
            .ready_replicas,
        2,
        "seen at once"
    );
    assert_eq!(
        writer
            .write(&target, Some(&first), &first, &*bed.deployments)
            .await
            .unwrap(),
        StatusWritten::Unchanged
    );
    let second = DeploymentStatus {
        ready_replicas: None,
        ..status(2, None)
    };
    writer
        .write(&target, Some(&first), &second, &*bed.deployments)
        .await
        .unwrap();
    assert_eq!(bed.writes() - before, 2);
    let stored = bed.api::<Deployment>().get("a").await.unwrap().status.unwrap();
    assert_eq!((stored.replicas, stored.ready_replicas), (Some(2), None));
    assert!(stored.conditions.is_none_or(|conditions| conditions.is_empty()));
}

#[tokio::test]
async fn the_status_of_what_is_gone_or_replaced_is_not_written() {
    let bed = bed("status-gone").await;
    bed.applier
        .apply(&desired(bed.deployment("a", "i:1")))
        .await
        .unwrap();
    let writer = StatusWriter::new(bed.client.clone());
    for (name, uid) in [
        ("a", "00000000-0000-0000-0000-000000000000"),
        ("missing", "00000000-0000-0000-0000-000000000000"),
    ] {
        let target = target(&bed.namespace, name, uid, 1);
        let written = writer
            .write(&target, None, &status(1, None), &*bed.deployments)
            .await
            .unwrap();
        assert_eq!(written, StatusWritten::Gone, "{name}");
    }
    assert!(
        bed.api::<Deployment>()
            .get("a")
            .await
            .unwrap()
            .status
            .unwrap()
            .ready_replicas
            .is_none()
    );
    assert!(
        bed.api::<Deployment>()
            .get_opt("missing")
            .await
            .unwrap()
            .is_none()
    );
}

#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "test.example.com",
    version = "v1",
    kind = "Stated",
    namespaced,
    status = "StatedStatus"
)]
struct StatedSpec {}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct StatedStatus {
    #[serde(skip_serializing_if = "Option::is_none")]
    word: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<String>,
}

#[tokio::test]
async fn a_custom_resource_gets_its_status_and_never_comes_back_by_it() {
    let bed = bed("status-cr").await;
    let crds: Api<CustomResourceDefinition> = Api::all(bed.admin.clone());
    crds.create(&PostParams::default(), &Stated::crd()).await.unwrap();
    let api: Api<Stated> = bed.api();
    let create = async || {
        api.create(&PostParams::default(), &Stated::new("a", StatedSpec {}))
            .await
    };
    let object = until("the CRD is served", LIMIT, create).await.unwrap();
    let writer = StatusWriter::new(bed.client.clone());
    let target = StatusTarget::of(&object);
    let first = StatedStatus {
        word: Some("w".into()),
        other: Some("o".into()),
    };
    writer
        .write(&target, None, &first, &*bed.deployments)
        .await
        .unwrap();
    let second = StatedStatus {
        word: Some("x".into()),
        other: None,
    };
    writer
        .write(&target, Some(&first), &second, &*bed.deployments)
        .await
        .unwrap();
    assert_eq!(api.get("a").await.unwrap().status, Some(second.clone()));
    api.delete("a", &DeleteParams::default()).await.unwrap();
    let written = writer
        .write(&target, None, &second, &*bed.deployments)
        .await
        .unwrap();
    assert_eq!(written, StatusWritten::Gone);
    assert!(
        api.get_opt("a").await.unwrap().is_none(),
        "a status write creates nothing"
    );
}

#[tokio::test]
async fn events_are_written_by_the_leader_alone_and_kubectl_can_sort_them() {
    let bed = bed("events").await;
    let recorder = EventRecorder::start(bed.client.clone(), "llm-operator", "test-1", bed.metrics.clone());
    let event = |reason: &str| NewEvent {
        kind: EventKind::Warning,
        regarding: ObjectReference {
            api_version: Some("v1".into()),
            kind: Some("ConfigMap".into()),
            name: Some("owner".into()),
            namespace: Some(bed.namespace.clone()),
            uid: Some(bed.owner.uid.clone()),
            ..ObjectReference::default()
        },
        reason: reason.into(),
        action: "Apply".into(),
        note: "ü".repeat(2000),
    };
    recorder.record(event("NotLeading"));
    bed.metrics.set_leader(true);
    recorder.record(event("First"));
    recorder.record(event("Second"));
    let api = bed.api::<Event>();
    recorder.flush().await;
    let mut events = api.list(&ListParams::default()).await.unwrap().items;
    assert_eq!(events.len(), 2, "flushed means written: {events:?}");
    // The lease is lost before the writer comes to it.
    recorder.record(event("TooLate"));
    bed.metrics.set_leader(false);
    recorder.flush().await;
    assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 2);
    events.sort_by_key(|event| event.last_timestamp.clone().map(|time| time.0));
    let reasons: Vec<_> = events
        .iter()
        .filter_map(|event| event.reason.as_deref())
        .collect();
    assert!(
        reasons.contains(&"First") && reasons.contains(&"Second"),
        "{reasons:?}"
    );
    assert!(
        events
            .iter()
            .all(|event| event.message.as_ref().unwrap().len() <= 1024)
    );
    let describe = crate::bed::plane()
        .await
        .kubectl(&["describe", "configmap", "owner", "-n", &bed.namespace])
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&describe.stdout).into_owned();
    assert!(text.contains("First") && text.contains("llm-operator"), "{text}");
}
