//! The edges of a take-over: another form for what is found, failures in the middle of it, legacy objects that nobody
//! wants any more, and objects that only look like ours.

use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Service},
    networking::v1::Ingress,
};
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use reconcile::{
    ApplyError, ChangeMade, DesiredObject,
    apply::{ADOPTED, DesiredError},
};
use serde_json::json;
use testkit::{
    plane::proxy::{Fault, Matching},
    until,
};

use crate::{
    bed::{Bed, LIMIT, bed, owner},
    legacy::{deployment, ingress, legacy, manager, patch_as, service, taker, wishes},
};

/// A Deployment as we make it, and the form that keeps what an earlier operator had.
fn two_forms(bed: &Bed, name: &str) -> DesiredObject {
    let mut hardened = deployment(name);
    hardened["spec"]["template"]["spec"]["securityContext"] = json!({"runAsNonRoot": true});
    let mut kept: Deployment = serde_json::from_value(bed.old(name, &deployment(name))).unwrap();
    let annotations = kept.metadata.annotations.get_or_insert_default();
    annotations.insert(ADOPTED.to_owned(), "v1".to_owned());
    let labels = kept.metadata.labels.get_or_insert_default();
    labels.insert(
        "app.kubernetes.io/managed-by".to_owned(),
        "llm-operator".to_owned(),
    );
    bed.wish::<Deployment>(name, &hardened)
        .if_found(DesiredObject::new(kept).unwrap())
}

async fn runs_as_non_root(bed: &Bed, name: &str) -> bool {
    let deployment: Deployment = bed.api().get(name).await.unwrap();
    let pod = deployment.spec.unwrap().template.spec.unwrap();
    pod.security_context.and_then(|context| context.run_as_non_root) == Some(true)
}

#[tokio::test]
async fn what_is_found_keeps_its_form_until_the_form_is_withdrawn() {
    let bed = bed("found-form").await;
    let api = bed.api::<Deployment>();
    let created = bed.applier.apply(&two_forms(&bed, "new")).await.unwrap();
    assert_eq!(
        (created.change, &created.child.adopted),
        (ChangeMade::Created, &None)
    );
    assert!(runs_as_non_root(&bed, "new").await);

    let before: Deployment = bed.made_by_old(&bed.old("old", &deployment("old"))).await;
    let wish = two_forms(&bed, "old");
    let taken = bed.applier.apply(&wish).await.unwrap();
    assert_eq!(taken.change, ChangeMade::TakenOver);
    assert_eq!(taken.child.adopted.as_deref(), Some("v1"));
    assert_eq!(api.get("old").await.unwrap().spec, before.spec);

    for wish in [&two_forms(&bed, "new"), &wish] {
        assert_eq!(bed.applier.apply(wish).await.unwrap().change, ChangeMade::None);
    }
    // Without our label no cache knows it, but the annotation still says what it is.
    let edit = json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": null}}});
    api.patch("old", &PatchParams::default(), &Patch::Merge(edit))
        .await
        .unwrap();
    let lost = async || (!bed.deployments.exists(&bed.namespace, "old")).then_some(());
    until("the cache loses it", LIMIT, lost).await.unwrap();
    assert_eq!(
        bed.applier.apply(&wish).await.unwrap().change,
        ChangeMade::Repaired
    );
    assert_eq!(api.get("old").await.unwrap().spec, before.spec);

    let mut hardened = deployment("old");
    hardened["spec"]["template"]["spec"]["securityContext"] = json!({"runAsNonRoot": true});
    let hardened = bed.wish::<Deployment>("old", &hardened);
    assert_eq!(
        bed.applier.apply(&hardened).await.unwrap().change,
        ChangeMade::Updated
    );
    assert!(runs_as_non_root(&bed, "old").await);
    assert!(!api.get("old").await.unwrap().annotations().contains_key(ADOPTED));
}

#[tokio::test]
async fn two_forms_of_different_objects_are_refused() {
    let bed = bed("found-other").await;
    let wish = bed
        .wish::<Service>("a", &service(&json!({"ai": "a"})))
        .if_found(bed.wish::<Service>("b", &service(&json!({"ai": "a"}))));
    let error = bed.applier.apply(&wish).await.unwrap_err();
    assert!(
        matches!(error, ApplyError::Desired(DesiredError::OtherObject { .. })),
        "{error}"
    );
    assert_eq!(bed.writes(), 0);
}

#[tokio::test]
async fn a_change_between_the_look_and_the_take_over_is_not_overwritten() {
    let bed = bed("take-over-race").await;
    legacy(&bed).await;
    let wish = &wishes(&bed)[1];
    // The attempt to create it, and the change of owners.
    let held = Fault::Delay(Duration::from_secs(2));
    bed.proxy
        .order(2, Matching::method("PATCH").path("/services/a"), held);
    let race = async {
        let met = async || (bed.proxy.pending() == 0).then_some(());
        until("the change of owners is on its way", LIMIT, met)
            .await
            .unwrap();
        let edit = Patch::Merge(json!({"metadata": {"annotations": {"note": "1"}}}));
        bed.api::<Service>()
            .patch("a", &patch_as("kubectl-annotate"), &edit)
            .await
            .unwrap();
    };
    let (taken, ()) = tokio::join!(bed.applier.apply(wish), race);
    let error = taken.unwrap_err();
    assert!(matches!(&error, ApplyError::Retryable { .. }), "{error:?}");
    assert_eq!(
        bed.applier.apply(wish).await.unwrap().change,
        ChangeMade::TakenOver
    );
    let now: Service = bed.api().get("a").await.unwrap();
    assert_eq!(now.annotations()["note"], "1");
    assert!(!now.annotations().contains_key("old/annotation"));
}

