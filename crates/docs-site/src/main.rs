//! `docs-site [OUTPUT]`: the documentation as HTML, by default in `target/site`. It is started in the root of the repository.

use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    let output = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "target/site".to_owned());
    match docs_site::build(Path::new("."), "docs/SUMMARY.md", Path::new(&output)) {
        Ok(pages) => {
            println!("{pages} pages: {output}/index.html");
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("docs-site: {fault}");
            ExitCode::FAILURE
        }
    }
}
