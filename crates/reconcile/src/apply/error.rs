//! Why an object was not applied, as far as that matters to whoever has to act. In: what the API server said.

use std::time::Duration;

use kube::core::Status;

use super::desired::DesiredError;

/// See the variants; each names the object.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// An object of this name exists and is not ours. It is left alone.
    #[error("{kind} {name} exists already and belongs to {owner}; rename one of them or delete that {kind}")]
    NameTaken {
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// `<Kind> <name>` of its controller, or `nobody (created by hand)`.
        owner: String,
    },
    /// The object is being deleted; it is made anew when it is gone.
    #[error("{kind} {name} is still being deleted; it is created again as soon as it is gone")]
    Terminating {
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
    },
    /// The namespace is being deleted or is gone: nothing can be created in it any more.
    #[error("namespace {namespace} is being deleted or does not exist; nothing can be created in it")]
    NamespaceGone {
        /// The namespace.
        namespace: String,
    },
    /// A field cannot be changed once the object exists.
    #[error("{kind} {name} cannot be changed in place; {}: {message}", made_anew(.kind, .name))]
    Immutable {
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// The server's words, naming the field.
        message: String,
    },
    /// The API server refuses the object's content.
    #[error("{kind} {name} is refused: {message}")]
    Invalid {
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// The server's words, naming the field.
        message: String,
    },
    /// A quota is used up.
    #[error("{kind} {name} exceeds a quota: {message}; raise the quota or free some of it")]
    QuotaExceeded {
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// The server's words, naming the quota.
        message: String,
    },
    /// An admission webhook or policy refuses the object.
    #[error("{kind} {name} is refused by an admission policy: {message}")]
    Denied {
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// The server's words, naming the webhook or policy.
        message: String,
    },
    /// We lack the right to write this.
    #[error("no permission to write {kind} {name}: {message}; grant it in the operator's ClusterRole")]
    Forbidden {
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// The server's words.
        message: String,
    },
    /// Conflict, overload, timeout or an unreachable server: worth another try.
    #[error("{kind} {name} could not be written for now: {message}")]
    Retryable {
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// What went wrong.
        message: String,
        /// When the server wants to be asked again, if it said so.
        retry_after: Option<Duration>,
    },
    /// No cache of this kind was given to the applier.
    #[error("children of kind {kind} are not watched; start a cache for them and give it to the applier")]
    NotWatched {
        /// The kind.
        kind: String,
    },
    /// The object was built wrongly.
    #[error(transparent)]
    Desired(#[from] DesiredError),
}

/// How a person has it made anew. With a StatefulSet its claims would go, and all that was loaded into them.
fn made_anew(kind: &str, name: &str) -> String {
    if kind == "StatefulSet" {
        format!(
            "take the change back, or have it made anew around its Pods and claims, which then stay as they are: \
             `kubectl delete statefulset {name} --cascade=orphan`"
        )
    } else {
        format!("take the change back, or delete {kind} {name} to have it made anew")
    }
}

impl ApplyError {
    /// One word for conditions and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NameTaken { .. } => "NameTaken",
            Self::Terminating { .. } => "Terminating",
            Self::NamespaceGone { .. } => "NamespaceTerminating",
            Self::Immutable { .. } => "Immutable",
            Self::Invalid { .. } => "Invalid",
            Self::QuotaExceeded { .. } => "QuotaExceeded",
            Self::Denied { .. } => "Denied",
            Self::Forbidden { .. } => "Forbidden",
            Self::Retryable { .. } => "ApiUnavailable",
            Self::NotWatched { .. } => "NotWatched",
            Self::Desired(_) => "Internal",
        }
    }

    /// Whether time alone may heal it. Quotas, policies and permissions count: nothing tells us when they change.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Terminating { .. }
            | Self::QuotaExceeded { .. }
            | Self::Denied { .. }
            | Self::Forbidden { .. }
            | Self::NameTaken { .. }
            | Self::Retryable { .. } => true,
            Self::NamespaceGone { .. }
            | Self::Immutable { .. }
            | Self::Invalid { .. }
            | Self::NotWatched { .. }
            | Self::Desired(_) => false,
        }
    }

    /// Whether it is about an object of this kind that is being deleted.
    pub fn is_about(&self, kind: &str) -> bool {
        matches!(self, Self::Terminating { kind: going, .. } if going == kind)
    }

    /// Whether it is the API server's passing trouble, and nobody's to mend.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Retryable { .. })
    }

    /// How long the server wants to be left alone; zero when it did not say.
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::Retryable { retry_after, .. } => retry_after.unwrap_or_default(),
            _ => Duration::ZERO,
        }
    }

    /// Sorts an answer of the API server to a write of `kind` `namespace`/`name`.
    pub fn classify(kind: &str, namespace: &str, name: &str, error: kube::Error) -> Self {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        let kube::Error::Api(status) = error else {
            return Self::Retryable {
                kind,
                name,
                message: innermost(&error),
                retry_after: None,
            };
        };
        let message = status.message.clone();
        let retry_after = status
            .details
            .as_ref()
            .map(|details| details.retry_after_seconds)
            .filter(|seconds| *seconds > 0)
            .map(|seconds| Duration::from_secs(u64::from(seconds)));
        // Admission webhooks answer with any 4xx and their own words; one that is away is a 500, and does not come back
        // because we wait.
        if message.starts_with("admission webhook") && status.code < 500
            || message.contains("failed calling webhook")
        {
            return Self::Denied { kind, name, message };
        }
        match status.code {
            // The object we looked at was replaced by another of its name; the caches will show it.
            422 if is_about_uid(&status) => Self::Retryable {
                kind,
                name,
                message,
                retry_after,
            },
            422 if is_immutable(&message) => Self::Immutable { kind, name, message },
            400 | 413 | 415 | 422 => Self::Invalid { kind, name, message },
            // Server-side apply refuses lists with two items of one key, by an answer that looks like its own fault.
            500 if message.contains("failed to create typed patch object") => {
                Self::Invalid { kind, name, message }
            }
            403 if namespace_terminating(&status) => Self::NamespaceGone {
                namespace: namespace.to_owned(),
            },
            403 if message.contains("exceeded quota") || message.contains("failed quota") => {
                Self::QuotaExceeded { kind, name, message }
            }
            // A namespace is there a moment before the account that all its Pods run as.
            403 if message.contains(r#"serviceaccount "default" not found"#) => Self::Retryable {
                kind,
                name,
                message: format!(
                    "namespace {namespace} has no ServiceAccount default yet, which kube-controller-manager makes in \
                         every namespace"
                ),
                retry_after,
            },
            403 if is_rbac(&message) => Self::Forbidden { kind, name, message },
            403 => Self::Denied { kind, name, message },
            404 if is_namespace(&status) => Self::NamespaceGone {
                namespace: namespace.to_owned(),
            },
            _ => Self::Retryable {
                kind,
                name,
                message,
                retry_after,
            },
        }
    }
}

