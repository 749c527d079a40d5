//! `make get-manifests`: charts from a repository and a registry onto the disk, and their objects for Kustomize.

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::Value;
use testkit::{
    Cluster,
    charts::{ChartRegistry, ChartRepository, Charts, RegistryLogin},
};

use crate::{make, text};

/// A place for what is fetched, gone with the value.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.0.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Where the charts are had from: two from a repository, one from a registry, as their projects publish them.
struct Sources {
    charts: Charts,
    repository: ChartRepository,
    registry: ChartRegistry,
}

impl Sources {
    async fn start() -> Self {
        let charts = Charts::new().unwrap();
        let repository = ChartRepository::start(None).await.unwrap();
        let registry = ChartRegistry::start(RegistryLogin::Open).await.unwrap();
        for (chart, version) in [
            ("llm-d-infra", "v1.3.3"),
            ("llm-d-infra", "v1.4.0"),
            ("llm-d-modelservice", "v0.2.11"),
        ] {
            let archive = charts.archive(chart, version).unwrap();
            repository.add(chart, version, &archive).unwrap();
        }
        let archive = charts.archive("inferencepool", "v1.0.1").unwrap();
        registry.add("charts/inferencepool", "v1.0.1", &archive).unwrap();
        Self {
            charts,
            repository,
            registry,
        }
    }

    async fn get_manifests(&self, place: &Place, more: &str) -> Output {
        self.by(self.charts.helm(), place, more).await
    }

    async fn by(&self, helm: &Path, place: &Place, more: &str) -> Output {
        let args = format!(
            "ARGS=--output {} --infra-repo {url} --modelservice-repo={url} --gateway-api-repo {} {more}",
            place.0.display(),
            self.registry.reference("charts/inferencepool"),
            url = self.repository.url(),
        );
        let plain_http = Path::new("--plain-http");
        let operator = Path::new(env!("CARGO_BIN_EXE_llm-operator"));
        let variables = [
            ("HELM", helm),
            ("HELM_PULL_ARGS", plain_http),
            ("LLM_OPERATOR", operator),
            // Nobody builds what is built already.
            ("CARGO", Path::new("true")),
        ];
        make(&["get-manifests", &args], &variables).await
    }

    fn asked(&self) -> usize {
        self.repository.asked().len() + self.registry.asked().len()
    }
}

/// The charts lie on the disk in the versions of the documents, their objects with labels in a base with an overlay; a second run
/// fetches nothing and changes nothing, and another version comes by an option.
/// Promises: S1-12, S1-13, S1-14, S1-29, S1-31
#[tokio::test]
async fn charts_are_fetched_once_and_rendered_for_kustomize() {
    let sources = Sources::start().await;
    let place = Place::new("get-manifests");
    let output = sources.get_manifests(&place, "").await;
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    for chart in [
        "llm-d-infra 1.3.3",
        "inferencepool 1.0.1",
        "llm-d-modelservice 0.2.11",
    ] {
        assert!(said.contains(chart), "{chart}: {said}");
        let archive = format!("charts/{}.tgz", chart.replace(' ', "-"));
        assert!(place.0.join(&archive).is_file(), "{archive}");
    }
    let objects = place.read("base/objects.yaml");
    let parsed: Vec<Value> = serde_saphyr::from_multiple(&objects).unwrap();
    let part_of = |object: &Value| object["metadata"]["labels"]["app.kubernetes.io/part-of"] == "llm-d";
    assert!(parsed.len() >= 12 && parsed.iter().all(part_of), "{objects}");
    let rule = parsed.iter().any(|object| object["kind"] == "DestinationRule");
    assert!(rule, "as Istio needs it: {objects}");
    assert!(place.read("base/namespace.yaml").contains("name: \"llm-d\""));

    // The kubectl of the tests reads it without a cluster.
    let cluster = Cluster::builder().start().await.unwrap();
    let built = tokio::process::Command::new(cluster.kubectl_path())
        .arg("kustomize")
        .arg(place.0.join("overlays/default"))
        .output()
        .await
        .unwrap();
    assert!(built.status.success(), "{}", text(&built));
    let built: Vec<Value> = serde_saphyr::from_multiple(&String::from_utf8(built.stdout).unwrap()).unwrap();
    assert_eq!(built.len(), parsed.len() + 1, "and the namespace");

    let asked = sources.asked();
    let changed = || {
        std::fs::metadata(place.0.join("base/objects.yaml"))
            .unwrap()
            .modified()
            .unwrap()
    };
    let before = changed();
    let again = sources.get_manifests(&place, "").await;
    assert!(
        again.status.success() && text(&again).contains("is there already"),
        "{}",
        text(&again)
    );
    assert_eq!((sources.asked(), changed()), (asked, before));

    let other = sources
        .get_manifests(&place, "--infra v1.4.0 --namespace serving")
        .await;
    assert!(other.status.success(), "{}", text(&other));
    assert!(place.0.join("charts/llm-d-infra-1.4.0.tgz").is_file());
    assert!(place.0.join("charts/llm-d-infra-1.3.3.tgz").is_file());
    assert!(place.read("base/objects.yaml").contains("namespace: serving"));
    assert!(place.read("base/namespace.yaml").contains("serving"));
}

/// What is missing is named, with what to do, and what was there before stays.
/// Promises: S1-32
#[tokio::test]
async fn what_keeps_charts_away_is_told() {
    let sources = Sources::start().await;
    let place = Place::new("get-manifests-fails");
    let without = sources.by(Path::new("/nowhere/helm"), &place, "").await;
    assert!(!without.status.success());
    assert!(
        text(&without).contains("/nowhere/helm is not there"),
        "{}",
        text(&without)
    );
    assert!(text(&without).contains("HELM"), "{}", text(&without));

    for (more, words) in [
        ("--infra 9.9.9", "llm-d-infra 9.9.9 cannot be fetched"),
        ("--gateway-api v9.9.9", "inferencepool 9.9.9 cannot be fetched"),
        ("--infra latest", "'latest' is no version"),
        (
            "--infra-repo http://127.0.0.1:1 --force",
            "llm-d-infra 1.3.3 cannot be fetched",
        ),
        ("--nonsense 1", "unknown option --nonsense"),
        ("--infra", "--infra needs a value"),
    ] {
        let output = sources.get_manifests(&place, more).await;
        assert!(!output.status.success(), "{more}");
        assert!(text(&output).contains(words), "{more}: {}", text(&output));
    }
    assert!(!place.0.join("base").exists(), "nothing was rendered");
}

/// Nothing that was fetched can be committed by accident, and the image takes what is there.
/// Promises: S1-14
#[tokio::test]
async fn fetched_charts_stay_out_of_the_repository_and_get_into_the_image() {
    let ignored = crate::common::repository_file(".gitignore");
    for line in ["/opt/manifests/llmd/*", "!/opt/manifests/llmd/README.md"] {
        assert!(ignored.lines().any(|one| one == line), "{line}");
    }
    let dockerfile = crate::common::repository_file("Dockerfile");
    assert!(dockerfile.contains("COPY opt/manifests/llmd /opt/manifests/llmd"));
    assert!(dockerfile.contains("CHARTS_DIR=/opt/manifests/llmd/charts"));
    for target in ["image", "image-build"] {
        let output = make(
            &[
                "--dry-run",
                target,
                "IMG=example/llm-operator:test",
                "DOCKER=docker",
            ],
            &[],
        )
        .await;
        assert!(
            text(&output).contains("docker build -t example/llm-operator:test ."),
            "{}",
            text(&output)
        );
    }
}
