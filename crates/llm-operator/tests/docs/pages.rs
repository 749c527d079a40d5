//! Every page of Markdown in the repository.

use std::{collections::BTreeMap, path::Path};

use docs_site::Page;

use crate::root;

/// Folders of the repository that have pages, beside those in its root.
const FOLDERS: [&str; 6] = ["docs", "examples", "crates", "helm-charts", "opt", "config"];

/// Every page, by its path from the root.
pub fn all() -> BTreeMap<String, Page> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(root()).unwrap() {
        add(&entry.unwrap().path(), &mut found);
    }
    for folder in FOLDERS {
        walk(&root().join(folder), &mut found);
    }
    found
}

fn walk(folder: &Path, found: &mut BTreeMap<String, Page>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else {
            add(&path, found);
        }
    }
}

fn add(path: &Path, found: &mut BTreeMap<String, Page>) {
    if path.extension().is_some_and(|ending| ending == "md") {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(path).unwrap();
        found.insert(name, Page::read(&text, str::to_owned));
    }
}
