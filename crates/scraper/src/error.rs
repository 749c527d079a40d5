//! Why a question has no answer, and when that was.
//!
//! In: what the network or the reader said. Out: one of a few causes with a bounded text. It must not decide whether to ask
//! again.

use std::{error::Error as _, io, time::Duration};

use engine_metrics::ReadError;

/// The most bytes of other people's words that are kept.
const WORDS: usize = 200;

/// A target that gave no scrape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct ScrapeError {
    /// When it failed, since the scraper's start.
    pub at: Duration,
    /// What happened.
    pub cause: Cause,
}

/// What happened instead of a scrape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// No connection could be made.
    #[error(
        "no connection to the metrics port ({reason}): check that the engine listens there and that no network policy stands between"
    )]
    Unreachable {
        /// The operating system's words.
        reason: String,
    },
    /// The answer was not whole in time.
    #[error("no whole answer within {after:?}: the engine is overloaded or stuck")]
    TooLate {
        /// The time that was allowed.
        after: Duration,
    },
    /// The connection ended before the answer did.
    #[error("the connection ended before the answer ({reason}): see the engine's log")]
    Broken {
        /// How it ended.
        reason: String,
    },
    /// Not a successful answer. Redirects are not followed.
    #[error("status {status} instead of metrics: check that the engine exports them and under which path")]
    Status {
        /// HTTP status, never 200.
        status: u16,
    },
    /// More than is read.
    #[error("an answer of more than {limit} bytes: have the engine export fewer label sets")]
    TooLarge {
        /// Bytes that are read.
        limit: usize,
    },
    /// No HTTP.
    #[error("the answer is not HTTP ({reason}): check the metrics port")]
    NotHttp {
        /// What is wrong with it.
        reason: String,
    },
    /// HTTP, but no metrics.
    #[error(transparent)]
    NotMetrics(#[from] ReadError),
    /// The target's path is none.
    #[error("{path:?} is no path: it begins with / and has no spaces")]
    Path {
        /// What was given.
        path: String,
    },
}

impl Cause {
    /// The cause in one word, for counting.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "Unreachable",
            Self::TooLate { .. } => "TooLate",
            Self::Broken { .. } => "Broken",
            Self::Status { .. } => "Status",
            Self::TooLarge { .. } => "TooLarge",
            Self::NotHttp { .. } => "NotHttp",
            Self::NotMetrics(_) => "NotMetrics",
            Self::Path { .. } => "Path",
        }
    }

    pub(crate) fn unreachable(error: &dyn std::error::Error) -> Self {
        Self::Unreachable { reason: chain(error) }
    }

    /// What an error after the connection was made means.
    pub(crate) fn exchange(error: &hyper::Error) -> Self {
        let reason = chain(error);
        if error.is_parse() || has_invalid_data(error) {
            Self::NotHttp { reason }
        } else {
            Self::Broken { reason }
        }
    }
}

/// A chunked body that breaks its own rules is told by the kind of an I/O error.
fn has_invalid_data(error: &hyper::Error) -> bool {
    let wrong = |kind| matches!(kind, io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData);
    error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|error| wrong(error.kind()))
}

/// An error with its sources, on one bounded line.
fn chain(error: &dyn std::error::Error) -> String {
    let (mut all, mut next) = (error.to_string(), error.source());
    while let Some(source) = next.filter(|_| all.len() < WORDS) {
        all = format!("{all}: {source}");
        next = source.source();
    }
    all.retain(|c| !c.is_control());
    all.truncate(all.floor_char_boundary(WORDS));
    all
}
