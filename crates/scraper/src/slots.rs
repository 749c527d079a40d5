//! When a target is asked: identity, period and failures in, moments out.
//!
//! Each target has its own place in the period, so that questions are spread and not asked all at once. A restart changes no
//! place.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

/// Failures in a row that change nothing yet.
const PATIENCE: u32 = 2;
/// A target that fails all the time is asked every so many periods.
const RAREST: u32 = 6;

/// A target's place in the period.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slots {
    phase: Duration,
    period: Duration,
}

impl Slots {
    pub(crate) fn new(id: &str, period: Duration) -> Self {
        let period = period.max(Duration::from_millis(1));
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        let share = hasher.finish() % 1_000_000;
        let phase = period.mul_f64(f64::from(u32::try_from(share).unwrap_or_default()) / 1e6);
        Self { phase, period }
    }

    /// The next moment after `now`, later when the target failed often.
    pub(crate) fn next(&self, now: Duration, failures: u32) -> Duration {
        let past = now.saturating_sub(self.phase).as_nanos() / self.period.as_nanos();
        let periods = u32::try_from(past).unwrap_or(u32::MAX);
        let mut next = self.phase.saturating_add(self.period.saturating_mul(periods));
        if next <= now {
            next = next.saturating_add(self.period);
        }
        let doubled = 1_u32 << failures.saturating_sub(PATIENCE).min(8);
        next.saturating_add(self.period * (doubled.min(RAREST) - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_has_one_moment_per_period() {
        let period = Duration::from_secs(5);
        let slots = Slots::new("a", period);
        let first = slots.next(Duration::ZERO, 0);
        assert!(first <= period);
        let mut now = first;
        for n in 1..100 {
            let next = slots.next(now, 0);
            assert_eq!(next, first + period * n);
            assert_eq!(slots.next(now + Duration::from_millis(4999), 0), next);
            now = next;
        }
    }

    #[test]
    fn targets_are_spread_over_the_period() {
        let period = Duration::from_secs(5);
        let mut tenths = [0; 10];
        for n in 0..500 {
            let at = Slots::new(&format!("pod-{n}"), period).next(Duration::ZERO, 0);
            let tenth = usize::try_from(at.as_millis() / 500).unwrap().min(9);
            tenths[tenth] += 1;
        }
        assert!(tenths.iter().all(|n| (20..90).contains(n)), "{tenths:?}");
    }

    #[test]
    fn who_fails_is_asked_less_often_but_never_given_up() {
        let period = Duration::from_secs(5);
        let slots = Slots::new("a", period);
        let first = slots.next(Duration::ZERO, 0);
        let later = |failures| slots.next(first, failures).saturating_sub(first).as_secs();
        assert_eq!([0, 1, 2, 3, 4, 5, 1000].map(later), [5, 5, 5, 10, 20, 30, 30]);
    }
}
