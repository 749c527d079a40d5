//! Apply and prune: one write per change, none without, and nothing taken over.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{PersistentVolumeClaim, Service},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use reconcile::{
    Applier, ApplyError, CacheSpec, ChangeMade, Namespaces, PrunePolicy, Watches, cache::ChildView,
};
use serde_json::json;
use testkit::until;

use crate::bed::{Bed, LIMIT, bed, desired, owner};

#[tokio::test]
async fn a_second_apply_writes_nothing_in_this_process_and_the_next() {
    let bed = bed("apply-twice").await;
    let (deployment, service) = (desired(bed.deployment("a", "i:1")), desired(bed.service("a", 80)));
    for object in [&deployment, &service] {
        assert_eq!(
            bed.applier.apply(object).await.unwrap().change,
            ChangeMade::Created
        );
    }
    assert_eq!(bed.writes(), 2);
    let reads = bed.reads();
    for object in [&deployment, &service] {
        assert_eq!(bed.applier.apply(object).await.unwrap().change, ChangeMade::None);
    }
    // A new applier has verified nothing yet: it has to compare with what the server made of it.
    let restarted = Applier::new(
        bed.client.clone(),
        vec![bed.deployments.clone(), bed.services.clone()],
    );
    for object in [&deployment, &service] {
        assert_eq!(restarted.apply(object).await.unwrap().change, ChangeMade::None);
    }
    assert_eq!((bed.writes(), bed.reads()), (2, reads), "neither write nor read");
}

#[tokio::test]
async fn every_kind_of_child_is_recognised_in_the_servers_spelling() {
    let bed = bed("apply-kinds").await;
    let only = Namespaces::Only(vec![bed.namespace.clone()]);
    let mut watches = Watches::new(bed.client.clone(), only, bed.queue.clone(), bed.metrics.clone());
    let views: Vec<Arc<dyn ChildView>> = vec![
        watches.start(CacheSpec::children::<NetworkPolicy>(|_| Ok(()))),
        watches.start(CacheSpec::children::<PodDisruptionBudget>(|_| Ok(()))),
        watches.start(CacheSpec::children::<PersistentVolumeClaim>(|_| Ok(()))),
    ];
    tokio::time::timeout(LIMIT, watches.wait_settled()).await.unwrap();
    let mut metadata = serde_json::to_value(bed.service("a", 80).metadata).unwrap();
    metadata["annotations"] = json!({});
    let policy: NetworkPolicy = serde_json::from_value(json!({"metadata": metadata, "spec": {
        "podSelector": {"matchLabels": {"app": "a"}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": [{"port": 8080}]}],
        "egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}}]}],
    }}))
    .unwrap();
    let budget: PodDisruptionBudget = serde_json::from_value(json!({"metadata": metadata, "spec": {
        "maxUnavailable": 1, "selector": {"matchLabels": {"app": "a"}}}}))
    .unwrap();
    let claim: PersistentVolumeClaim = serde_json::from_value(json!({"metadata": metadata, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "65536Mi"}}}}))
    .unwrap();
    let wishes = [desired(policy), desired(budget), desired(claim)];
    let first = Applier::new(bed.client.clone(), views.clone());
    for wish in &wishes {
        assert_eq!(first.apply(wish).await.unwrap().change, ChangeMade::Created);
    }
    let writes = bed.writes();
    let restarted = Applier::new(bed.client.clone(), views);
    for wish in &wishes {
        assert_eq!(
            restarted.apply(wish).await.unwrap().change,
            ChangeMade::None,
            "{}",
            wish.kind()
        );
    }
    assert_eq!(bed.writes(), writes);
    let kept = first
        .prune(&bed.owner.uid, &[], PrunePolicy::KeepClaims)
        .await
        .unwrap();
    assert_eq!(kept.len(), 2, "the claim stays: {kept:?}");
}

#[tokio::test]
async fn the_echo_of_our_own_write_wakes_nobody() {
    let bed = bed("apply-echo").await;
    for i in 0..20 {
        bed.applier
            .apply(&desired(bed.service(&format!("s{i}"), 80)))
            .await
            .unwrap();
    }
    // Another writer's object comes after all echoes, for a stream keeps its order.
    let mut foreign = bed.service("last", 80);
    foreign.metadata.owner_references.as_mut().unwrap()[0].name = "someone".to_owned();
    bed.api::<Service>()
        .create(&PostParams::default(), &foreign)
        .await
        .unwrap();
    until("the last service", LIMIT, async || {
        bed.services.get(&bed.namespace, "last")
    })
    .await
    .unwrap();
    assert_eq!(bed.services.len(), 21);
    assert_eq!(bed.queue.failures(&bed.key()), 0);
    assert_eq!(bed.queue.depth(), 1, "only the foreign change woke somebody");
}

