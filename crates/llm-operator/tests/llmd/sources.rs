//! Charts from repositories and registries that ask for credentials, and from ones that are gone.

use serde_json::json;
use testkit::{ChartRegistry, ChartRepository, Mood, RegistryLogin};

use crate::bed::{Bed, condition, message};

/// A repository with a password and a registry without TLS hand out charts; without the Secret, with a version that does not exist and
/// while the repository is gone, what runs is left as it is and the status says why.
/// Promises: S1-31
#[tokio::test]
async fn charts_come_from_repositories_of_ones_own() {
    let bed = Bed::new().await;
    let repository = ChartRepository::start(Some(("reader", "open-sesame")))
        .await
        .unwrap();
    let archive = |chart: &str, version: &str| bed.charts.archive(chart, version).unwrap();
    repository
        .add("gateway", "3.0.0", &archive("plain", "3.0.0"))
        .unwrap();
    let registry = ChartRegistry::start(RegistryLogin::Open).await.unwrap();
    registry
        .add("charts/plain", "4.0.0", &archive("plain", "4.0.0"))
        .unwrap();
    // Nothing of these is in the operator's charts directory.
    for chart in ["plain-3.0.0.tgz", "plain-4.0.0.tgz"] {
        std::fs::remove_file(bed.charts_dir().join(chart)).unwrap();
    }
    let llmd = json!({
        "apiVersion": "components.platform.opendatahub.io/v1alpha1", "kind": "Llmd",
        "metadata": {"name": "default-llm-d"},
        "spec": {
            "infra": {"enabled": true, "version": "3.0.0", "repository": {
                "url": repository.url(), "chart": "gateway", "secretRef": {"name": "login"}}},
            "gatewayAPI": {"enabled": true, "version": "v4.0.0", "repository": {
                "url": registry.reference("charts/plain"), "plainHTTP": true}},
        },
    });
    bed.apply(&llmd.to_string()).await;
    let told = bed
        .wait("the Secret is missing", |llmd| {
            condition(llmd, "Ready").1 == "InvalidSpec"
        })
        .await;
    let said = message(&told, "Ready");
    assert!(
        said.contains("spec.infra.repository.secretRef") && said.contains("Secret login"),
        "{said}"
    );
    let secret = |password: &str| {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login", "namespace": "llm-d"},
               "stringData": {"username": "reader", "password": password}})
        .to_string()
    };
    bed.apply(&secret("wrong")).await;
    let told = bed
        .wait("the password is wrong", |llmd| {
            condition(llmd, "Ready").1 == "ChartUnavailable"
        })
        .await;
    assert!(
        !message(&told, "Ready").contains("wrong"),
        "{}",
        message(&told, "Ready")
    );
    bed.apply(&secret("open-sesame")).await;
    let ready = bed.ready().await;
    let releases = &ready.status.as_ref().unwrap().releases;
    let sources: Vec<_> = releases.iter().map(|one| one.repo_url.clone().unwrap()).collect();
    assert_eq!(
        sources,
        [repository.url().to_owned(), registry.reference("charts/plain")]
    );

    bed.patch(json!({"spec": {"infra": {"version": "9.9.9"}}})).await;
    let told = bed
        .wait("no such version", |llmd| {
            condition(llmd, "Ready").1 == "ChartUnavailable"
        })
        .await;
    assert!(
        message(&told, "Ready").contains("9.9.9"),
        "{}",
        message(&told, "Ready")
    );
    repository.set_mood(Mood::Status(503));
    bed.patch(json!({"spec": {"infra": {"version": "3.0.0"}}})).await;
    let back = bed.ready().await;
    let infra = &back.status.as_ref().unwrap().releases[0];
    assert_eq!(
        (infra.name.as_str(), infra.revision),
        ("llm-d-infra", Some(1)),
        "what was fetched is kept"
    );
    bed.kubectl(&["delete", "llmd", "default-llm-d", "--timeout=60s"])
        .await;
}
