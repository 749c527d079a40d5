//! What can go wrong with a cluster.
//!
//! In: failures of its parts. Out: [`ClusterError`], whose messages name the part and show the end of its log.

use std::fmt::{self, Debug, Display};

use super::access::AccessError;
use super::binaries::BinariesError;
use super::pki::PkiError;
use super::ports::NoPort;
use crate::process::ProcessError;

/// Lines of a component's log shown in errors.
pub(crate) const SHOWN_LINES: usize = 20;

/// A cluster could not be started or used.
#[derive(thiserror::Error)]
pub enum ClusterError {
    /// The executables cannot be had.
    #[error(transparent)]
    Binaries(#[from] BinariesError),
    /// Keys or certificates cannot be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// Every port is taken.
    #[error(transparent)]
    Port(#[from] NoPort),
    /// A process cannot be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The simulated nodes cannot be started.
    #[error(transparent)]
    Nodes(#[from] crate::node::NodeError),
    /// A client cannot be made.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A component ended on its own.
    #[error("{component} ended with code {code}; the last lines of its log:\n{log}")]
    Died {
        /// The component.
        component: String,
        /// Its exit code.
        code: i32,
        /// The end of its log.
        log: String,
    },
    /// A component did not become ready in time.
    #[error("{what} after {seconds} s: {last}; the last lines of the log of {component}:\n{log}")]
    NotReady {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
        /// What was seen last.
        last: String,
        /// The component that should have done it.
        component: String,
        /// The end of its log.
        log: String,
    },
    /// The component is not part of this cluster or does not run now.
    #[error("{component} does not run: start it first, or build the cluster without `bare`")]
    NotRunning {
        /// The component.
        component: &'static str,
    },
    /// The API server refused a request.
    #[error("{what}: {source}")]
    Request {
        /// What was tried.
        what: String,
        /// Its answer.
        source: kube::Error,
    },
    /// A file cannot be used, or a program cannot be run.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A manifest cannot be read.
    #[error("document {number} of the manifest: {reason}")]
    Manifest {
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The work was cut short: it panicked, or its runtime ended.
    #[error("{what} was cut short; see the output above")]
    CutShort {
        /// What was being done.
        what: &'static str,
    },
}

impl Debug for ClusterError {
    /// The same words as [`Display`]: `unwrap` in a test shows them.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, formatter)
    }
}

impl ClusterError {
    pub(crate) fn request(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        move |source| Self::Request { what, source }
    }

    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// Did a component die because another program took its port first?
    pub(crate) fn is_port_taken(&self) -> bool {
        matches!(self, Self::Died { log, .. } if log.contains("address already in use"))
    }
}
