//! Which node uses which volume: attachments in, kubelet's refusal of a second node out. Pure but for a lock.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use parking_lot::Mutex;

use crate::node::pod::bytes;

/// What a Pod needs to know of its claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Name of the bound volume.
    pub(crate) volume: String,
    pub(crate) capacity: Option<u64>,
    /// Only one node may use it at a time.
    pub(crate) one_node: bool,
}

impl Claim {
    /// `None`: it is not bound.
    pub(crate) fn bound(claim: &PersistentVolumeClaim) -> Option<Self> {
        let (spec, status) = (claim.spec.as_ref()?, claim.status.as_ref()?);
        if status.phase.as_deref() != Some("Bound") {
            return None;
        }
        let modes = spec.access_modes.iter().flatten();
        Some(Self {
            volume: spec.volume_name.clone()?,
            capacity: status.capacity.as_ref().and_then(|c| c.get("storage")).map(bytes),
            one_node: modes.into_iter().all(|mode| mode.starts_with("ReadWriteOnce")),
        })
    }
}

/// The directory behind a volume.
pub(crate) fn directory(claims: &Path, volume: &str) -> PathBuf {
    claims.join(volume)
}

#[derive(Clone, Debug)]
struct User {
    node: String,
    namespace: String,
    pod: String,
}

/// Users of all volumes: volume, Pod's uid, where.
#[derive(Debug, Default)]
pub(crate) struct Attachments(Mutex<HashMap<String, HashMap<String, User>>>);

impl Attachments {
    /// Lets a Pod use the volume; the error is the Event that the attach controller writes.
    pub(crate) fn attach(
        &self,
        claim: &Claim,
        node: &str,
        uid: &str,
        (namespace, pod): (&str, &str),
    ) -> Result<(), String> {
        let mut volumes = self.0.lock();
        let users = volumes.entry(claim.volume.clone()).or_default();
        let elsewhere: Vec<&User> = users
            .iter()
            .filter(|(by, user)| *by != uid && user.node != node)
            .map(|(_, user)| user)
            .collect();
        if claim.one_node && !elsewhere.is_empty() {
            return Err(refusal(&claim.volume, namespace, &elsewhere));
        }
        let user = User {
            node: node.to_owned(),
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
        };
        users.insert(uid.to_owned(), user);
        Ok(())
    }

    /// The Pod has gone.
    pub(crate) fn release(&self, uid: &str) {
        self.0.lock().retain(|_, users| {
            users.remove(uid);
            !users.is_empty()
        });
    }
}

fn refusal(volume: &str, namespace: &str, users: &[&User]) -> String {
    let (own, others): (Vec<&User>, Vec<&User>) = users.iter().partition(|user| user.namespace == namespace);
    let mut names: Vec<&str> = own.iter().map(|user| user.pod.as_str()).collect();
    names.sort_unstable();
    let used_by = match (names.len(), others.len()) {
        (0, others) => format!("{others} pod(s) in different namespaces"),
        (_, 0) => format!("pod(s) {}", names.join(", ")),
        (_, others) => format!(
            "pod(s) {} and {others} pod(s) in different namespaces",
            names.join(", ")
        ),
    };
    format!("Multi-Attach error for volume \"{volume}\" Volume is already used by {used_by}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_node_at_a_time_unless_shared() {
        let attachments = Attachments::default();
        let claim = Claim {
            volume: "pvc-1".into(),
            capacity: None,
            one_node: true,
        };
        attachments.attach(&claim, "n1", "a", ("ns", "chat-a")).unwrap();
        attachments.attach(&claim, "n1", "b", ("ns", "chat-b")).unwrap();
        let error = attachments
            .attach(&claim, "n2", "c", ("ns", "chat-c"))
            .unwrap_err();
        assert_eq!(
            error,
            "Multi-Attach error for volume \"pvc-1\" Volume is already used by pod(s) chat-a, chat-b"
        );
        let foreign = attachments.attach(&claim, "n2", "c", ("other", "x")).unwrap_err();
        assert!(foreign.ends_with("used by 2 pod(s) in different namespaces"));
        attachments.release("a");
        attachments.release("b");
        attachments.attach(&claim, "n2", "c", ("ns", "chat-c")).unwrap();
        let shared = Claim {
            one_node: false,
            ..claim
        };
        attachments.attach(&shared, "n3", "d", ("ns", "chat-d")).unwrap();
    }
}
