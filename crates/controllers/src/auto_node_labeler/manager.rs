//! The field manager under which labels are set on nodes, and from whom it takes labels over.
//!
//! In: the namespaces whose labelers are served. Out: a name. Two operators that serve different namespaces of one
//! cluster must not remove each other's labels, so each has a manager of its own. Pure.

use reconcile::{cache::Namespaces, labels::Manager};
use sha2::{Digest, Sha256};

/// Manager of an operator that serves the whole cluster.
const EVERYWHERE: &str = "llm-operator-node-labels";

/// Longest name that the API server takes.
const NAME_LIMIT: usize = 128;

/// The manager by which prem-operator's updates are known: the name of its program.
const PREM_OPERATOR: &str = "manager";

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelManager {
    name: String,
}

impl LabelManager {
    /// The manager for labelers of these namespaces.
    pub fn of(namespaces: &Namespaces) -> Self {
        let Namespaces::Only(names) = namespaces else {
            return Self {
                name: EVERYWHERE.to_owned(),
            };
        };
        let mut names = names.clone();
        names.sort();
        names.dedup();
        let readable = format!("{EVERYWHERE}:{}", names.join(","));
        if readable.len() <= NAME_LIMIT {
            return Self { name: readable };
        }
        let digest = Sha256::digest(names.join(","));
        let mut hash = [0; 16];
        hash.copy_from_slice(&digest[..16]);
        Self {
            name: format!("{EVERYWHERE}:{:032x}", u128::from_be_bytes(hash)),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this is it.
    pub fn is(&self, manager: Manager<'_>) -> bool {
        manager.applies && manager.name == self.name
    }

    /// Whether what `manager` has set for a labeler is taken over: prem-operator's labels, and those of an operator of
    /// ours that served more or fewer namespaces, one of the two being the whole cluster.
    pub fn succeeds(&self, manager: Manager<'_>) -> bool {
        if !manager.applies {
            return manager.name == PREM_OPERATOR;
        }
        let part = |name: &str| {
            name.strip_prefix(EVERYWHERE)
                .is_some_and(|rest| rest.starts_with(':'))
        };
        if self.name == EVERYWHERE {
            part(manager.name)
        } else {
            manager.name == EVERYWHERE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(names: &[&str]) -> LabelManager {
        LabelManager::of(&Namespaces::Only(names.iter().map(ToString::to_string).collect()))
    }

    fn applying(name: &str) -> Manager<'_> {
        Manager { name, applies: true }
    }

    #[test]
    fn operators_of_different_namespaces_have_different_managers() {
        let all = LabelManager::of(&Namespaces::All);
        assert_eq!(all.name(), "llm-operator-node-labels");
        assert_eq!(only(&["b", "a", "b"]).name(), "llm-operator-node-labels:a,b");
        let many: Vec<String> = (0..40).map(|index| format!("namespace-{index}")).collect();
        let many = LabelManager::of(&Namespaces::Only(many));
        assert!(many.name().len() <= NAME_LIMIT && many.name().starts_with("llm-operator-node-labels:"));
        assert!(all.is(applying(all.name())));
        assert!(!only(&["a"]).is(applying(all.name())));
    }

    #[test]
    fn only_who_cannot_be_at_work_beside_us_is_succeeded() {
        let all = LabelManager::of(&Namespaces::All);
        let updates = |name| Manager { name, applies: false };
        assert!(all.succeeds(updates("manager")) && only(&["a"]).succeeds(updates("manager")));
        assert!(!all.succeeds(updates("kubectl-label")) && !all.succeeds(applying("manager")));
        assert!(all.succeeds(applying(only(&["a"]).name())));
        assert!(only(&["a"]).succeeds(applying(all.name())));
        assert!(
            !only(&["a"]).succeeds(applying(only(&["b"]).name())),
            "it may be at work"
        );
        assert!(!all.succeeds(applying(all.name())), "that is itself");
    }
}
