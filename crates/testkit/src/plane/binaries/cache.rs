//! The cache of built executables.
//!
//! In: `XDG_CACHE_HOME` or `HOME`. Out: a directory such as `llm-operator/control-plane/<versions>` that holds all programs
//! of a [`Suite`].
//! Two processes never build at once, and a directory under its final name is always complete.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::build::{build, say};
use super::suite::Suite;
use super::{BinariesError, missing};

/// How often a process that waits for another's build says so.
const REPORT: Duration = Duration::from_secs(10);

/// The directory of the pinned versions, filled now if it is not.
pub(super) fn filled(suite: &Suite) -> Result<PathBuf, BinariesError> {
    let (name, versions) = &suite.cache;
    let root = root()?.join(name);
    let directory = root.join(versions);
    if missing(&directory, &suite.names()).is_empty() {
        return Ok(directory);
    }
    std::fs::create_dir_all(&root).map_err(at(&root))?;
    let _lock = lock(suite, &root.join(format!("{versions}.lock")))?;
    if !missing(&directory, &suite.names()).is_empty() {
        // Whoever holds the lock owns this name: what is there was left by a build that was killed.
        let unfinished = root.join(format!("{versions}.unfinished"));
        let _ = std::fs::remove_dir_all(&unfinished);
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&unfinished).map_err(at(&unfinished))?;
        build(suite, &unfinished)?;
        std::fs::rename(&unfinished, &directory).map_err(at(&directory))?;
    }
    Ok(directory)
}

fn root() -> Result<PathBuf, BinariesError> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    Ok(cache.ok_or(BinariesError::NoCache)?.join("llm-operator"))
}

/// Takes the lock, which the operating system releases when the process ends in whatever way.
fn lock(suite: &Suite, path: &Path) -> Result<File, BinariesError> {
    let file = File::create(path).map_err(at(path))?;
    let start = Instant::now();
    let mut next = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(at(path)(source)),
            Err(TryLockError::WouldBlock) => {}
        }
        if start.elapsed() >= next {
            say(
                suite,
                &format!(
                    "another process builds it, waiting ({} s)",
                    start.elapsed().as_secs()
                ),
            );
            next += REPORT;
        }
        sleep(Duration::from_millis(200));
    }
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> BinariesError + '_ {
    |source| BinariesError::File {
        path: path.to_owned(),
        source,
    }
}
