//! `make promises`: which tests prove which promise of the source documents.
//!
//! In: `docs/promises.md` and the integration tests' `/// Promises: S2-1, S2-2` lines. Out: a table on standard output;
//! exit code 1 when a promise that is due has no test, or a test names one that does not exist.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// A row of `docs/promises.md`.
struct Promise {
    id: String,
    text: String,
    due: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(complete) if complete => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("promises: {error}; run this from the root of the repository");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<bool> {
    let promises = parse_promises(&fs::read_to_string("docs/promises.md")?);
    let mut proofs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in test_files(Path::new("crates"))? {
        let suite = file
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        for (test, ids) in parse_tests(&fs::read_to_string(&file)?) {
            for id in ids {
                proofs.entry(id).or_default().push(format!("{suite}::{test}"));
            }
        }
    }
    let mut complete = true;
    for promise in &promises {
        let tests = proofs.remove(&promise.id).unwrap_or_default();
        let gap = promise.due && tests.is_empty();
        complete &= !gap;
        let shown = match (tests.is_empty(), promise.due) {
            (false, _) => tests.join(", "),
            (true, true) => "MISSING: no test proves it".to_owned(),
            (true, false) => "later".to_owned(),
        };
        println!("{:<6} {}\n       -> {shown}", promise.id, promise.text);
    }
    for (id, tests) in &proofs {
        complete = false;
        println!(
            "{id:<6} is not in docs/promises.md, but {} names it",
            tests.join(", ")
        );
    }
    Ok(complete)
}

fn parse_promises(markdown: &str) -> Vec<Promise> {
    let rows = markdown.lines().filter_map(|line| line.strip_prefix("| S"));
    rows.filter_map(|row| {
        let mut cells = row.split(" | ");
        let id = format!("S{}", cells.next()?.trim());
        let rest: Vec<&str> = cells.collect();
        let (due, text) = rest.split_last()?;
        Some(Promise {
            id,
            text: text.join(" | "),
            due: due.trim_end_matches('|').trim() == "now",
        })
    })
    .collect()
}

/// The Rust files below every `tests` folder.
fn test_files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs")
                && path.components().any(|part| part.as_os_str() == "tests")
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Pairs of (test function, promise ids) in a source file.
fn parse_tests(source: &str) -> Vec<(String, Vec<String>)> {
    let mut tests = Vec::new();
    let mut ids: Vec<String> = Vec::new();
    for line in source.lines().map(str::trim) {
        if let Some(list) = line.strip_prefix("/// Promises:") {
            ids.extend(
                list.split(',')
                    .map(|id| id.trim().trim_end_matches('.').to_owned()),
            );
        } else if let Some(name) = function_name(line)
            && !ids.is_empty()
        {
            tests.push((name.to_owned(), std::mem::take(&mut ids)));
        }
    }
    tests
}

fn function_name(line: &str) -> Option<&str> {
    let rest = line
        .strip_prefix("async fn ")
        .or_else(|| line.strip_prefix("fn "))?;
    rest.split(['(', '<']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_names_its_promises() {
        let found =
            parse_tests("/// Words.\n/// Promises: S2-1, S2-2\n#[test]\nfn it_works() {\n}\nfn other() {}");
        assert_eq!(
            found,
            [("it_works".to_owned(), vec!["S2-1".to_owned(), "S2-2".to_owned()])]
        );
    }

    #[test]
    fn rows_of_the_table_are_read() {
        let rows = parse_promises(
            "| id | promise | due |\n|---|---|---|\n| S2-1 | a | b | now |\n| S2-2 | c | later |",
        );
        assert_eq!(rows.len(), 2);
        assert!(rows[0].due && rows[0].id == "S2-1" && rows[0].text == "a | b");
        assert!(!rows[1].due);
    }
}
