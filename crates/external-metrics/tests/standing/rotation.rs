//! Certificates change while requests go on; every replica serves the same one.

use std::collections::BTreeSet;

use http::Method;
use kube::ResourceExt;

use crate::common::direct::{Client, request};
use crate::common::{self, Replica, api_service, eventually, operator_access, run, short_lived};
use crate::{answered, ask, secrets, turn};

#[test]
fn requests_go_on_while_certificates_change() {
    run(async {
        let (cluster, client, _turn) = turn().await;
        let operator = operator_access(cluster).await.client().await.unwrap();
        let replica = Replica::with(operator, true, |options| {
            options.host = Some("localhost".to_owned());
            options.lifetimes = short_lived();
        })
        .await;
        replica.wait_available().await;
        answered(cluster).await;
        let secrets = secrets(&client);
        let mut served = BTreeSet::new();
        let (mut asked, mut failed) = (0, Vec::new());
        let start = std::time::Instant::now();
        while served.len() < 4 {
            assert!(
                start.elapsed() < common::PATIENCE,
                "{} certificates",
                served.len()
            );
            // Each kubectl is a connection of its own to the API server; that one's to us are kept or not as it likes.
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
            let secret = secrets.get(common::SECRET).await.unwrap();
            served.insert(secret.data.unwrap()["tls.crt"].0.clone());
        }
        assert!(failed.is_empty(), "{} of {asked}: {failed:?}", failed.len());
        replica.end().await;
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
