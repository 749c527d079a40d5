//! `make kind-setup` with programs that only write down how they were called: the real ones need a container engine.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::{make, text};

/// A folder for programs, and what they are told.
fn folder(name: &str) -> PathBuf {
    let folder =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("kind-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A program that notes its arguments in `calls`, and answers `kind get clusters` with `clusters`.
fn program(folder: &Path, name: &str, clusters: &str) -> PathBuf {
    let path = folder.join(name);
    let calls = folder.join("calls");
    let script = format!(
        "#!/bin/sh\necho {name} \"$@\" >> {}\nif [ \"$1 $2\" = 'get clusters' ]; then printf '%s\\n' '{clusters}'; fi\n",
        calls.display()
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

async fn calls(clusters: &str, name: &str) -> Vec<String> {
    let folder = folder(name);
    let _ = std::fs::remove_file(folder.join("calls"));
    let programs: Vec<PathBuf> = ["docker", "kind", "helm", "kubectl"]
        .iter()
        .map(|name| program(&folder, name, clusters))
        .collect();
    let kubeconfig = folder.join("kubeconfig");
    let (docker, kubectl) = (
        format!("DOCKER={}", programs[0].display()),
        format!("KUBECTL={}", programs[3].display()),
    );
    let args = ["kind-setup", "IMG=example/llm-operator:test", &docker, &kubectl];
    let variables: [(&str, &Path); 3] = [
        ("KIND", &programs[1]),
        ("HELM", &programs[2]),
        ("KIND_KUBECONFIG", &kubeconfig),
    ];
    let output = make(&args, &variables).await;
    assert!(output.status.success(), "{}", text(&output));
    let calls = std::fs::read_to_string(folder.join("calls")).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    calls.lines().map(str::to_owned).collect()
}

/// Promises: S4-8
#[tokio::test]
async fn a_cluster_is_made_once_and_the_image_loaded_each_time() {
    let first = calls("", "first").await;
    let has = |calls: &[String], start: &str| calls.iter().any(|call| call.starts_with(start));
    assert!(
        has(
            &first,
            "kind create cluster --name llm-operator --config hack/kind/cluster.yaml"
        ),
        "{first:#?}"
    );
    assert!(
        has(&first, "helm upgrade --install traefik traefik"),
        "{first:#?}"
    );
    let again = calls("llm-operator", "again").await;
    assert!(!has(&again, "kind create"), "{again:#?}");
    for calls in [first, again] {
        let position = |start: &str| calls.iter().position(|call| call.starts_with(start));
        let built = position("docker build -t example/llm-operator:test").unwrap();
        let loaded =
            position("kind load docker-image example/llm-operator:test --name llm-operator").unwrap();
        assert!(built < loaded, "{calls:#?}");
    }
}

/// Promises: S4-12
#[tokio::test]
async fn every_program_that_is_missing_is_named() {
    let nowhere = Path::new("/nowhere/program");
    let args = ["kind-setup", "DOCKER=/nowhere/docker", "KUBECTL=/nowhere/kubectl"];
    let output = make(&args, &[("KIND", nowhere), ("HELM", nowhere)]).await;
    assert!(!output.status.success());
    let words = text(&output);
    for source in [
        "docs.docker.com",
        "kind.sigs.k8s.io",
        "kubernetes.io/docs",
        "helm.sh",
    ] {
        assert!(words.contains(source), "{source} is not named: {words}");
    }
}
