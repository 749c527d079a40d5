//! Times of two clocks on one: Kubernetes tells the time of day, scrapes tell how long the scraper runs.
//!
//! In: what both clocks show at one moment. Out: times on the planner's clock, which never goes backwards. It must not read a clock.

use std::time::Duration;

use jiff::Timestamp;

/// The planner's clock began so long before the scraper: Pods are older than the operator, and times must not be negative.
const ERA: Duration = Duration::from_hours(100 * 365 * 24);

/// The same moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// The time of day.
    pub day: Timestamp,
    /// Since the scraper's start.
    pub scraper: Duration,
}

impl Clocks {
    /// Now, for the planner.
    pub fn now(&self) -> Duration {
        Self::of_scraper(self.scraper)
    }

    /// A time of day, for the planner; what lies in the future, by a clock that goes wrong, is now.
    pub fn of_day(&self, time: Timestamp) -> Duration {
        let ago = self.day.duration_since(time);
        let ago = Duration::try_from(ago).unwrap_or_default();
        self.now().saturating_sub(ago)
    }

    /// A time of the scraper, for the planner.
    pub fn of_scraper(time: Duration) -> Duration {
        ERA.saturating_add(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_become_one() {
        let day = Timestamp::from_second(1_800_000_000).unwrap();
        let clocks = Clocks {
            day,
            scraper: Duration::from_secs(10),
        };
        let at = |seconds: i64| clocks.of_day(Timestamp::from_second(1_800_000_000 + seconds).unwrap());
        let seconds = Duration::from_secs;
        assert_eq!(at(0), clocks.now());
        assert_eq!(at(-3), Clocks::of_scraper(seconds(7)));
        assert_eq!(
            clocks.now().checked_sub(at(-86_400)),
            Some(seconds(86_400)),
            "older than the scraper"
        );
        assert_eq!(at(60), clocks.now(), "the future");
        assert_eq!(
            at(-1_800_000_000).checked_add(seconds(1_800_000_000)),
            Some(clocks.now())
        );
    }
}
