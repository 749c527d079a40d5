//! What an engine exports as metrics, as one [`Scrape`](autoscale::observe::Scrape): text in, numbers out.
//!
//! [`text`] reads the Prometheus and `OpenMetrics` text formats, [`engines`] says which names mean what at which engine,
//! [`Reader`] puts the two together. Nothing here knows a client or a clock. Nothing panics, whatever the bytes are, and
//! memory is bounded by the constants, not by the text.

pub mod engines;
mod reader;
pub mod text;

pub use engines::Engine;
pub use reader::{MAX_BODY, MAX_BUCKETS, MAX_GROUPS, ReadError, Reader, Reading};