fn is_immutable(message: &str) -> bool {
    [
        "field is immutable",
        "spec is immutable",
        "is forbidden after creation",
        "may not change once set",
        "pod updates may not change fields",
        "pod updates may not add or remove containers",
        "existing toleration can not be modified",
    ]
    .iter()
    .any(|phrase| message.contains(phrase))
        || (message.contains("Forbidden: ") && message.contains("updates to"))
        || (message.contains("Forbidden: ") && message.contains("field can not be"))
}

/// Whether the server refuses the uid that a write was bound to: 422 for another object of the name, 409 for none.
pub fn is_about_uid(status: &Status) -> bool {
    match status.code {
        422 => status
            .details
            .iter()
            .flat_map(|details| &details.causes)
            .any(|cause| cause.field == "metadata.uid"),
        409 => status.message.contains("uid mismatch"),
        _ => false,
    }
}

/// RBAC refusals read `deployments.apps "x" is forbidden: User "y" cannot patch resource "deployments" ...`.
fn is_rbac(message: &str) -> bool {
    message.contains(" is forbidden: User \"") && message.contains(" cannot ")
}

fn namespace_terminating(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes
        .into_iter()
        .any(|cause| cause.reason == "NamespaceTerminating")
        || status.message.contains("because it is being terminated")
}

fn is_namespace(status: &Status) -> bool {
    status
        .details
        .as_ref()
        .is_some_and(|details| details.kind == "namespaces")
        || status.message.starts_with("namespaces \"")
}

/// The last message of the chain: kube's and hyper's wrappers say nothing.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut current = error;
    while let Some(source) = current.source() {
        current = source;
    }
    current.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(code: u16, message: &str) -> &'static str {
        let status = Status {
            code,
            message: message.to_owned(),
            ..Status::default()
        };
        ApplyError::classify("Deployment", "ns", "a", kube::Error::Api(status.boxed())).reason()
    }

    #[test]
    fn answers_are_sorted_by_who_has_to_act() {
        for (code, message, expected) in [
            (
                422,
                r#"Deployment.apps "a" is invalid: spec.selector: Invalid value: {}: field is immutable"#,
                "Immutable",
            ),
            (
                422,
                r#"PersistentVolumeClaim "a" is invalid: spec: Forbidden: spec is immutable after creation except resources.requests"#,
                "Immutable",
            ),
            (
                422,
                r#"Deployment.apps "a" is invalid: spec.template.spec.containers: Required value"#,
                "Invalid",
            ),
            (
                403,
                r#"deployments.apps "a" is forbidden: User "system:serviceaccount:x:y" cannot patch resource "deployments""#,
                "Forbidden",
            ),
            (
                403,
                r#"persistentvolumeclaims "a" is forbidden: exceeded quota: q, requested: ..."#,
                "QuotaExceeded",
            ),
            (
                403,
                r#"services "a" is forbidden: unable to create new content in namespace ns because it is being terminated"#,
                "NamespaceTerminating",
            ),
            (
                403,
                r#"deployments.apps "a" is forbidden: ValidatingAdmissionPolicy 'p' denied request"#,
                "Denied",
            ),
            (
                403,
                r#"pods "a" is forbidden: error looking up service account ns/default: serviceaccount "default" not found"#,
                "ApiUnavailable",
            ),
            (
                403,
                r#"pods "a" is forbidden: error looking up service account ns/mine: serviceaccount "mine" not found"#,
                "Denied",
            ),
            (400, r#"admission webhook "w" denied the request: no"#, "Denied"),
            (
                500,
                r#"Internal error occurred: failed calling webhook "w": failed to call webhook: connection refused"#,
                "Denied",
            ),
            (404, r#"namespaces "ns" not found"#, "NamespaceTerminating"),
            (409, "the object has been modified", "ApiUnavailable"),
            (429, "too many requests", "ApiUnavailable"),
            (503, "etcdserver: no leader", "ApiUnavailable"),
        ] {
            assert_eq!(reason(code, message), expected, "{code} {message}");
        }
    }
}
