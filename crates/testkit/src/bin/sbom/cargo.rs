//! The crates that the operator is linked from.
//!
//! In: `cargo metadata` and `Cargo.lock`. Out: every crate that `llm-operator` depends on, directly or not, for the platforms that
//! images are built for; what only builds or tests it is left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{component::Component, output};

const ROOT: &str = "llm-operator";
/// Of these, an image may be built.
const PLATFORMS: [&str; 2] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

/// All of them, by name.
pub fn components(repository: &Path) -> Result<Vec<Component>, String> {
    let mut args = vec!["metadata", "--format-version=1", "--locked"];
    for platform in PLATFORMS {
        args.extend(["--filter-platform", platform]);
    }
    let text = output("cargo", &args, repository)?;
    let metadata: Value =
        serde_json::from_slice(&text).map_err(|error| format!("cargo metadata: {error}"))?;
    let lock = repository.join("Cargo.lock");
    let lock = std::fs::read_to_string(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
    let mut all = linked(&metadata, &checksums(&lock))?;
    all.sort();
    Ok(all)
}

fn linked(
    metadata: &Value,
    checksums: &BTreeMap<(String, String), String>,
) -> Result<Vec<Component>, String> {
    let by_id = |list: &Value| -> BTreeMap<String, Value> {
        let all = list.as_array().into_iter().flatten();
        all.map(|one| (text(&one["id"]), one.clone())).collect()
    };
    let packages = by_id(&metadata["packages"]);
    let nodes = by_id(&metadata["resolve"]["nodes"]);
    let root = packages.iter().find(|(_, package)| package["name"] == ROOT);
    let (root, _) = root.ok_or_else(|| format!("cargo metadata knows no package {ROOT}"))?;
    let mut seen = BTreeSet::new();
    let mut left = vec![root.clone()];
    while let Some(id) = left.pop() {
        if seen.insert(id.clone()) {
            let dependencies = nodes.get(&id).map(|node| &node["deps"]);
            let dependencies = dependencies.and_then(Value::as_array).into_iter().flatten();
            left.extend(
                dependencies
                    .filter(|one| is_linked(one))
                    .map(|one| text(&one["pkg"])),
            );
        }
    }
    let found = seen.iter().filter_map(|id| packages.get(id));
    Ok(found.map(|package| component(package, checksums)).collect())
}

/// Whether it is a dependency of the program, not of its build script or tests.
fn is_linked(dependency: &Value) -> bool {
    let kinds = dependency["dep_kinds"].as_array();
    kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
}

fn component(package: &Value, checksums: &BTreeMap<(String, String), String>) -> Component {
    let (name, version) = (text(&package["name"]), text(&package["version"]));
    let manifest = PathBuf::from(text(&package["manifest_path"]));
    Component {
        program: ROOT,
        ecosystem: "cargo",
        licence: package["license"].as_str().map(str::to_owned),
        sha256: checksums.get(&(name.clone(), version.clone())).cloned(),
        directory: manifest.parent().map(Path::to_owned).unwrap_or_default(),
        name,
        version,
    }
}

/// The checksums of `Cargo.lock`, by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let mut all = BTreeMap::new();
    for package in lock.split("[[package]]") {
        let value = |key: &str| {
            let start = format!("{key} = \"");
            let mut lines = package.lines();
            lines.find_map(|line| Some(line.strip_prefix(&start)?.trim_end_matches('"').to_owned()))
        };
        if let (Some(name), Some(version), Some(checksum)) =
            (value("name"), value("version"), value("checksum"))
        {
            all.insert((name, version), checksum);
        }
    }
    all
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn what_only_builds_is_left_out() {
        let node = |id: &str, deps: &[(&str, Option<&str>)]| {
            let deps: Vec<_> = deps
                .iter()
                .map(|(pkg, kind)| json!({"pkg": pkg, "dep_kinds": [{"kind": kind}]}))
                .collect();
            json!({"id": id, "deps": deps})
        };
        let names = ["llm-operator", "linked", "deeper", "built", "tested"];
        let packages: Vec<_> = names
            .iter()
            .map(|name| json!({"id": name, "name": name, "version": "1.0.0", "license": "MIT", "manifest_path": "/x/Cargo.toml"}))
            .collect();
        let metadata = json!({"packages": packages, "resolve": {"nodes": [
            node("llm-operator", &[("linked", None), ("built", Some("build")), ("tested", Some("dev"))]),
            node("linked", &[("deeper", None)]), node("deeper", &[]), node("built", &[]), node("tested", &[]),
        ]}});
        let lock = "[[package]]\nname = \"deeper\"\nversion = \"1.0.0\"\nchecksum = \"abc\"\n";
        let found = super::linked(&metadata, &super::checksums(lock)).unwrap();
        let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["deeper", "linked", "llm-operator"]);
        assert_eq!(found[0].sha256.as_deref(), Some("abc"));
        assert_eq!(found[0].purl(), "pkg:cargo/deeper@1.0.0");
    }
}
