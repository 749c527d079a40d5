//! `make sbom`: what the image is made of, and under which licences.
//!
//! In: `cargo metadata` and `go list`, in the repository that is named. Out, in a directory: `sbom.cdx.json` (`CycloneDX`), `LICENSES.md`
//! (the list) and `THIRD-PARTY-LICENSES.txt` (the texts). Exit code 1, and no file, when a component has no licence or one that is
//! not allowed.

mod cargo;
mod component;
mod cyclonedx;
mod fixed;
mod go;
mod licence;
mod listing;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use clap::Parser;

use component::Component;

/// What can be asked for.
#[derive(Debug, Parser)]
#[command(
    name = "sbom",
    about = "The software bill of materials of the image, and its licences"
)]
struct Args {
    /// The repository
    #[arg(long, default_value = ".")]
    repository: PathBuf,
    /// Where the files go
    #[arg(long, default_value = "target/sbom")]
    output_dir: PathBuf,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(count) => {
            println!("{count} components, every licence allowed");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("sbom: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<usize, String> {
    let crates = cargo::components(&args.repository)?;
    let modules = go::components(&args.repository)?;
    let all: Vec<Component> = crates
        .into_iter()
        .chain(modules)
        .chain(fixed::components())
        .collect();
    let refused: Vec<String> = all.iter().filter_map(refusal).collect();
    if !refused.is_empty() {
        return Err(format!(
            "these may not be shipped; do without them, or allow their licence in crates/testkit/src/bin/sbom/licence.rs:\n{}",
            refused.join("\n")
        ));
    }
    let folder = &args.output_dir;
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    };
    write("sbom.cdx.json", cyclonedx::document(&all)?)?;
    write("LICENSES.md", listing::table(&all))?;
    write("THIRD-PARTY-LICENSES.txt", listing::texts(&all))?;
    Ok(all.len())
}

/// Why a component may not be shipped, if so.
fn refusal(component: &Component) -> Option<String> {
    let name = component.label();
    match &component.licence {
        None => Some(format!("{name}: no licence is said or recognised")),
        Some(expression) if licence::is_allowed(expression) => None,
        Some(_) if fixed::exception(component).is_some() => None,
        Some(expression) => Some(format!("{name}: {expression}")),
    }
}

/// Standard output of a program.
fn output(program: &str, args: &[&str], directory: &Path) -> Result<Vec<u8>, String> {
    let run = Command::new(program)
        .args(args)
        .current_dir(directory)
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .output()
        .map_err(|error| format!("cannot run {program}: {error}"))?;
    if run.status.success() {
        return Ok(run.stdout);
    }
    let errors = String::from_utf8_lossy(&run.stderr);
    Err(format!("{program} {}: {}", args.join(" "), errors.trim()))
}
