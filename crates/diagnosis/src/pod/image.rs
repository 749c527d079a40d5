//! Why an image cannot be pulled.
//!
//! In: the kubelet's words; the kubelet flips between `ErrImagePull` and `ImagePullBackOff`, and both must read the same.
//! Out: not found, refused, unreachable, or a missing pull secret. Must not: quote addresses and ports of a retry.

use super::Case;
use crate::{Finding, Reason, facts::ContainerFacts, redact};

pub(super) fn explain(case: &Case<'_>, container: &ContainerFacts, reason: &str, message: &str) -> Finding {
    let image = if container.image.is_empty() {
        "(none)"
    } else {
        &*container.image
    };
    let pod = &case.pod.name;
    match reason {
        "InvalidImageName" => {
            return Finding::new(
                Reason::InvalidImageName,
                format!(
                    "Pod {pod}: {image} is no valid image reference. Write it as registry/repository:tag, in lower case."
                ),
            );
        }
        "ErrImageNeverPull" => {
            return Finding::new(
                Reason::ImageNotFound,
                format!(
                    "Pod {pod}: image {image} is not present on its node, and the pull policy is Never. Use \
                     IfNotPresent, or load the image onto the node."
                ),
            );
        }
        _ => {}
    }
    // Kubelets before 1.31 leave the cause out of ImagePullBackOff and tell it only in an event.
    let told = cause(message);
    let event = case.latest("Failed", |event| {
        Case::about(event, container) && event.message.starts_with("Failed to pull image")
    });
    let words = match event {
        Some(event) if told.is_empty() => &*event.message,
        _ => told,
    };
    classify(case, image, words)
}

/// `Back-off pulling image "x": ErrImagePull: <cause>` → `<cause>`.
fn cause(message: &str) -> &str {
    let Some(rest) = message.strip_prefix("Back-off pulling image") else {
        return message;
    };
    rest.split_once("\": ").map_or("", |(_, cause)| {
        cause.split_once(": ").map_or(
            cause,
            |(kind, rest)| {
                if kind.contains(' ') { cause } else { rest }
            },
        )
    })
}

const AUTH: [&str; 7] = [
    "unauthorized",
    "authentication required",
    "authorization failed",
    "pull access denied",
    "insufficient_scope",
    "403 Forbidden",
    "denied:",
];
const NOT_FOUND: [&str; 5] = [
    "not found",
    "manifest unknown",
    "name unknown",
    "NAME_UNKNOWN",
    "MANIFEST_UNKNOWN",
];
/// Part of the words, and what a person reads instead.
const NETWORK: [(&str, &str); 8] = [
    ("no such host", "the registry's host name does not resolve"),
    ("connection refused", "the registry refuses connections"),
    ("i/o timeout", "the registry does not answer"),
    ("TLS handshake timeout", "the registry does not answer"),
    (
        "context deadline exceeded",
        "the registry does not answer in time",
    ),
    ("x509:", "the node does not trust the registry's certificate"),
    (
        "server gave HTTP response to HTTPS client",
        "the registry speaks plain HTTP, which the node does not allow",
    ),
    ("toomanyrequests", "the registry's pull rate limit is reached"),
];

fn classify(case: &Case<'_>, image: &str, words: &str) -> Finding {
    let pod = &case.pod.name;

    if let Some((_, why)) = NETWORK.iter().find(|(part, _)| words.contains(part)) {
        return Finding::new(
            Reason::ImagePullFailed,
            format!(
                "Pod {pod} cannot pull image {image}: {why}. Check the registry and the node's way to it."
            ),
        );
    }
    if AUTH.iter().any(|part| words.contains(part)) {
        return refused(case, image);
    }
    if words.contains("no match for platform") {
        return Finding::new(
            Reason::ImageNotFound,
            format!(
                "Pod {pod}: image {image} is not built for the node's platform. Push it for that platform, or select other nodes."
            ),
        );
    }
    if NOT_FOUND.iter().any(|part| words.contains(part)) {
        return Finding::new(
            Reason::ImageNotFound,
            format!(
                "Pod {pod}: the registry has no image {image}. Correct the image or its tag, or push it."
            ),
        );
    }
    if words.contains("no space left on device") {
        return Finding::new(
            Reason::DiskPressure,
            format!(
                "Pod {pod} cannot pull image {image}: its node has no disk space left. Free the node's disk."
            ),
        );
    }
    let quoted = if words.is_empty() {
        "the kubelet gives no cause; see kubectl describe pod".to_owned()
    } else {
        redact::clean(words)
    };
    Finding::new(
        Reason::ImagePullFailed,
        format!("Pod {pod} cannot pull image {image}: {quoted}"),
    )
}

/// A registry that refuses; the kubelet says when a pull secret does not exist.
fn refused(case: &Case<'_>, image: &str) -> Finding {
    let pod = &case.pod.name;
    let namespace = &case.pod.namespace;
    let missing = case
        .latest("FailedToRetrieveImagePullSecret", |_| true)
        .and_then(|event| Some(event.message.split_once('(')?.1.split_once(')')?.0));
    if let Some(missing) = missing {
        return Finding::new(
            Reason::ImagePullSecretMissing,
            format!(
                "Pod {pod} cannot pull image {image}: image pull secret {} does not exist in namespace {namespace}. \
                 Create it (type kubernetes.io/dockerconfigjson), or correct its name.",
                redact::clean(missing)
            ),
        );
    }
    let way_out = if case.pod.pull_secrets.is_empty() {
        "it names no image pull secret: add one if the repository is private".to_owned()
    } else {
        format!("check image pull secret {}", case.pod.pull_secrets.join(", "))
    };
    Finding::new(
        Reason::ImagePullFailed,
        format!(
            "Pod {pod} cannot pull image {image}: the registry denies access, or the repository does not exist. \
             Correct the image; {way_out}."
        ),
    )
}
