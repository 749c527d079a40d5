//! Builds the test programs.
//!
//! In: a selection as for `cargo test`. Out: the programs that cargo built. Cargo's own progress and errors go to the terminal.

use std::{
    env,
    ffi::OsString,
    io::{self, BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use serde::Deserialize;
use thiserror::Error;

use crate::program::Program;

/// Why there is nothing to run.
#[derive(Debug, Error)]
pub enum BuildError {
    /// Cargo did not start, or its words could not be read.
    #[error("cargo: {0}; it is looked for in $CARGO and $PATH")]
    Cargo(#[from] io::Error),
    /// The code does not compile; cargo has said why.
    #[error("the tests do not build; see above")]
    Failed,
    /// The selection matches nothing.
    #[error("nothing to test: {0:?} selects no test program")]
    Empty(Vec<String>),
}

/// What cargo says of a thing that it built, as far as it is of interest here.
#[derive(Debug, Deserialize)]
struct Artifact {
    reason: String,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    profile: Option<Profile>,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Profile {
    test: bool,
}

/// Builds what `selection` names, everything when it names nothing.
///
/// # Errors
/// When cargo cannot be run, the build fails or nothing is selected.
pub fn programs(selection: &[String]) -> Result<Vec<Program>, BuildError> {
    let mut child = Command::new(cargo())
        .args(["test", "--no-run", "--message-format=json-render-diagnostics"])
        .args(everything_unless(selection))
        .args(selection)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut programs = Vec::new();
    if let Some(words) = child.stdout.take() {
        for line in BufReader::new(words).lines() {
            programs.extend(parse(&line?));
        }
    }
    match (child.wait()?.success(), programs.is_empty()) {
        (false, _) => Err(BuildError::Failed),
        (true, true) => Err(BuildError::Empty(selection.to_vec())),
        (true, false) => Ok(programs),
    }
}

/// The cargo that started this program, or the one of the path.
pub fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// `--workspace`, unless the selection names packages.
fn everything_unless(selection: &[String]) -> Option<&'static str> {
    let named = selection
        .iter()
        .any(|word| word.starts_with("-p") || word.starts_with("--package"));
    (!named).then_some("--workspace")
}

/// A test program, when the line tells of one.
fn parse(line: &str) -> Option<Program> {
    let artifact: Artifact = serde_json::from_str(line).ok()?;
    let built = artifact.reason == "compiler-artifact" && artifact.profile?.test;
    let target = artifact.target?;
    let package = artifact.manifest_path?.parent()?.to_path_buf();
    let crate_name = package.file_name()?.to_string_lossy().into_owned();
    let name = if target.kind.iter().any(|kind| kind == "test") {
        format!("{crate_name}::{}", target.name)
    } else {
        format!("{crate_name} ({})", target.kind.first()?)
    };
    built.then_some(Program {
        name,
        package,
        executable: artifact.executable?,
    })
}
