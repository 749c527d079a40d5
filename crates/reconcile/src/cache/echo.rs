//! Keeps the echo of our own writes from waking anybody, also when it overtakes the answer. Pure.
//!
//! While a write is under way, wake-ups for its object are held back. When the answer is there, the one for the very
//! version that the answer has is dropped; whatever else happened meanwhile is handed out.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::key::ObjectKey;

/// Writes under way, by object.
#[derive(Debug, Default)]
pub(super) struct Echoes(Mutex<HashMap<FullName, UnderWay>>);

#[derive(Debug, Default)]
struct UnderWay {
    /// Epoch of the cache when the write began.
    begun: u64,
    held: Vec<HeldBack>,
}

/// Namespace and name.
type FullName = (Box<str>, Box<str>);
/// The version that caused a wake-up, and whom it would wake.
type HeldBack = (u64, Vec<ObjectKey>);

impl Echoes {
    /// A write to `namespace`/`name` is about to be sent, in this epoch of the cache.
    pub(super) fn begin(&self, namespace: &str, name: &str, epoch: u64) {
        let mut writes = self.0.lock();
        writes.entry((namespace.into(), name.into())).or_default().begun = epoch;
    }

    /// The epoch in which the write that is under way began.
    pub(super) fn begun(&self, namespace: &str, name: &str) -> Option<u64> {
        let writes = self.0.lock();
        writes
            .get(&(namespace.into(), name.into()))
            .map(|write| write.begun)
    }

    /// Whom to wake now for `version` of an object: nobody while a write to it is under way.
    pub(super) fn hold(
        &self,
        namespace: &str,
        name: &str,
        version: u64,
        keys: Vec<ObjectKey>,
    ) -> Vec<ObjectKey> {
        let mut writes = self.0.lock();
        if writes.is_empty() || keys.is_empty() {
            return keys;
        }
        match writes.get_mut(&(namespace.into(), name.into())) {
            Some(write) => {
                write.held.push((version, keys));
                Vec::new()
            }
            None => keys,
        }
    }

    /// The write ended, with this version when it succeeded. Returns whom to wake now.
    pub(super) fn end(&self, namespace: &str, name: &str, written: Option<u64>) -> Vec<ObjectKey> {
        let write = self.0.lock().remove(&(namespace.into(), name.into()));
        let held = write.unwrap_or_default().held;
        held.into_iter()
            .filter(|(version, _)| Some(*version) != written)
            .flat_map(|(_, keys)| keys)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Vec<ObjectKey> {
        vec![ObjectKey::new("Thing", "ns", name)]
    }

    #[test]
    fn only_the_echo_is_dropped() {
        let echoes = Echoes::default();
        assert_eq!(
            echoes.hold("ns", "a", 1, key("x")),
            key("x"),
            "no write under way"
        );
        echoes.begin("ns", "a", 1);
        assert_eq!(echoes.hold("ns", "b", 2, key("y")), key("y"), "another object");
        assert!(echoes.hold("ns", "a", 3, key("x")).is_empty());
        assert!(echoes.hold("ns", "a", 4, key("z")).is_empty());
        assert_eq!(echoes.end("ns", "a", Some(3)), key("z"));
        assert_eq!(echoes.hold("ns", "a", 5, key("x")), key("x"));
    }

    #[test]
    fn a_failed_write_drops_nothing() {
        let echoes = Echoes::default();
        echoes.begin("ns", "a", 1);
        echoes.hold("ns", "a", 3, key("x"));
        assert_eq!(echoes.end("ns", "a", None), key("x"));
    }
}
