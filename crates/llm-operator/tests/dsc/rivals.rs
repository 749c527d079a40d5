//! What others have made: an `Llmd`, and a second cluster.

use serde_json::json;

use crate::bed::{Scene, condition, dsc, nothing, words};

const LLMD: &str = "
apiVersion: components.platform.opendatahub.io/v1alpha1
kind: Llmd
metadata: {name: default-llm-d}
spec: {gatewayAPI: {enabled: false}, timeout: 7m}
";

/// An `Llmd` that somebody made directly is left alone, until it is handed over by the command that the status tells.
#[tokio::test]
async fn an_llmd_that_was_there() {
    let scene = Scene::new().await;
    scene.apply(LLMD).await;
    let before = scene
        .wait_llmd("Ready", |llmd| words(&condition(llmd, "Ready")) == "True/Ready")
        .await;
    scene.apply(&dsc("default-dsc", &nothing())).await;
    let taken = scene.wait("default-dsc", "LlmdReady", "False/LlmdTaken").await;
    assert_eq!(words(&condition(&taken, "Ready")), "False/Error");
    scene.looked_at().await;
    let after = scene.llmd().await.unwrap();
    assert_eq!(
        before["metadata"]["resourceVersion"],
        after["metadata"]["resourceVersion"]
    );

    // Neither does it go with what did not make it.
    scene.set(json!({"managementState": "Removed"})).await;
    scene.wait("default-dsc", "LlmdReady", "False/Removed").await;
    scene.looked_at().await;
    let after = scene.llmd().await.unwrap();
    assert_eq!(
        before["metadata"]["resourceVersion"],
        after["metadata"]["resourceVersion"]
    );

    scene.set(json!({"managementState": "Managed"})).await;
    let taken = scene.wait("default-dsc", "LlmdReady", "False/LlmdTaken").await;
    let message = condition(&taken, "LlmdReady")["message"]
        .as_str()
        .unwrap()
        .to_owned();
    let (_, command) = message.split_once("kubectl ").unwrap();
    let command = command.replace('\'', "");
    scene.kubectl(&command.split(' ').collect::<Vec<_>>()).await;
    scene.wait("default-dsc", "LlmdReady", "True/Ready").await;
    let asked = json!({"infra": {"enabled": false, "version": "1.3.3"}});
    let ours = scene
        .wait_llmd("as the cluster asks for", |llmd| llmd["spec"] == asked)
        .await;
    assert_eq!(
        ours["metadata"]["uid"], before["metadata"]["uid"],
        "it was not made anew"
    );
    assert_eq!(ours["metadata"]["ownerReferences"][0]["controller"], true);
}

/// The older of two clusters keeps the component; the younger says so, and takes over when the older is gone.
#[tokio::test]
async fn a_second_cluster() {
    let scene = Scene::new().await;
    scene.apply(&dsc("default-dsc", &nothing())).await;
    let first = scene.wait("default-dsc", "LlmdReady", "True/Ready").await;
    // Creation is told in whole seconds, and within one the name decides.
    scene
        .apply(&dsc(
            "second",
            &json!({"managementState": "Managed", "gatewayAPI": {"enabled": false}}),
        ))
        .await;
    let second = scene.wait("second", "LlmdReady", "False/NotTheFirst").await;
    let message = condition(&second, "LlmdReady")["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(message.contains("default-dsc was there before"), "{message}");
    scene.looked_at().await;
    assert_eq!(scene.dsc("default-dsc").await["status"], first["status"]);
    let llmd = scene.llmd().await.unwrap();
    assert_eq!(llmd["spec"]["infra"]["enabled"], false);

    scene.kubectl(&["delete", "dsc", "default-dsc"]).await;
    scene.wait("second", "LlmdReady", "True/Ready").await;
    let llmd = scene.llmd().await.unwrap();
    assert_eq!(llmd["spec"], json!({"gatewayAPI": {"enabled": false}}));
    let uid = &scene.dsc("second").await["metadata"]["uid"];
    assert_eq!(&llmd["metadata"]["ownerReferences"][0]["uid"], uid);
}
