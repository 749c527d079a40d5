//! Secrets and `ConfigMap`s that containers name.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::case::{Case, at_rest, bed, create, generic, with};

/// A Secret, a key of one, a source's credentials and a `ConfigMap`: each is named, and making it is enough.
#[tokio::test]
async fn missing_secrets_and_config_maps() {
    let bed = bed().await;
    let space = bed.space("references").await;
    create::<Secret>(&space, "half", json!({"stringData": {"other": "x"}})).await;
    let from_secret = |secret: &str| {
        let variable = json!({
            "name": "API_KEY",
            "valueFrom": {"secretKeyRef": {"name": secret, "key": "token"}},
        });
        with(&generic(), json!({"env": [variable]}))
    };
    let from_map = with(
        &generic(),
        json!({"envFrom": [{"configMapRef": {"name": "tuning"}}]}),
    );
    let source = with(
        &generic(),
        json!({"source": {"uri": "hf://org/name", "credentialsSecret": "hub"}}),
    );
    let secret = Case::deploy(&space, "wants-secret", from_secret("absent"), json!({})).await;
    let key = Case::deploy(&space, "wants-key", from_secret("half"), json!({})).await;
    let map = Case::deploy(&space, "wants-map", from_map, json!({})).await;
    let hub = Case::deploy(&space, "wants-hub", source, json!({})).await;

    let here = format!("does not exist in namespace {}", space.namespace);
    let way_out = "Create it or correct the name; the Pod starts by itself then";
    secret
        .blocked("SecretMissing", &["needs Secret absent,", &here, way_out])
        .await;
    key.blocked(
        "SecretMissing",
        &["needs key token of Secret half,", &here, way_out],
    )
    .await;
    map.blocked("ConfigMapMissing", &["needs ConfigMap tuning,", &here, way_out])
        .await;
    hub.blocked("SecretMissing", &["needs Secret hub,", &here, way_out])
        .await;
    let all = [&secret, &key, &map, &hub];
    at_rest(&all, Duration::from_secs(5)).await;
    secret.told_once("SecretMissing").await;
    key.told_once("SecretMissing").await;
    map.told_once("ConfigMapMissing").await;
    hub.told_once("SecretMissing").await;

    create::<Secret>(&space, "absent", json!({"stringData": {"token": "x"}})).await;
    create::<Secret>(&space, "hub", json!({"stringData": {"HF_TOKEN": "x"}})).await;
    create::<ConfigMap>(&space, "tuning", json!({"data": {"A": "b"}})).await;
    let patch = Patch::Merge(json!({"stringData": {"token": "x"}}));
    space
        .api::<Secret>()
        .patch("half", &PatchParams::default(), &patch)
        .await
        .unwrap();
    for case in all {
        case.healed().await;
    }
}
