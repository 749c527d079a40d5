//! `rbac-report`: whether the operator's roles hold what it needs and nothing else, by what a test run really asked.
//!
//! In: `config/rbac`, the files that planes wrote below `AUDIT_DIR` (`target/audit`), `exceptions.yaml`. Out: what was refused and what
//! was granted for nothing; exit code 1 when there is either without a written reason. With `--partial` it only tells: a part of the
//! tests uses a part of the rights.

mod compare;
mod exceptions;
mod roles;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::ExitCode,
};

use testkit::plane::asked::{AUDIT_DIR, Asked};

use crate::{compare::Comparison, exceptions::Exceptions};

fn main() -> ExitCode {
    let partial = std::env::args().any(|argument| argument == "--partial");
    let verbose = std::env::args().any(|argument| argument == "--all");
    match report(partial, verbose) {
        Ok(sound) if sound || partial => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("rbac-report: {error}");
            ExitCode::FAILURE
        }
    }
}

fn report(partial: bool, verbose: bool) -> Result<bool, String> {
    let directory = std::env::var_os(AUDIT_DIR).map_or_else(|| "target/audit".into(), PathBuf::from);
    let asked = read(&directory)?;
    if asked.is_empty() {
        return Err(format!(
            "nothing was recorded in {}: run the tests with {AUDIT_DIR} set, as `make test` does",
            directory.display()
        ));
    }
    let grants = roles::read(Path::new("config/rbac"))?;
    let exceptions = Exceptions::read()?;
    let found = Comparison::of(&grants, &asked, &exceptions);
    let programs: BTreeSet<&str> = asked.iter().map(|asked| asked.program.as_str()).collect();
    println!(
        "{} distinct questions of {} programs, {} rights in config/rbac",
        asked.len(),
        programs.len(),
        grants.len()
    );
    if verbose {
        for asked in &asked {
            println!("  {}", compare::told(asked));
        }
    }
    for line in &found.refused {
        println!("refused: {line}");
    }
    println!(
        "{} questions were refused that a shipped role lets pass: a test withheld it, or the API server had just started",
        found.withheld
    );
    for line in &found.unused {
        println!("granted and never used: {line}");
    }
    for line in &found.idle_exceptions {
        println!("exception without need: {line}");
    }
    if partial {
        println!("only a part of the tests ran: nothing follows from what is unused");
    }
    let sound = found.is_sound();
    if sound {
        println!(
            "every right is used, or its reason is written down; nothing was refused but where a test is about that"
        );
    }
    Ok(sound)
}

fn read(directory: &Path) -> Result<BTreeSet<Asked>, String> {
    let mut asked = BTreeSet::new();
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(asked),
        Err(error) => return Err(format!("{}: {error}", directory.display())),
    };
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|error| told(&error))?;
        for line in text.lines() {
            asked.insert(serde_json::from_str(line).map_err(|error| told(&error))?);
        }
    }
    Ok(asked)
}
