//! Rights against requests.
//!
//! In: both, and the exceptions. Out: [`Comparison`]: what stands against the roles as they are.

use std::collections::BTreeSet;

use testkit::plane::asked::Asked;

use crate::{exceptions::Exceptions, roles::Grant};

/// The role that is for Helm, and for what stands around it.
const CHARTS: &str = "llm-operator-charts";

/// What was found, in words.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Requests that were refused without a reason: no shipped role lets them pass.
    pub refused: Vec<String>,
    /// Requests that were refused though a shipped role lets them pass: a test took it away, or the API server had just started and did
    /// not know its roles yet.
    pub withheld: usize,
    /// Rights that no request used, without a reason.
    pub unused: Vec<String>,
    /// Exceptions that nothing fell under.
    pub idle_exceptions: Vec<String>,
}

impl Comparison {
    pub fn of(grants: &[Grant], asked: &BTreeSet<Asked>, exceptions: &Exceptions) -> Self {
        let used = used(grants, asked);
        let mut found = Self::default();
        let mut needed = (
            vec![false; exceptions.unused.len()],
            vec![false; exceptions.refused.len()],
        );
        for (grant, used) in grants.iter().zip(used) {
            let taken = mark(&exceptions.unused, &mut needed.0, !used, |entry| {
                entry.takes(grant)
            });
            if !used && !taken {
                found.unused.push(grant.told());
            }
        }
        for asked in asked.iter().filter(|asked| !asked.allowed) {
            if is_shipped(grants, asked) {
                found.withheld += 1;
                continue;
            }
            let taken = mark(&exceptions.refused, &mut needed.1, true, |entry| {
                entry.takes(asked)
            });
            if !taken {
                found.refused.push(told(asked));
            }
        }
        let idle = exceptions
            .unused
            .iter()
            .zip(needed.0)
            .filter(|(_, needed)| !needed);
        found.idle_exceptions.extend(
            idle.map(|(entry, _)| format!("{}: {:?} {:?}", entry.role, entry.verbs, entry.resources)),
        );
        let idle = exceptions
            .refused
            .iter()
            .zip(needed.1)
            .filter(|(_, needed)| !needed);
        found.idle_exceptions.extend(
            idle.map(|(entry, _)| format!("{}: {:?} {:?}", entry.program, entry.verbs, entry.resources)),
        );
        found
    }

    /// An exception that is not needed any more is told, and no reason to fail: what falls under it may depend on time.
    pub fn is_sound(&self) -> bool {
        self.refused.is_empty() && self.unused.is_empty()
    }
}

/// What a shipped role lets pass, and what anybody may ask: how the API server describes itself, whether oneself may do something.
fn is_shipped(grants: &[Grant], asked: &Asked) -> bool {
    asked.resource.starts_with('/')
        || asked.resource.starts_with("selfsubject")
        || grants.iter().any(|grant| grant.covers(asked))
}

/// Whether an entry takes it; entries that were of use are marked.
fn mark<T>(entries: &[T], needed: &mut [bool], counts: bool, takes: impl Fn(&T) -> bool) -> bool {
    let mut any = false;
    for (entry, needed) in entries.iter().zip(needed) {
        if takes(entry) {
            any = true;
            *needed |= counts;
        }
    }
    any
}

/// Which rights were used. What both the operator's own roles and the charts' grant counts for whose request it was: Helm's for the
/// charts', the operator's for the others.
fn used(grants: &[Grant], asked: &BTreeSet<Asked>) -> Vec<bool> {
    let mut used = vec![false; grants.len()];
    for asked in asked.iter().filter(|asked| asked.allowed) {
        let covering: Vec<usize> = (0..grants.len())
            .filter(|index| grants[*index].covers(asked))
            .collect();
        let fits = |index: &&usize| (grants[**index].role == CHARTS) == asked.helm;
        let mut counted: Vec<usize> = covering.iter().filter(fits).copied().collect();
        if counted.is_empty() {
            counted = covering;
        }
        for index in counted {
            used[index] = true;
        }
    }
    used
}

/// For people.
pub fn told(asked: &Asked) -> String {
    let Asked {
        program,
        helm,
        verb,
        group,
        resource,
        namespace,
        name,
        allowed,
    } = asked;
    let group = if group.is_empty() { "core" } else { group };
    let who = if *helm { "Helm" } else { "the operator" };
    let place = match namespace.as_str() {
        "" => "everywhere",
        "own" => "in its own namespace",
        _ => "in another namespace",
    };
    let end = if *allowed { "" } else { ", refused" };
    format!("{who} in {program}: {verb} {group}/{resource} {name} {place}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exceptions::{Refused, Unused};

    fn grant(role: &str, verb: &str) -> Grant {
        Grant {
            role: role.to_owned(),
            own_namespace: false,
            verb: verb.to_owned(),
            group: String::new(),
            resource: "pods".to_owned(),
            names: Vec::new(),
        }
    }

    fn asked(verb: &str, helm: bool, allowed: bool) -> Asked {
        Asked {
            program: "p".to_owned(),
            helm,
            verb: verb.to_owned(),
            group: String::new(),
            resource: "pods".to_owned(),
            namespace: "other".to_owned(),
            name: String::new(),
            allowed,
        }
    }

    fn none() -> Exceptions {
        Exceptions {
            unused: Vec::new(),
            refused: Vec::new(),
        }
    }

    #[test]
    fn what_is_unused_and_what_is_refused_is_found() {
        let grants = [grant("llm-operator", "get"), grant("llm-operator", "delete")];
        let requests = [asked("get", false, true), asked("create", false, false)].into();
        let found = Comparison::of(&grants, &requests, &none());
        assert_eq!(found.unused, ["llm-operator: delete core/pods"]);
        assert_eq!(found.refused.len(), 1);
        assert!(!found.is_sound());
        let requests = [asked("get", false, true), asked("get", false, false)].into();
        let found = Comparison::of(&grants[..1], &requests, &none());
        assert!(found.is_sound() && found.withheld == 1, "{found:?}");
    }

    #[test]
    fn reasons_are_taken_and_idle_ones_told() {
        let grants = [grant("llm-operator", "get"), grant("llm-operator", "delete")];
        let requests = [asked("get", false, true), asked("create", false, false)].into();
        let unused = |verb: &str| Unused {
            role: "llm-operator".to_owned(),
            verbs: vec![verb.to_owned()],
            groups: Vec::new(),
            resources: Vec::new(),
            reason: "r".to_owned(),
        };
        let exceptions = Exceptions {
            unused: vec![unused("delete"), unused("get")],
            refused: vec![Refused {
                program: "p".to_owned(),
                verbs: vec!["create".to_owned()],
                resources: Vec::new(),
                reason: "r".to_owned(),
            }],
        };
        let found = Comparison::of(&grants, &requests, &exceptions);
        assert!(found.is_sound());
        assert_eq!(found.idle_exceptions.len(), 1, "{:?}", found.idle_exceptions);
    }

    #[test]
    fn helms_requests_are_the_charts() {
        let grants = [grant("llm-operator", "get"), grant(CHARTS, "get")];
        assert_eq!(used(&grants, &[asked("get", false, true)].into()), [true, false]);
        assert_eq!(used(&grants, &[asked("get", true, true)].into()), [false, true]);
        assert_eq!(used(&grants[..1], &[asked("get", true, true)].into()), [true]);
        assert_eq!(used(&grants[1..], &[asked("get", false, true)].into()), [true]);
    }
}