#[tokio::test]
async fn a_removed_field_is_removed_and_the_object_has_one_manager() {
    let bed = bed("apply-remove").await;
    bed.applier
        .apply(&desired(bed.deployment("a", "i:1")))
        .await
        .unwrap();
    let mut changed = bed.deployment("a", "i:2");
    let pod = changed.spec.as_mut().unwrap().template.spec.as_mut().unwrap();
    pod.tolerations = None;
    pod.containers[0].env.as_mut().unwrap().remove(0);
    assert_eq!(
        bed.applier.apply(&desired(changed)).await.unwrap().change,
        ChangeMade::Updated
    );
    let stored = bed.api::<Deployment>().get("a").await.unwrap();
    let pod = stored.spec.unwrap().template.spec.unwrap();
    assert!(pod.tolerations.is_none_or(|tolerations| tolerations.is_empty()));
    let names: Vec<_> = pod.containers[0]
        .env
        .iter()
        .flatten()
        .map(|env| env.name.as_str())
        .collect();
    assert_eq!(names, ["EMPTY"]);
    let managers: Vec<_> = stored
        .metadata
        .managed_fields
        .iter()
        .flatten()
        .map(|entry| (entry.manager.as_deref(), entry.operation.as_deref()))
        .collect();
    assert_eq!(managers, [(Some("llm-operator"), Some("Apply"))]);
    assert_eq!(bed.writes(), 2);
}

#[tokio::test]
async fn drift_is_repaired_with_one_write() {
    let bed = bed("apply-drift").await;
    let wish = desired(bed.deployment("a", "i:1"));
    bed.applier.apply(&wish).await.unwrap();
    let edit =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "engine", "image": "evil:1"}]}}}});
    bed.api::<Deployment>()
        .patch("a", &PatchParams::default(), &Patch::Strategic(edit))
        .await
        .unwrap();
    until("the edit wakes the owner", LIMIT, async || {
        (bed.queue.depth() == 1).then_some(())
    })
    .await
    .unwrap();
    assert_eq!(
        bed.applier.apply(&wish).await.unwrap().change,
        ChangeMade::Repaired
    );
    let stored = bed.api::<Deployment>().get("a").await.unwrap();
    assert_eq!(
        stored.spec.unwrap().template.spec.unwrap().containers[0]
            .image
            .as_deref(),
        Some("i:1")
    );
    assert_eq!(bed.writes(), 2);
}

/// Waits until the cache no longer holds Service `name`.
async fn lost(bed: &Bed, name: &str) {
    let gone = async || (!bed.services.exists(&bed.namespace, name)).then_some(());
    until("the cache loses it", LIMIT, gone).await.unwrap();
}

#[tokio::test]
async fn a_deleted_child_comes_back() {
    let bed = bed("apply-deleted").await;
    let wish = desired(bed.service("a", 80));
    bed.applier.apply(&wish).await.unwrap();
    bed.api::<Service>()
        .delete("a", &DeleteParams::default())
        .await
        .unwrap();
    lost(&bed, "a").await;
    assert_eq!(
        bed.applier.apply(&wish).await.unwrap().change,
        ChangeMade::Created
    );
}

#[tokio::test]
async fn a_child_that_lost_our_label_is_still_ours() {
    let bed = bed("apply-label").await;
    let wish = desired(bed.service("a", 80));
    bed.applier.apply(&wish).await.unwrap();
    let edit = json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "nobody"}}});
    bed.api::<Service>()
        .patch("a", &PatchParams::default(), &Patch::Merge(edit))
        .await
        .unwrap();
    lost(&bed, "a").await;
    assert_eq!(
        bed.applier.apply(&wish).await.unwrap().change,
        ChangeMade::Repaired
    );
    assert!(bed.services.exists(&bed.namespace, "a"));
}

