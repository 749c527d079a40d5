//! The real horizontal Pod autoscaler follows the number.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::Api;
use serde_json::json;

use crate::common::{KIND, cluster, eventually, kubectl, run};
use crate::replica;

const NAMESPACE: &str = "autoscaler";

async fn install(cluster: &testkit::Cluster) {
    let labels = json!({ "llm-operator.io/kind": KIND, "llm-operator.io/name": "llama" });
    let metric = json!({ "name": "llm_operator_desired_replicas", "selector": { "matchLabels": labels } });
    let policies = json!([
        { "type": "Percent", "value": 900, "periodSeconds": 15 },
        { "type": "Pods", "value": 100, "periodSeconds": 15 },
    ]);
    let rules = json!({ "tolerance": "0", "stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": policies });
    let container = json!({ "name": "engine", "image": "engine" });
    let template =
        json!({ "metadata": { "labels": { "app": "llama" } }, "spec": { "containers": [container] } });
    let objects = json!({ "kind": "List", "items": [
        { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } },
        {
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "llama", "namespace": NAMESPACE },
            "spec": { "selector": { "matchLabels": { "app": "llama" } }, "template": template },
        },
        {
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": { "name": "llama", "namespace": NAMESPACE },
            "spec": {
                "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "llama" },
                "minReplicas": 1,
                "maxReplicas": 60,
                "metrics": [{
                    "type": "External",
                    "external": { "metric": metric, "target": { "type": "AverageValue", "averageValue": "1" } },
                }],
                "behavior": { "scaleUp": rules, "scaleDown": rules },
            },
        },
    ] });
    cluster.apply_yaml(&objects.to_string()).await.unwrap();
}

#[test]
fn a_deployment_gets_the_number_that_was_decided() {
    run(async {
        let (cluster, table) = (cluster().await, &replica().await.table);
        table.set(NAMESPACE, "llama", 7);
        table.set(NAMESPACE, "other", 50);
        install(cluster).await;
        let client = cluster.admin_client().await.unwrap();
        let deployments: Api<Deployment> = Api::namespaced(client.clone(), NAMESPACE);
        let replicas = async |wanted: i32| {
            eventually(&format!("{wanted} replicas"), async || {
                let found = deployments.get("llama").await.unwrap().spec.unwrap().replicas;
                if found == Some(wanted) {
                    Ok(())
                } else {
                    Err(format!("{found:?}"))
                }
            })
            .await;
        };
        replicas(7).await;
        // One more of many is within the usual tolerance, which is off.
        table.set(NAMESPACE, "llama", 40);
        replicas(40).await;
        table.set(NAMESPACE, "llama", 41);
        replicas(41).await;
        table.set(NAMESPACE, "llama", 3);
        replicas(3).await;
        // People see how many there are of how many: all.
        eventually("kubectl get hpa to tell it", async || {
            let shown = kubectl(cluster, &["get", "hpa", "-n", NAMESPACE, "llama"]).await?;
            if shown.contains(" 1/1 (avg) ") {
                Ok(())
            } else {
                Err(shown)
            }
        })
        .await;

        // What is not decided is no reason to scale.
        table.remove(NAMESPACE, "llama");
        let autoscalers: Api<HorizontalPodAutoscaler> = Api::namespaced(client, NAMESPACE);
        let message = eventually("the autoscaler to say that it has no number", async || {
            let status = autoscalers.get("llama").await.unwrap().status?;
            let mut conditions = status.conditions?.into_iter();
            let inactive =
                conditions.find(|found| found.type_ == "ScalingActive" && found.status == "False")?;
            inactive.message
        })
        .await;
        assert!(message.contains("no metrics returned"), "{message}");
        replicas(3).await;
        table.set(NAMESPACE, "llama", 5);
        replicas(5).await;
    });
}
