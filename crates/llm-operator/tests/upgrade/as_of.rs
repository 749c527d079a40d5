//! What the releases left behind.

use serde_json::Value;

use crate::common::root;

/// A manifest and what a release made of it.
#[derive(Debug)]
pub struct Fixture {
    /// The release, such as `v0.1.0`.
    pub release: String,
    /// Name of both files, without `.yaml`.
    pub name: String,
    /// What a person applied.
    pub manifest: String,
    /// What the operator applied, with a uid of zeroes for the owner.
    pub objects: Vec<Value>,
}

/// The releases there are, such as `v0.1.0`.
pub fn releases() -> Vec<String> {
    names(&root().join("releases"))
}

/// All fixtures of one release.
pub fn fixtures(release: &str) -> Vec<Fixture> {
    let folder = root().join("releases").join(release);
    let read = |file: String| Fixture {
        release: release.to_owned(),
        name: file.trim_end_matches(".yaml").to_owned(),
        manifest: std::fs::read_to_string(folder.join("manifests").join(&file)).unwrap(),
        objects: documents(&std::fs::read_to_string(folder.join("objects").join(&file)).unwrap()),
    };
    names(&folder.join("manifests")).into_iter().map(read).collect()
}

/// The documents of a text.
pub fn documents(text: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    all.into_iter().filter(|one| !one.is_null()).collect()
}

/// What `render` makes of a manifest today.
pub fn today(fixture: &Fixture) -> Vec<Value> {
    let folder = root().join("releases").join(&fixture.release);
    let manifest = folder.join("manifests").join(format!("{}.yaml", fixture.name));
    let nodes = root().join("crates/llm-operator/tests/upgrade/manifests/nodes.yaml");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_llm-operator"))
        .args(["render", "-n", "release", "-f"])
        .arg(manifest)
        .arg("--nodes")
        .arg(nodes)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{} {}: {errors}",
        fixture.release,
        fixture.name
    );
    documents(&String::from_utf8(output.stdout).unwrap())
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    names.sort();
    names
}
