//! The whole site: reads every page of the contents, checks every link, writes every file.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    Contents, Page,
    html::{file, place, relative},
    target,
};

/// Why there is no site.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Links that lead nowhere, one per line.
    #[error("links lead nowhere:\n{}", .0.join("\n"))]
    Dead(Vec<String>),
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Fault {
    let path = path.to_owned();
    move |source| Fault::File { path, source }
}

/// Every link of these pages (by path from `root`) that leads nowhere: no such file, or no such heading.
pub fn check(root: &Path, pages: &BTreeMap<String, Page>) -> Vec<String> {
    let mut dead = Vec::new();
    for (page, read) in pages {
        for link in read.links.iter().filter(|link| !elsewhere(link)) {
            let Some((path, anchor)) = target(page, link) else {
                dead.push(format!("{page}: {link} leads out of the repository"));
                continue;
            };
            if !root.join(&path).exists() {
                dead.push(format!("{page}: {link} does not exist"));
            } else if let Some(anchor) = anchor {
                let there = pages
                    .get(&path)
                    .is_some_and(|page| page.anchors.contains(&anchor));
                if !there {
                    dead.push(format!("{page}: {link} names no heading"));
                }
            }
        }
    }
    dead
}

/// Links to folders that are no page: they exist, but a site has nothing to show of them.
fn folders(root: &Path, known: &BTreeSet<&str>, pages: &BTreeMap<String, Page>) -> Vec<String> {
    let mut dead = Vec::new();
    for (page, read) in pages {
        for link in &read.links {
            let to = target(page, link).map(|(path, _)| path);
            let folder = to.filter(|path| root.join(path).is_dir());
            if folder.is_some_and(|path| !known.contains(format!("{path}/README.md").as_str())) {
                dead.push(format!("{page}: {link} is a folder without a page"));
            }
        }
    }
    dead
}

fn elsewhere(link: &str) -> bool {
    link.contains("://") || link.starts_with("mailto:")
}

/// Builds the site of the contents at `contents` (from `root`) in the folder `output`, which is made anew. Returns the number
/// of pages.
pub fn build(root: &Path, contents: &str, output: &Path) -> Result<usize, Fault> {
    let path = root.join(contents);
    let text = fs::read_to_string(&path).map_err(failed(&path))?;
    let listed = Contents::parse(contents, &text);
    let known: BTreeSet<&str> = listed.paths().collect();
    let mut pages = BTreeMap::new();
    let mut files = BTreeSet::new();
    for page in &known {
        let path = root.join(page);
        let text = fs::read_to_string(&path).map_err(failed(&path))?;
        let read = Page::read(&text, |link| on_site(root, &known, page, link));
        let linked = read.links.iter().filter_map(|link| target(page, link));
        files.extend(
            linked
                .map(|(path, _)| path)
                .filter(|path| root.join(path).is_file()),
        );
        pages.insert((*page).to_owned(), read);
    }
    let mut dead = check(root, &pages);
    dead.extend(folders(root, &known, &pages));
    if !dead.is_empty() {
        return Err(Fault::Dead(dead));
    }
    if output.exists() {
        fs::remove_dir_all(output).map_err(failed(output))?;
    }
    for (path, page) in &pages {
        write(&output.join(place(path)), file(&listed, path, page).as_bytes())?;
    }
    for path in files.iter().filter(|path| !known.contains(path.as_str())) {
        let from = root.join(path);
        let bytes = fs::read(&from).map_err(failed(&from))?;
        write(&output.join(path), &bytes)?;
    }
    Ok(pages.len())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed(folder))?;
    }
    fs::write(path, bytes).map_err(failed(path))
}

/// Where a link of `page` leads on the site: to the HTML of a page, to the index of a folder that has one, or to a copy of the file.
fn on_site(root: &Path, known: &BTreeSet<&str>, page: &str, link: &str) -> String {
    let Some((mut path, anchor)) = target(page, link) else {
        return link.to_owned();
    };
    let index = format!("{path}/README.md");
    if root.join(&path).is_dir() && known.contains(index.as_str()) {
        path = index;
    }
    let place = if known.contains(path.as_str()) {
        place(&path)
    } else {
        path
    };
    let anchor = anchor.map_or_else(String::new, |anchor| format!("#{anchor}"));
    relative(&crate::html::place(page), &place) + &anchor
}
