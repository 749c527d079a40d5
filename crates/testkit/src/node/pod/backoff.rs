//! kubelet's back-off: 10 s, doubling, at most 5 minutes, forgotten after 10 quiet minutes.
//! Pure: the caller tells the time and sleeps.

use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_mins(5);
/// After this long without a failure the next one counts as the first.
const FORGET: Duration = Duration::from_mins(10);

/// The back-off of one container or image, in real (unscaled) time.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    current: Option<Duration>,
    last: Option<Instant>,
}

impl Backoff {
    /// A failure after a run of `ran` (real time): the pause before the next try. The first one is zero for restarts.
    pub(crate) fn next(&mut self, ran: Duration, now: Instant, first: First) -> Duration {
        if ran > FORGET || self.last.is_some_and(|last| now.duration_since(last) > FORGET) {
            self.current = None;
        }
        self.last = Some(now);
        let pause = match (self.current, first) {
            (None, First::AtOnce) => Duration::ZERO,
            (None, First::Waits) => FIRST,
            (Some(current), _) => current,
        };
        self.current = Some(match (self.current, first) {
            (None, First::AtOnce) => FIRST,
            (None, First::Waits) => FIRST * 2,
            (Some(current), _) => (current * 2).min(LONGEST),
        });
        pause
    }
}

/// What the first failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// Try again at once, as with crashed containers.
    AtOnce,
    /// Wait first, as with images.
    Waits,
}

/// A duration as Go prints it: `10s`, `1m20s`, `5m0s`.
pub(crate) fn go(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds / 60 {
        0 => format!("{seconds}s"),
        minutes => format!("{minutes}m{}s", seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_begin_at_once_double_and_are_capped() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        let pauses: Vec<u64> = (0..8)
            .map(|_| backoff.next(Duration::ZERO, now, First::AtOnce).as_secs())
            .collect();
        assert_eq!(pauses, [0, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(
            backoff.next(FORGET * 2, now, First::AtOnce),
            Duration::ZERO,
            "a long run forgives"
        );
    }

    #[test]
    fn pulls_wait_from_the_first_failure() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        let pauses: Vec<u64> = (0..3)
            .map(|_| backoff.next(Duration::ZERO, now, First::Waits).as_secs())
            .collect();
        assert_eq!(pauses, [10, 20, 40]);
        assert_eq!(go(LONGEST), "5m0s");
        assert_eq!(go(Duration::from_secs(80)), "1m20s");
    }
}
