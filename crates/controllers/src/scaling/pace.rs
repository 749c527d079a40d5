//! How often what: the loop's periods and their defaults.

use std::time::Duration;

/// How often what.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two decisions about a resource. Default: 15 s, the period of the `HorizontalPodAutoscaler` controller.
    pub decide: Duration,
    /// Between two looks at which are due. Default: 1 s.
    pub look: Duration,
    /// Between two writes of inputs alone. Default: 1 min.
    pub write: Duration,
    /// Scrapes that are older by so many periods of the scraper are none. Default: 3.
    pub stale_after: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            decide: Duration::from_secs(15),
            look: Duration::from_secs(1),
            write: Duration::from_mins(1),
            stale_after: 3,
        }
    }
}
