//! Init containers that bring a model to the `models` volume with the tools of the engine's own image.
//!
//! In: a name, a script, what it needs to know. Out: an init container. The URL stands in a variable and has no blanks, so that
//! the script is the same for every model; with what this operator adds, an answer that is an error ends it.

use std::collections::BTreeSet;

use api::shared::ImagePullPolicy;
use k8s_openapi::api::core::v1::{EnvVar, SecurityContext, VolumeMount};

use super::Input;
use crate::{
    engine::env,
    plan::{ContainerPlan, ProbesPlan},
};

/// The longest name of a container.
const LONGEST: usize = 63;

/// `sh -c script` in the engine's image.
pub(super) fn container(
    input: &Input<'_>,
    name: String,
    script: &str,
    variables: &[(&str, &str)],
    mounts: Vec<VolumeMount>,
) -> ContainerPlan {
    let env: Vec<EnvVar> = variables
        .iter()
        .map(|(name, value)| env::value(name, value))
        .collect();
    let security = SecurityContext {
        allow_privilege_escalation: Some(false),
        ..SecurityContext::default()
    };
    ContainerPlan {
        name,
        image: input.request.container.image.clone(),
        pull_policy: Some(ImagePullPolicy::Always),
        command: vec!["sh".into(), "-c".into()],
        args: vec![script.into()],
        env,
        env_from: Vec::new(),
        ports: Vec::new(),
        requests: std::collections::BTreeMap::new(),
        limits: std::collections::BTreeMap::new(),
        probes: ProbesPlan::default(),
        mounts,
        security: input.request.form.adds().then_some(security),
        drain_seconds: 0,
        last_words: input.request.form.adds(),
        template: None,
    }
}

/// Names that were given out: of files, directories and containers.
#[derive(Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// The first of these that is free, else the last one with a number behind it.
    pub(super) fn unique(&mut self, wishes: &[&str]) -> String {
        let free = wishes.iter().find(|wish| !self.0.contains(**wish));
        let last = wishes.last().copied().unwrap_or_default();
        let name = free.map_or_else(
            || {
                let mut number = 2;
                while self.0.contains(&format!("{last}-{number}")) {
                    number += 1;
                }
                format!("{last}-{number}")
            },
            |wish| (*wish).to_owned(),
        );
        self.0.insert(name.clone());
        name
    }

    /// The same as a container's name: lower case letters, digits and hyphens, at most 63.
    pub(super) fn unique_container(&mut self, wish: &str) -> String {
        // The first has the name that prem-operator gave it; the others need room for a number behind it.
        let (whole, short) = (label(wish, LONGEST), label(wish, LONGEST - 4));
        let wishes = [whole.as_str(), short.as_str()];
        self.unique(if whole == short { &wishes[..1] } else { &wishes })
    }
}

fn label(text: &str, longest: usize) -> String {
    let plain = |c: char| {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            c
        } else {
            '-'
        }
    };
    let mut label: String = text.chars().map(plain).take(longest).collect();
    label.truncate(label.trim_end_matches('-').len());
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_comes_twice() {
        let mut names = Names::default();
        assert_eq!(names.unique(&["a", "a-b"]), "a");
        assert_eq!(names.unique(&["a", "a-b"]), "a-b");
        assert_eq!(names.unique(&["a", "a-b"]), "a-b-2");
        assert_eq!(names.unique(&["a", "a-b"]), "a-b-3");
    }

    #[test]
    fn a_containers_name_is_a_label() {
        let mut names = Names::default();
        assert_eq!(names.unique_container("init-Mixtral_v0.1."), "init-mixtral-v0-1");
        let long = format!("init-{}", "x".repeat(80));
        assert_eq!(names.unique_container(&long).len(), 63);
        assert_eq!(names.unique_container(&long).len(), 59);
        assert!(names.unique_container(&long).ends_with("x-2"));
        assert_eq!(names.unique_container("init-a"), "init-a");
        assert_eq!(names.unique_container("init-a"), "init-a-2");
    }
}
