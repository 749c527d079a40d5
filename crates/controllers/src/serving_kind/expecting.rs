//! Resources of which something that they name may be on its way.
//!
//! A model that is created together with its deployment comes by another watch, in either order. In: what each look
//! found. Out: whether to look again before saying that it is missing: once, and only while nothing has been said.

use std::collections::HashSet;

use parking_lot::Mutex;
use reconcile::ObjectKey;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Expecting(Mutex<HashSet<ObjectKey>>);

impl Expecting {
    /// Whether to wait; `missing`: what is named is not there, `told`: there is a status that may say so.
    pub(super) fn waits(&self, key: &ObjectKey, missing: bool, told: bool) -> bool {
        let mut expecting = self.0.lock();
        let has_waited = expecting.remove(key);
        let waits = missing && !told && !has_waited;
        if waits {
            expecting.insert(key.clone());
        }
        waits
    }

    /// Forgets a resource that is gone.
    pub(super) fn forget(&self, key: &ObjectKey) {
        self.0.lock().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_waited_for_once() {
        let (expecting, key) = (Expecting::default(), ObjectKey::new("Thing", "ns", "a"));
        assert!(expecting.waits(&key, true, false));
        assert!(!expecting.waits(&key, true, false), "the second look tells");
        assert!(expecting.0.lock().is_empty());
        assert!(expecting.waits(&key, true, false));
        assert!(!expecting.waits(&key, false, false), "it came");
        assert!(!expecting.waits(&key, true, true), "a status exists");
        assert!(expecting.waits(&key, true, false));
        expecting.forget(&key);
        assert!(expecting.0.lock().is_empty());
    }
}
