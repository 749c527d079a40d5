//! Who a Pod runs as, and what it may do.
//!
//! In: an engine's user and the fields that a person set. Out: security contexts. A person's fields always win; ours give way where
//! Kubernetes would refuse the combination.
//!
//! Always: seccomp `RuntimeDefault`, no privilege escalation. Engines with a known user: uid and gid 1000, never root, no capabilities,
//! `fsGroup` so that volumes belong to them. An unknown image keeps its own user and capabilities, because it may need them.

use k8s_openapi::{
    DeepMerge as _,
    api::core::v1::{Capabilities, PodSecurityContext, SeccompProfile, SecurityContext},
};

/// The uid and gid of engines and loaders whose images do not care.
const USER: i64 = 1000;

/// Who the engine runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// The image's own.
    Image,
    /// The image's own, but files on its volume are written by a loader as uid 1000 and shared by group.
    ImageWithSharedFiles,
    /// uid 1000.
    Fixed,
}

/// Security context of the Pod.
pub fn pod_security(user: User, theirs: Option<&PodSecurityContext>) -> PodSecurityContext {
    let fixed = (user == User::Fixed).then_some(USER);
    let group = (user != User::Image).then_some(USER);
    let mut security = PodSecurityContext {
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".into(),
            localhost_profile: None,
        }),
        run_as_user: fixed,
        run_as_group: fixed,
        run_as_non_root: fixed.map(|_| true),
        fs_group: group,
        // Do not walk through millions of files at every start when they are right already.
        fs_group_change_policy: group.map(|_| "OnRootMismatch".into()),
        ..PodSecurityContext::default()
    };
    if let Some(theirs) = theirs.cloned() {
        if theirs.run_as_user == Some(0) {
            security.run_as_non_root = None;
        }
        if theirs.seccomp_profile.is_some() {
            security.seccomp_profile = None;
        }
        security.merge_from(theirs);
    }
    security
}

/// Security context of the engine's container.
pub fn engine_security(user: User, theirs: Option<&SecurityContext>) -> SecurityContext {
    let mut security = SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: (user == User::Fixed).then(drop_all),
        ..SecurityContext::default()
    };
    if let Some(theirs) = theirs.cloned() {
        if is_privileged(&theirs) {
            security.allow_privilege_escalation = None;
        }
        if theirs.run_as_user == Some(0) && user == User::Fixed {
            security.run_as_non_root = Some(false);
        }
        security.merge_from(theirs);
    }
    security
}

/// Security context of a loader: uid 1000 whatever the engine runs as, and no rights at all.
pub fn loader_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(drop_all()),
        run_as_user: Some(USER),
        run_as_group: Some(USER),
        run_as_non_root: Some(true),
        ..SecurityContext::default()
    }
}

fn drop_all() -> Capabilities {
    Capabilities {
        add: None,
        drop: Some(vec!["ALL".into()]),
    }
}

/// Kubernetes refuses these together with "no privilege escalation".
fn is_privileged(theirs: &SecurityContext) -> bool {
    let added = theirs
        .capabilities
        .as_ref()
        .and_then(|c| c.add.as_deref())
        .unwrap_or_default();
    theirs.privileged == Some(true) || added.iter().any(|name| name.ends_with("SYS_ADMIN"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_images_keep_their_user() {
        let security = pod_security(User::Image, None);
        assert_eq!(
            (security.run_as_user, security.fs_group, security.run_as_non_root),
            (None, None, None)
        );
        assert_eq!(security.seccomp_profile.unwrap().type_, "RuntimeDefault");
    }

    #[test]
    fn a_persons_fields_win_and_stay_valid() {
        let theirs = PodSecurityContext {
            run_as_user: Some(0),
            ..PodSecurityContext::default()
        };
        let security = pod_security(User::Fixed, Some(&theirs));
        assert_eq!((security.run_as_user, security.run_as_non_root), (Some(0), None));
        let theirs = SecurityContext {
            privileged: Some(true),
            ..SecurityContext::default()
        };
        assert_eq!(
            engine_security(User::Image, Some(&theirs)).allow_privilege_escalation,
            None
        );
        let theirs = SecurityContext {
            run_as_user: Some(0),
            ..SecurityContext::default()
        };
        assert_eq!(
            engine_security(User::Fixed, Some(&theirs)).run_as_non_root,
            Some(false)
        );
    }
}
