//! One page of Markdown: its headings, its links, and itself as HTML.

use std::collections::BTreeMap;

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html::push_html};

/// A page that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Its first heading.
    pub title: String,
    /// The names of its headings, by which they are linked.
    pub anchors: Vec<String>,
    /// Where its links and images lead, as written.
    pub links: Vec<String>,
    /// The page itself.
    pub html: String,
}

impl Page {
    /// Reads a page; `rewrite` says where a link leads on the site.
    pub fn read(markdown: &str, rewrite: impl Fn(&str) -> String) -> Self {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        let mut events: Vec<Event<'_>> = Parser::new_ext(markdown, options).collect();
        let mut page = Self::default();
        page.name_headings(&mut events);
        for event in &mut events {
            if let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event {
                page.links.push(dest_url.to_string());
                *dest_url = CowStr::from(rewrite(dest_url));
            }
        }
        push_html(&mut page.html, events.into_iter());
        page
    }

    /// Gives every heading the name that GitHub and mdBook give it.
    fn name_headings(&mut self, events: &mut [Event<'_>]) {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut start = None;
        for place in 0..events.len() {
            match &events[place] {
                Event::Start(Tag::Heading { .. }) => start = Some(place),
                Event::End(TagEnd::Heading(_)) => {
                    let Some(start) = start.take() else { continue };
                    let text = words(&events[start..place]);
                    let name = anchor(&text, &mut seen);
                    if self.title.is_empty() {
                        self.title = text;
                    }
                    if let Event::Start(Tag::Heading { id, .. }) = &mut events[start] {
                        *id = Some(CowStr::from(name.clone()));
                    }
                    self.anchors.push(name);
                }
                _ => {}
            }
        }
    }
}

/// What a reader sees of a heading.
fn words(events: &[Event<'_>]) -> String {
    let words = events.iter().filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
        _ => None,
    });
    words.collect()
}

/// Lower case, words joined by hyphens, other characters dropped; the second of a name ends in `-1`.
fn anchor(text: &str, seen: &mut BTreeMap<String, usize>) -> String {
    let mut name = String::new();
    for c in text.trim().chars() {
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
}

/// Where a link of `page` leads: a path from the root of the repository and the heading, if it names one. `None` when it
/// leads to another site, or above the root.
pub fn target(page: &str, link: &str) -> Option<(String, Option<String>)> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = match link.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor.to_owned())),
        None => (link, None),
    };
    if path.is_empty() {
        return Some((page.to_owned(), anchor));
    }
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()?),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    Some((parts.join("/"), anchor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_get_the_names_by_which_they_are_linked() {
        let page = Page::read(
            "# What is *it*?\n## `spec.x`: a, b\n## Same\n## Same\n    # code\n",
            str::to_owned,
        );
        assert_eq!(page.title, "What is it?");
        assert_eq!(page.anchors, ["what-is-it", "specx-a-b", "same", "same-1"]);
        assert!(page.html.contains("<h2 id=\"same-1\">"), "{}", page.html);
    }

    #[test]
    fn links_are_found_outside_of_code_and_rewritten() {
        let text = "See [a](a.md#x), `[no](no.md)`.\n\n    [no](no.md)\n\n```\n[no](no.md)\n```\n";
        let page = Page::read(text, |link| link.replace(".md", ".html"));
        assert_eq!(page.links, ["a.md#x"]);
        assert!(page.html.contains("href=\"a.html#x\""), "{}", page.html);
    }

    #[test]
    fn targets_are_paths_from_the_root() {
        let to = |link| target("docs/a/b.md", link).map(|(path, anchor)| (path, anchor.unwrap_or_default()));
        let path = |path: &str, anchor: &str| Some((path.to_owned(), anchor.to_owned()));
        assert_eq!(to("../c.md#d"), path("docs/c.md", "d"));
        assert_eq!(to("#d"), path("docs/a/b.md", "d"));
        assert_eq!(to("./e/"), path("docs/a/e", ""));
        assert_eq!(to("../../README.md"), path("README.md", ""));
        assert_eq!(to("../../../out.md"), None);
        assert_eq!(to("https://example.com/x"), None);
    }
}
