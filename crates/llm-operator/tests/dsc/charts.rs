//! With the real Helm and charts shaped like llm-d's: what a cluster asks for is deployed, and goes.

use serde_json::Value;

use crate::{
    bed::{condition, own_definition, words},
    common::repository_file,
    llmd::{Bed, DOCUMENT, PATIENCE},
};

const RELEASES: [&str; 3] = ["llm-d-infra", "inferencepool", "llm-d-modelservice"];

async fn wait(bed: &Bed, type_: &str, wanted: &str) -> Value {
    testkit::until(format!("{type_} is {wanted}"), PATIENCE, async || {
        let args = ["get", "dsc", "default-dsc", "-o", "json"];
        let dsc: Value = serde_json::from_str(&bed.kubectl(&args).await).unwrap();
        if words(&condition(&dsc, type_)) == wanted {
            Ok(dsc)
        } else {
            Err(dsc["status"].to_string())
        }
    })
    .await
    .unwrap_or_else(|error| panic!("{error}\n{}", bed.log()))
}

async fn manifests(bed: &Bed) -> Vec<String> {
    let mut all = Vec::new();
    for release in RELEASES {
        all.push(
            bed.helm(&[
                "get",
                "all",
                release,
                "--template",
                "{{.Release.Manifest}}{{.Release.Config}}",
            ])
            .await,
        );
    }
    all
}

/// The document's example deploys all three charts, and its status lists them; `Removed` uninstalls them; and an `Llmd` that is made
/// directly gives the same objects.
/// Promises: S1-10, S1-18, S1-19, S1-21, S1-23
#[tokio::test]
async fn the_documents_example_is_deployed() {
    let bed = Bed::new().await;
    bed.apply(&own_definition().to_string()).await;
    bed.apply(&repository_file(
        "config/samples/datasciencecluster_v2_llmd_example.yaml",
    ))
    .await;
    let dsc = wait(&bed, "Ready", "True/Ready").await;
    assert_eq!(words(&condition(&dsc, "LlmdReady")), "True/Ready");
    assert_eq!(dsc["status"]["phase"], "Ready");
    assert_eq!(dsc["status"]["observedGeneration"], dsc["metadata"]["generation"]);
    let told = dsc["status"]["components"]["llmd"]["releases"]
        .as_array()
        .unwrap();
    let names: Vec<_> = told.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, RELEASES);
    let versions: Vec<_> = told.iter().map(|one| one["version"].as_str().unwrap()).collect();
    assert_eq!(versions, ["1.3.3", "1.0.1", "0.2.11"]);
    let by_cluster = manifests(&bed).await;
    assert!(
        by_cluster.iter().all(|one| one.contains("kind: ")),
        "{by_cluster:?}"
    );

    let removed = r#"{"spec":{"components":{"llmd":{"managementState":"Removed"}}}}"#;
    bed.kubectl(&["patch", "dsc", "default-dsc", "--type=merge", "-p", removed])
        .await;
    let dsc = wait(&bed, "LlmdReady", "False/Removed").await;
    assert_eq!(dsc["status"]["components"]["llmd"].get("releases"), None);
    assert_eq!(bed.kubectl(&["get", "llmds", "-o", "name"]).await, "");
    let (gone, said) = bed
        .try_kubectl(&["wait", "--for=delete", "namespace/llm-d", "--timeout=60s"])
        .await;
    assert!(gone, "{said}");

    bed.kubectl(&["delete", "dsc", "default-dsc"]).await;
    bed.apply(DOCUMENT).await;
    bed.ready().await;
    assert_eq!(manifests(&bed).await, by_cluster);
}
