//! Images that do not come.

use std::time::Duration;

use api::shared::State;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use crate::case::{Case, at_rest, bed, create, faults, generic, with};

fn image(reference: &str) -> Value {
    with(&generic(), json!({"image": reference}))
}

/// Not pushed yet, not parseable, private without credentials, private with a pull secret that is not there.
#[tokio::test]
async fn images_that_cannot_be_pulled() {
    let bed = bed().await;
    let space = bed.space("images").await;
    let not_found = "rpc error: code = NotFound desc = failed to pull and unpack image \
                     \"docker.io/example/late:v7\": docker.io/example/late:v7: not found";
    faults(bed).fail_pull("example/late:v7", 4, not_found);
    let secret = with(
        &image("example/private:v1"),
        json!({"imagePullSecrets": [{"name": "registry-login"}]}),
    );
    let late = Case::deploy(&space, "unpushed", image("example/late:v7"), json!({})).await;
    let invalid = Case::deploy(&space, "misspelt", image("Example/UPPER:v1"), json!({})).await;
    let anonymous = Case::deploy(&space, "anonymous", image("example/private:v2"), json!({})).await;
    let login = Case::deploy(&space, "logged-in", secret, json!({})).await;

    late.blocked(
        "ImageNotFound",
        &[
            "the registry has no image example/late:v7",
            "Correct the image or its tag, or push it",
        ],
    )
    .await;
    invalid
        .blocked(
            "InvalidImageName",
            &[
                "Example/UPPER:v1 is no valid image reference",
                "registry/repository:tag",
            ],
        )
        .await;
    anonymous
        .blocked(
            "ImagePullFailed",
            &[
                "cannot pull image example/private:v2",
                "denies access",
                "names no image pull secret: add one if the repository is private",
            ],
        )
        .await;
    login
        .blocked(
            "ImagePullSecretMissing",
            &[
                "cannot pull image example/private:v1",
                "image pull secret registry-login does not exist",
                &format!("in namespace {}", space.namespace),
                "kubernetes.io/dockerconfigjson",
            ],
        )
        .await;
    at_rest(&[&invalid, &anonymous, &login], Duration::from_secs(6)).await;
    late.told_once("ImageNotFound").await;
    invalid.told_once("InvalidImageName").await;
    anonymous.told_once("ImagePullFailed").await;
    login.told_once("ImagePullSecretMissing").await;

    let body = json!({
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": "{\"auths\":{}}"},
    });
    create::<Secret>(&space, "registry-login", body).await;
    login.healed().await;
    late.healed().await;
}

/// A large image on its way is no trouble.
#[tokio::test]
async fn a_slow_pull_is_loading() {
    let bed = bed().await;
    let space = bed.space("pulling").await;
    // Long enough for a loaded machine to see it in between.
    faults(bed).slow_pull("example/late:large", Duration::from_secs(12));
    let case = Case::deploy(&space, "patient", image("example/late:large"), json!({})).await;
    case.told(
        "PullingImage",
        State::Loading,
        &["pulls image example/late:large"],
    )
    .await;
    case.healed().await;
    assert!(
        case.events("PullingImage").await.is_empty(),
        "no Event for what passes by itself"
    );
}
