//! The operator's own metrics over TLS, for whoever the cluster lets read them.

mod page;
mod reader;
mod remembered;
mod server;

pub(crate) use page::MetricsPage;
pub use server::MetricsServer;
