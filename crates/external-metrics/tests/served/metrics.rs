//! The operator's own metrics, for whoever the cluster lets read them.

use external_metrics::MetricsServer;
use http::Method;
use reconcile::metrics::Metrics;
use serde_json::Value;
use testkit::Cluster;
use tokio_util::sync::CancellationToken;

use crate::common::direct::{Client, request};
use crate::common::{SYSTEM, api_service, cluster, eventually, operator_access, run};
use crate::replica;

const READER: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: { name: prometheus, namespace: default }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: stranger, namespace: default }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: prometheus }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: llm-operator-metrics-reader }
subjects: [ { kind: ServiceAccount, name: prometheus, namespace: default } ]
";

/// Status and body, whatever the certificate.
async fn curl(address: std::net::SocketAddr, path: &str, more: &[&str]) -> (String, String) {
    let output = tokio::process::Command::new("curl")
        .args(["-sk", "-m", "10", "-w", "\n%{http_code}"])
        .args(more)
        .arg(format!("https://{address}{path}"))
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, code) = text.rsplit_once('\n').unwrap();
    (code.to_owned(), body.to_owned())
}

async fn bearer(cluster: &Cluster, account: &str) -> String {
    let token = cluster.token_for("default", account).await.unwrap();
    format!("authorization: Bearer {token}")
}

async fn alone(client: kube::Client, stop: &CancellationToken) -> MetricsServer {
    let listen = ([127, 0, 0, 1], 0).into();
    let server = MetricsServer::start(client, listen, Metrics::new(), stop.clone());
    server.await.unwrap()
}

/// Nobody without a token, nobody whom the cluster does not know, nobody without the role; the others get the page.
#[test]
fn metrics_are_told_to_those_who_may_read_them() {
    run(async {
        let cluster = cluster().await;
        cluster.apply_yaml(READER).await.unwrap();
        let (reader, stranger) = (
            bearer(cluster, "prometheus").await,
            bearer(cluster, "stranger").await,
        );
        let stop = CancellationToken::new();
        let operator = operator_access(cluster).await.client().await.unwrap();
        let server = alone(operator, &stop).await;
        let address = server.address();
        let ask = async |more: &[&str]| curl(address, "/metrics", more).await;

        let bound = async || match ask(&["-H", &reader]).await {
            (code, body) if code == "200" => Ok(body),
            (code, body) => Err(format!("{code}: {body}")),
        };
        let page = eventually("the binding to be known", bound).await;
        assert!(page.contains("# TYPE llm_operator_leader gauge") && page.ends_with("# EOF\n"));

        for (more, code, words) in [
            (vec![], "401", "no bearer token"),
            (vec!["-H", "authorization: Basic YTpi"], "401", "no bearer token"),
            (
                vec!["-H", "authorization: Bearer nonsense"],
                "401",
                "does not know the bearer token",
            ),
            (vec!["-H", &stranger], "403", "llm-operator-metrics-reader"),
            (vec!["-X", "POST", "-H", &reader], "405", "GET"),
        ] {
            let (found, body) = ask(&more).await;
            assert_eq!(found, code, "{body}");
            let status: Value = serde_json::from_str(&body).unwrap();
            assert!(status["message"].as_str().unwrap().contains(words), "{body}");
            assert!(!body.contains("llm_operator_leader"), "{body}");
        }
        // Nothing else is told there, least of all the numbers of the other API.
        for path in ["/apis", "/apis/external.metrics.k8s.io/v1beta1", "/"] {
            assert_eq!(curl(address, path, &["-H", &reader]).await.0, "404", "{path}");
        }
        for path in ["/healthz", "/readyz"] {
            assert_eq!(
                curl(address, path, &[]).await,
                ("200".to_owned(), "ok".to_owned())
            );
        }
        stop.cancel();
        server.ended().await;
    });
}

/// Where the operator may not ask who somebody is, nobody is told anything but that.
#[test]
fn an_operator_that_may_not_ask_tells_nobody() {
    run(async {
        let cluster = cluster().await;
        let account =
            "apiVersion: v1\nkind: ServiceAccount\nmetadata: { name: no-reviews, namespace: llm-system }\n";
        cluster.apply_yaml(account).await.unwrap();
        let access = cluster.service_account(SYSTEM, "no-reviews").await.unwrap();
        let stop = CancellationToken::new();
        let server = alone(access.client().await.unwrap(), &stop).await;
        let token = ["-H", "authorization: Bearer anything"];
        let (code, body) = curl(server.address(), "/metrics", &token).await;
        assert_eq!(code, "503", "{body}");
        assert!(body.contains("config/rbac/metrics_auth_role.yaml"), "{body}");
        stop.cancel();
        server.ended().await;
    });
}

/// The same port as the aggregated API, under the certificate that is stored.
#[test]
fn metrics_stand_beside_the_aggregated_api() {
    run(async {
        let cluster = cluster().await;
        cluster.apply_yaml(READER).await.unwrap();
        let (reader, stranger) = (
            bearer(cluster, "prometheus").await,
            bearer(cluster, "stranger").await,
        );
        let address = replica().await.api.address();
        let bundle = api_service(cluster).await.spec.unwrap().ca_bundle.unwrap();
        let ask = async |header: &str| {
            let value = header.strip_prefix("authorization: ").unwrap();
            let headers = [("authorization", value)];
            let get = (Method::GET, "/metrics");
            let answer = request(address, &bundle.0, &Client::Bare, get, &headers).await;
            answer.unwrap()
        };
        let page = eventually("the binding to be known", async || {
            let answer = ask(&reader).await;
            if answer.status == 200 {
                Ok(answer)
            } else {
                Err(answer.body.to_string())
            }
        })
        .await;
        assert!(page.content_type.starts_with("application/openmetrics-text"));
        assert!(page.body.as_str().unwrap().contains("llm_operator_leader"));
        assert_eq!(ask(&stranger).await.status, 403);
        // What the front proxy alone may say is not believed of a reader of metrics.
        let headers = [
            ("authorization", "Bearer x"),
            ("X-Remote-User", "kubernetes-admin"),
        ];
        let answer = request(
            address,
            &bundle.0,
            &Client::Bare,
            (Method::GET, "/metrics"),
            &headers,
        )
        .await;
        assert_eq!(answer.unwrap().status, 401);
    });
}
