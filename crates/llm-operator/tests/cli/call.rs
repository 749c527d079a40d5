//! Runs the shipped binary to its end.

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::Value;

/// What came out of a run.
pub struct Outcome {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Outcome {
    /// The documents on standard output; panics unless the run was a success.
    pub fn documents(&self) -> Vec<Value> {
        assert_eq!(self.code, 0, "{}", self.err);
        serde_saphyr::from_multiple(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    /// The documents of a kind, by name.
    pub fn named(&self, kind: &str, name: &str) -> Value {
        let found = self
            .documents()
            .into_iter()
            .find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("no {kind} {name}: {}", self.out))
    }
}

/// Runs the binary without any environment and with `input` on its standard input.
pub fn call(args: &[&str], input: &str) -> Outcome {
    call_with(&[], args, input)
}

/// [`call`] with these environment variables and no other.
pub fn call_with(env: &[(&str, &str)], args: &[&str], input: &str) -> Outcome {
    let mut child = Command::new(env!("CARGO_BIN_EXE_llm-operator"))
        .args(args)
        .env_clear()
        .envs(env.iter().copied())
        .current_dir(crate::common::root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who does not read its input ends before it is written; that is no failure of the test.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Outcome {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// `render -f -` of a text.
pub fn render(yaml: &str) -> Outcome {
    call(&["render", "-f", "-"], yaml)
}

/// A file that exists for as long as this value.
pub struct TemporaryFile(PathBuf);

impl TemporaryFile {
    /// With this text.
    pub fn new(text: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "{}-{}.yaml",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    /// Its path.
    pub fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
