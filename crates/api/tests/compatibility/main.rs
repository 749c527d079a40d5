//! Definitions only ever accept more than in the releases before: who upgrades must not lose a field, and no resource that was
//! accepted once may be refused later.
//!
//! `releases/<version>/crds` and `crds-optional` are the definitions as that release installed them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

mod accepted;
mod breaches;
mod cases;
mod definition;
mod schema;

use std::{collections::BTreeSet, path::PathBuf};

use accepted::ACCEPTED;
use breaches::Breach;
use serde_json::Value;

/// Every release's definitions against those of today.
#[test]
fn every_release_can_be_upgraded() {
    let today = definitions_of_today();
    let mut unexpected = Vec::new();
    let mut used = BTreeSet::new();
    for (release, definitions) in releases() {
        assert!(!definitions.is_empty(), "releases/{release} has no definitions");
        for breach in definition::compare(&definitions, &today) {
            match ACCEPTED.iter().position(|one| one.covers(&release, &breach)) {
                Some(index) => {
                    used.insert(index);
                }
                None => unexpected.push(format!("{release}: {breach}")),
            }
        }
    }
    assert!(
        unexpected.is_empty(),
        "these changes break whoever upgrades; undo them, or list them with a reason in {}:\n{}",
        "crates/api/tests/compatibility/accepted.rs",
        unexpected.join("\n")
    );
    for (index, one) in ACCEPTED.iter().enumerate() {
        assert!(used.contains(&index), "nothing is like that any more: {one:?}");
        assert!(!one.reason.is_empty(), "{one:?}");
    }
}

/// There is something to compare with, and it is what the release had: the fixtures name all kinds that exist in them.
#[test]
fn the_first_release_is_kept_whole() {
    let (_, first) = releases().into_iter().next().unwrap();
    let names: Vec<&str> = first
        .iter()
        .map(|one| one["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "llmmodels.ai.example.com",
            "modeldeployments.ai.example.com",
            "llmds.components.platform.opendatahub.io",
            "nvidiagpullms.infra.example.com",
            "llmdeployments.llm.example.com",
            "llmmodels.llm.example.com",
            "aideployments.premlabs.io",
            "aimodelmaps.premlabs.io",
            "autonodelabelers.premlabs.io",
            "datascienceclusters.datasciencecluster.opendatahub.io",
            "dynamographdeployments.nvidia.com",
        ]
    );
}

fn definitions_of_today() -> Vec<Value> {
    let all = api::crds().into_iter().chain(api::optional_crds());
    all.map(|crd| serde_json::to_value(crd).unwrap()).collect()
}

/// The releases, oldest first, each with its definitions.
fn releases() -> Vec<(String, Vec<Value>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../releases");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort_by_key(|name| numbers(name));
    let read = |name: String| {
        let mut definitions = Vec::new();
        for part in ["crds", "crds-optional"] {
            definitions.extend(files(&folder.join(&name).join(part)));
        }
        (name, definitions)
    };
    names.into_iter().map(read).collect()
}

/// `v0.10.2` as numbers, so that it comes after `v0.9.0`.
fn numbers(version: &str) -> Vec<u32> {
    let parts = version.trim_start_matches('v').split('.');
    parts
        .map(|part| {
            part.parse()
                .unwrap_or_else(|_| panic!("releases/{version} is no version"))
        })
        .collect()
}

fn files(folder: &std::path::Path) -> Vec<Value> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let read = |path: &PathBuf| serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    paths.iter().map(read).collect()
}

/// The breaches of one definition's text by another's, for tables.
fn told(old: &Value, new: &Value) -> Vec<String> {
    let found = definition::compare(std::slice::from_ref(old), std::slice::from_ref(new));
    found.iter().map(Breach::to_string).collect()
}
