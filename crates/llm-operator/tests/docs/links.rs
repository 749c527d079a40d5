//! Links of all pages lead somewhere, the table of contents has all pages, and a site can be built of them.

use std::{collections::BTreeSet, path::Path};

use docs_site::Contents;

use crate::{pages, read, root};

const CONTENTS: &str = "docs/SUMMARY.md";

/// Promises: S1-17
#[test]
fn every_link_leads_somewhere() {
    let pages = pages::all();
    let dead = docs_site::check(&root(), &pages);
    assert!(dead.is_empty(), "{}", dead.join("\n"));
    let count: usize = pages.values().map(|page| page.links.len()).sum();
    assert!(count > 200, "only {count} links were found");
}

/// The contents name each page of the documentation once.
#[test]
fn the_contents_are_complete() {
    let contents = Contents::parse(CONTENTS, &read(CONTENTS));
    let listed: Vec<&str> = contents.paths().collect();
    let unique: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(unique.len(), listed.len(), "a page is listed twice");
    let pages = pages::all();
    let missing: Vec<&String> = pages
        .keys()
        .filter(|page| page.starts_with("docs/") && *page != CONTENTS && !unique.contains(page.as_str()))
        .collect();
    assert!(missing.is_empty(), "not in {CONTENTS}: {missing:#?}");
}

/// The site has every page, and each link of its files leads to one that is there.
#[test]
fn the_site_is_whole() {
    let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("site-{}", std::process::id()));
    let count = docs_site::build(&root(), CONTENTS, &output).unwrap_or_else(|fault| panic!("{fault}"));
    let contents = Contents::parse(CONTENTS, &read(CONTENTS));
    assert_eq!(count, contents.paths().count());
    let mut seen = 0;
    for page in contents.paths() {
        let place = match page.strip_suffix("README.md") {
            Some(folder) => format!("{folder}index.html"),
            None => page.replace(".md", ".html"),
        };
        let file = output.join(&place);
        let html = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{place}: {error}"));
        for link in html
            .split("href=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
        {
            let path = link.split('#').next().unwrap();
            let there =
                link.contains("://") || path.is_empty() || file.parent().unwrap().join(path).is_file();
            assert!(there, "{place}: {link}");
            seen += 1;
        }
    }
    assert!(seen > 1000, "only {seen} links were seen");
    std::fs::remove_dir_all(output).unwrap();
}

/// Reasons that pages tell people to look for are reasons that are given: those in the first cell of a table about reasons.
#[test]
fn reasons_in_pages_are_reasons_that_are_given() {
    let given = read("docs/conditions.md");
    let mut count = 0;
    for page in ["docs/troubleshooting.md", "docs/runbooks.md", "docs/sizing.md"] {
        let text = read(page);
        let mut about_reasons = false;
        for line in text.lines() {
            about_reasons = (about_reasons || line.starts_with("| reason |")) && line.starts_with('|');
            let cell = line.trim_start_matches('|').split('|').next().unwrap();
            let named = cell.split('`').skip(1).step_by(2).filter(|_| about_reasons);
            for reason in named {
                assert!(
                    given.contains(&format!("| `{reason}` |")),
                    "{page}: {reason} is no reason"
                );
                count += 1;
            }
        }
    }
    assert!(count > 20, "only {count} reasons were found");
}
