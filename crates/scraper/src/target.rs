//! Whom to ask: an identity, an address and a path.

use std::{net::SocketAddr, sync::Arc};

use engine_metrics::Engine;

/// One engine that exports metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Identity that no other target ever has (a Pod's uid).
    pub id: Arc<str>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Path of its metrics: `/metrics`.
    pub path: Arc<str>,
    /// The engine; `None` when its metrics have to tell.
    pub engine: Option<Engine>,
}
