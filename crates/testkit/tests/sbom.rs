//! The bill of materials names all that is shipped, each with a licence, and refuses what may not be shipped.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What `cargo tree` says is linked into the operator: `name version` each. Another way of asking than the program's own.
fn linked() -> BTreeSet<String> {
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
        .args([
            "tree",
            "--locked",
            "-p",
            "llm-operator",
            "-e",
            "normal",
            "--prefix",
            "none",
        ])
        .args(["--target", "x86_64-unknown-linux-gnu"])
        .current_dir(root())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut names = BTreeSet::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            names.insert(format!("{name} {}", version.trim_start_matches('v')));
        }
    }
    names
}

#[test]
fn everything_that_is_shipped_is_named_with_a_licence() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sbom");
    let output = Command::new(env!("CARGO_BIN_EXE_sbom"))
        .arg("--repository")
        .arg(root())
        .arg("--output-dir")
        .arg(&folder)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");

    let text = std::fs::read_to_string(folder.join("sbom.cdx.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&document["bomFormat"], &document["specVersion"]),
        (&"CycloneDX".into(), &"1.6".into())
    );
    let components = document["components"].as_array().unwrap();
    let mut named: BTreeSet<String> = BTreeSet::new();
    for one in components {
        let licence = one["licenses"][0]["expression"].as_str().unwrap();
        assert!(!licence.is_empty(), "{one}");
        named.insert(format!(
            "{} {}",
            one["name"].as_str().unwrap(),
            one["version"].as_str().unwrap()
        ));
    }
    let product = &document["metadata"]["component"];
    named.insert(format!(
        "{} {}",
        product["name"].as_str().unwrap(),
        product["version"].as_str().unwrap()
    ));

    let linked = linked();
    assert!(linked.len() > 100, "{}", linked.len());
    let missing: Vec<&String> = linked.difference(&named).collect();
    assert!(missing.is_empty(), "not in the bill of materials: {missing:?}");
    for helm in ["helm.sh/helm/v4", "k8s.io/client-go", "std"] {
        assert!(components.iter().any(|one| one["name"] == helm), "{helm}");
    }

    let table = std::fs::read_to_string(folder.join("LICENSES.md")).unwrap();
    assert_eq!(
        table.lines().filter(|line| line.starts_with("| ")).count(),
        named.len() + 1
    );
    let texts = std::fs::read_to_string(folder.join("THIRD-PARTY-LICENSES.txt")).unwrap();
    assert!(
        texts.contains("tokio ") && texts.contains("helm.sh/helm/v4 "),
        "texts of both ecosystems"
    );
}
