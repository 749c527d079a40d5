//! Names filed under keys, in order. Pure.
//!
//! Most keys have one name, and there are several keys per object: sorted vectors, since a tree's smallest node takes
//! eleven places.

use std::{collections::HashMap, sync::Arc};

/// Namespace and name.
pub(super) type FullName = (Arc<str>, Arc<str>);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Index(HashMap<Box<str>, Vec<FullName>>);

impl Index {
    /// What is filed under `key`, ordered by namespace and name.
    pub(super) fn names(&self, key: &str) -> &[FullName] {
        self.0.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    /// Files a name; once, however often it is asked for.
    pub(super) fn add(&mut self, key: String, namespace: &str, name: &str) {
        let names = self.0.entry(key.into()).or_default();
        if let Err(place) = find(names, namespace, name) {
            if names.is_empty() {
                names.reserve_exact(1);
            }
            names.insert(place, (namespace.into(), name.into()));
        }
    }

    /// Takes a name out again.
    pub(super) fn remove(&mut self, key: &str, namespace: &str, name: &str) {
        let Some(names) = self.0.get_mut(key) else {
            return;
        };
        if let Ok(place) = find(names, namespace, name) {
            names.remove(place);
        }
        if names.is_empty() {
            self.0.remove(key);
        }
    }
}

fn find(names: &[FullName], namespace: &str, name: &str) -> Result<usize, usize> {
    names.binary_search_by(|(a, b)| (&**a, &**b).cmp(&(namespace, name)))
}

#[cfg(test)]
mod tests {
    use super::Index;

    #[test]
    fn names_are_kept_in_order_and_once() {
        let mut index = Index::default();
        for (namespace, name) in [("b", "a"), ("a", "z"), ("a", "b"), ("a", "z")] {
            index.add("k".to_owned(), namespace, name);
        }
        let words = |index: &Index| -> Vec<String> {
            let names = index.names("k").iter();
            names
                .map(|(namespace, name)| format!("{namespace}/{name}"))
                .collect()
        };
        assert_eq!(words(&index), ["a/b", "a/z", "b/a"]);
        index.remove("k", "a", "z");
        index.remove("k", "a", "unknown");
        index.remove("other", "a", "b");
        assert_eq!(words(&index), ["a/b", "b/a"]);
        index.remove("k", "a", "b");
        index.remove("k", "b", "a");
        assert!(index.0.is_empty(), "empty keys go");
    }
}
