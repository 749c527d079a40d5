//! Asks many engines for their metrics, again and again: addresses in, the newest [`Scrape`](autoscale::observe::Scrape) of
//! each out, or why there is none.
//!
//! It knows HTTP, time and tokio. It must not know Kubernetes, interpret what it reads or decide anything. Everything is
//! bounded: time, connections, bytes, questions at once in all and per group. Only plain HTTP to addresses; no redirect is
//! followed and no proxy asked.

mod agent;
mod asker;
mod buffers;
mod connection;
mod error;
mod group;
mod latest;
mod options;
mod scraper;
mod slots;
mod target;

pub use error::{Cause, ScrapeError};
pub use latest::{Latest, Totals};
pub use options::Options;
pub use scraper::Scraper;
pub use target::Target;
