//! Labels of ours that somebody removes again and again.
//!
//! In: what was put on which node, and when. Out: how long to wait before it is put there again. It must not read a clock.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use tokio::time::Instant;

/// So often a label that went is put back at once: people and tools change their minds.
const AT_ONCE: u32 = 3;
/// After that it is put back after this time, doubled every time.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// But at least this often.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);
/// A label that has stayed for this long is fought over no more.
const PEACE: Duration = Duration::from_mins(10);

/// See the module. Nodes by name.
#[derive(Debug, Default)]
pub struct Fights(HashMap<Box<str>, Node>);

#[derive(Debug)]
struct Node {
    uid: Box<str>,
    labels: BTreeMap<Box<str>, Added>,
}

#[derive(Debug)]
struct Added {
    times: u32,
    last: Instant,
}

/// A label that is not put back yet.
#[derive(Debug, PartialEq, Eq)]
pub struct Truce {
    /// Its key.
    pub key: String,
    /// How often it went.
    pub times: u32,
    /// How long to wait.
    pub pause: Duration,
}

impl Fights {
    /// Those of the labels `keys`, which are to be put on a node, that have to wait.
    pub fn truces<'a>(
        &self,
        node: &str,
        uid: &str,
        keys: impl IntoIterator<Item = &'a str>,
        now: Instant,
    ) -> Vec<Truce> {
        let Some(known) = self.0.get(node).filter(|known| *known.uid == *uid) else {
            return Vec::new();
        };
        let truce = |key: &str| {
            let added = known.labels.get(key).filter(|added| added.times > AT_ONCE)?;
            let doublings = (added.times - AT_ONCE - 1).min(10);
            let pause = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
            let left = (added.last + pause).saturating_duration_since(now);
            (!left.is_zero()).then(|| Truce {
                key: key.to_owned(),
                times: added.times,
                pause: left,
            })
        };
        keys.into_iter().filter_map(truce).collect()
    }

    /// The labels `added` were put on a node; of ours it carries `all` now. What we have removed ourselves is no loss.
    pub fn added<'a>(
        &mut self,
        node: &str,
        uid: &str,
        added: impl IntoIterator<Item = &'a str>,
        all: impl Fn(&str) -> bool,
        now: Instant,
    ) {
        let known = self.0.entry(node.into()).or_insert_with(|| Node {
            uid: uid.into(),
            labels: BTreeMap::new(),
        });
        if *known.uid != *uid {
            (known.uid, known.labels) = (uid.into(), BTreeMap::new());
        }
        known
            .labels
            .retain(|key, added| all(key) && now.saturating_duration_since(added.last) < PEACE);
        for key in added {
            let entry = known.labels.entry(key.into());
            let added = entry.or_insert(Added { times: 0, last: now });
            added.times += 1;
            added.last = now;
        }
        if known.labels.is_empty() {
            self.0.remove(node);
        }
    }

    /// The node is gone.
    pub fn forget(&mut self, node: &str) {
        self.0.remove(node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_again_and_again_is_put_back_ever_more_rarely() {
        let mut fights = Fights::default();
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        for _ in 0..12 {
            let waits = fights.truces("n", "1", ["a", "b"], now);
            if let Some(truce) = waits.first() {
                assert_eq!(truce.key, "a");
                pauses.push(truce.pause.as_secs());
                now += truce.pause;
                assert!(fights.truces("n", "1", ["a"], now).is_empty());
            }
            fights.added("n", "1", ["a"], |_| true, now);
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 120, 120]);
        assert!(
            fights.truces("n", "2", ["a"], now).is_empty(),
            "another node of that name"
        );
        assert!(fights.truces("n", "1", ["b"], now).is_empty());
        fights.added("n", "1", ["b"], |_| true, now + PEACE);
        assert!(
            fights.truces("n", "1", ["a"], now + PEACE).is_empty(),
            "it stayed"
        );
        fights.forget("n");
        assert!(fights.0.is_empty());
    }

    #[test]
    fn what_we_remove_ourselves_is_no_fight() {
        let mut fights = Fights::default();
        let now = Instant::now();
        for _ in 0..10 {
            assert!(fights.truces("n", "1", ["a"], now).is_empty());
            fights.added("n", "1", ["a"], |_| true, now);
            fights.added("n", "1", [], |_| false, now);
        }
        assert!(fights.0.is_empty());
    }
}
