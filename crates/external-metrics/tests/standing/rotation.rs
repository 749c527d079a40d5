//! Certificates change while requests go on; every replica serves the same one.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Instant;

use external_metrics::API_SERVICE;
use futures::StreamExt;
use http::Method;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::runtime::watcher::watch_object;
use kube::{Api, ResourceExt};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;

use crate::common::direct::{Client, request};
use crate::common::{self, Replica, api_service, eventually, operator_access, run, short_lived};
use crate::{answered, ask, secrets, turn};

/// When each authority was seen first in what is looked at.
type First = Arc<Mutex<HashMap<String, Instant>>>;

/// Watches an object for the authorities (PEM) that `read` finds in it.
fn record<K>(api: Api<K>, name: &'static str, read: fn(K) -> Vec<u8>) -> First
where
    K: kube::Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let first = First::default();
    let told = first.clone();
    tokio::spawn(async move {
        let mut events = std::pin::pin!(watch_object(api, name));
        while let Some(event) = events.next().await {
            let Ok(Some(object)) = event else { continue };
            let text = String::from_utf8(read(object)).unwrap();
            for authority in text.split_inclusive("-----END CERTIFICATE-----\n") {
                told.lock()
                    .entry(authority.to_owned())
                    .or_insert_with(Instant::now);
            }
        }
    });
    first
}

#[test]
fn requests_go_on_while_certificates_change() {
    run(async {
        let (cluster, client, _turn) = turn().await;
        let operator = operator_access(cluster).await.client().await.unwrap();
        let lifetimes = short_lived();
        let replica = Replica::with(operator, true, |options| {
            options.host = Some("localhost".to_owned());
            options.lifetimes = lifetimes;
        })
        .await;
        replica.wait_available().await;
        answered(cluster).await;
        let published = record(
            common::api_services(cluster).await,
            API_SERVICE,
            |found: APIService| found.spec.unwrap().ca_bundle.unwrap().0,
        );
        let served = record(secrets(&client), common::SECRET, |found: Secret| {
            found.data.unwrap()["ca.crt"].0.clone()
        });
        let (mut asked, mut failed) = (0, Vec::new());
        let start = Instant::now();
        while served.lock().len() < 4 {
            assert!(
                start.elapsed() < common::PATIENCE,
                "{} certificates",
                served.lock().len()
            );
            // Through the API server, whose connections to us are kept or not as it likes; and on a new connection.
            failed.extend(ask(cluster).await.err());
            let bundle = api_service(cluster).await.spec.unwrap().ca_bundle.unwrap();
            let health = (Method::GET, "/readyz");
            let address = replica.api.address();
            failed.extend(
                request(address, &bundle.0, &Client::Bare, health, &[])
                    .await
                    .err(),
            );
            asked += 2;
        }
        assert!(failed.is_empty(), "{} of {asked}: {failed:?}", failed.len());
        replica.end().await;
        // Whatever connections there are: no certificate is served before the API server knows its authority.
        let (published, served) = (published.lock(), served.lock());
        let first = served.values().min().unwrap();
        for (authority, at) in served.iter().filter(|(_, at)| *at != first) {
            let ahead = at.duration_since(published[authority]);
            assert!(
                ahead * 2 > lifetimes.settle.unsigned_abs(),
                "only {ahead:?} ahead"
            );
        }
    });
}

#[test]
fn every_replica_serves_and_only_the_leader_writes() {
    run(async {
        let (cluster, client, _turn) = turn().await;
        let operator = operator_access(cluster).await.client().await.unwrap();
        let standby = Replica::with(operator.clone(), false, |options| {
            options.host = Some("localhost".to_owned());
        })
        .await;
        let leader = Replica::leader(operator).await;
        leader.wait_available().await;
        let bundle = api_service(cluster).await.spec.unwrap().ca_bundle.unwrap();
        let proxy = Client::FrontProxy(cluster.front_proxy());
        let headers = [
            ("X-Remote-User", "kubernetes-admin"),
            ("X-Remote-Group", "system:masters"),
        ];
        let path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/n/llm_operator_desired_replicas";
        standby.table.set("n", "llama", 6);
        let answer = eventually("the standby to serve", async || {
            request(
                standby.api.address(),
                &bundle.0,
                &proxy,
                (Method::GET, path),
                &headers,
            )
            .await
        })
        .await;
        assert_eq!(answer.body["items"][0]["value"], "6");
        // It knows where the API stands, too: the port in the object is the leader's.
        standby.wait_available().await;
        let port = i32::from(leader.api.address().port());
        let found = async || api_service(cluster).await.spec.unwrap().service.unwrap().port;
        assert_eq!(found().await, Some(port));

        // A Secret that goes is made anew by the leader; then the other leads and takes over.
        let before = secrets(&client).get(common::SECRET).await.unwrap();
        crate::remove(&secrets(&client), common::SECRET).await;
        eventually("another Secret", async || {
            let found = secrets(&client).get_opt(common::SECRET).await.unwrap();
            found.filter(|found| found.uid() != before.uid()).map(drop)
        })
        .await;
        leader.end().await;
        standby.lead.send_replace(true);
        let port = i32::from(standby.api.address().port());
        eventually("the other to take over", async || {
            let now = found().await;
            if now == Some(port) {
                Ok(())
            } else {
                Err(format!("{now:?}"))
            }
        })
        .await;
        answered(cluster).await;
        standby.end().await;
    });
}
