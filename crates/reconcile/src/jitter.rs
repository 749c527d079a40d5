//! Randomised, exponentially growing delays. In: an attempt count; out: a duration. It never sleeps.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hash},
    time::Duration,
};

/// Growth of a delay: `base`, doubled per attempt up to `max`, then lengthened or shortened by up to a tenth.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// Delay of the first attempt.
    pub base: Duration,
    /// Longest delay, before jitter.
    pub max: Duration,
}

impl Backoff {
    /// Delay before attempt number `attempt`, counted from 0.
    pub fn delay(&self, attempt: u32) -> Duration {
        let doubled = self
            .base
            .saturating_mul(1_u32.checked_shl(attempt.min(30)).unwrap_or(u32::MAX));
        jittered(doubled.min(self.max))
    }
}

/// `delay` lengthened or shortened at random by up to a tenth, so that many waiters do not wake together.
pub fn jittered(delay: Duration) -> Duration {
    let tenths_of_permille = u32::try_from(random() % 2_001).unwrap_or(1_000);
    delay.saturating_mul(9_000 + tenths_of_permille) / 10_000
}

/// A random number good enough for jitter and unique names; not for secrets.
pub fn random() -> u64 {
    // Each `RandomState` has its own keys; hashing the time as well keeps two equal states apart.
    let state = RandomState::new();
    let mut hasher = state.build_hasher();
    std::time::SystemTime::now().hash(&mut hasher);
    std::hash::Hasher::finish(&hasher)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_limit_and_stays_within_a_tenth() {
        let backoff = Backoff {
            base: Duration::from_millis(250),
            max: Duration::from_mins(5),
        };
        for (attempt, expected) in [
            (0, 0.25),
            (1, 0.5),
            (4, 4.0),
            (10, 256.0),
            (11, 300.0),
            (200, 300.0),
        ] {
            let delay = backoff.delay(attempt).as_secs_f64();
            assert!(
                (delay - expected).abs() <= expected * 0.1001,
                "attempt {attempt}: {delay}"
            );
        }
    }

    #[test]
    fn spreads() {
        let seen: std::collections::HashSet<_> = (0..50)
            .map(|_| jittered(Duration::from_secs(100)).as_millis())
            .collect();
        assert!(seen.len() > 20, "{seen:?}");
    }
}