#[tokio::test]
async fn a_take_over_that_ends_in_the_middle_is_finished_later() {
    let bed = bed("take-over-middle").await;
    let before = legacy(&bed).await.service;
    let wish = &wishes(&bed)[1];
    let patches = || Matching::method("PATCH").path("/services/a");
    // The attempt to create it, and the change of owners; while that is on its way, the third is ordered to fail.
    bed.proxy
        .order(2, patches(), Fault::Delay(Duration::from_secs(1)));
    let third = async {
        let met = async || (bed.proxy.pending() == 0).then_some(());
        until("the change of owners is on its way", LIMIT, met)
            .await
            .unwrap();
        let unavailable = Fault::Status {
            status: 503,
            retry_after: None,
        };
        bed.proxy.order(1, patches(), unavailable);
    };
    let (taken, ()) = tokio::join!(bed.applier.apply(wish), third);
    let error = taken.unwrap_err();
    assert!(error.retryable(), "{error}");
    assert_eq!(bed.proxy.pending(), 0, "the apply itself has failed: {error}");
    assert!(
        !bed.services.exists(&bed.namespace, "a"),
        "what has no label is not in the cache"
    );
    let half: Service = bed.api().get("a").await.unwrap();
    assert_eq!(
        bed.managers::<Service>("a").await,
        [manager("llm-operator", "Apply")]
    );
    assert_eq!(
        (half.spec, half.metadata.annotations),
        (before.spec, before.metadata.annotations)
    );
    assert_eq!(
        bed.applier.apply(wish).await.unwrap().change,
        ChangeMade::TakenOver
    );
    let now: Service = bed.api().get("a").await.unwrap();
    assert!(!now.annotations().contains_key("old/annotation"), "{now:?}");
    assert_eq!(
        bed.managers::<Service>("a").await,
        [manager("llm-operator", "Apply")]
    );
}

#[tokio::test]
async fn a_selector_that_cannot_change_is_said_and_the_object_stays_as_it_was() {
    let bed = bed("take-over-selector").await;
    let before = legacy(&bed).await.deployment;
    let mut other = deployment("a");
    other["spec"]["selector"]["matchLabels"] = json!({"ai": "b"});
    other["spec"]["template"]["metadata"]["labels"] = json!({"ai": "b"});
    let error = bed
        .applier
        .apply(&bed.wish::<Deployment>("a", &other))
        .await
        .unwrap_err();
    assert!(matches!(&error, ApplyError::Immutable { .. }), "{error:?}");
    let now: Deployment = bed.api().get("a").await.unwrap();
    assert_eq!(now.spec, before.spec);
    assert_eq!(
        (now.labels(), now.annotations()),
        (before.labels(), before.annotations())
    );
}

#[tokio::test]
async fn what_belongs_to_somebody_else_is_left_alone() {
    let bed = bed("take-over-foreign").await;
    let mut of_other = bed.old("a", &service(&json!({"ai": "a"})));
    of_other["metadata"]["ownerReferences"] = json!([owner(&bed.admin, &bed.namespace, "other").await]);
    let of_other: Service = bed.made_by_old(&of_other).await;
    let mut of_nobody = bed.old("b", &service(&json!({"ai": "b"})));
    of_nobody["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("ownerReferences");
    let of_nobody: Service = bed.made_by_old(&of_nobody).await;
    for before in [of_other, of_nobody] {
        let name = before.name_any();
        let wish = bed.wish::<Service>(&name, &service(&json!({"ai": "x"})));
        let error = bed.applier.apply(&wish).await.unwrap_err();
        assert!(matches!(&error, ApplyError::NameTaken { .. }), "{error:?}");
        assert_eq!(
            bed.api::<Service>().get(&name).await.unwrap(),
            before,
            "untouched"
        );
    }
}

#[tokio::test]
async fn legacy_objects_that_nobody_wants_any_more_are_found_by_name_and_deleted() {
    let bed = bed("take-over-prune").await;
    let taker = taker(&bed).await;
    let (uid, namespace) = (bed.owner.uid.as_str(), bed.namespace.as_str());
    let api = bed.api::<Ingress>();
    bed.made_by_old::<Ingress>(&bed.old("legacy", &ingress("l.example")))
        .await;
    let mut foreign = bed.old("foreign", &ingress("f.example"));
    foreign["metadata"]["ownerReferences"] = json!([owner(&bed.admin, namespace, "other").await]);
    bed.made_by_old::<Ingress>(&foreign).await;
    let ours = bed.wish::<Ingress>("ours", &ingress("o.example"));
    taker.applier.apply(&ours).await.unwrap();
    bed.made_by_old::<ConfigMap>(&bed.old("legacy", &json!({"data": {}})))
        .await;
    let names = [
        ("Ingress", namespace, "legacy"),
        ("Ingress", namespace, "foreign"),
        ("Ingress", namespace, "ours"),
        ("Ingress", namespace, "never-there"),
    ];
    let deleted = taker.applier.prune_unlabelled(uid, &names).await.unwrap();
    assert_eq!(deleted, [("Ingress".to_owned(), "legacy".to_owned())]);
    assert!(api.get_opt("legacy").await.unwrap().is_none());
    assert!(api.get_opt("foreign").await.unwrap().is_some());
    assert!(api.get_opt("ours").await.unwrap().is_some());
    assert!(
        bed.api::<ConfigMap>().get_opt("legacy").await.unwrap().is_some(),
        "not named"
    );
    assert!(
        taker
            .applier
            .prune_unlabelled(uid, &names)
            .await
            .unwrap()
            .is_empty()
    );
}
