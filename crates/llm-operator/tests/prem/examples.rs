//! Every example of the family, as it stands in the repository.

use std::fs;

use api::premlabs_io::v1alpha1::AIDeployment;
use kube::{ResourceExt as _, api::ListParams};

use crate::{
    bed,
    common::root,
    deepspeed::pull_secret,
    seen::{listed, wait_word},
};

/// All of them in one namespace: every `AIDeployment` becomes Ready, what it downloads comes from a stand-in of the
/// internet, and every LocalAI among them lists a model.
/// Promises: S4-1, S4-13, S4-30
#[tokio::test]
async fn every_example_becomes_ready() {
    let space = bed().await.space("examples").await;
    pull_secret(&space, "regcred-dockerhub").await;
    let folder = fs::read_dir(root().join("examples/prem")).unwrap();
    let files = folder.map(|file| file.unwrap().path());
    for file in files.filter(|file| file.extension().is_some_and(|end| end == "yaml")) {
        let yaml = fs::read_to_string(&file)
            .unwrap()
            .replace("namespace: vllm", &format!("namespace: {}", space.namespace))
            // The one thing that is changed: nobody waits five minutes here.
            .replace("initialDelaySeconds: 300", "initialDelaySeconds: 5");
        space.apply(&yaml).await;
    }
    let all = space
        .api::<AIDeployment>()
        .list(&ListParams::default())
        .await
        .unwrap();
    assert!(all.items.len() >= 13, "{} examples", all.items.len());
    for resource in all.items {
        let name = resource.name_any();
        let status = wait_word(&space, &name, "Ready").await;
        assert_eq!(status.err_msg, None, "{name}");
        if resource
            .spec
            .engine
            .is_some_and(|engine| engine.name == "localai")
        {
            assert_ne!(listed(&space, &name, 8080).await.len(), 0, "{name}");
        }
    }
}
