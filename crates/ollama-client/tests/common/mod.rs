//! What the tests talk to: a simulated Ollama, and servers that misbehave.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub
)]

pub mod hostile;
pub mod sim;

use std::time::Duration;

/// Waits for what must happen; a test that hangs fails.
pub async fn soon<T>(work: impl Future<Output = T>) -> T {
    let limit = Duration::from_mins(1);
    tokio::time::timeout(limit, work)
        .await
        .expect("done within a minute")
}
