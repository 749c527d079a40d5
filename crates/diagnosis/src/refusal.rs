//! Why the API server refuses to create a Pod.
//!
//! In: the message of a workload's `ReplicaFailure` condition, e.g. `pods "chat-7c9f-x2x4q" is forbidden: exceeded
//! quota: …`. Out: which rule, and what to change. Must not: repeat the refused Pod's name; it is another at every try.

use crate::{Finding, Reason, redact};

/// The finding about Pods that could not be created.
pub fn explain(message: &str) -> Finding {
    let words = without_pod_name(message);
    let said = |prefix: &str, way_out: &str, reason: Reason, words: &str| {
        let words = redact::clean(words);
        let words = words.trim_end_matches('.');
        Finding::new(
            reason,
            format!("Pods cannot be created: {prefix}{words}. {way_out}"),
        )
    };
    if words.contains("exceeded quota:") || words.contains("failed quota:") {
        return said(
            "",
            "Ask for less, free what others use in the namespace, or have the quota raised.",
            Reason::QuotaExceeded,
            words,
        );
    }
    if words.contains("violates PodSecurity") {
        return said(
            "the Pod ",
            "Change the security context, or the namespace's Pod Security level.",
            Reason::PodSecurityViolation,
            words,
        );
    }
    if limit_range(words) {
        return said(
            "a LimitRange of the namespace says: ",
            "Set resources within that range.",
            Reason::LimitRangeViolation,
            &sorted_limits(words),
        );
    }
    if words.contains(r#"serviceaccount "default" not found"#) {
        return said(
            "the namespace has no ServiceAccount default yet",
            "kube-controller-manager makes it in every namespace.",
            Reason::Starting,
            "",
        );
    }
    if words.contains("RuntimeClass") && words.contains("not found") {
        return said(
            "",
            "Create the RuntimeClass, or do without.",
            Reason::RuntimeClassMissing,
            words,
        );
    }
    let way_out = if words.contains("admission webhook") || words.contains("failed calling webhook") {
        "Ask the owner of that webhook."
    } else if words.contains("no PriorityClass with name") {
        "Create the PriorityClass, or correct its name."
    } else if words.contains("error looking up service account") {
        "Create the ServiceAccount, or correct its name."
    } else {
        "Correct what the API server refuses."
    };
    said("", way_out, Reason::PodRefused, words)
}

/// `pods "x" is forbidden: y` and `Pod "x" is invalid: y` → `y`.
fn without_pod_name(message: &str) -> &str {
    let trimmed = message.trim();
    let Some(rest) = trimmed
        .strip_prefix("pods \"")
        .or_else(|| trimmed.strip_prefix("Pod \""))
    else {
        return trimmed;
    };
    let Some((_, rest)) = rest.split_once('"') else {
        return trimmed;
    };
    let rest = rest.trim_start();
    ["is forbidden: ", "is invalid: "]
        .iter()
        .find_map(|verb| rest.strip_prefix(verb))
        .unwrap_or(rest)
}

fn limit_range(words: &str) -> bool {
    let usage = (words.contains("maximum ") || words.contains("minimum ")) && words.contains(" usage per ");
    usage || words.contains("max limit to request ratio per")
}

