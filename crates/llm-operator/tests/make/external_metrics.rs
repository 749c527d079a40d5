//! What `deploy` brings and `undeploy` takes for external metrics: an API that nobody answers would disturb the cluster.

use k8s_openapi::{
    api::core::v1::{Secret, Service},
    kube_aggregator::pkg::apis::apiregistration::v1::APIService,
};
use kube::Api;

use crate::{make, text, undeploy::with_image};

const NAME: &str = "v1beta1.external.metrics.k8s.io";

/// What an operator makes itself while it runs.
const MADE: &str = "
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata:
  name: v1beta1.external.metrics.k8s.io
  labels: {app.kubernetes.io/managed-by: llm-operator, app.kubernetes.io/component: external-metrics}
spec:
  group: external.metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  service: {namespace: llm-system, name: llm-operator-external-metrics, port: 443}
---
apiVersion: v1
kind: Secret
metadata:
  name: llm-operator-external-metrics-tls
  namespace: llm-system
  labels: {app.kubernetes.io/managed-by: llm-operator, app.kubernetes.io/component: external-metrics}
";

#[tokio::test]
async fn what_serves_external_metrics_comes_and_goes_with_the_operator() {
    let cluster = with_image("make-metrics").await;
    let kubeconfig = cluster.kubeconfig();
    let kubectl = format!("KUBECTL={}", cluster.kubectl_path().display());
    let run = async |args: &[&str]| {
        let output = make(&[args, &[&kubectl]].concat(), &[("KUBECONFIG", &kubeconfig)]).await;
        assert!(output.status.success(), "make {args:?}: {}", text(&output));
    };
    let client = cluster.admin_client().await.unwrap();
    let services: Api<Service> = Api::namespaced(client.clone(), "llm-system");
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "llm-system");
    let apis: Api<APIService> = Api::all(client);

    run(&["deploy"]).await;
    let service = services.get("llm-operator-external-metrics").await.unwrap();
    let ports = service.spec.unwrap().ports.unwrap();
    assert_eq!(ports[0].port, 443);
    cluster.apply_yaml(MADE).await.unwrap();

    run(&["undeploy"]).await;
    assert_eq!(apis.get_opt(NAME).await.unwrap(), None);
    assert_eq!(
        services.get_opt("llm-operator-external-metrics").await.unwrap(),
        None
    );
    assert_eq!(
        secrets
            .get_opt("llm-operator-external-metrics-tls")
            .await
            .unwrap(),
        None
    );

    // One of another adapter stays.
    let other = MADE.replace("managed-by: llm-operator", "managed-by: Helm");
    cluster.apply_yaml(&other).await.unwrap();
    run(&["undeploy", "IMG=llm-operator:v0.1.0"]).await;
    assert!(apis.get_opt(NAME).await.unwrap().is_some());
}
