//! The control plane's executables, and Helm's.
//!
//! In: the environment, which also selects the version of Kubernetes ([`KUBERNETES_VARIABLE`]), and the Go modules in
//! `control-plane/`. Out: [`Binaries`], the paths of the five programs, and [`helm`]:
//! from the directories that `LLM_OPERATOR_CONTROL_PLANE_BIN` and `LLM_OPERATOR_HELM_BIN` name, else from a cache that is
//! filled once by building them.

mod build;
mod cache;
mod go;
mod suite;
mod versions;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use self::suite::Suite;
use self::versions::Kubernetes;
pub use versions::{ETCD_VERSION, HELM_VERSION, KUBERNETES_VARIABLE, KUBERNETES_VERSION};

/// The environment variable that names a directory with ready-made executables.
pub const DIRECTORY_VARIABLE: &str = "LLM_OPERATOR_CONTROL_PLANE_BIN";
/// The environment variable that names a directory with a ready-made `helm`.
pub const HELM_VARIABLE: &str = "LLM_OPERATOR_HELM_BIN";

/// A program of the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// The store.
    Etcd,
    /// The API server.
    ApiServer,
    /// The built-in controllers.
    ControllerManager,
    /// The scheduler.
    Scheduler,
    /// The command-line client.
    Kubectl,
}

impl Program {
    /// All of them, in the order in which they are built.
    pub const ALL: [Self; 5] = [
        Self::Etcd,
        Self::Kubectl,
        Self::Scheduler,
        Self::ControllerManager,
        Self::ApiServer,
    ];
    /// What a plane without controllers and scheduler needs.
    pub const BARE: [Self; 3] = [Self::Etcd, Self::Kubectl, Self::ApiServer];

    /// The name of the executable.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kubectl => "kubectl",
        }
    }
}

/// Why the executables cannot be had. Every message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BinariesError {
    /// The directory named by the environment lacks programs.
    #[error(
        "{variable}={} lacks {missing}: put the executables of {versions} there, or unset the variable to have them built",
        directory.display()
    )]
    Incomplete {
        /// The environment variable.
        variable: &'static str,
        /// What should be there.
        versions: String,
        /// The directory.
        directory: PathBuf,
        /// The names of what is not there, comma separated.
        missing: String,
    },
    /// The environment asks for a Kubernetes that is not kept here.
    #[error("{KUBERNETES_VARIABLE}={wanted} is none of the versions that can be built: {known}")]
    UnknownVersion {
        /// What it asks for.
        wanted: String,
        /// The minor versions that there are, comma separated.
        known: String,
    },
    /// There is no `go` to build with.
    #[error(
        "{what} is built from source once and needs Go {needed} or later, but `go` was not found: install it from \
         https://go.dev/dl/ and put it on PATH, or point {variable} to a directory with ready-made executables"
    )]
    NoGo {
        /// What was to be built.
        what: &'static str,
        /// The environment variable that helps.
        variable: &'static str,
        /// The version needed.
        needed: String,
    },
    /// The `go` that was found cannot build it.
    #[error(
        "{what} needs Go {needed} or later, found {found}: install a newer one from https://go.dev/dl/, or set \
         GOTOOLCHAIN=auto to let Go fetch it, or point {variable} to a directory with ready-made executables"
    )]
    OldGo {
        /// What was to be built.
        what: &'static str,
        /// The environment variable that helps.
        variable: &'static str,
        /// The version needed.
        needed: String,
        /// The version found.
        found: String,
    },
    /// `go build` failed.
    #[error(
        "building {program} failed (exit code {code}); the last lines of `go build`:\n{output}\n{hint}, or point {variable} to a directory with ready-made executables."
    )]
    Build {
        /// What was being built.
        program: &'static str,
        /// The exit code of `go build`.
        code: i32,
        /// The end of its output.
        output: String,
        /// What to try.
        hint: &'static str,
        /// The environment variable that helps.
        variable: &'static str,
    },
    /// Neither `XDG_CACHE_HOME` nor `HOME` says where the cache is.
    #[error("neither XDG_CACHE_HOME nor HOME is set: set one, executables that are built are kept below it")]
    NoCache,
    /// A file or directory of the cache cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A process could not be run.
    #[error(transparent)]
    Process(#[from] crate::process::ProcessError),
}

/// The directory that holds the executables.
#[derive(Debug, Clone)]
pub struct Binaries {
    directory: PathBuf,
}

impl Binaries {
    /// Finds the executables or builds them, which takes minutes the first time and reports progress on standard
    /// error. Blocks. `needed` is checked in a directory given by the environment; a build always makes all five.
    pub fn locate(needed: &[Program]) -> Result<Self, BinariesError> {
        let names: Vec<&str> = needed.iter().map(|program| program.name()).collect();
        let suite = Suite::control_plane(Kubernetes::selected()?);
        locate(&suite, &names).map(|directory| Self { directory })
    }

    /// The path of one executable.
    pub fn path(&self, program: Program) -> PathBuf {
        self.directory.join(program.name())
    }

    /// The version of Kubernetes that [`Binaries::locate`] looks for, such as `v1.36.3`.
    pub fn kubernetes_version() -> Result<&'static str, BinariesError> {
        Kubernetes::selected().map(|one| one.version)
    }
}

/// Finds the Helm CLI or builds it, as [`Binaries::locate`] does. Blocks.
pub fn helm() -> Result<PathBuf, BinariesError> {
    let suite = Suite::helm();
    let directory = locate(&suite, &suite.names())?;
    Ok(directory.join("helm"))
}

/// The directory with the programs of a suite.
fn locate(suite: &Suite, needed: &[&str]) -> Result<PathBuf, BinariesError> {
    match std::env::var_os(suite.variable) {
        Some(directory) if !directory.is_empty() => in_directory(suite, &directory, needed),
        _ => cache::filled(suite),
    }
}

fn in_directory(suite: &Suite, directory: &OsString, needed: &[&str]) -> Result<PathBuf, BinariesError> {
    let directory = PathBuf::from(directory);
    let missing = missing(&directory, needed);
    if missing.is_empty() {
        return Ok(directory);
    }
    Err(BinariesError::Incomplete {
        variable: suite.variable,
        versions: suite.versions.clone(),
        directory,
        missing: missing.join(", "),
    })
}

/// The names of the programs that `directory` does not hold.
fn missing<'a>(directory: &Path, needed: &[&'a str]) -> Vec<&'a str> {
    needed
        .iter()
        .copied()
        .filter(|name| !directory.join(name).is_file())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::versions::Kubernetes;
    use super::{BinariesError, Program, Suite, in_directory};
    use crate::process::TemporaryDirectory;

    #[test]
    fn a_given_directory_must_hold_what_is_needed_and_no_more() {
        let directory = TemporaryDirectory::new("test").unwrap();
        for name in ["etcd", "kube-apiserver", "kubectl"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let path = directory.path().as_os_str().to_owned();
        let suite = Suite::control_plane(Kubernetes::selected().unwrap());
        assert!(in_directory(&suite, &path, &Program::BARE.map(Program::name)).is_ok());
        let error = in_directory(&suite, &path, &suite.names()).unwrap_err();
        assert!(matches!(error, BinariesError::Incomplete { .. }));
        assert!(
            error
                .to_string()
                .contains("lacks kube-scheduler, kube-controller-manager:"),
            "{error}"
        );
    }
}
