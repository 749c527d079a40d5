//! Only the front proxy is believed, and only who may is answered.

use http::Method;
use serde_json::{Value, json};

use crate::common::direct::{Answer, Client, request};
use crate::common::{KIND, api_service, cluster, eventually, kubectl, run};
use crate::replica;

fn path(namespace: &str) -> String {
    format!("/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/llm_operator_desired_replicas")
}

async fn ask(client: &Client, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let address = replica().await.api.address();
    let bundle = api_service(cluster().await)
        .await
        .spec
        .unwrap()
        .ca_bundle
        .unwrap();
    request(address, &bundle.0, client, (method, path), headers)
        .await
        .unwrap()
}

async fn proxied(path: &str, headers: &[(&str, &str)]) -> Answer {
    let proxy = Client::FrontProxy(cluster().await.front_proxy());
    ask(&proxy, Method::GET, path, headers).await
}

fn assert_status(answer: &Answer, code: u16, reason: &str, words: &str) {
    assert_eq!(answer.status, code, "{}", answer.body);
    assert_eq!(answer.content_type, "application/json");
    let status = &answer.body;
    assert_eq!(
        (&status["kind"], &status["apiVersion"]),
        (&json!("Status"), &json!("v1"))
    );
    assert_eq!(
        (&status["reason"], &status["code"]),
        (&json!(reason), &json!(code))
    );
    let message = status["message"].as_str().unwrap();
    assert!(message.contains(words), "{message}");
}

#[test]
fn only_the_front_proxy_is_believed() {
    run(async {
        let admin = [
            ("X-Remote-User", "kubernetes-admin"),
            ("X-Remote-Group", "system:masters"),
        ];
        for (client, words) in [
            (Client::Bare, "no client certificate"),
            (Client::SelfSigned, "not one of the API server's front proxy"),
        ] {
            for path in [&path("default"), "/apis", "/openapi/v2", "/nothing"] {
                let answer = ask(&client, Method::GET, path, &admin).await;
                assert_status(&answer, 401, "Unauthorized", words);
            }
            for path in ["/healthz", "/livez", "/readyz"] {
                let answer = ask(&client, Method::GET, path, &[]).await;
                assert_eq!((answer.status, answer.body), (200, json!("ok")), "{path}");
            }
        }
        assert_status(&proxied("/apis", &[]).await, 401, "Unauthorized", "names no user");
        assert_eq!(proxied("/apis", &admin).await.status, 200);
        let proxy = Client::FrontProxy(cluster().await.front_proxy());
        let answer = ask(&proxy, Method::POST, &path("default"), &admin).await;
        assert_status(&answer, 405, "MethodNotAllowed", "GET");
        assert_status(
            &proxied("/nothing", &admin).await,
            404,
            "NotFound",
            "requested resource",
        );
    });
}

#[test]
fn only_who_may_is_answered() {
    run(async {
        let cluster = cluster().await;
        replica().await.table.set("callers", "llama", 4);
        let alice = [
            ("X-Remote-User", "alice"),
            ("X-Remote-Group", "system:authenticated"),
        ];
        let readers = [("X-Remote-User", "bob"), ("X-Remote-Group", "readers")];
        let words = "\"alice\" cannot list resource \"llm_operator_desired_replicas\"";
        assert_status(&proxied(&path("callers"), &alice).await, 403, "Forbidden", words);
        let role = "
apiVersion: v1
kind: Namespace
metadata: { name: callers }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: readers, namespace: callers }
rules: [ { apiGroups: [external.metrics.k8s.io], resources: [llm_operator_desired_replicas], verbs: [list] } ]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: readers, namespace: callers }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: readers }
subjects: [ { apiGroup: rbac.authorization.k8s.io, kind: Group, name: readers } ]
";
        cluster.apply_yaml(role).await.unwrap();
        let answer = eventually("the role to be known", async || {
            let answer = proxied(&path("callers"), &readers).await;
            if answer.status == 200 {
                Ok(answer)
            } else {
                Err(answer.body.to_string())
            }
        })
        .await;
        assert_eq!(answer.body["items"][0]["value"], "4");
        assert_eq!(
            answer.body["items"][0]["metricLabels"]["llm-operator.io/kind"],
            KIND
        );
        // In no other namespace, and nobody else.
        assert_eq!(proxied(&path("default"), &readers).await.status, 403);
        assert_eq!(proxied(&path("callers"), &alice).await.status, 403);

        // The same through the API server.
        let get = ["get", "--raw", &path("callers")];
        let told = kubectl(cluster, &[&get[..], &["--as=bob", "--as-group=readers"]].concat())
            .await
            .unwrap();
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["items"][0]["value"], "4");
        let refused = kubectl(cluster, &[&get[..], &["--as=alice"]].concat())
            .await
            .unwrap_err();
        assert!(
            refused.contains("Forbidden") && refused.contains("alice"),
            "{refused}"
        );
    });
}

#[test]
fn a_user_with_many_groups_is_understood() {
    run(async {
        let names: Vec<String> = (0..1500)
            .map(|number| format!("a-group-with-a-long-name-{number}"))
            .collect();
        let mut headers = vec![("X-Remote-User", "carol"), ("X-Remote-Group", "system:masters")];
        headers.extend(names.iter().map(|name| ("X-Remote-Group", name.as_str())));
        assert_eq!(proxied(&path("default"), &headers).await.status, 200);
        // Whoever is not the front proxy gets no such room.
        let address = replica().await.api.address();
        let bundle = api_service(cluster().await)
            .await
            .spec
            .unwrap()
            .ca_bundle
            .unwrap();
        let get = (Method::GET, "/healthz");
        let answer = request(address, &bundle.0, &Client::Bare, get, &headers).await;
        assert!(answer.map_or(true, |answer| answer.status == 431));
    });
}
