//! The table of contents (`SUMMARY.md`), in the form that mdBook has.

use crate::page::target;

/// One line of the contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The title of the entries below it.
    Part(String),
    /// A page.
    Page {
        /// As it is listed.
        title: String,
        /// From the root of the repository.
        path: String,
        /// How deep it stands: 0, or below the page before it.
        depth: usize,
    },
}

/// The pages of the site in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents(pub Vec<Entry>);

impl Contents {
    /// Reads `text`, which stands at `path` from the root: titles are headings, pages are links, in a list or alone.
    pub fn parse(path: &str, text: &str) -> Self {
        // The first heading is the title of the contents themselves.
        let mut lines = text.lines().skip_while(|line| !line.starts_with("# "));
        lines.next();
        Self(lines.filter_map(|line| entry(path, line)).collect())
    }

    /// The paths of all pages.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|entry| match entry {
            Entry::Page { path, .. } => Some(path.as_str()),
            Entry::Part(_) => None,
        })
    }
}

fn entry(path: &str, line: &str) -> Option<Entry> {
    if let Some(title) = line.strip_prefix("# ") {
        return Some(Entry::Part(title.trim().to_owned()));
    }
    let text = line.trim_start();
    let depth = (line.len() - text.len()) / 2;
    let item = text.strip_prefix("- ").unwrap_or(text);
    let (title, rest) = item.strip_prefix('[')?.split_once("](")?;
    let (path, _) = target(path, rest.strip_suffix(')')?)?;
    Some(Entry::Page {
        title: title.to_owned(),
        path,
        depth,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_pages_and_depths_are_read() {
        let text = "# Contents\n\n[Start](../README.md)\n\n# Use\n\n- [A](a.md)\n  - [B of A](b/README.md)\n";
        let page = |title: &str, path: &str, depth| Entry::Page {
            title: title.to_owned(),
            path: path.to_owned(),
            depth,
        };
        let expected = Contents(vec![
            page("Start", "README.md", 0),
            Entry::Part("Use".to_owned()),
            page("A", "docs/a.md", 0),
            page("B of A", "docs/b/README.md", 1),
        ]);
        assert_eq!(Contents::parse("docs/SUMMARY.md", text), expected);
    }
}
