//! The field manager under which labels are set on nodes, and from whom it takes labels over.
//!
//! In: the installation, told by its lease. Out: a name. Two installations on one cluster must not remove each other's
//! labels, so each has a manager of its own; it stays the same whichever namespaces are watched. Pure.

use reconcile::labels::Manager;
use sha2::{Digest, Sha256};

/// How the manager of every installation begins.
const PREFIX: &str = "llm-operator-node-labels:";

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
    /// The manager of the installation whose replicas compete for the Lease `namespace`/`name`.
    pub fn of_lease(namespace: &str, name: &str) -> Self {
        let installation = format!("{namespace}/{name}");
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'/');
        if PREFIX.len() + installation.len() <= NAME_LIMIT && installation.bytes().all(plain) {
            return Self {
                name: format!("{PREFIX}{installation}"),
            };
        }
        let digest = Sha256::digest(installation);
        let mut hash = [0; 16];
        hash.copy_from_slice(&digest[..16]);
        Self {
            name: format!("{PREFIX}{:032x}", u128::from_be_bytes(hash)),
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
}

/// Whether `manager` is prem-operator, whose labels are taken over when a labeler names them.
pub fn is_prem_operator(manager: Manager<'_>) -> bool {
    !manager.applies && manager.name == PREM_OPERATOR
}

/// Whether the manager `name` is that of an installation of this operator: its labels are no facts about a node.
pub fn is_of_an_installation(name: &str) -> bool {
    name.starts_with(PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_installation_has_a_manager_of_its_own() {
        let usual = LabelManager::of_lease("llm-system", "llm-operator");
        assert_eq!(usual.name(), "llm-operator-node-labels:llm-system/llm-operator");
        for (namespace, name) in [
            ("team-a", "llm-operator".to_owned()),
            ("llm-system", "second".to_owned()),
            ("llm-system", "x".repeat(253)),
            ("llm-system", "a&force=true".to_owned()),
        ] {
            let other = LabelManager::of_lease(namespace, &name);
            assert_ne!(other, usual);
            assert!(other.name().len() <= NAME_LIMIT && !other.name().contains('&'));
            assert!(is_of_an_installation(other.name()));
            let applying = Manager {
                name: other.name(),
                applies: true,
            };
            assert!(other.is(applying) && !usual.is(applying) && !is_prem_operator(applying));
        }
    }

    #[test]
    fn only_updates_of_prem_operator_are_taken_over() {
        let manager = |name, applies| Manager { name, applies };
        assert!(is_prem_operator(manager("manager", false)));
        assert!(
            !is_prem_operator(manager("manager", true)) && !is_prem_operator(manager("kubectl-label", false))
        );
        assert!(!is_of_an_installation("llm-operator") && !is_of_an_installation("kubelet"));
    }
}
