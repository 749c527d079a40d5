//! Where Pods go, what they reserve, and where labels and annotations of the spec end.

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::{
    common::bed,
    scene::{NAME, apply, stopped},
    seen::{deployment, pod_spec, serving},
};

const SPREAD: &str = "mlcontroller.premlabs.io/spread-topology";

fn template(deployment: &Deployment) -> Value {
    json!(deployment.spec.as_ref().unwrap().template)
}

/// Pods with models are spread over nodes by one label, unless the template has that label, in which case the person
/// spreads them; a constraint of the template stays beside it.
/// Promises: S4-21
#[tokio::test]
async fn pods_are_spread_unless_the_template_says_how() {
    let space = bed().await.space("spread").await;
    apply(&space, "plain", stopped("localai", json!({}))).await;
    let plain = template(&deployment(&space, "plain").await);
    let constraint = json!({
        "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {SPREAD: "ai-model"}},
    });
    assert_eq!(plain["spec"]["topologySpreadConstraints"], json!([constraint]));
    assert_eq!(
        plain["metadata"]["labels"],
        json!({NAME: "plain", SPREAD: "ai-model"})
    );

    let own = json!({
        "maxSkew": 2, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "x"}},
    });
    let with = |labels: Value| {
        let template = json!({"metadata": {"labels": labels}, "spec": {"topologySpreadConstraints": [own]}});
        stopped("localai", json!({"deployment": {"template": template}}))
    };
    apply(&space, "skipped", with(json!({SPREAD: "mine"}))).await;
    let skipped = template(&deployment(&space, "skipped").await);
    assert_eq!(skipped["spec"]["topologySpreadConstraints"], json!([own]));
    assert_eq!(skipped["metadata"]["labels"][SPREAD], "mine");
    apply(&space, "both", with(json!({}))).await;
    let both = template(&deployment(&space, "both").await);
    assert_eq!(
        both["spec"]["topologySpreadConstraints"],
        json!([own, constraint])
    );
}

/// Node selectors merge, the spec's over the template's; amounts merge over the container's.
/// Promises: S4-1, S4-22
#[tokio::test]
async fn node_selector_and_resources_merge() {
    let space = bed().await.space("merge").await;
    let container = json!({"name": "server", "image": "your-registry/gpt-small:v1", "resources":
        {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"memory": "2Gi"}}});
    let deployment = json!({
        "template": {"spec": {"nodeSelector": {"a": "1", "b": "1"}, "containers": [container]}},
        "nodeSelector": {"b": "2", "c": "2"},
        "resources": {"requests": {"cpu": 8, "ephemeral-storage": "10Gi"}, "limits": {"cpu": "16"}},
    });
    apply(
        &space,
        "small",
        stopped("generic", json!({ "deployment": deployment })),
    )
    .await;
    let pod = pod_spec(&space, "small").await;
    assert_eq!(json!(pod.node_selector), json!({"a": "1", "b": "2", "c": "2"}));
    let resources = serving(&space, "small").await.resources;
    assert_eq!(
        json!(resources),
        json!({
            "requests": {"cpu": "8", "ephemeral-storage": "10Gi", "memory": "1Gi"},
            "limits": {"cpu": "16", "memory": "2Gi"},
        })
    );
}

/// Labels and annotations of `deployment` go on the Pods, over the template's, and not on the Deployment.
/// Promises: S4-1, S4-22
#[tokio::test]
async fn labels_of_deployment_go_on_the_pods() {
    let space = bed().await.space("labels").await;
    let spec = json!({"deployment": {
        "labels": {"team": "a", "tier": "spec"}, "annotations": {"note": "spec"},
        "template": {"metadata": {"labels": {"tier": "template", "app": "x"}, "annotations": {"note": "template", "other": "1"}}},
    }});
    apply(&space, "small", stopped("localai", spec)).await;
    let made = deployment(&space, "small").await;
    let metadata = template(&made)["metadata"].clone();
    let labels = json!({"team": "a", "tier": "spec", "app": "x", NAME: "small", SPREAD: "ai-model"});
    assert_eq!(metadata["labels"], labels);
    assert_eq!(metadata["annotations"], json!({"note": "spec", "other": "1"}));
    for key in ["team", "tier", "app"] {
        assert!(!made.labels().contains_key(key), "{key}");
    }
    assert!(!made.annotations().contains_key("note"));
    assert_eq!(made.labels()["app.kubernetes.io/managed-by"], "llm-operator");
}
