//! How often objects were put right: what somebody changes over and over is not fought for without a pause.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// The pause after the second correction of an object; every further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// An object that needed no correction for so long is forgotten.
const FORGOTTEN: Duration = Duration::from_mins(15);

/// Objects, each with the number of its corrections and the time of the last one.
#[derive(Debug, Default)]
pub struct Corrections {
    of: BTreeMap<String, (u32, Instant)>,
}

impl Corrections {
    /// An object is put right now.
    pub fn note(&mut self, object: String) {
        self.note_at(object, Instant::now());
    }

    /// Whether an object is left alone for now.
    pub fn is_held_back(&self, object: &str) -> bool {
        self.is_held_back_at(object, Instant::now())
    }

    /// How long the first of those that are left alone is left so.
    pub fn held_back_for(&self) -> Option<Duration> {
        let now = Instant::now();
        let left = self.of.values().filter_map(|(count, last)| {
            let until = *last + pause(*count);
            until.checked_duration_since(now).filter(|left| !left.is_zero())
        });
        left.min()
    }

    fn note_at(&mut self, object: String, now: Instant) {
        self.of
            .retain(|_, (_, last)| now.duration_since(*last) < FORGOTTEN);
        let (count, last) = self.of.entry(object).or_insert((0, now));
        (*count, *last) = (count.saturating_add(1), now);
    }

    fn is_held_back_at(&self, object: &str, now: Instant) -> bool {
        let known = self.of.get(object);
        known.is_some_and(|(count, last)| now.duration_since(*last) < pause(*count))
    }
}

/// None after the first correction: a person's edit is undone at once, and so is the next one after a moment.
fn pause(count: u32) -> Duration {
    let Some(doublings) = count.checked_sub(2) else {
        return Duration::ZERO;
    };
    FIRST_PAUSE
        .saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX))
        .min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_changed_over_and_over_is_left_longer_and_longer() {
        let (mut corrections, mut now) = (Corrections::default(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..12 {
            corrections.note_at("a".to_owned(), now);
            let begun = now;
            while corrections.is_held_back_at("a", now) {
                now += Duration::from_secs(1);
            }
            pauses.push(now.duration_since(begun).as_secs());
        }
        assert_eq!(pauses, [0, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert!(!corrections.is_held_back_at("b", now), "others are not concerned");
        now += FORGOTTEN;
        corrections.note_at("a".to_owned(), now);
        assert!(!corrections.is_held_back_at("a", now), "long ago");
    }
}
