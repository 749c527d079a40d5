//! The API is found, and is read as any other.

use serde_json::{Value, json};
use testkit::Program;

use crate::common::{KIND, cluster, eventually, kubectl, run};
use crate::replica;

#[test]
fn clients_find_the_metric() {
    run(async {
        replica().await;
        let cluster = cluster().await;
        eventually("kubectl to know the API", async || {
            let resources =
                kubectl(cluster, &["api-resources", "--api-group=external.metrics.k8s.io"]).await?;
            let line = resources
                .lines()
                .find(|line| line.starts_with("llm_operator_desired_replicas "));
            line.map(str::to_owned).ok_or(resources)
        })
        .await;
        let raw = async |path: &str| -> Value {
            let text = kubectl(cluster, &["get", "--raw", path]).await.unwrap();
            serde_json::from_str(&text).unwrap()
        };
        let group = raw("/apis/external.metrics.k8s.io").await;
        assert_eq!(group["preferredVersion"]["version"], "v1beta1");
        let resources = raw("/apis/external.metrics.k8s.io/v1beta1").await;
        assert_eq!(resources["kind"], "APIResourceList");
        let names: Vec<_> = resources["resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|found| &found["name"])
            .collect();
        assert_eq!(names, ["llm_operator_desired_replicas"]);
        // The lists of the whole cluster, in both forms, have it; and whoever deletes namespaces relies on them.
        let groups = raw("/apis").await;
        let names = groups["groups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| &group["name"]);
        assert_eq!(
            names.filter(|name| **name == "external.metrics.k8s.io").count(),
            1
        );

        kubectl(cluster, &["create", "namespace", "short"]).await.unwrap();
        kubectl(cluster, &["delete", "namespace", "short", "--timeout=30s"])
            .await
            .unwrap();
    });
}

#[test]
fn values_are_selected_as_labels_are() {
    run(async {
        let (cluster, table) = (cluster().await, &replica().await.table);
        table.set("selected", "a", 2);
        table.set("selected", "b", 3);
        let values = async |query: &str| -> Result<Vec<Value>, String> {
            let base =
                "/apis/external.metrics.k8s.io/v1beta1/namespaces/selected/llm_operator_desired_replicas";
            let text = kubectl(cluster, &["get", "--raw", &format!("{base}{query}")]).await?;
            let list: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(list["kind"], "ExternalMetricValueList");
            assert_eq!(list["apiVersion"], "external.metrics.k8s.io/v1beta1");
            let items = list["items"].as_array().unwrap().iter();
            Ok(items.map(|item| item["value"].clone()).collect())
        };
        let kind = format!("llm-operator.io%2Fkind%3D{KIND}");
        assert_eq!(values("").await.unwrap(), ["2", "3"]);
        let one = format!("?labelSelector={kind}%2Cllm-operator.io%2Fname%3Db");
        assert_eq!(values(&one).await.unwrap(), ["3"]);
        let set = "?labelSelector=llm-operator.io/name+in+(a,b)";
        assert_eq!(values(set).await.unwrap(), ["2", "3"]);
        assert_eq!(
            values("?labelSelector=llm-operator.io/name!=a").await.unwrap(),
            ["3"]
        );
        assert!(
            values("?labelSelector=llm-operator.io/name=z")
                .await
                .unwrap()
                .is_empty()
        );
        let wrong = values("?labelSelector=a+in+b").await.unwrap_err();
        assert!(wrong.contains("found \"b\" where ( is expected"), "{wrong}");
        let other = "/apis/external.metrics.k8s.io/v1beta1/namespaces/selected/queue_length";
        let missing = kubectl(cluster, &["get", "--raw", other]).await.unwrap_err();
        assert!(
            missing.contains("NotFound") && missing.contains("queue_length"),
            "{missing}"
        );
    });
}

#[test]
fn the_api_server_has_nothing_to_complain_about() {
    run(async {
        replica().await;
        let cluster = cluster().await;
        // By now it has asked for all that it merges.
        let merged = eventually("OpenAPI to be merged", async || {
            kubectl(cluster, &["get", "--raw", "/openapi/v2"]).await
        })
        .await;
        assert_eq!(
            serde_json::from_str::<Value>(&merged).unwrap()["swagger"],
            json!("2.0")
        );
        let log = cluster.last_lines(Program::ApiServer, 10_000);
        let complaints: Vec<_> = log
            .lines()
            .filter(|line| line.starts_with(['E', 'W']) && line.contains("external.metrics"))
            .collect();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    });
}