#[tokio::test]
async fn a_foreign_object_is_left_alone_and_named() {
    let bed = bed("apply-foreign").await;
    let mut by_hand = bed.service("a", 80);
    (by_hand.metadata.labels, by_hand.metadata.owner_references) = (None, None);
    let by_hand = bed
        .api::<Service>()
        .create(&PostParams::default(), &by_hand)
        .await
        .unwrap();
    let mut of_other = bed.service("b", 80);
    of_other.metadata.owner_references = Some(vec![owner(&bed.admin, &bed.namespace, "other").await]);
    let of_other = bed
        .api::<Service>()
        .create(&PostParams::default(), &of_other)
        .await
        .unwrap();
    for (before, words) in [(by_hand, "nobody"), (of_other, "ConfigMap other")] {
        let name = before.metadata.name.clone().unwrap();
        let error = bed
            .applier
            .apply(&desired(bed.service(&name, 81)))
            .await
            .unwrap_err();
        let ApplyError::NameTaken { kind, owner, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(kind, "Service");
        assert!(owner.contains(words), "{error}");
        assert_eq!(
            bed.api::<Service>().get(&name).await.unwrap(),
            before,
            "untouched"
        );
    }
}

#[tokio::test]
async fn an_update_never_lands_on_a_successor_of_the_same_name() {
    let bed = bed("apply-successor").await;
    bed.applier.apply(&desired(bed.service("a", 80))).await.unwrap();
    // The cache must not learn of what happens now.
    let stale = bed.services.get(&bed.namespace, "a").unwrap();
    bed.api::<Service>()
        .delete("a", &DeleteParams::default())
        .await
        .unwrap();
    let mut by_hand = bed.service("a", 99);
    (by_hand.metadata.labels, by_hand.metadata.owner_references) = (None, None);
    let by_hand = bed
        .api::<Service>()
        .create(&PostParams::default(), &by_hand)
        .await
        .unwrap();
    let error = bed
        .applier
        .apply(&desired(bed.service("a", 81)))
        .await
        .unwrap_err();
    assert!(
        matches!(error.reason(), "NameTaken" | "ApiUnavailable"),
        "{error}"
    );
    assert_ne!(by_hand.metadata.uid.as_deref(), Some(&*stale.head.uid));
    assert_eq!(bed.api::<Service>().get("a").await.unwrap(), by_hand, "untouched");
}

#[tokio::test]
async fn refusals_say_what_is_wrong() {
    let bed = bed("apply-refused").await;
    bed.applier
        .apply(&desired(bed.deployment("a", "i:1")))
        .await
        .unwrap();
    let mut other_selector = bed.deployment("a", "i:1");
    let labels = [("app".to_owned(), "b".to_owned())];
    let spec = other_selector.spec.as_mut().unwrap();
    spec.selector.match_labels = Some(labels.clone().into());
    spec.template.metadata.as_mut().unwrap().labels = Some(labels.into());
    let error = bed.applier.apply(&desired(other_selector)).await.unwrap_err();
    assert!(
        matches!(&error, ApplyError::Immutable { message, .. } if message.contains("selector")),
        "{error:?}"
    );
    let error = bed
        .applier
        .apply(&desired(bed.service("b", 0)))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, ApplyError::Invalid { message, .. } if message.contains("port")),
        "{error:?}"
    );
    let mut nowhere = bed.service("c", 80);
    nowhere.metadata.namespace = Some("no-such-namespace".to_owned());
    let error = bed.applier.apply(&desired(nowhere)).await.unwrap_err();
    assert!(matches!(&error, ApplyError::NamespaceGone { .. }), "{error:?}");
    let patience = Duration::from_secs(7);
    bed.proxy.fail_next(1, "PATCH", "services", 429, Some(patience));
    let error = bed
        .applier
        .apply(&desired(bed.service("d", 80)))
        .await
        .unwrap_err();
    assert!(matches!(&error, ApplyError::Retryable { .. }), "{error:?}");
    assert_eq!(error.retry_after(), patience);
    assert!(
        bed.applier
            .apply(&desired(bed.service("d", 80)))
            .await
            .unwrap()
            .written()
    );
}

#[tokio::test]
async fn a_lost_answer_is_not_mistaken_for_a_taken_name() {
    let bed = bed("apply-lost").await;
    bed.proxy.order(
        1,
        testkit::plane::proxy::Matching::method("PATCH"),
        testkit::plane::proxy::Fault::LostAnswer,
    );
    let wish = desired(bed.service("a", 80));
    let error = bed.applier.apply(&wish).await.unwrap_err();
    assert!(error.retryable(), "{error}");
    let again = bed.applier.apply(&wish).await.unwrap();
    assert_eq!(
        again.child.owner.as_ref().map(|owner| &*owner.uid),
        Some(bed.owner.uid.as_str())
    );
}

