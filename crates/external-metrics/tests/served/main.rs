//! What is served, to whom.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

#[path = "../common/mod.rs"]
mod common;

mod autoscaler;
mod bounds;
mod callers;
mod discovery;
mod metrics;

use common::{Replica, cluster, operator_access};
use tokio::sync::OnceCell;

static REPLICA: OnceCell<Replica> = OnceCell::const_new();

/// The one leader that all tests of this program ask; it is reached by the API server.
async fn replica() -> &'static Replica {
    REPLICA
        .get_or_init(async || {
            let access = operator_access(cluster().await).await;
            let replica = Replica::leader(access.client().await.unwrap()).await;
            replica.wait_available().await;
            replica
        })
        .await
}
