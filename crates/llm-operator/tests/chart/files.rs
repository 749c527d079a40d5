//! The chart's own files: those that are copies, and the table of its README.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    chart,
    common::{repository_file, root},
    rendered::{helm, text},
};

/// Definitions and roles in the chart are those of `config/`.
/// Promises: S2-14
#[test]
fn copies_are_up_to_date() {
    for (copy, original) in [
        ("crds", "config/crd"),
        ("crds-optional", "config/crd-optional"),
        ("rbac", "config/rbac"),
    ] {
        let read = |folder: std::path::PathBuf| -> BTreeMap<String, String> {
            let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
            let yaml = entries.filter(|entry| entry.path().extension().is_some_and(|end| end == "yaml"));
            yaml.map(|entry| {
                (
                    entry.file_name().into_string().unwrap(),
                    std::fs::read_to_string(entry.path()).unwrap(),
                )
            })
            .collect()
        };
        let (copies, originals) = (read(chart().join(copy)), read(root().join(original)));
        assert!(!copies.is_empty(), "{copy}");
        assert!(copies == originals, "{copy} is stale: run `make manifests`");
    }
}

/// Fields of a schema that have none of their own, by their paths.
fn leaves(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (name, property) in schema["properties"].as_object().unwrap() {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        if property["properties"].is_object() {
            assert_eq!(property["additionalProperties"], false, "{path}");
            leaves(property, &path, found);
        } else {
            found.insert(path);
        }
    }
}

fn at<'a>(values: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(values, |value, name| &value[name])
}

/// README, values.yaml and schema name the same values, and the README has their defaults.
/// Promises: S2-14
#[test]
fn every_value_is_described() {
    let schema: Value =
        serde_json::from_str(&repository_file("helm-charts/llm-operator/values.schema.json")).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    let values: Value =
        serde_saphyr::from_str(&repository_file("helm-charts/llm-operator/values.yaml")).unwrap();
    let mut known = BTreeSet::new();
    leaves(&schema, "", &mut known);
    assert!(known.remove("global"), "Helm's own");

    let readme = repository_file("helm-charts/llm-operator/README.md");
    let table = readme
        .split("## ")
        .find(|part| part.starts_with("Values\n"))
        .unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let described: BTreeMap<String, String> = rows
        .map(|row| {
            let (name, rest) = row.split_once("` | `").unwrap();
            (name.to_owned(), rest.split_once("` |").unwrap().0.to_owned())
        })
        .collect();
    assert_eq!(described.keys().cloned().collect::<BTreeSet<_>>(), known);
    for (path, default) in &described {
        let value = at(&values, path);
        assert!(!value.is_null(), "{path} has no default in values.yaml");
        let shown: Value = serde_json::from_str(default).unwrap();
        assert_eq!(&shown, value, "{path}");
    }
    // And nothing else is in values.yaml: the schema would refuse it.
    let output = helm(&["lint", "--strict", chart().to_str().unwrap()], "", &[]);
    assert!(output.status.success(), "{}", text(&output));
}

/// A packaged chart has what the folder has.
/// Promises: S2-14
#[test]
fn the_chart_can_be_packaged() {
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("chart-package-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let output = helm(
        &[
            "package",
            chart().to_str().unwrap(),
            "--destination",
            folder.to_str().unwrap(),
        ],
        "",
        &[],
    );
    assert!(output.status.success(), "{}", text(&output));
    let archive = folder.join(format!("llm-operator-{}.tgz", env!("CARGO_PKG_VERSION")));
    let shown = helm(&["show", "crds", archive.to_str().unwrap()], "", &[]);
    let crds = text(&shown);
    assert_eq!(
        crds.matches("kind: CustomResourceDefinition").count(),
        api::crds().len()
    );
    let made = helm(&["template", "x", archive.to_str().unwrap()], "", &[]);
    assert!(text(&made).contains("kind: ClusterRole\n"), "roles are in it");
    std::fs::remove_dir_all(folder).unwrap();
    // The chart is of this version.
    let chart = repository_file("helm-charts/llm-operator/Chart.yaml");
    assert!(chart.contains(&format!("appVersion: v{}\n", env!("CARGO_PKG_VERSION"))));
}
