//! What is said to a running Ollama server.
//!
//! In: the server's address, limits, and typed requests. Out: typed answers, or an [`Error`] that names what was asked,
//! of whom, and what came of it. Written against Ollama 0.17.4 (`server/routes.go`, `api/types.go`).
//! It must not know Kubernetes, decide anything, or try again. It believes nothing that a server says: every answer is
//! bounded in bytes and in time, and every call has a connection of its own that closes when its future is dropped.

mod client;
mod error;
mod exchange;
mod generate;
mod lines;
mod name;
mod pull;
mod stream;
mod text;

pub use client::{Limits, Loaded, Model, Ollama};
pub use error::{Cause, Error, Part};
pub use generate::{Answer, GenerateError, GenerateLimits};
pub use name::{has_model, same_model};
pub use pull::Progress;
