//! How often, how long and how much: the scraper's limits and their defaults.

use std::time::Duration;

/// Limits of a scraper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Time between two questions to one target. Default: 5 s. A target that fails again and again is asked less often, down
    /// to every sixth time.
    pub period: Duration,
    /// Time to connect. Default: 1 s.
    pub connect: Duration,
    /// Time from connecting to the end of the answer. Default: 2.5 s.
    pub whole: Duration,
    /// Questions under way at once. Default: 64.
    pub concurrency: usize,
    /// Of them, questions of one group: slow servers of one do not hold up the others. Default: 32.
    pub group_concurrency: usize,
    /// Connections that are kept between questions; beyond, each question has its own. Default: 2048.
    pub connections: usize,
    /// Bytes of an answer. Default: 1 MiB, ten times what a vLLM server says.
    pub bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            period: Duration::from_secs(5),
            connect: Duration::from_secs(1),
            whole: Duration::from_millis(2500),
            concurrency: 64,
            group_concurrency: 32,
            connections: 2048,
            bytes: 1 << 20,
        }
    }
}
