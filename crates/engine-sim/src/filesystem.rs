//! A container's view of files: container paths in, host paths or the error that the kernel would give out.
//! It must not read file contents for anybody; engines do that through the paths it resolves.

use std::io;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A volume mounted into the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where the container sees it.
    pub container_path: PathBuf,
    /// The directory or file on this machine that holds it.
    pub host_path: PathBuf,
    /// Writes are refused with EROFS.
    pub read_only: bool,
    /// Size of the volume in bytes; writes beyond it are refused with ENOSPC. `None`: no bound.
    pub capacity: Option<u64>,
}

/// The container's own file system, under the mounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Root {
    /// This machine's own `/` (a real container that runs the simulator).
    #[default]
    Host,
    /// A directory of this machine, made on first write; it goes when the container goes.
    Directory(PathBuf),
    /// As [`Root::Directory`], with writes refused with EROFS (`readOnlyRootFilesystem`).
    ReadOnly(PathBuf),
}

/// Why a path cannot be used; displayed as Python's and Go's programs show the kernel's words.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// EROFS.
    #[error("Read-only file system: '{}'", .0.display())]
    ReadOnly(PathBuf),
    /// EACCES: the root file system belongs to root and the process is another user.
    #[error("Permission denied: '{}'", .0.display())]
    Denied(PathBuf),
    /// ENOSPC.
    #[error("No space left on device: '{}'", .0.display())]
    NoSpace(PathBuf),
    /// Anything that this machine itself refused.
    #[error("{source}: '{}'", .path.display())]
    Io {
        /// The container's path.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

impl FileError {
    /// The errno that the kernel gives for this.
    pub fn errno(&self) -> i32 {
        match self {
            Self::ReadOnly(_) => 30,
            Self::Denied(_) => 13,
            Self::NoSpace(_) => 28,
            Self::Io { source, .. } => source.raw_os_error().unwrap_or(5),
        }
    }
}

/// Mounts over a root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filesystem {
    /// Mounted volumes; the longest matching container path wins.
    pub mounts: Vec<Mount>,
    /// What lies under them.
    pub root: Root,
    /// User id of the process. Others than 0 may write only to mounts, `/tmp`, `/var/tmp` and `/dev/shm`.
    pub user: u32,
}

impl Filesystem {
    /// The path on this machine behind a container's path (which need not exist).
    pub fn resolve(&self, path: &Path) -> PathBuf {
        let path = normal(path);
        if let Some((mount, rest)) = self.mount_of(&path) {
            return if rest.as_os_str().is_empty() {
                mount.host_path.clone()
            } else {
                mount.host_path.join(rest)
            };
        }
        match &self.root {
            Root::Host => path,
            Root::Directory(dir) | Root::ReadOnly(dir) => dir.join(path.strip_prefix("/").unwrap_or(&path)),
        }
    }

    /// Makes the directory and its parents, if the process may.
    pub fn make_dir(&self, path: &Path) -> Result<PathBuf, FileError> {
        let host = self.resolve(path);
        if host.is_dir() {
            return Ok(host);
        }
        self.may_write(path)?;
        std::fs::create_dir_all(&host).map_err(|source| FileError::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok(host)
    }

    /// Writes a small file, making its directory.
    pub fn write(&self, path: &Path, content: &[u8]) -> Result<(), FileError> {
        self.reserve(path, content.len() as u64)?;
        let host = self.resolve(path);
        std::fs::write(&host, content).map_err(|source| FileError::Io {
            path: path.to_owned(),
            source,
        })
    }

    /// Makes a file of `bytes` length without using the disk (sparse): how weights are stored.
    pub fn write_sparse(&self, path: &Path, bytes: u64) -> Result<(), FileError> {
        self.reserve(path, bytes)?;
        let host = self.resolve(path);
        std::fs::File::create(&host)
            .and_then(|file| file.set_len(bytes))
            .map_err(|source| FileError::Io {
                path: path.to_owned(),
                source,
            })
    }

    fn reserve(&self, path: &Path, bytes: u64) -> Result<(), FileError> {
        self.may_write(path)?;
        if let Some(parent) = path.parent() {
            self.make_dir(parent)?;
        }
        let Some((mount, _)) = self.mount_of(&normal(path)) else {
            return Ok(());
        };
        match mount.capacity {
            Some(capacity) if used(&mount.host_path).saturating_add(bytes) > capacity => {
                Err(FileError::NoSpace(path.to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Whether the process may write at `path`.
    pub fn may_write(&self, path: &Path) -> Result<(), FileError> {
        let normal = normal(path);
        if let Some((mount, _)) = self.mount_of(&normal) {
            return if mount.read_only {
                Err(FileError::ReadOnly(path.to_owned()))
            } else {
                Ok(())
            };
        }
        match self.root {
            Root::Host => Ok(()),
            Root::ReadOnly(_) if !normal.starts_with("/dev/shm") => Err(FileError::ReadOnly(path.to_owned())),
            Root::ReadOnly(_) | Root::Directory(_) if self.user == 0 || world_writable(&normal) => Ok(()),
            _ => Err(FileError::Denied(path.to_owned())),
        }
    }

    fn mount_of<'a>(&'a self, path: &Path) -> Option<(&'a Mount, PathBuf)> {
        let of = |mount: &'a Mount| {
            let at = normal(&mount.container_path);
            path.strip_prefix(&at)
                .ok()
                .map(|rest| (at.components().count(), mount, rest.to_owned()))
        };
        let deepest = self
            .mounts
            .iter()
            .filter_map(of)
            .max_by_key(|(depth, _, _)| *depth);
        deepest.map(|(_, mount, rest)| (mount, rest))
    }
}

fn world_writable(path: &Path) -> bool {
    ["/tmp", "/var/tmp", "/dev/shm"]
        .iter()
        .any(|dir| path.starts_with(dir))
}

/// The path made absolute, without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    clean
}

/// Sum of the lengths of all files under a directory.
pub(crate) fn used(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return 0;
    };
    let size = |entry: std::fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => used(&entry.path()),
        Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |m| m.len()),
        _ => 0,
    };
    entries.flatten().map(size).sum()
}
