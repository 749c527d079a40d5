//! Objects of an earlier operator become ours: what it had set and we do not want goes, what it never touched stays, and
//! no Pod restarts.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    apps::v1::{Deployment, ReplicaSet},
    core::v1::{ConfigMap, Pod, Service, ServiceAccount},
    networking::v1::Ingress,
};
use kube::{
    ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use reconcile::{Applier, ChangeMade, apply::APPLIED_HASH};
use serde_json::{Value, json};
use testkit::{Cluster, until};

use crate::{
    bed::{LIMIT, bed, bed_on},
    legacy::{OLD, as_old, deployment, legacy, manager, patch_as, service, taker, wishes},
};

const REVISION: &str = "deployment.kubernetes.io/revision";

fn keys(map: &BTreeMap<String, String>) -> Vec<&str> {
    map.keys().map(String::as_str).collect()
}

#[tokio::test]
async fn what_only_the_earlier_operator_wanted_goes_and_the_rest_stays_as_it_was() {
    let bed = bed("take-over").await;
    let (before, taker) = (legacy(&bed).await, taker(&bed).await);
    for (index, wish) in wishes(&bed).iter().enumerate() {
        let writes = bed.writes();
        let applied = taker.applier.apply(wish).await.unwrap();
        assert_eq!(applied.change, ChangeMade::TakenOver, "{}", wish.kind());
        // The attempt to create it, the change of owners, the apply: the first is refused and stores nothing.
        assert_eq!(bed.writes() - writes, 3, "{index} {}", wish.kind());
    }

    let now: Deployment = bed.api().get("a").await.unwrap();
    assert_eq!(now.spec, before.deployment.spec, "not even a default moved");
    // Also a Deployment's annotations count: ours has come, and theirs has gone.
    assert_eq!(
        now.metadata.generation,
        before.deployment.metadata.generation.map(|one| one + 1)
    );
    assert_eq!(keys(now.labels()), ["app.kubernetes.io/managed-by", "kept"]);
    assert_eq!(keys(now.annotations()), ["kept", APPLIED_HASH]);
    assert_eq!(
        (&*now.labels()["kept"], &*now.annotations()["kept"]),
        ("new", "new")
    );

    let now: Service = bed.api().get("a").await.unwrap();
    let (spec, old) = (now.spec.unwrap(), before.service.spec.unwrap());
    assert_eq!(keys(&spec.selector.unwrap()), ["ai"]);
    assert_eq!(
        (spec.cluster_ip, spec.cluster_ips),
        (old.cluster_ip, old.cluster_ips)
    );
    assert_eq!(
        (spec.ports, spec.ip_families, spec.session_affinity),
        (old.ports, old.ip_families, old.session_affinity)
    );

    let now: Ingress = bed.api().get("a").await.unwrap();
    assert_eq!(now.spec, before.ingress.spec);
    assert_eq!(keys(now.annotations()), ["kept", APPLIED_HASH]);
    let now: ConfigMap = bed.api().get("a").await.unwrap();
    assert_eq!(
        now.data.unwrap(),
        BTreeMap::from([("k".to_owned(), "new".to_owned())])
    );

    let ours = [manager("llm-operator", "Apply")];
    assert_eq!(bed.managers::<Deployment>("a").await, ours);
    assert_eq!(bed.managers::<Service>("a").await, ours);
    assert_eq!(bed.managers::<Ingress>("a").await, ours);
    assert_eq!(bed.managers::<ConfigMap>("a").await, ours);

    let (writes, reads) = (bed.writes(), bed.reads());
    let restarted = Applier::new(bed.client.clone(), taker.views.clone());
    for wish in &wishes(&bed) {
        for applier in [&taker.applier, &restarted] {
            let change = applier.apply(wish).await.unwrap().change;
            assert_eq!(change, ChangeMade::None, "{}", wish.kind());
        }
    }
    assert_eq!((bed.writes(), bed.reads()), (writes, reads), "once and for all");
}

#[tokio::test]
async fn a_field_of_the_earlier_operator_that_we_wanted_too_can_be_removed_later() {
    let bed = bed("take-over-removal").await;
    let taker = taker(&bed).await;
    legacy(&bed).await;
    for wish in &wishes(&bed) {
        taker.applier.apply(wish).await.unwrap();
    }
    let mut less = deployment("a");
    let pod = &mut less["spec"]["template"]["spec"];
    for field in ["nodeSelector", "runtimeClassName", "imagePullSecrets"] {
        pod.as_object_mut().unwrap().remove(field);
    }
    pod["containers"][0]["env"] = json!([{"name": "A", "value": "1"}]);
    pod["containers"][0]
        .as_object_mut()
        .unwrap()
        .remove("startupProbe");
    pod["volumes"] = json!([{"name": "models", "emptyDir": {}}]);
    let wish = bed.wish::<Deployment>("a", &less);
    assert_eq!(
        taker.applier.apply(&wish).await.unwrap().change,
        ChangeMade::Updated
    );
    let now: Deployment = bed.api().get("a").await.unwrap();
    let pod = now.spec.unwrap().template.spec.unwrap();
    assert_eq!(
        (pod.node_selector, pod.runtime_class_name, pod.image_pull_secrets),
        (None, None, None)
    );
    assert_eq!(pod.volumes.unwrap().len(), 1);
    let container = &pod.containers[0];
    assert_eq!(container.env.as_ref().unwrap().len(), 1);
    assert!(container.startup_probe.is_none());

    let other_port = json!({"spec": {"selector": {"ai": "a"}, "ports": [{"name": "http", "port": 9000, "targetPort": 9000}]}});
    taker
        .applier
        .apply(&bed.wish::<Service>("a", &other_port))
        .await
        .unwrap();
    let now: Service = bed.api().get("a").await.unwrap();
    let ports: Vec<i32> = now
        .spec
        .unwrap()
        .ports
        .unwrap()
        .iter()
        .map(|port| port.port)
        .collect();
    assert_eq!(ports, [9000], "the earlier operator's port is gone");
}

#[tokio::test]
async fn addresses_that_the_earlier_operator_named_itself_stay() {
    let bed = bed("take-over-address").await;
    let taker = taker(&bed).await;
    let mut old = service(&json!({"ai": "a"}));
    old["spec"]["clusterIP"] = "None".into();
    let headless: Service = bed.made_by_old(&bed.old("headless", &old)).await;
    let mut old = service(&json!({"ai": "a"}));
    old["spec"]["type"] = "LoadBalancer".into();
    old["spec"]["externalTrafficPolicy"] = "Local".into();
    old["spec"]["ipFamilies"] = json!(["IPv4"]);
    old["spec"]["ipFamilyPolicy"] = "SingleStack".into();
    old["spec"]["loadBalancerClass"] = "example.com/lb".into();
    let first: Service = bed.made_by_old(&bed.old("ports", &old)).await;
    // As an Update that sends back all it has read.
    let spec = first.spec.as_ref().unwrap();
    let (node_port, health) = (
        spec.ports.as_ref().unwrap()[0].node_port,
        spec.health_check_node_port,
    );
    assert!(node_port.is_some() && health.is_some(), "{spec:?}");
    let mut wish = service(&json!({"ai": "a"}));
    taker
        .applier
        .apply(&bed.wish::<Service>("headless", &wish))
        .await
        .unwrap();
    let now: Service = bed.api().get("headless").await.unwrap();
    assert_eq!(now.spec.unwrap().cluster_ips, headless.spec.unwrap().cluster_ips);
    wish["spec"]["type"] = "LoadBalancer".into();
    wish["spec"]["externalTrafficPolicy"] = "Local".into();
    taker
        .applier
        .apply(&bed.wish::<Service>("ports", &wish))
        .await
        .unwrap();
    let now: Service = bed.api().get("ports").await.unwrap();
    assert_eq!(now.spec, first.spec);
}

#[tokio::test]
async fn a_node_port_that_the_earlier_operator_chose_stays() {
    let bed = bed("take-over-node-port").await;
    let taker = taker(&bed).await;
    let mut old = service(&json!({"ai": "a"}));
    old["spec"]["type"] = "NodePort".into();
    old["spec"]["ports"][0]["nodePort"] = 31_999.into();
    let before: Service = bed.made_by_old(&bed.old("a", &old)).await;
    old["spec"]["ports"][0]
        .as_object_mut()
        .unwrap()
        .remove("nodePort");
    let wish = bed.wish::<Service>("a", &old);
    taker.applier.apply(&wish).await.unwrap();
    let now: Service = bed.api().get("a").await.unwrap();
    assert_eq!(now.spec, before.spec);
}

#[tokio::test]
async fn what_others_have_set_stays_theirs() {
    let bed = bed("take-over-others").await;
    let taker = taker(&bed).await;
    legacy(&bed).await;
    let edit = |manager: &'static str, edit: Value| {
        let api = bed.api::<Ingress>();
        async move {
            let patch = Patch::Merge(edit);
            api.patch("a", &patch_as(manager), &patch).await.unwrap();
        }
    };
    edit(
        "kubectl-annotate",
        json!({"metadata": {"annotations": {"note": "1"}}}),
    )
    .await;
    edit(
        "ingress-controller",
        json!({"metadata": {"finalizers": ["example.com/address"], "annotations": {"ingress/address": "1"}}}),
    )
    .await;
    // One that the earlier operator set is not for us to take off either.
    let finalizers = json!({"metadata": {"finalizers": ["example.com/address", "example.com/old"]}});
    edit(OLD, finalizers).await;
    let wish = &wishes(&bed)[2];
    assert_eq!(
        taker.applier.apply(wish).await.unwrap().change,
        ChangeMade::TakenOver
    );
    let now: Ingress = bed.api().get("a").await.unwrap();
    assert_eq!(now.finalizers(), ["example.com/address", "example.com/old"]);
    assert_eq!(
        keys(now.annotations()),
        ["ingress/address", "kept", APPLIED_HASH, "note"]
    );
    assert_eq!(
        bed.managers::<Ingress>("a").await,
        [
            manager("ingress-controller", "Update"),
            manager("kubectl-annotate", "Update"),
            manager("llm-operator", "Apply"),
            manager(OLD, "Update"),
        ]
    );
}

