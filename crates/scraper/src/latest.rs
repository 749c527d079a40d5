//! What is known of a target: its newest scrape, and how the last question ended.

use std::{sync::Arc, time::Duration};

use autoscale::observe::Scrape;
use engine_metrics::Engine;

use crate::ScrapeError;

/// The newest of one target.
#[derive(Clone, Debug, PartialEq)]
pub struct Latest {
    /// The target.
    pub id: Arc<str>,
    /// Its engine, told or detected.
    pub engine: Option<Engine>,
    /// The newest scrape, however old; `None` when there never was one.
    pub scrape: Option<Arc<Scrape>>,
    /// Why the last question had no answer; `None` when it had one, or none was asked yet.
    pub failure: Option<ScrapeError>,
    /// Questions without an answer since the last that had one.
    pub failures: u32,
}

impl Latest {
    pub(crate) fn unknown(id: Arc<str>, engine: Option<Engine>) -> Self {
        Self {
            id,
            engine,
            scrape: None,
            failure: None,
            failures: 0,
        }
    }

    /// How old the newest scrape is at `now` on the scraper's clock.
    pub fn age(&self, now: Duration) -> Option<Duration> {
        Some(now.saturating_sub(self.scrape.as_ref()?.at))
    }

    /// The newest scrape if it is not older than `limit`.
    pub fn fresh(&self, now: Duration, limit: Duration) -> Option<&Arc<Scrape>> {
        self.scrape.as_ref().filter(|_| self.age(now) <= Some(limit))
    }
}

/// Questions of one group since it was first set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Questions that ended.
    pub asked: u64,
    /// Of them, those without a scrape.
    pub failed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_is_fresh_up_to_the_limit() {
        let mut latest = Latest::unknown("a".into(), None);
        let (now, limit) = (Duration::from_secs(100), Duration::from_secs(15));
        assert_eq!((latest.age(now), latest.fresh(now, limit)), (None, None));
        for (at, fresh) in [(85, true), (84, false), (101, true)] {
            let at = Duration::from_secs(at);
            latest.scrape = Some(Arc::new(Scrape {
                at,
                ..Scrape::default()
            }));
            assert_eq!(latest.fresh(now, limit).is_some(), fresh, "{at:?}");
        }
    }
}
