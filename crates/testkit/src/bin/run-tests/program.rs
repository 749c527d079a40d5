//! One test program.
//!
//! In: what cargo built. Out: how a run of it ended, of all its tests or of some.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use crate::outcome::Outcome;

/// Programs that take minutes. They start first, so that none of them is left alone at the end.
const LONG: [&str; 7] = [
    "llm-operator::chaos",
    "llm-operator::gpu_llm",
    "llm-operator::gpu_llm_faults",
    "llm-operator::llmd",
    "llm-operator::scaling",
    "llm-operator::scaling_faults",
    "llm-operator::by_name",
];

/// A test program that is built.
#[derive(Clone, Debug)]
pub struct Program {
    /// Crate and program: `llm-operator::lifecycle`, `api (lib)`.
    pub name: String,
    /// The crate's directory, in which its tests run, as under cargo.
    pub package: PathBuf,
    /// The program itself.
    pub executable: PathBuf,
}

impl Program {
    /// Whether it takes minutes.
    pub fn is_long(&self) -> bool {
        LONG.contains(&self.name.as_str())
    }

    /// Runs it to its end, with `filters` as libtest takes them (`--skip a`, `--exact b c`); what it writes is in a file of
    /// `logs` meanwhile, named like the program.
    pub fn run(&self, logs: &Path, filters: &[String]) -> Outcome {
        let started = Instant::now();
        let ended = self.ended(logs, filters);
        let (output, success) = ended.unwrap_or_else(|error| (format!("could not be run: {error}\n"), false));
        Outcome {
            name: self.name.clone(),
            took: started.elapsed(),
            output,
            success,
        }
    }

    fn ended(&self, logs: &Path, filters: &[String]) -> io::Result<(String, bool)> {
        fs::create_dir_all(logs)?;
        let path = logs.join(format!(
            "{}.log",
            self.name.replace("::", ".").replace([' ', '(', ')'], "")
        ));
        let log = File::create(&path)?;
        let status = Command::new(&self.executable)
            .current_dir(&self.package)
            .env("CARGO_MANIFEST_DIR", &self.package)
            .args(filters)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .status()?;
        let output = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        Ok((output, status.success()))
    }
}
