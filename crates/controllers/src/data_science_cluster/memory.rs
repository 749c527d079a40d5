//! What was written, and what the API server made of it.
//!
//! In: what is wanted, what is found. Out: whether to write. A server that stores something else than it was given, a definition
//! that does not know a field, or another operator that writes the same must not be written to again and again. Pure.

use std::{collections::HashMap, time::Duration};

use serde_json::Value;
use tokio::time::Instant;

/// More objects than there can be at once: some are gone.
const KEPT: usize = 64;
/// The wait before the first repetition; twice as long each time.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST: Duration = Duration::from_mins(5);

/// Whether to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is as wanted, or as near as it gets.
    Rest,
    /// It is not.
    Write,
    /// It is not, though it was: somebody else writes it. Not before this time.
    Later(Duration),
}

struct Written {
    wanted: Value,
    found: Value,
    at: Instant,
    repetitions: u32,
}

/// The last write of each object, by uid.
#[derive(Default)]
pub struct Memory(HashMap<String, Written>);

impl Memory {
    /// Whether to write.
    pub fn look(&self, uid: &str, wanted: &Value, found: &Value, now: Instant) -> Look {
        if wanted == found {
            return Look::Rest;
        }
        let Some(last) = self.0.get(uid).filter(|last| last.wanted == *wanted) else {
            return Look::Write;
        };
        if last.found == *found {
            return Look::Rest;
        }
        let left = last.wait().saturating_sub(now.duration_since(last.at));
        if left.is_zero() {
            Look::Write
        } else {
            Look::Later(left)
        }
    }

    /// It was written, and this is what is found now.
    pub fn written(&mut self, uid: &str, wanted: Value, found: Value, now: Instant) {
        let repetitions = match self.0.get(uid) {
            Some(last) if last.wanted == wanted && now.duration_since(last.at) < 2 * LONGEST => {
                last.repetitions.saturating_add(1)
            }
            _ => 0,
        };
        if self.0.len() >= KEPT {
            self.0.clear();
        }
        let written = Written {
            wanted,
            found,
            at: now,
            repetitions,
        };
        self.0.insert(uid.to_owned(), written);
    }
}

impl Written {
    fn wait(&self) -> Duration {
        FIRST
            .saturating_mul(2_u32.saturating_pow(self.repetitions))
            .min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_server_makes_of_it_is_accepted() {
        let (mut memory, now) = (Memory::default(), Instant::now());
        let (wanted, pruned) = (json!({"a": 1, "b": 2}), json!({"a": 1}));
        assert_eq!(memory.look("u", &wanted, &wanted, now), Look::Rest);
        assert_eq!(memory.look("u", &wanted, &pruned, now), Look::Write);
        memory.written("u", wanted.clone(), pruned.clone(), now);
        assert_eq!(memory.look("u", &wanted, &pruned, now), Look::Rest);
        assert_eq!(memory.look("v", &wanted, &pruned, now), Look::Write);
        assert_eq!(
            memory.look("u", &json!({"a": 2}), &pruned, now),
            Look::Write,
            "another wish"
        );
    }

    #[test]
    fn a_fight_becomes_slow() {
        let (mut memory, mut now) = (Memory::default(), Instant::now());
        let (ours, theirs) = (json!(1), json!(2));
        memory.written("u", ours.clone(), ours.clone(), now);
        let mut waits = Vec::new();
        for _ in 0..12 {
            let Look::Later(wait) = memory.look("u", &ours, &theirs, now) else {
                panic!("it was written just now");
            };
            waits.push(wait.as_secs());
            now += wait;
            assert_eq!(memory.look("u", &ours, &theirs, now), Look::Write);
            memory.written("u", ours.clone(), ours.clone(), now);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        let later = now + 2 * LONGEST;
        assert_eq!(memory.look("u", &ours, &theirs, later), Look::Write);
        memory.written("u", ours.clone(), ours.clone(), later);
        assert_eq!(memory.look("u", &ours, &theirs, later), Look::Later(FIRST));
    }
}
