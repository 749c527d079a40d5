//! Resources that name one `llmName` depend on each other: who has it, who holds it down, who reports on it.
//!
//! In: what each reconcile sees of its resource. Out: whom to wake when that has changed. A watch could not tell: it knows of a
//! resource that is gone only its name.

use std::collections::HashMap;

use api::infra_example_com::v1::{Action, NvidiaGpuLlm};
use parking_lot::Mutex;
use reconcile::ObjectKey;

/// What others look at.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    uid: Option<String>,
    llm_name: String,
    action: Action,
    deleting: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Neighbours(Mutex<HashMap<ObjectKey, Known>>);

impl Neighbours {
    /// Notes how the resource is now. Returns the `llmName`s whose resources have to look again.
    pub(super) fn note(&self, key: &ObjectKey, resource: &NvidiaGpuLlm) -> Vec<String> {
        let known = Known {
            uid: resource.metadata.uid.clone(),
            llm_name: resource.spec.llm_name.clone(),
            action: resource.spec.action,
            deleting: resource.metadata.deletion_timestamp.is_some(),
        };
        let before = self.0.lock().insert(key.clone(), known.clone());
        if before.as_ref() == Some(&known) {
            return Vec::new();
        }
        let mut names: Vec<String> = before.map(|before| before.llm_name).into_iter().collect();
        if !names.contains(&known.llm_name) {
            names.push(known.llm_name);
        }
        names
    }

    /// Forgets a resource that is gone. Returns its `llmName`, if it was known.
    pub(super) fn forget(&self, key: &ObjectKey) -> Vec<String> {
        let gone = self.0.lock().remove(key);
        gone.map(|gone| gone.llm_name).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(llm_name: &str, action: &str) -> NvidiaGpuLlm {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "infra.example.com/v1", "kind": "NvidiaGpuLlm",
            "metadata": {"name": "a", "namespace": "n"}, "spec": {"action": action, "llmName": llm_name},
        }))
        .unwrap()
    }

    #[test]
    fn only_what_matters_to_others_wakes_them() {
        let (neighbours, key) = (Neighbours::default(), ObjectKey::new("K", "n", "a"));
        assert_eq!(neighbours.note(&key, &resource("p", "install")), ["p"]);
        assert!(neighbours.note(&key, &resource("p", "install")).is_empty());
        assert_eq!(neighbours.note(&key, &resource("p", "uninstall")), ["p"]);
        assert_eq!(neighbours.note(&key, &resource("q", "uninstall")), ["p", "q"]);
        assert_eq!(neighbours.forget(&key), ["q"]);
        assert!(neighbours.forget(&key).is_empty());
    }
}
