//! The highest need of the last while.
//!
//! In: needs with their times. Out: the highest that is not older than a length. It must not grow: what a later, higher need
//! covers is dropped.

use std::{collections::VecDeque, time::Duration};

/// Needs in falling order, the oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    needs: VecDeque<(Duration, u32)>,
    since: Option<Duration>,
}

impl Window {
    /// Takes the need of now and tells the highest since `length` ago; no bound before `learning` is over, too.
    pub fn highest(&mut self, now: Duration, length: Duration, learning: Duration, need: u32) -> u32 {
        self.since.get_or_insert(now);
        while self.needs.back().is_some_and(|(_, last)| *last <= need) {
            self.needs.pop_back();
        }
        self.needs.push_back((now, need));
        while self
            .needs
            .front()
            .is_some_and(|(at, _)| at.saturating_add(length) < now)
        {
            self.needs.pop_front();
        }
        // Before that, nothing is known to have been enough.
        let known = self
            .since
            .is_some_and(|since| now.saturating_sub(since) >= length.saturating_add(learning));
        if known {
            self.needs.front().map_or(need, |(_, highest)| *highest)
        } else {
            u32::MAX
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_need_is_remembered_as_long_as_the_window() {
        let mut window = Window::default();
        let length = Duration::from_mins(1);
        let mut at = |second: u64, need: u32| {
            window.highest(Duration::from_secs(second), length, Duration::ZERO, need)
        };
        assert_eq!(at(0, 5), u32::MAX);
        assert_eq!(at(30, 9), u32::MAX);
        assert_eq!(at(60, 4), 9);
        assert_eq!(at(90, 3), 9);
        assert_eq!(at(91, 3), 4);
        assert_eq!(at(200, 2), 2);
    }
}
