//! The directory of one cluster.
//!
//! In: its path. Out: whether a cluster runs there, its process id, its removal. "Runs" means that a process holds the
//! lock: the operating system releases it however that process ends, so a stale process id is never signalled.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

const LOCK: &str = "lock";
const PID: &str = "pid";
const READY: &str = "ready";
const LOG: &str = "local-cluster.log";
/// The longest that a mere look at the lock takes.
const GLANCE: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(50);

/// Everything that a cluster puts into its directory. Nothing else is ever removed.
const FILES: [&str; 14] = [
    PID,
    READY,
    LOG,
    "kubeconfig",
    "controller-manager.kubeconfig",
    "scheduler.kubeconfig",
    "scheduler.yaml",
    "audit-policy.yaml",
    "audit.log",
    "etcd.log",
    "kube-apiserver.log",
    "kube-controller-manager.log",
    "kube-scheduler.log",
    LOCK,
];
const DIRECTORIES: [&str; 3] = ["etcd", "pki", "kubectl-cache"];

/// The directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// A file in it.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process holds it.
    #[error("a cluster runs in {} already", path.display())]
    Taken {
        /// The directory.
        path: PathBuf,
    },
}

/// The directory of a cluster, whether it runs or not.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
}

impl Home {
    /// The directory, made when it does not exist.
    pub fn open(path: &Path) -> Result<Self, HomeError> {
        std::fs::create_dir_all(path).map_err(at(path))?;
        Ok(Self {
            path: path.canonicalize().map_err(at(path))?,
        })
    }

    /// The directory, if a cluster has been there.
    pub fn find(path: &Path) -> Result<Option<Self>, HomeError> {
        if path.join(LOCK).is_file() {
            Self::open(path).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file that the background process writes to.
    pub fn log(&self) -> PathBuf {
        self.path.join(LOG)
    }

    /// Does a process hold the directory?
    pub fn is_running(&self) -> Result<bool, HomeError> {
        match self.lock() {
            Ok(_released) => Ok(false),
            Err(HomeError::Taken { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Is the cluster of use yet?
    pub fn is_ready(&self) -> bool {
        self.path.join(READY).is_file()
    }

    /// Forgets that an earlier cluster was of use.
    pub fn clear_ready(&self) -> Result<(), HomeError> {
        let path = self.path.join(READY);
        ignore_absent(std::fs::remove_file(&path)).map_err(at(&path))
    }

    /// Makes this process the one that runs here, for as long as it keeps the file open.
    pub fn claim(&self) -> Result<File, HomeError> {
        let start = Instant::now();
        let lock = loop {
            match self.lock() {
                // Another process may only be looking, which takes the lock for a moment.
                Err(HomeError::Taken { .. }) if start.elapsed() < GLANCE => sleep(POLL),
                result => break result?,
            }
        };
        self.write(PID, &std::process::id().to_string())?;
        Ok(lock)
    }

    /// Tells whoever waits that the cluster is of use.
    pub fn set_ready(&self) -> Result<(), HomeError> {
        self.write(READY, "")
    }

    /// Tells the process that runs here to end, and waits for it; its process id.
    pub fn stop(&self, limit: Duration) -> Result<String, HomeError> {
        let file = self.path.join(PID);
        let pid = std::fs::read_to_string(&file).map_err(at(&file))?;
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .map_err(at(&file))?;
        let start = Instant::now();
        while self.is_running()? && start.elapsed() < limit {
            sleep(POLL);
        }
        Ok(pid)
    }

    /// Removes what a cluster put here, and the directory when nothing else is in it.
    pub fn remove(&self) -> Result<(), HomeError> {
        for name in DIRECTORIES {
            let path = self.path.join(name);
            ignore_absent(std::fs::remove_dir_all(&path)).map_err(at(&path))?;
        }
        for name in FILES {
            let path = self.path.join(name);
            ignore_absent(std::fs::remove_file(&path)).map_err(at(&path))?;
        }
        let _ = std::fs::remove_dir(&self.path);
        Ok(())
    }

    fn lock(&self) -> Result<File, HomeError> {
        let path = self.path.join(LOCK);
        let file = File::create(&path).map_err(at(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(HomeError::Taken {
                path: self.path.clone(),
            }),
            Err(TryLockError::Error(source)) => Err(at(&path)(source)),
        }
    }

    fn write(&self, name: &str, text: &str) -> Result<(), HomeError> {
        let path = self.path.join(name);
        std::fs::write(&path, text).map_err(at(&path))
    }
}

fn ignore_absent(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> HomeError + '_ {
    |source| HomeError::File {
        path: path.to_owned(),
        source,
    }
}
