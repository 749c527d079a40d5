//! Another adapter, missing rights, a missing Service.

use external_metrics::{API_SERVICE, Standing};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use testkit::plane::proxy::{Fault, Matching};

use crate::common::{
    self, Replica, SERVICE, SYSTEM, api_service, api_services, eventually, operator_access, run,
};
use crate::{answered, remove, secrets, services, turn, versions};

const KEDA: &str = "
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: { name: v1beta1.external.metrics.k8s.io, labels: { app.kubernetes.io/managed-by: Helm } }
spec:
  group: external.metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: { namespace: keda, name: keda-operator-metrics-apiserver, port: 443 }
";

fn held() -> Standing {
    Standing::HeldBy {
        service: "keda/keda-operator-metrics-apiserver".to_owned(),
    }
}

fn is_touched(found: &APIService) -> bool {
    let managers = found.managed_fields().iter();
    managers
        .filter_map(|entry| entry.manager.as_deref())
        .any(|manager| manager == "llm-operator")
}

#[test]
fn another_adapter_is_left_alone_and_followed_when_it_goes() {
    run(async {
        let (cluster, client, _turn) = turn().await;
        cluster.apply_yaml(KEDA).await.unwrap();
        let before = api_service(cluster).await;
        let replica = Replica::leader(operator_access(cluster).await.client().await.unwrap()).await;
        replica.wait("held", |now| *now == held()).await;

        let api = api_services(cluster).await;
        remove(&api, API_SERVICE).await;
        replica.wait_available().await;
        answered(cluster).await;

        // It comes back and takes the API over: that is its right, and ours ends there.
        let patch: serde_json::Value = serde_json::to_value(&before).unwrap();
        let patch = json!({
            "metadata": { "labels": patch["metadata"]["labels"] },
            "spec": { "service": patch["spec"]["service"], "caBundle": null, "insecureSkipTLSVerify": true },
        });
        api.patch(API_SERVICE, &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .unwrap();
        replica.wait("held", |now| *now == held()).await;
        let generation = api_service(cluster).await.metadata.generation;
        // Whatever else changes now, nothing of it is written.
        remove(&secrets(&client), common::SECRET).await;
        remove(&services(&client), SERVICE).await;
        replica.end().await;
        let after = api_service(cluster).await;
        assert_eq!(after.metadata.generation, generation);
        assert_eq!(after.spec.unwrap().service, before.spec.clone().unwrap().service);
        assert!(!is_touched(&before));
    });
}

/// An API server that has just started does not know its roles yet: it refuses what it allows.
#[test]
fn a_refusal_that_passes_takes_nothing_away() {
    run(async {
        let (cluster, _, _turn) = turn().await;
        let proxy = cluster.fault_proxy().await.unwrap();
        let access = operator_access(cluster).await.through(&proxy.url());
        let replica = Replica::leader(access.client().await.unwrap()).await;
        replica.wait_available().await;
        answered(cluster).await;
        let mut standing = replica.api.standing();
        standing.mark_unchanged();

        let refusal = Fault::Status {
            status: 403,
            retry_after: None,
        };
        for path in ["/secrets", "/services", "/apiservices", "/configmaps"] {
            proxy.order(2, Matching::method("GET").path(path), refusal.clone());
        }
        proxy.cut_watches();
        let met = async || (proxy.pending() == 0).then_some(());
        eventually("the refusals", met).await;
        // A new connection of the API server, whose front proxy has to be known still.
        let told = common::kubectl(
            cluster,
            &["get", "--raw", "/apis/external.metrics.k8s.io/v1beta1"],
        );
        told.await.unwrap();
        answered(cluster).await;
        eventually("the watches", async || (proxy.open_watches() >= 4).then_some(())).await;
        assert!(!standing.has_changed().unwrap(), "{:?}", *standing.borrow());
        replica.end().await;
    });
}

#[test]
fn what_is_ours_is_repaired_and_never_written_for_nothing() {
    run(async {
        let (cluster, client, _turn) = turn().await;
        let operator = operator_access(cluster).await.client().await.unwrap();
        let first = Replica::leader(operator.clone()).await;
        first.wait_available().await;
        let api = api_services(cluster).await;
        let patch = json!({ "spec": { "versionPriority": 7 } });
        api.patch(API_SERVICE, &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .unwrap();
        eventually("the repair", async || {
            (api_service(cluster).await.spec.unwrap().version_priority == 100).then_some(())
        })
        .await;
        let before = versions(cluster, &client).await;

        // Another replica, on the same port as if it were behind the same Service: it finds all as it should be.
        let port = first.api.address();
        first.end().await;
        let second = Replica::with(operator, true, |options| {
            options.host = Some("localhost".to_owned());
            options.listen = port;
        })
        .await;
        second.wait_available().await;
        answered(cluster).await;
        assert_eq!(versions(cluster, &client).await, before);
        second.end().await;
    });
}

#[test]
fn nothing_is_claimed_without_a_service_that_leads_here() {
    run(async {
        let (cluster, client, _turn) = turn().await;
        let operator = operator_access(cluster).await.client().await.unwrap();
        let replica = Replica::with(operator.clone(), true, |_| {}).await;
        let blocked = |now: &Standing| matches!(now, Standing::NotPermitted { .. });
        let Standing::NotPermitted { why } = replica.wait("blocked", blocked).await else {
            unreachable!()
        };
        assert!(
            why.contains("Service llm-system/llm-operator-external-metrics does not exist"),
            "{why}"
        );
        assert!(
            api_services(cluster)
                .await
                .get_opt(API_SERVICE)
                .await
                .unwrap()
                .is_none()
        );

        cluster
            .apply_yaml(&common::shipped("manager/external_metrics_service.yaml"))
            .await
            .unwrap();
        let ours = Standing::Ours { available: false };
        // No Pod of the operator runs here, so the API server reaches nobody.
        replica.wait("ours", |now| *now == ours).await;
        let service = api_service(cluster).await.spec.unwrap().service.unwrap();
        assert_eq!(
            (service.namespace.as_deref(), service.name.as_deref()),
            (Some(SYSTEM), Some(SERVICE))
        );
        assert_eq!(service.port, Some(443));
        replica.end().await;

        // An operator on somebody's machine does not take that Service away from the ones in the cluster.
        let outside = Replica::leader(operator).await;
        let Standing::NotPermitted { why } = outside.wait("blocked", blocked).await else {
            unreachable!()
        };
        assert!(why.contains("belongs to an operator inside the cluster"), "{why}");
        let spec = services(&client).get(SERVICE).await.unwrap().spec.unwrap();
        assert_eq!(spec.type_.as_deref(), Some("ClusterIP"));
        outside.end().await;
    });
}

#[test]
fn nothing_is_claimed_before_it_is_wanted_and_all_is_kept_after_it_was() {
    run(async {
        let (cluster, client, _turn) = turn().await;
        let operator = operator_access(cluster).await.client().await.unwrap();
        let (want, wanted) = tokio::sync::watch::channel(false);
        let replica = Replica::with(operator.clone(), true, |options| {
            options.host = Some("localhost".to_owned());
            options.wanted = wanted;
        })
        .await;
        // Another that is blocked shows that there was time to claim.
        let other = Replica::with(operator, true, |_| {}).await;
        other
            .wait("blocked", |now| matches!(now, Standing::NotPermitted { .. }))
            .await;
        other.end().await;
        assert!(services(&client).get_opt(SERVICE).await.unwrap().is_none());
        assert!(secrets(&client).get_opt(common::SECRET).await.unwrap().is_none());
        want.send_replace(true);
        replica.wait_available().await;
        want.send_replace(false);
        remove(&secrets(&client), common::SECRET).await;
        eventually("the Secret to be made anew", async || {
            secrets(&client).get_opt(common::SECRET).await.unwrap()
        })
        .await;
        replica.end().await;
    });
}

#[test]
fn missing_rights_are_told() {
    run(async {
        let (cluster, _, _turn) = turn().await;
        cluster
            .apply_yaml(
                "{apiVersion: v1, kind: ServiceAccount, metadata: {name: nobody, namespace: llm-system}}",
            )
            .await
            .unwrap();
        let nobody = cluster.service_account(SYSTEM, "nobody").await.unwrap();
        let replica = Replica::leader(nobody.client().await.unwrap()).await;
        let told = replica
            .wait("not permitted", |now| {
                matches!(now, Standing::NotPermitted { .. })
            })
            .await;
        let Standing::NotPermitted { why } = told else {
            unreachable!()
        };
        assert!(
            why.contains("cannot be watched") && why.contains("nobody"),
            "{why}"
        );
        replica.end().await;
    });
}
