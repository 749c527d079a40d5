//! A directory that goes away with its owner.
//!
//! In: a word for its name. Out: an empty directory that only this user may read. It is removed on drop, or by a
//! waiting shell when the owner dies first.

use std::fs::DirBuilder;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::ProcessError;

const GUARD: &str = include_str!("guard.sh");

/// A directory below the system's temporary directory, removed when this value is dropped or its process dies.
#[derive(Debug)]
pub struct TemporaryDirectory {
    path: PathBuf,
    guard: Child,
}

impl TemporaryDirectory {
    /// Creates `<temporary directory>/llm-operator-<purpose>-<process id>-<random>` with mode 0700.
    pub fn new(purpose: &str) -> Result<Self, ProcessError> {
        let random = RandomState::new().hash_one(purpose);
        let name = format!("llm-operator-{purpose}-{}-{random:016x}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // The guard comes first: a directory without one could be left behind.
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(&path)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| ProcessError::Start {
                name: format!("the guard of {}", path.display()),
                source,
            })?;
        let directory = Self { path, guard };
        DirBuilder::new()
            .mode(0o700)
            .create(&directory.path)
            .map_err(|source| ProcessError::File {
                path: directory.path.clone(),
                source,
            })?;
        Ok(directory)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        // When this fails the guard is left to try again by itself: closing its input tells it to.
        if std::fs::remove_dir_all(&self.path).is_ok()
            && let Some(mut input) = self.guard.stdin.take()
        {
            let _ = input.write_all(b"removed\n");
        }
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::TemporaryDirectory;

    #[test]
    fn goes_away_on_drop_with_all_it_holds() {
        let directory = TemporaryDirectory::new("test").unwrap();
        let path = directory.path().to_owned();
        std::fs::create_dir(path.join("inner")).unwrap();
        std::fs::write(path.join("inner/file"), "x").unwrap();
        drop(directory);
        assert!(!path.exists());
    }
}
