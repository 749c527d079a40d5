//! Links of all pages lead somewhere, and the table of contents has all pages.

use std::collections::BTreeSet;

use crate::{pages, root};

const CONTENTS: &str = "docs/SUMMARY.md";

/// Promises: S1-17
#[test]
fn every_link_leads_somewhere() {
    let pages = pages::all();
    let (mut count, mut dead) = (0, Vec::new());
    for (page, text) in &pages {
        for link in pages::links(text) {
            let Some((path, anchor)) = pages::target(page, &link) else {
                continue;
            };
            count += 1;
            if !root().join(&path).exists() {
                dead.push(format!("{page}: {link}"));
            } else if let Some(anchor) = anchor {
                let found = pages
                    .get(&path)
                    .map(|text| pages::anchors(text))
                    .unwrap_or_default();
                if !found.contains(&anchor) {
                    dead.push(format!("{page}: {link}: no such heading"));
                }
            }
        }
    }
    assert!(dead.is_empty(), "{}", dead.join("\n"));
    assert!(count > 200, "only {count} links were found");
}

/// The contents name each page of the documentation once, and nothing else below `docs`.
#[test]
fn the_contents_are_complete() {
    let pages = pages::all();
    let links = pages::links(&pages[CONTENTS]);
    let listed: Vec<String> = links
        .iter()
        .map(|link| pages::target(CONTENTS, link).unwrap().0)
        .collect();
    let unique: BTreeSet<&String> = listed.iter().collect();
    assert_eq!(unique.len(), listed.len(), "a page is listed twice");
    let missing: Vec<&String> = pages
        .keys()
        .filter(|page| page.starts_with("docs/") && *page != CONTENTS && !unique.contains(page))
        .collect();
    assert!(missing.is_empty(), "not in {CONTENTS}: {missing:#?}");
}
