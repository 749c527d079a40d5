//! From the document's example to its end.

use serde_json::{Value, json};

use crate::{
    bed::{Scene, condition, dsc, nothing, words},
    common::repository_file,
};

/// The document's example makes the `Llmd`: its three blocks, its owner, and a status in both.
/// Promises: S1-4, S1-5, S1-6, S1-7, S1-10, S1-16, S1-23
#[tokio::test]
async fn the_documents_example() {
    let scene = Scene::new().await;
    scene
        .apply(&repository_file(
            "config/samples/datasciencecluster_v2_llmd_example.yaml",
        ))
        .await;
    let llmd = scene.wait_llmd("the Llmd", |_| true).await;
    assert_eq!(
        llmd["spec"],
        json!({
            "modelService": {"enabled": true, "version": "0.2.11"},
            "infra": {"enabled": true, "version": "1.3.3"},
            "gatewayAPI": {"enabled": true, "version": "1.0.1"},
        })
    );
    let object = scene.dsc("default-dsc").await;
    assert_eq!(
        llmd["metadata"]["ownerReferences"],
        json!([{"apiVersion": "datasciencecluster.opendatahub.io/v2", "kind": "DataScienceCluster", "name": "default-dsc",
            "uid": object["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true}])
    );
    let annotation = &llmd["metadata"]["annotations"]["component.opendatahub.io/management-state"];
    assert_eq!(annotation, "Managed");

    // Without Helm it cannot be installed; what the Llmd says of that stands in the cluster.
    let object = scene
        .wait("default-dsc", "LlmdReady", "False/HelmUnavailable")
        .await;
    let llmd = scene
        .wait_llmd("its word", |llmd| {
            words(&condition(llmd, "Ready")) == "False/HelmUnavailable"
        })
        .await;
    assert_eq!(
        condition(&object, "LlmdReady")["message"],
        condition(&llmd, "Ready")["message"]
    );
    assert_eq!(words(&condition(&object, "ComponentsReady")), "False/NotReady");
    assert_eq!(
        condition(&object, "ComponentsReady")["message"],
        "Some components are not ready: llmd"
    );
    assert_eq!(
        words(&condition(&object, "ProvisioningSucceeded")),
        "True/Provisioned"
    );
    assert_eq!(words(&condition(&object, "Ready")), "False/NotReady");
    assert_eq!(object["status"]["phase"], "Not Ready");
    assert_eq!(object["status"].get("observedGeneration"), None);
    let path = "jsonpath={.status.components.llmd}";
    let shown = scene
        .kubectl(&["get", "datasciencecluster", "default-dsc", "-o", path])
        .await;
    assert!(shown.contains("\"managementState\":\"Managed\""), "{shown}");
    let table = scene.kubectl(&["get", "dsc"]).await;
    assert!(table.contains("NotReady"), "{table}");
}

/// Every field of the component is handed on, each edit too, and so is the wish for another try.
/// Promises: S1-4, S1-7
#[tokio::test]
async fn every_field_is_handed_on() {
    let scene = Scene::new().await;
    let block = |enabled: bool| {
        json!({"enabled": enabled, "version": "v1.3.3",
            "values": {"gateway": {"replicas": 2, "list": [1, {"a": "b"}], "service": {"type": "ClusterIP"}}},
            "valuesFrom": [{"kind": "ConfigMap", "name": "c", "key": "k", "optional": true}],
            "repository": {"url": "oci://registry.example/charts/infra", "plainHTTP": true, "secretRef": {"name": "s"}}})
    };
    let mut spec = json!({"infra": block(false), "modelService": block(false), "gatewayAPI": {"enabled": false},
        "namespace": "elsewhere", "timeout": "3m", "remediation": {"retries": 1, "install": "keep", "upgrade": "uninstall"}});
    let mut asked = spec.clone();
    asked["managementState"] = "Managed".into();
    scene.apply(&dsc("default-dsc", &asked)).await;
    let has = |wanted: Value| move |llmd: &Value| llmd["spec"] == wanted;
    scene.wait_llmd("all fields", has(spec.clone())).await;

    // A value, a block less, a field less.
    scene.set(json!({"modelService": null, "timeout": null, "infra": {"values": {"gateway": {"replicas": 3, "service": null}}}})).await;
    spec["infra"]["values"]["gateway"] = json!({"replicas": 3, "list": [1, {"a": "b"}]});
    let fields = spec.as_object_mut().unwrap();
    fields.remove("modelService");
    fields.remove("timeout");
    let before = scene.wait_llmd("the edit", has(spec.clone())).await;
    let retry = |llmd: &Value| llmd["metadata"]["annotations"]["llm-operator.io/retry"].clone();
    assert_eq!(retry(&before), Value::Null);
    scene
        .patch(
            "default-dsc",
            json!({"metadata": {"annotations": {"llm-operator.io/retry": "1"}}}),
        )
        .await;
    let after = scene.wait_llmd("another try", |llmd| retry(llmd) == "1").await;
    assert_eq!(before["metadata"]["generation"], after["metadata"]["generation"]);
}

/// Managed, Removed, Managed again: the `Llmd` comes and goes, and the conditions say so with times that tell when.
/// Promises: S1-21
#[tokio::test]
async fn managed_and_removed() {
    let scene = Scene::new().await;
    scene.apply(&dsc("default-dsc", &nothing())).await;
    let ready = scene.wait("default-dsc", "Ready", "True/Ready").await;
    assert_eq!(words(&condition(&ready, "LlmdReady")), "True/Ready");
    assert_eq!(words(&condition(&ready, "ComponentsReady")), "True/Ready");
    assert_eq!(ready["status"]["phase"], "Ready");
    assert_eq!(
        ready["status"]["observedGeneration"],
        ready["metadata"]["generation"]
    );
    let first = scene.llmd().await.unwrap();

    scene.set(json!({"managementState": "Removed"})).await;
    scene.wait_no_llmd().await;
    let removed = scene.wait("default-dsc", "LlmdReady", "False/Removed").await;
    let llmd = condition(&removed, "LlmdReady");
    assert_eq!(llmd["message"], "Component ManagementState is set to Removed");
    assert_eq!(llmd["severity"], "Info");
    assert_eq!(
        words(&condition(&removed, "ComponentsReady")),
        "True/NoManagedComponents"
    );
    assert_eq!(words(&condition(&removed, "Ready")), "True/Ready");
    assert_eq!(
        removed["status"]["components"]["llmd"],
        json!({"managementState": "Removed"})
    );
    let since = |dsc: &Value| condition(dsc, "ProvisioningSucceeded")["lastTransitionTime"].clone();
    assert_eq!(since(&removed), since(&ready), "it held all the time");

    scene.set(json!({"managementState": "Managed"})).await;
    scene.wait("default-dsc", "LlmdReady", "True/Ready").await;
    let second = scene.llmd().await.unwrap();
    assert_ne!(first["metadata"]["uid"], second["metadata"]["uid"]);
    assert_eq!(first["spec"], second["spec"]);

    // The block may be missing altogether.
    scene
        .patch("default-dsc", json!({"spec": {"components": null}}))
        .await;
    scene.wait_no_llmd().await;
    scene.wait("default-dsc", "LlmdReady", "False/Removed").await;
    let events = scene.events("default-dsc").await;
    for reason in ["Ready", "Removed"] {
        assert!(events.iter().any(|one| one == reason), "{reason}: {events:?}");
    }
}

/// While an `Llmd` cannot go yet, the status says that it is being removed; an `Llmd` that somebody deletes is made anew.
#[tokio::test]
async fn on_its_way_out() {
    let scene = Scene::new().await;
    scene.apply(&dsc("default-dsc", &nothing())).await;
    scene.wait("default-dsc", "LlmdReady", "True/Ready").await;
    let finalizers = |names: &[&str]| json!({"metadata": {"finalizers": names}}).to_string();
    let held = finalizers(&[
        "example.com/hold",
        "components.platform.opendatahub.io/llm-d-releases",
    ]);
    scene
        .kubectl(&["patch", "llmd", "default-llm-d", "--type=merge", "-p", &held])
        .await;
    scene.set(json!({"managementState": "Removed"})).await;
    let going = scene.wait("default-dsc", "LlmdReady", "False/Deleting").await;
    let message = condition(&going, "LlmdReady")["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(message.starts_with("Removing"), "{message}");
    assert_eq!(words(&condition(&going, "Ready")), "False/NotReady");
    let released = finalizers(&[]);
    scene
        .kubectl(&["patch", "llmd", "default-llm-d", "--type=merge", "-p", &released])
        .await;
    scene.wait("default-dsc", "LlmdReady", "False/Removed").await;

    scene.set(json!({"managementState": "Managed"})).await;
    scene.wait("default-dsc", "LlmdReady", "True/Ready").await;
    let before = scene.llmd().await.unwrap()["metadata"]["uid"].clone();
    scene.kubectl(&["delete", "llmd", "default-llm-d"]).await;
    scene
        .wait_llmd("another", |llmd| llmd["metadata"]["uid"] != before)
        .await;
    scene.wait("default-dsc", "LlmdReady", "True/Ready").await;
}

/// With the cluster goes its `Llmd`.
#[tokio::test]
async fn deleted_with_everything() {
    let scene = Scene::new().await;
    scene.apply(&dsc("default-dsc", &nothing())).await;
    scene.wait("default-dsc", "LlmdReady", "True/Ready").await;
    scene.kubectl(&["delete", "dsc", "default-dsc"]).await;
    scene.wait_no_llmd().await;
}

/// What our definition does not allow is refused before anybody acts on it.
#[tokio::test]
async fn refused_at_admission() {
    let scene = Scene::new().await;
    for (llmd, words) in [
        (json!({"managementState": "Unmanaged"}), "managementState"),
        (
            json!({"managementState": "Managed", "infra": {"version": "1.3.3"}}),
            "enabled",
        ),
        (
            json!({"managementState": "Managed", "infra": {"enabled": true, "version": "latest"}}),
            "version must be one version",
        ),
        (
            json!({"managementState": "Managed", "namespace": "No"}),
            "namespace must be the name",
        ),
        (
            json!({"managementState": "Managed", "timeout": "soon"}),
            "timeout",
        ),
    ] {
        let refused = scene.bed.cluster.apply_yaml(&dsc("default-dsc", &llmd)).await;
        let error = refused.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(words), "{llmd}: {error}");
    }
    assert_eq!(scene.llmd().await, None);
}
