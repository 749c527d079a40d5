//! The threat model of docs/security.md: every line has a defence and a test that exists.

use std::path::{Path, PathBuf};

use crate::common::{repository_file, root};

/// Lines of the tables below the heading, as cells.
fn lines() -> Vec<Vec<String>> {
    let page = repository_file("docs/security.md");
    let model = page
        .split("\n## Threat model\n")
        .nth(1)
        .expect("a heading `## Threat model`");
    let model = model.split("\n## ").next().unwrap();
    let rows = model
        .lines()
        .filter(|line| line.starts_with('|') && !line.starts_with("|--"));
    rows.map(|row| {
        row.trim_matches('|')
            .split(" | ")
            .map(|cell| cell.trim().to_owned())
            .collect()
    })
    .filter(|cells: &Vec<String>| cells.first().is_some_and(|first| first != "threat"))
    .collect()
}

fn sources() -> String {
    let mut text = String::new();
    let mut folders: Vec<PathBuf> = vec![root().join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension() == Some(Path::new("rs").as_os_str()) {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    text
}

/// Promises: S2-23
#[test]
fn every_threat_has_a_defence_and_a_test() {
    let (lines, sources) = (lines(), sources());
    assert!(lines.len() > 20, "{}", lines.len());
    for cells in &lines {
        let [threat, defence, tests] = cells.as_slice() else {
            panic!("three cells: {cells:?}");
        };
        assert!(threat.len() > 10 && defence.len() > 10, "{cells:?}");
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "{threat}: no test");
        for test in named {
            let declared = [format!("fn {test}("), format!("fn {test}<")];
            assert!(
                declared.iter().any(|text| sources.contains(text)),
                "{threat}: there is no test {test}"
            );
        }
    }
}
