//! What stands around a page: its head, the contents beside it, the way on.

use std::fmt::Write as _;

use crate::{Contents, Entry, Page};

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--link:#0b62c4}\
@media(prefers-color-scheme:dark){:root{--link:#7ab7ff}}\
body{margin:0;display:flex;font:16px/1.55 system-ui,sans-serif}\
nav{flex:0 0 17rem;height:100vh;position:sticky;top:0;overflow:auto;box-sizing:border-box;padding:1rem;border-right:1px solid var(--line);font-size:.9rem}\
nav p{margin:1rem 0 .3rem;font-weight:600}nav a{display:block;padding:.1rem 0;text-decoration:none}nav a.here{font-weight:700}\
main{flex:1;min-width:0;max-width:60rem;padding:1rem 2rem 4rem}\
a{color:var(--link)}pre,code{font:.875em/1.45 ui-monospace,monospace;background:var(--soft)}\
pre{padding:.8rem;overflow:auto}pre code{background:none;font-size:1em}code{padding:.1em .25em}\
table{border-collapse:collapse;display:block;overflow:auto}td,th{border:1px solid var(--line);padding:.3rem .6rem;vertical-align:top;text-align:left}\
footer{display:flex;justify-content:space-between;margin-top:3rem;border-top:1px solid var(--line);padding-top:1rem}\
@media(max-width:50rem){body{display:block}nav{position:static;height:auto;border:0;border-bottom:1px solid var(--line)}}";

/// Where the page of `path` stands on the site: a `README.md` is the index of its folder.
pub fn place(path: &str) -> String {
    match path.strip_suffix("README.md") {
        Some(folder) if folder.is_empty() || folder.ends_with('/') => format!("{folder}index.html"),
        _ => path
            .strip_suffix(".md")
            .map_or_else(|| path.to_owned(), |name| format!("{name}.html")),
    }
}

/// `to` as seen from the page at `from`, both from the site's root.
pub fn relative(from: &str, to: &str) -> String {
    let up = "../".repeat(from.matches('/').count());
    format!("{up}{to}")
}

/// The whole file of one page.
pub fn file(contents: &Contents, path: &str, page: &Page) -> String {
    let here = place(path);
    let mut nav = String::new();
    let mut pages: Vec<(String, &str)> = Vec::new();
    for entry in &contents.0 {
        // Writing into a String cannot fail.
        let _ = match entry {
            Entry::Part(title) => writeln!(nav, "<p>{}</p>", escaped(title)),
            Entry::Page { title, path, depth } => {
                let place = place(path);
                let class = if place == here { " class=\"here\"" } else { "" };
                let link = relative(&here, &place);
                pages.push((place, title));
                writeln!(
                    nav,
                    "<a{class} style=\"margin-left:{depth}rem\" href=\"{link}\">{}</a>",
                    escaped(title)
                )
            }
        };
    }
    let at = pages.iter().position(|(place, _)| *place == here);
    let step = |at: Option<usize>, arrow: &str| {
        let next = at.and_then(|at| pages.get(at));
        next.map_or_else(String::new, |(place, title)| {
            format!(
                "<a href=\"{}\">{arrow} {}</a>",
                relative(&here, place),
                escaped(title)
            )
        })
    };
    let before = step(at.and_then(|at| at.checked_sub(1)), "&larr;");
    let after = step(at.map(|at| at + 1), "&rarr;");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>{}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<nav>\n{nav}</nav>\n<main>\n{}<footer><span>{before}</span><span>{after}</span></footer>\n</main>\n</body>\n</html>\n",
        escaped(&page.title),
        page.html
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
