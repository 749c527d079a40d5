//! Whether a container runs again: its policy and exit code in, yes or no out. Pure.

use k8s_openapi::api::core::v1::Container;

use super::board::Role;

/// The container is to be started again after this exit.
pub(crate) fn wanted(container: &Container, role: Role, pod_policy: Option<&str>, code: i32) -> bool {
    let rules = container.restart_policy_rules.iter().flatten();
    let by_rule = rules.into_iter().find_map(|rule| {
        let codes = rule.exit_codes.as_ref()?;
        let listed = codes.values.iter().flatten().any(|listed| *listed == code);
        let hit = if codes.operator == "NotIn" {
            !listed
        } else {
            listed
        };
        hit.then(|| rule.action.starts_with("Restart"))
    });
    if let Some(restart) = by_rule {
        return restart;
    }
    let policy = container
        .restart_policy
        .as_deref()
        .or(pod_policy)
        .unwrap_or("Always");
    match (role, policy) {
        // An init container that has succeeded is done under every policy of the Pod.
        (_, "Never") => false,
        (Role::Init, _) | (Role::Main | Role::Sidecar, "OnFailure") => code != 0,
        (Role::Main | Role::Sidecar, _) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_decide_by_role_and_code() {
        let container = Container::default();
        assert!(wanted(&container, Role::Main, Some("Always"), 0));
        assert!(!wanted(&container, Role::Main, Some("OnFailure"), 0));
        assert!(wanted(&container, Role::Main, Some("OnFailure"), 1));
        assert!(!wanted(&container, Role::Main, Some("Never"), 1));
        assert!(!wanted(&container, Role::Init, Some("Always"), 0));
        assert!(wanted(&container, Role::Init, Some("Always"), 2));
        let sidecar = Container {
            restart_policy: Some("Always".into()),
            ..Container::default()
        };
        assert!(wanted(&sidecar, Role::Sidecar, Some("Never"), 0));
    }
}
