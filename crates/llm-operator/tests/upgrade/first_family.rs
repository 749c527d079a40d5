//! An older state still: the first family as it was before the first release. What differs since then is known.

use serde_json::Value;

use crate::{
    as_of::{Fixture, documents},
    common::{repository_file, root},
    compare::compare,
};

/// The one that restarts: since then the script that pulls the model writes every `$` twice, for the kubelet expands
/// `$(NAME)` in commands, and it gives up a pull that stalls.
pub const RESTARTS: &str = "Deployment tinyllama";

/// What people wrote then, and what was made of it.
pub fn fixture() -> Fixture {
    let mut manifests = std::fs::read_dir(root().join("examples/llm"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect::<Vec<_>>();
    manifests.sort();
    Fixture {
        release: "before v0.1.0".to_owned(),
        name: "first-family".to_owned(),
        manifest: manifests.join("\n---\n"),
        objects: documents(&repository_file(
            "crates/llm-operator/tests/upgrade/earlier/first-family.yaml",
        )),
    }
}

#[test]
fn only_ollamas_pods_restart() {
    let mut args = vec!["render".to_owned()];
    for entry in std::fs::read_dir(root().join("examples/llm")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            args.extend(["-f".to_owned(), path.to_str().unwrap().to_owned()]);
        }
    }
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_llm-operator"))
        .args(args)
        .output()
        .unwrap();
    let now: Vec<Value> = documents(&String::from_utf8(output.stdout).unwrap());
    let found = compare(&fixture().objects, &now);
    let restarting: Vec<(&str, &str)> = found.iter().map(|one| (one.object.as_str(), one.what)).collect();
    assert_eq!(restarting, [(RESTARTS, "Pods restart")], "{found:?}");
}