#[tokio::test]
async fn an_edited_port_is_put_back_though_both_have_one_name() {
    let bed = bed("apply-port").await;
    let api = bed.api::<Service>();
    let named = |port: i32| {
        let mut service = bed.service("a", port);
        service.spec.as_mut().unwrap().ports.as_mut().unwrap()[0].name = Some("http".into());
        desired(service)
    };
    bed.applier.apply(&named(80)).await.unwrap();
    // As `kubectl edit` does it: another manager's entry in the place of ours.
    let edit =
        json!({"spec": {"ports": [{"name": "http", "port": 81, "targetPort": 80, "protocol": "TCP"}]}});
    api.patch("a", &PatchParams::default(), &Patch::Merge(edit))
        .await
        .unwrap();
    until("the cache sees the edit", LIMIT, async || {
        (bed.queue.depth() > 0).then_some(())
    })
    .await
    .unwrap();
    assert_eq!(
        bed.applier.apply(&named(80)).await.unwrap().change,
        ChangeMade::Repaired
    );
    let ports = async || {
        let service = api.get("a").await.unwrap();
        let ports = service.spec.unwrap().ports.unwrap();
        ports.into_iter().map(|port| port.port).collect::<Vec<_>>()
    };
    assert_eq!(ports().await, [80]);
    // What was replaced as a whole can be changed later on.
    bed.applier.apply(&named(82)).await.unwrap();
    assert_eq!(ports().await, [82]);
    let writes = bed.writes();
    assert_eq!(
        bed.applier.apply(&named(82)).await.unwrap().change,
        ChangeMade::None
    );
    assert_eq!(bed.writes(), writes);
}

#[tokio::test]
async fn prune_deletes_what_is_no_longer_wanted_of_this_owner_alone() {
    let bed = bed("prune").await;
    for name in ["keep", "drop"] {
        bed.applier.apply(&desired(bed.service(name, 80))).await.unwrap();
        bed.applier
            .apply(&desired(bed.deployment(name, "i:1")))
            .await
            .unwrap();
    }
    let mut of_other = bed.service("others", 80);
    of_other.metadata.owner_references = Some(vec![owner(&bed.admin, &bed.namespace, "other").await]);
    bed.applier.apply(&desired(of_other)).await.unwrap();
    let wanted = [
        ("Service", "keep"),
        ("Deployment", "keep"),
        ("Deployment", "drop"),
    ];
    let uid = bed.owner.uid.as_str();
    let deleted = bed
        .applier
        .prune(uid, &wanted, PrunePolicy::KeepClaims)
        .await
        .unwrap();
    assert_eq!(deleted, [("Service".to_owned(), "drop".to_owned())]);
    until("it is gone", LIMIT, async || {
        (!bed.services.exists(&bed.namespace, "drop")).then_some(())
    })
    .await
    .unwrap();
    let writes = bed.writes();
    assert!(
        bed.applier
            .prune(uid, &wanted, PrunePolicy::KeepClaims)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(bed.writes(), writes);
    assert!(bed.services.exists(&bed.namespace, "others"));
    assert_eq!(bed.deployments.len(), 2);
}

#[tokio::test]
async fn replicas_are_handed_over_without_a_dip_and_taken_back() {
    let bed = bed("release").await;
    let api = bed.api::<Deployment>();
    let mut ten = bed.deployment("a", "i:1");
    ten.spec.as_mut().unwrap().replicas = Some(10);
    bed.applier.apply(&desired(ten.clone())).await.unwrap();
    let released = desired(ten.clone()).releasing(&["/spec/replicas"]).unwrap();
    assert!(bed.applier.apply(&released).await.unwrap().written());
    assert_eq!(
        api.get("a").await.unwrap().spec.unwrap().replicas,
        Some(10),
        "no dip"
    );
    let scale = json!({"spec": {"replicas": 7}});
    api.patch_scale("a", &PatchParams::default(), &Patch::Merge(scale))
        .await
        .unwrap();
    until("the cache sees the scaling", LIMIT, async || {
        (bed.queue.depth() > 0).then_some(())
    })
    .await
    .unwrap();
    let writes = bed.writes();
    assert_eq!(
        bed.applier.apply(&released).await.unwrap().change,
        ChangeMade::None,
        "replicas are not ours"
    );
    assert_eq!(bed.writes(), writes);
    assert!(bed.applier.apply(&desired(ten)).await.unwrap().written());
    assert_eq!(
        api.get("a").await.unwrap().spec.unwrap().replicas,
        Some(10),
        "ours again"
    );
}
