//! One test program and how it ended.

use std::{
    fmt::{self, Display, Formatter},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

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
#[derive(Debug)]
pub struct Program {
    /// Crate and program: `llm-operator::lifecycle`, `api (lib)`.
    pub name: String,
    /// The crate's directory, in which its tests run, as under cargo.
    pub package: PathBuf,
    /// The program itself.
    pub executable: PathBuf,
}

/// How a program ended.
#[derive(Debug)]
pub struct Outcome {
    /// The program's name.
    pub name: String,
    /// How long it ran.
    pub took: Duration,
    /// Everything that it wrote, in order; or why it could not be run.
    pub output: String,
    /// Whether it exited with 0.
    pub success: bool,
}

impl Program {
    /// Whether it takes minutes.
    pub fn is_long(&self) -> bool {
        LONG.contains(&self.name.as_str())
    }

    /// Runs it to its end; what it writes is in a file of `logs` meanwhile, named like the program.
    pub fn run(&self, logs: &Path) -> Outcome {
        let started = Instant::now();
        let ended = self.ended(logs);
        let (output, success) = ended.unwrap_or_else(|error| (format!("could not be run: {error}\n"), false));
        Outcome {
            name: self.name.clone(),
            took: started.elapsed(),
            output,
            success,
        }
    }

    fn ended(&self, logs: &Path) -> io::Result<(String, bool)> {
        fs::create_dir_all(logs)?;
        let path = logs.join(format!(
            "{}.log",
            self.name.replace("::", ".").replace([' ', '(', ')'], "")
        ));
        let log = File::create(&path)?;
        let status = Command::new(&self.executable)
            .current_dir(&self.package)
            .env("CARGO_MANIFEST_DIR", &self.package)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .status()?;
        let output = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        Ok((output, status.success()))
    }
}

impl Display for Outcome {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let last = self.output.lines().rfind(|line| line.starts_with("test result:"));
        let verdict = last.unwrap_or("test result: FAILED. It did not come to an end of its own");
        write!(out, "{} ({:.0?})\n{verdict}", self.name, self.took)?;
        if !self.success {
            write!(out, "\n{}", self.output)?;
        }
        Ok(())
    }
}