/// The `LimitRanger` walks Go maps, so that the same violations come in another order at every try.
fn sorted_limits(words: &str) -> String {
    let inner = words.trim().trim_start_matches('[').trim_end_matches(']');
    let mut items: Vec<String> = Vec::new();
    for part in inner.split(", ") {
        let fresh = part.starts_with("maximum ")
            || part.starts_with("minimum ")
            || part.contains(" max limit to request ratio");
        match items.last_mut() {
            Some(last) if !fresh => {
                last.push_str(", ");
                last.push_str(part);
            }
            _ => items.push(part.to_owned()),
        }
    }
    items.sort();
    items.dedup();
    items.join("; ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn real_refusals() {
        for (message, reason, words) in [
            (
                "pods \"chat-0\" is forbidden: error looking up service account ns/default: serviceaccount \"default\" not \
                 found",
                Reason::Starting,
                "Pods cannot be created: the namespace has no ServiceAccount default yet. kube-controller-manager makes it",
            ),
            (
                "pods \"chat-0\" is forbidden: error looking up service account ns/mine: serviceaccount \"mine\" not found",
                Reason::PodRefused,
                "ns/mine: serviceaccount \"mine\" not found. Create the ServiceAccount, or correct its name.",
            ),
            (
                "pods \"chat-7c9f-x2x4q\" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=2, \
                 used: requests.nvidia.com/gpu=8, limited: requests.nvidia.com/gpu=8",
                Reason::QuotaExceeded,
                "exceeded quota: gpus, requested: requests.nvidia.com/gpu=2",
            ),
            (
                "pods \"chat-7c9f-x2x4q\" is forbidden: failed quota: mem: must specify limits.memory for: engine",
                Reason::QuotaExceeded,
                "must specify limits.memory",
            ),
            (
                "pods \"chat-7c9f-x2x4q\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != \
                 true (pod or container \"engine\" must set securityContext.runAsNonRoot=true)",
                Reason::PodSecurityViolation,
                "the Pod violates PodSecurity \"restricted:latest\"",
            ),
            (
                "pods \"chat-7c9f-x2x4q\" is forbidden: [maximum memory usage per Container is 1Gi, but limit is 4Gi, \
                 maximum cpu usage per Container is 1, but request is 2]",
                Reason::LimitRangeViolation,
                "maximum cpu usage per Container is 1, but request is 2; maximum memory usage per Container is 1Gi, \
                 but limit is 4Gi",
            ),
            (
                "pods \"chat-7c9f-x2x4q\" is forbidden: pod rejected: RuntimeClass \"nvidia\" not found",
                Reason::RuntimeClassMissing,
                "RuntimeClass \"nvidia\" not found",
            ),
            (
                "pods \"chat-7c9f-x2x4q\" is forbidden: no PriorityClass with name gold was found",
                Reason::PodRefused,
                "Create the PriorityClass",
            ),
            (
                "admission webhook \"policy.example.com\" denied the request: no latest tags",
                Reason::PodRefused,
                "no latest tags",
            ),
            (
                "Internal error occurred: failed calling webhook \"x.example.com\": failed to call webhook: Post \
                 \"https://x.svc:443/\": dial tcp 10.0.0.1:443: connect: connection refused",
                Reason::PodRefused,
                "failed calling webhook",
            ),
            (
                "Pod \"chat-7c9f-x2x4q\" is invalid: spec.containers[0].resources.requests: Invalid value: \"8Gi\": \
                 must be less than or equal to memory limit of 4Gi",
                Reason::PodRefused,
                "spec.containers[0].resources.requests",
            ),
        ] {
            let finding = explain(message);
            assert_eq!(finding.reason, reason, "{}", finding.message);
            assert!(finding.message.contains(words), "{}", finding.message);
            assert!(!finding.message.contains("x2x4q"), "{}", finding.message);
        }
    }

    #[test]
    fn the_order_of_violations_does_not_matter() {
        let one = explain(
            "pods \"a\" is forbidden: [maximum memory usage per Pod is 1Gi, but limit is 4Gi, maximum cpu usage per Pod is 1, but limit is 2]",
        );
        let two = explain(
            "pods \"b\" is forbidden: [maximum cpu usage per Pod is 1, but limit is 2, maximum memory usage per Pod is 1Gi, but limit is 4Gi]",
        );
        assert_eq!(one, two);
    }

    proptest! {
        #[test]
        fn anything_is_explained(text in "\\PC*") {
            explain(&text);
            explain(&format!("pods \"{text}"));
            explain(&format!("pods \"x\" is forbidden: [maximum {text} usage per {text}"));
        }
    }
}
