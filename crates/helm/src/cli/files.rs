//! Files that only we read.
//!
//! In: paths and contents. Out: directories with mode 0700 and files with mode 0600, complete under their final name;
//! [`Scratch`], which is removed when its last user is gone.

use std::{
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::HelmError;

/// Tells the scratch directories of one process apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A file or directory cannot be used.
pub(super) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> HelmError + '_ {
    |error| HelmError::File {
        path: path.display().to_string(),
        message: error.to_string(),
    }
}

/// Makes a directory that nobody else may enter, with those above it. One that exists is closed to others.
pub(super) fn private_directory(path: &Path) -> Result<(), HelmError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(at(path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(at(path))
}

/// Writes a file that nobody else may read.
pub(super) fn write_private(path: &Path, content: &str) -> Result<(), HelmError> {
    let new = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .map_err(at(&new))?;
    file.write_all(content.as_bytes()).map_err(at(&new))?;
    fs::rename(&new, path).map_err(at(path))
}

/// A directory for one call. What is in it goes with it.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A new directory below `parent`.
    pub(super) fn new(parent: &Path) -> Result<Self, HelmError> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("{}-{number}", std::process::id()));
        private_directory(&path)?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it, written.
    pub(super) fn write(&self, name: &str, content: &str) -> Result<PathBuf, HelmError> {
        let path = self.path.join(name);
        write_private(&path, content)?;
        Ok(path)
    }

    /// A directory in it, made.
    pub(super) fn directory(&self, name: &str) -> Result<PathBuf, HelmError> {
        let path = self.path.join(name);
        private_directory(&path)?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "a directory of a Helm call stays behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_reads_what_a_call_writes_and_nothing_stays() {
        let parent = std::env::temp_dir().join(format!("helm-files-{}", std::process::id()));
        let scratch = Scratch::new(&parent).unwrap();
        let file = scratch.write("values.json", "{}").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&file), 0o600);
        assert_eq!(mode(scratch.path()), 0o700);
        assert_eq!(mode(&parent), 0o700);
        drop(scratch);
        assert!(!file.exists());
        fs::remove_dir_all(&parent).unwrap();
    }
}
