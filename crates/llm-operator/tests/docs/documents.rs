//! `docs/documents.md`: every path and command of the five documents, and where it is here.

use std::collections::{BTreeMap, BTreeSet};

use crate::{has_target, read, root};

const PAGE: &str = "docs/documents.md";
/// Programs whose lines in the documents are commands.
const PROGRAMS: [&str; 5] = ["kubectl ", "make ", "helm ", "curl ", "./"];
/// What of Kubernetes itself the documents ask for.
const BUILT_IN: [&str; 11] = [
    "crd",
    "crds",
    "deployment",
    "deployments",
    "services",
    "pods",
    "events",
    "role",
    "all",
    "namespace",
    "runtimeclass",
];

/// The literals of a table's cell: what stands in backticks.
fn literals(cell: &str) -> Vec<String> {
    let inside = cell.split('`').skip(1).step_by(2);
    inside.map(|literal| literal.replace("\\|", "|")).collect()
}

/// A line of a table, cut at the bars that are no part of a cell.
fn cells(line: &str) -> Vec<String> {
    let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
    let parts = inner.replace("\\|", "\u{1}");
    parts
        .split('|')
        .map(|cell| cell.trim().replace('\u{1}', "\\|"))
        .collect()
}

/// Per section of the page: what the document says, and what stands for it.
fn table() -> Vec<BTreeMap<String, Vec<String>>> {
    let page = read(PAGE);
    let sections = page.split("\n## ").skip(1);
    let table: Vec<BTreeMap<String, Vec<String>>> = sections
        .map(|section| {
            let rows = section.lines().filter(|line| line.starts_with("| `"));
            let rows = rows.flat_map(|line| {
                let cells = cells(line);
                let [there, here, _note] = &cells[..] else {
                    panic!("three cells: {line}")
                };
                let here = literals(here);
                assert!(!here.is_empty(), "nothing stands for it: {line}");
                let there = literals(there).into_iter();
                there
                    .map(move |literal| (literal, here.clone()))
                    .collect::<Vec<_>>()
            });
            rows.collect()
        })
        .collect();
    assert_eq!(table.len(), 5, "one section per document");
    table
}

/// Why this line of a shell would not work, as far as that shows without a cluster.
fn fault(command: &str) -> Option<String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let file = words
        .iter()
        .position(|word| *word == "-f")
        .filter(|_| words[0] == "kubectl")
        .and_then(|place| words.get(place + 1));
    if let Some(path) = file.filter(|path| !path.starts_with('-') && !root().join(path).exists()) {
        return Some(format!("{path} does not exist"));
    }
    match words[0] {
        "make" => {
            let targets = words[1..].iter().filter(|word| !word.contains('='));
            let mut missing = targets.filter(|target| !has_target(target));
            missing
                .next()
                .map(|target| format!("there is no target {target}"))
        }
        "kubectl" => match words[1] {
            "get" | "describe" | "delete" | "edit" if words[2] != "-f" => {
                let known = kinds().contains(words[2]) || BUILT_IN.contains(&words[2]);
                (!known).then(|| format!("{} is no kind", words[2]))
            }
            "apply" | "get" | "delete" | "create" | "exec" | "logs" | "auth" | "set" | "describe" => None,
            verb => Some(format!("kubectl {verb} is not known to this test")),
        },
        "helm" => {
            let chart = words[3];
            let there = root().join(chart).join("Chart.yaml").is_file();
            (!there).then(|| format!("{chart} is no chart"))
        }
        "git" | "curl" => None,
        path => (!root().join(path).exists()).then(|| format!("{path} does not exist")),
    }
}

/// Every name by which kubectl knows one of our kinds, as the definitions have it.
fn kinds() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in ["config/crd", "config/crd-optional"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            let head = text.split("\n  versions:").next().unwrap();
            for line in head.lines().map(str::trim) {
                let value = ["plural: ", "singular: ", "name: ", "- "];
                names.extend(
                    value
                        .iter()
                        .filter_map(|key| line.strip_prefix(key))
                        .map(str::to_owned),
                );
            }
        }
    }
    assert!(
        names.contains("llmmodels.llm.example.com") && names.contains("gpullm"),
        "{names:?}"
    );
    names
}

/// Everything that stands for something exists.
/// Promises: S2-17, S4-8, S4-11
#[test]
fn what_stands_for_a_literal_exists() {
    let mut faults = Vec::new();
    for here in table().iter().flat_map(BTreeMap::values).flatten() {
        if let Some(fault) = fault(here) {
            faults.push(format!("{here}: {fault}"));
        }
    }
    assert!(faults.is_empty(), "{PAGE}:\n{}", faults.join("\n"));
}

/// Commands in blocks of code, and paths anywhere, of one document.
fn named(document: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let (mut fenced, mut shell) = (false, false);
    for line in document.lines() {
        let text = line.trim();
        if let Some(language) = text.strip_prefix("```") {
            fenced = !fenced;
            shell = ["bash", "sh"].contains(&language);
            continue;
        }
        let command = shell || PROGRAMS.iter().any(|program| text.starts_with(program));
        if fenced && command && !text.is_empty() && !text.starts_with('#') {
            let end = text.find(" #").unwrap_or(text.len());
            found.insert(text[..end].trim().to_owned());
        }
        found.extend(inline(text).filter(|literal| literal.starts_with("make ")));
        found.extend(paths(line));
    }
    found
}

/// What stands in backticks within a line.
fn inline(line: &str) -> impl Iterator<Item = String> {
    line.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// Words of a line that look like files or folders, but for addresses.
fn paths(line: &str) -> Vec<String> {
    const ENDINGS: [&str; 7] = [".md", ".yaml", ".sh", ".go", ".py", ".log", "/"];
    let is_part = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let words = line.split_whitespace();
    let words = words.filter(|word| !word.contains("://") && !word.contains('<'));
    let parts = words.flat_map(|word| word.split(move |c| !is_part(c)));
    parts
        .map(|part| part.trim_end_matches('.').to_owned())
        .filter(|part| {
            ENDINGS.iter().any(|ending| part.ends_with(ending))
                && part.len() > 3
                && part.contains(|c: char| c.is_ascii_lowercase() || c == '.')
                && part.contains(char::is_alphabetic)
        })
        .collect()
}

/// Nothing that the documents name is missing on the page. They lie beside a checkout for tests; without them there is nothing to compare.
#[test]
fn every_literal_of_the_documents_is_listed() {
    let folder = root().join("../shared/seeds");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("{} is not there: nothing to compare", folder.display());
        return;
    };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let table = table();
    assert_eq!(files.len(), table.len(), "{files:?}");
    for (file, listed) in files.iter().zip(&table) {
        let document = std::fs::read_to_string(file).unwrap();
        let named = named(&document);
        assert!(named.len() >= 9, "{}: {named:?}", file.display());
        // A path within a listed command is listed by it.
        let missing: Vec<&String> = named
            .iter()
            .filter(|literal| {
                !listed.contains_key(*literal)
                    && !listed
                        .keys()
                        .any(|known| known.split_whitespace().any(|word| word == *literal))
            })
            .collect();
        assert!(
            missing.is_empty(),
            "{} is not complete: {missing:#?}",
            file.display()
        );
        let invented: Vec<&String> = listed
            .keys()
            .filter(|literal| !document.contains(*literal))
            .collect();
        assert!(
            invented.is_empty(),
            "{} does not say: {invented:#?}",
            file.display()
        );
    }
}
