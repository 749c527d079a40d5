//! Why a question has no answer: what was asked, of whom, and one of a few causes that a caller tells apart.
//! It must not decide whether to ask again; it only says whether the server can have read the question.

use std::net::SocketAddr;
use std::time::Duration;

/// A question without an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{asked}, asked of Ollama at {address}: {cause}")]
pub struct Error {
    /// What was asked, in words: `pull "llama2:7b"`.
    pub asked: String,
    /// Who was asked.
    pub address: SocketAddr,
    /// What came of it.
    pub cause: Cause,
}

/// What came of a question that has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// No connection could be made, so nothing was sent.
    #[error("no connection, nothing was sent ({reason}): check that the server runs and listens on 0.0.0.0")]
    Unreachable {
        /// The operating system's words.
        reason: String,
    },
    /// The connection ended before the answer did; the server may have read the question.
    #[error("the connection ended before the answer ({reason}): see the server's log")]
    Broken {
        /// How it ended.
        reason: String,
    },
    /// A stream fell silent, or never began.
    #[error("nothing came for {after:?}: see the server's log")]
    Stalled {
        /// The silence that was allowed.
        after: Duration,
    },
    /// The answer was not whole within its time.
    #[error("not done within {after:?}: see the server's log, or allow more time")]
    TooLate {
        /// The time that was allowed.
        after: Duration,
    },
    /// The server said no.
    #[error("refused with status {status}: {message}")]
    Refused {
        /// HTTP status, never a 2xx.
        status: u16,
        /// The server's own words, at most a kilobyte.
        message: String,
    },
    /// The server began to answer and gave up.
    #[error("failed: {message}")]
    Failed {
        /// The server's own words, at most a kilobyte.
        message: String,
    },
    /// The answer is larger than is read.
    #[error("{part} of more than {limit} bytes: check that this is an Ollama server")]
    TooLarge {
        /// What is too large.
        part: Part,
        /// Bytes that are read at most.
        limit: usize,
    },
    /// The answer is not one that Ollama gives.
    #[error("an answer that Ollama does not give ({reason}): check that this is an Ollama server")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
}

/// A part of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Status line and header fields.
    Head,
    /// The body of an answer that comes whole.
    Body,
    /// One line of an answer that is streamed.
    Line,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Head => "a head",
            Self::Body => "a body",
            Self::Line => "a line",
        })
    }
}

impl Error {
    /// Nothing was sent, so asking again cannot ask twice.
    pub fn is_unreachable(&self) -> bool {
        matches!(self.cause, Cause::Unreachable { .. })
    }

    /// The server does not have the model that was named: status 404 and `model 'x' not found`.
    /// (What is not Ollama says 404 too, but not about a model.)
    pub fn is_model_missing(&self) -> bool {
        matches!(&self.cause, Cause::Refused { status: 404, message } if message.starts_with("model "))
    }

    /// What the server itself said: its reason for a refusal or a failure.
    pub fn server_words(&self) -> Option<&str> {
        match &self.cause {
            Cause::Refused { message, .. } | Cause::Failed { message } => Some(message),
            _ => None,
        }
    }
}
