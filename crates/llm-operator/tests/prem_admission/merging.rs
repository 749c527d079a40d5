//! Several hands on one resource: the template's lists are merged by their keys, as those of a Pod are.

use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::desk::{api, apply, client, kubectl};

fn template(containers: &Value, volumes: &Value) -> Value {
    json!({"deployment": {"template": {"spec": {"containers": containers, "volumes": volumes}}}})
}

fn names(stored: &Value, list: &str) -> Vec<String> {
    let items = stored["spec"]["deployment"]["template"]["spec"][list]
        .as_array()
        .unwrap();
    items
        .iter()
        .map(|item| item["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn containers_and_volumes_of_two_managers() {
    let client = client().await;
    let both = |manager: &'static str, spec: Value| {
        let client = client.clone();
        async move {
            let stored = apply(&client, manager, "AIDeployment", "shared", &spec).await;
            stored
                .unwrap_or_else(|status| panic!("{manager}: {}", status.message))
                .data
        }
    };
    both(
        "owner",
        template(
            &json!([{"name": "engine", "image": "a:v1"}]),
            &json!([{"name": "data", "emptyDir": {}}]),
        ),
    )
    .await;
    let sidecar = template(
        &json!([{"name": "proxy", "image": "b:v1"}]),
        &json!([{"name": "certs", "emptyDir": {}}]),
    );
    let stored = both("mesh", sidecar).await;
    assert_eq!(names(&stored, "containers"), ["engine", "proxy"]);
    assert_eq!(names(&stored, "volumes"), ["data", "certs"]);
    // Whoever stops naming an item takes away that one and no other.
    let stored = both("mesh", json!({})).await;
    assert_eq!(names(&stored, "containers"), ["engine"]);
    assert_eq!(names(&stored, "volumes"), ["data"]);
    let taken = template(&json!([{"name": "engine", "image": "c:v1"}]), &json!([]));
    let status = apply(&client, "mesh", "AIDeployment", "shared", &taken)
        .await
        .unwrap_err();
    assert!(
        status.reason == "Conflict" && status.message.contains("owner"),
        "{}",
        status.message
    );
    api(&client, "AIDeployment")
        .delete("shared", &DeleteParams::default())
        .await
        .unwrap();
}

/// `kubectl scale` works where no replicas are given, and where there is no block for them.
#[tokio::test]
async fn scale() {
    let client = client().await;
    for (name, spec) in [
        ("scale-number", json!({"deployment": {"replicas": 1}})),
        ("scale-none", json!({"deployment": {"nodeSelector": {"a": "b"}}})),
        ("scale-null", json!({"deployment": null})),
        ("scale-absent", json!({})),
    ] {
        apply(&client, "a-person", "AIDeployment", name, &spec)
            .await
            .unwrap();
        kubectl(&["scale", "aideployment", name, "--replicas=3"]).await;
        let stored = api(&client, "AIDeployment").get(name).await.unwrap();
        assert_eq!(stored.data["spec"]["deployment"]["replicas"], 3, "{name}");
        api(&client, "AIDeployment")
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
    }
}
