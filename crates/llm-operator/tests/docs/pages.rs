//! Pages of Markdown: which there are, where their links lead, and what their headings are called.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::root;

/// Folders of the repository that have pages, beside those in its root.
const FOLDERS: [&str; 6] = ["docs", "examples", "crates", "helm-charts", "opt", "config"];

/// Every page, by its path from the root.
pub fn all() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(root()).unwrap() {
        add(&entry.unwrap().path(), &mut found);
    }
    for folder in FOLDERS {
        walk(&root().join(folder), &mut found);
    }
    found
}

fn walk(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else {
            add(&path, found);
        }
    }
}

fn add(path: &Path, found: &mut BTreeMap<String, String>) {
    if path.extension().is_some_and(|ending| ending == "md") {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        found.insert(name, std::fs::read_to_string(path).unwrap());
    }
}

/// The lines of a page that are prose: neither in fences nor indented like code.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    page.lines().filter(move |line| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return false;
        }
        !fenced && !line.starts_with("    ")
    })
}

/// Targets of links, without those in code.
pub fn links(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(page) {
        let text: String = line.split('`').step_by(2).collect::<Vec<_>>().join("");
        for part in text.split("](").skip(1) {
            let target = part.split([')', ' ']).next().unwrap();
            found.push(target.trim_matches(['<', '>']).to_owned());
        }
    }
    found
}

/// Names by which headings are linked, as GitHub and mdBook make them.
pub fn anchors(page: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let headings = prose(page).filter_map(|line| {
        let text = line.trim_start_matches('#');
        (text.len() < line.len())
            .then(|| text.strip_prefix(' '))
            .flatten()
    });
    headings
        .map(|heading| {
            let mut name = String::new();
            for c in shown(heading).trim().chars() {
                if c.is_alphanumeric() || c == '_' || c == '-' {
                    name.extend(c.to_lowercase());
                } else if c == ' ' {
                    name.push('-');
                }
            }
            let count = seen.entry(name.clone()).or_default();
            *count += 1;
            if *count == 1 {
                name
            } else {
                format!("{name}-{}", *count - 1)
            }
        })
        .collect()
}

/// A heading without the targets of its links.
fn shown(heading: &str) -> String {
    let mut parts = heading.split("](");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(part.split_once(')').map_or("", |(_, rest)| rest));
    }
    text
}

/// The path that a link of `page` leads to, from the root; nothing when it leads out of the repository's files.
pub fn target(page: &str, link: &str) -> Option<(String, Option<String>)> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = link
        .split_once('#')
        .map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    if path.is_empty() {
        return Some((page.to_owned(), anchor.map(str::to_owned)));
    }
    let mut parts = PathBuf::from(page);
    parts.pop();
    for part in path.split('/') {
        match part {
            ".." => assert!(parts.pop(), "{page}: {link} leads out of the repository"),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    Some((parts.to_str().unwrap().to_owned(), anchor.map(str::to_owned)))
}
