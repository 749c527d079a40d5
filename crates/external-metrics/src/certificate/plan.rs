//! When which certificate is made and served. Pure.
//!
//! In: the time, what is stored, whether the API server has all its authorities. Out: the next [`Step`].

use jiff::{SignedDuration, Timestamp};

use super::stored::Stored;

/// How long certificates live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// How long a certificate is valid. The next one is made when a third of it is left.
    pub valid: SignedDuration,
    /// How long the API server has the next certificate's authority before that certificate is served.
    pub settle: SignedDuration,
}

impl Default for Lifetimes {
    /// 90 days, as common authorities have it; a minute, which is far longer than the API server needs to see a change.
    fn default() -> Self {
        Self {
            valid: SignedDuration::from_hours(90 * 24),
            settle: SignedDuration::from_mins(1),
        }
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing before that time.
    Keep(Timestamp),
    /// Make a pair and serve it at once: there is none that could be served.
    Replace,
    /// Make the next pair.
    Stage,
    /// Serve the next pair.
    Promote,
}

/// The next step. `published`: nobody who verifies lacks one of the stored authorities.
pub(crate) fn plan(now: Timestamp, stored: Option<&Stored>, published: bool, lifetimes: Lifetimes) -> Step {
    let Some(stored) = stored else {
        return Step::Replace;
    };
    let next = stored.next.as_ref().filter(|next| next.until > now);
    if stored.current.until <= now {
        // What is served is refused anyway: no reason to wait for anything.
        return next.map_or(Step::Replace, |_| Step::Promote);
    }
    let Some(next) = next else {
        let renewal = stored.current.until - lifetimes.valid / 3;
        return if renewal <= now {
            Step::Stage
        } else {
            Step::Keep(renewal)
        };
    };
    let settled = next.made + lifetimes.settle;
    if settled > now {
        Step::Keep(settled)
    } else if published {
        Step::Promote
    } else {
        // Being published wakes us; the end of the current one must as well.
        Step::Keep(stored.current.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::make::{Profile, pair};
    use k8s_openapi::api::core::v1::Secret;

    const LIFETIMES: Lifetimes = Lifetimes {
        valid: SignedDuration::from_hours(90),
        settle: SignedDuration::from_hours(1),
    };

    fn hour(hour: i64) -> Timestamp {
        Profile::for_tests().now + SignedDuration::from_hours(hour)
    }

    /// Certificates made at these hours.
    fn stored(current: i64, next: Option<i64>) -> Stored {
        let made = |at| {
            let profile = Profile {
                now: hour(at),
                valid: LIFETIMES.valid,
                ..Profile::for_tests()
            };
            pair(&profile).unwrap()
        };
        let read = |data| {
            Stored::read(&Secret {
                data: Some(data),
                ..Secret::default()
            })
            .unwrap()
        };
        let stored = read(Stored::replaced(None, &made(current)));
        match next {
            None => stored,
            Some(next) => read(stored.staged(&made(next))),
        }
    }

    #[test]
    fn steps() {
        for (now, stored, published, step) in [
            (0, None, true, Step::Replace),
            (0, Some(stored(0, None)), true, Step::Keep(hour(60))),
            (59, Some(stored(0, None)), false, Step::Keep(hour(60))),
            (60, Some(stored(0, None)), true, Step::Stage),
            (60, Some(stored(0, None)), false, Step::Stage),
            (89, Some(stored(0, None)), true, Step::Stage),
            (90, Some(stored(0, None)), true, Step::Replace),
            (60, Some(stored(0, Some(60))), true, Step::Keep(hour(61))),
            (61, Some(stored(0, Some(60))), true, Step::Promote),
            (61, Some(stored(0, Some(60))), false, Step::Keep(hour(90))),
            (90, Some(stored(0, Some(60))), false, Step::Promote),
            (150, Some(stored(0, Some(60))), true, Step::Replace),
            (150, Some(stored(90, Some(60))), true, Step::Stage),
        ] {
            let found = plan(hour(now), stored.as_ref(), published, LIFETIMES);
            assert_eq!(found, step, "hour {now}, published {published}");
        }
    }
}
