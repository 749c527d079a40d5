//! Strangers take no more than their share, and not for long.

use std::time::{Duration, Instant};

use http::Method;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::common::direct::{Client, request};
use crate::common::{Replica, api_service, cluster, eventually, operator_access, run};
use crate::replica;

#[test]
fn connections_that_say_nothing_are_ended_and_the_front_proxy_is_served() {
    run(async {
        replica().await;
        let cluster = cluster().await;
        let bundle = api_service(cluster).await.spec.unwrap().ca_bundle.unwrap();
        // A standby of its own, so that no other test is slowed down.
        let client = operator_access(cluster).await.client().await.unwrap();
        let standby = Replica::with(client, false, |_| {}).await;
        let address = standby.api.address();
        let proxy = Client::FrontProxy(cluster.front_proxy());
        let headers = [
            ("X-Remote-User", "kubernetes-admin"),
            ("X-Remote-Group", "system:masters"),
        ];
        let served = async || request(address, &bundle.0, &proxy, (Method::GET, "/apis"), &headers).await;
        eventually("the standby to serve", served).await;

        let mut silent = Vec::new();
        for _ in 0..200 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let start = Instant::now();
        let answer = eventually("the front proxy to be served", served).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        // All of them at 64 a time, each for 3 s.
        for stream in &mut silent {
            let mut bytes = [0; 16];
            let end = tokio::time::timeout(Duration::from_secs(40), stream.read(&mut bytes));
            let read = end.await.unwrap();
            assert_eq!(read.unwrap_or(0), 0, "after {:?}", start.elapsed());
        }
        standby.end().await;
    });
}

#[test]
fn the_end_waits_for_no_idle_connection() {
    run(async {
        replica().await;
        let cluster = cluster().await;
        let client = operator_access(cluster).await.client().await.unwrap();
        let standby = Replica::with(client, false, |_| {}).await;
        let address = standby.api.address();
        let mut silent = TcpStream::connect(address).await.unwrap();
        let start = Instant::now();
        standby.end().await;
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
        assert_eq!(silent.read(&mut [0; 16]).await.unwrap_or(0), 0);
        assert!(TcpStream::connect(address).await.is_err());
    });
}
