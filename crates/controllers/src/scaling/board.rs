//! The decisions that are published, for whoever asks: statuses, the metrics API, `/scale`.
//!
//! In: a decision per resource. Out: the same. It must not judge which is worth publishing.

use std::{collections::HashMap, sync::Arc};

use parking_lot::RwLock;

use super::Decided;

/// See the module. Clones are the same board.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<RwLock<HashMap<String, Decided>>>);

impl Board {
    /// The decision about a resource; `kind_label` as `<lower case kind>.<group>`. `None`: none was made yet, or nothing scales.
    pub fn decision(&self, kind_label: &str, namespace: &str, name: &str) -> Option<Decided> {
        self.0.read().get(&place(kind_label, namespace, name)).cloned()
    }

    pub(crate) fn post(&self, kind_label: &str, namespace: &str, name: &str, decided: Decided) {
        self.0.write().insert(place(kind_label, namespace, name), decided);
    }

    pub(crate) fn remove(&self, kind_label: &str, namespace: &str, name: &str) {
        self.0.write().remove(&place(kind_label, namespace, name));
    }
}

/// Neither names nor labels have slashes.
fn place(kind_label: &str, namespace: &str, name: &str) -> String {
    format!("{kind_label}/{namespace}/{name}")
}