#[tokio::test]
async fn replicas_that_somebody_scales_stay_and_a_new_floor_raises_them_once() {
    let bed = bed("take-over-scaled").await;
    let taker = taker(&bed).await;
    let api = bed.api::<Deployment>();
    for (name, scaled, floor, expected) in [
        ("hpa", Some(7), 1, 7),
        ("person", Some(3), 2, 3),
        ("untouched", None, 1, 1),
        ("floor", None, 4, 4),
        ("down", Some(1), 4, 4),
    ] {
        bed.made_by_old::<Deployment>(&bed.old(name, &deployment(name)))
            .await;
        if let Some(replicas) = scaled {
            let scale = Patch::Merge(json!({"spec": {"replicas": replicas}}));
            api.patch_scale(name, &PatchParams::default(), &scale)
                .await
                .unwrap();
        }
        let mut wish = deployment(name);
        wish["spec"]["replicas"] = floor.into();
        let wish = bed
            .wish::<Deployment>(name, &wish)
            .releasing(&["/spec/replicas"])
            .unwrap();
        let writes = bed.writes();
        assert_eq!(
            taker.applier.apply(&wish).await.unwrap().change,
            ChangeMade::TakenOver
        );
        assert_eq!(bed.writes() - writes, 3, "{name}");
        let replicas = async || api.get(name).await.unwrap().spec.unwrap().replicas;
        assert_eq!(replicas().await, Some(expected), "{name}");
        assert_eq!(taker.applier.apply(&wish).await.unwrap().change, ChangeMade::None);
        // Whoever scales it next is not fought.
        let scale = Patch::Merge(json!({"spec": {"replicas": 2}}));
        api.patch_scale(name, &PatchParams::default(), &scale)
            .await
            .unwrap();
        let seen = async || {
            let child = bed.deployments.get(&bed.namespace, name)?;
            let text = String::from_utf8_lossy(&child.head.content).into_owned();
            text.contains(r#""replicas":2"#).then_some(())
        };
        until("the cache sees the scaling", LIMIT, seen).await.unwrap();
        assert_eq!(taker.applier.apply(&wish).await.unwrap().change, ChangeMade::None);
        assert_eq!(replicas().await, Some(2), "{name}");
    }
}

#[tokio::test]
async fn no_pod_restarts() {
    let cluster = Cluster::builder().start().await.unwrap();
    let bed = bed_on(&cluster, "take-over-live").await;
    let taker = taker(&bed).await;
    let account: ServiceAccount = serde_json::from_value(json!({"metadata": {"name": "runner"}})).unwrap();
    bed.api().create(&as_old(), &account).await.unwrap();
    bed.made_by_old::<Deployment>(&bed.old("a", &deployment("a")))
        .await;

    // No node takes the Pod: what counts is what the controllers ask for.
    let settled = async || {
        let deployment = bed.api::<Deployment>().get("a").await.ok()?;
        let status = deployment.status.clone()?;
        // Every whole Update of the earlier operator drops the revision; the controller puts it back.
        let current = status.observed_generation == deployment.metadata.generation
            && deployment.annotations().contains_key(REVISION);
        // Unavailable is also what is not made yet: `replicas` counts the Pods that are there.
        let made = (status.replicas, status.unavailable_replicas) == (Some(1), Some(1));
        (current && made).then_some(deployment)
    };
    let pods = async || {
        let pods = bed.api::<Pod>().list(&ListParams::default()).await.unwrap();
        let uids = pods.items.iter().map(ResourceExt::uid);
        uids.collect::<Vec<_>>()
    };
    let before = until("the controller has acted", LIMIT, settled).await.unwrap();
    let pods_before = pods().await;
    assert_eq!(pods_before.len(), 1);

    // Whatever the controller writes meanwhile, another try comes through.
    let wish = bed.wish::<Deployment>("a", &deployment("a"));
    let take = async || match taker.applier.apply(&wish).await {
        Err(error) if error.retryable() => None,
        applied => Some(applied.unwrap().change),
    };
    let change = until("the take-over", LIMIT, take).await.unwrap();
    assert_eq!(change, ChangeMade::TakenOver);
    let after: Deployment = bed.api().get("a").await.unwrap();
    let seen = async || {
        let now = settled().await?;
        (now.metadata.generation >= after.metadata.generation).then_some(now)
    };
    let now = until("the controller has looked at it", LIMIT, seen)
        .await
        .unwrap();
    assert_eq!(now.spec, before.spec);
    assert_eq!(
        now.annotations()[REVISION],
        "1",
        "the controller's own, and no new one"
    );
    let sets = bed
        .api::<ReplicaSet>()
        .list(&ListParams::default())
        .await
        .unwrap();
    assert_eq!(sets.items.len(), 1);
    assert_eq!(pods().await, pods_before);
}
