//! What tests of prem-operator's kinds look at: statuses of `AIDeployment`s and the objects made for them.

use api::premlabs_io::v1alpha1::{AIDeployment, AIDeploymentStatus};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Container, PodSpec, Service},
};

use super::Space;

/// Waits until prem-operator's word of status is `word`, of the current generation, and returns the status.
pub async fn wait_word(space: &Space, name: &str, word: &str) -> AIDeploymentStatus {
    let found: AIDeployment = space
        .wait(word, name, |object: &AIDeployment| {
            let Some(status) = &object.status else {
                return false;
            };
            let ready = status.conditions.iter().find(|one| one.type_ == "Ready");
            let current = ready.is_some_and(|ready| ready.observed_generation == object.metadata.generation);
            current && status.status.as_deref() == Some(word)
        })
        .await;
    found.status.unwrap()
}

/// Waits until `errMsg` contains `words`, and returns the status.
pub async fn wait_error(space: &Space, name: &str, words: &str) -> AIDeploymentStatus {
    let found: AIDeployment = space
        .wait(words, name, |object: &AIDeployment| {
            let error = object
                .status
                .as_ref()
                .and_then(|status| status.err_msg.as_deref());
            error.is_some_and(|error| error.contains(words))
        })
        .await;
    found.status.unwrap()
}

/// The Deployment once it exists.
pub async fn deployment(space: &Space, name: &str) -> Deployment {
    space.wait("exists", name, |_: &Deployment| true).await
}

/// The Pods' spec of the Deployment.
pub async fn pod_spec(space: &Space, name: &str) -> PodSpec {
    deployment(space, name).await.spec.unwrap().template.spec.unwrap()
}

/// The engine's container of the Deployment.
pub async fn serving(space: &Space, name: &str) -> Container {
    let containers = pod_spec(space, name).await.containers;
    containers.into_iter().find(|one| one.name == "serving").unwrap()
}

/// The Service once it exists.
pub async fn service(space: &Space, name: &str) -> Service {
    space.wait("exists", name, |_: &Service| true).await
}
