//! What is known of the API's types: which lists are merged by which keys, which values are written in several ways, what is ignored.

use crate::manifest::ObjectId;

/// Annotation of an object that its owner wants left alone: `"false"`.
pub const MANAGED_ANNOTATION: &str = "opendatahub.io/managed";

/// Fields that are not compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignore {
    /// Of objects of this kind; of all when none.
    pub kind: Option<String>,
    /// Of the object of this name; of all when none.
    pub name: Option<String>,
    /// JSON pointers such as `/spec/replicas`. An item of a list is meant by its index, its key (`containers/engine`), or `*`.
    pub pointers: Vec<String>,
}

impl Ignore {
    pub(super) fn applies(&self, object: &ObjectId) -> bool {
        let kind = self.kind.as_ref().is_none_or(|kind| *kind == object.kind.kind);
        kind && self.name.as_ref().is_none_or(|name| *name == object.name)
    }
}

/// Keys by which the items of these lists are told apart, whatever their order. All other lists are compared as a whole.
pub(super) fn merge_keys(list: &str) -> Option<&'static [&'static str]> {
    Some(match list {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "volumes"
        | "imagePullSecrets"
        | "secrets"
        | "resourceClaims"
        | "listeners"
        | "sysctls" => &["name"],
        "volumeMounts" => &["mountPath"],
        "volumeDevices" => &["devicePath"],
        "hostAliases" => &["ip"],
        "topologySpreadConstraints" => &["topologyKey", "whenUnsatisfiable"],
        "ownerReferences" => &["uid"],
        _ => return None,
    })
}

/// Keys of `ports`: those of a container's, or of a Service's. Others (NetworkPolicy) have none.
pub(super) const PORT_KEYS: [&[&str]; 2] = [&["containerPort", "protocol"], &["port", "protocol"]];

/// Maps that belong to one owner as a whole: what somebody adds is taken out again.
pub(super) fn is_atomic_map(key: &str) -> bool {
    matches!(
        key,
        "selector" | "matchLabels" | "podSelector" | "namespaceSelector" | "nodeSelector"
    )
}

/// Whether the API server leaves out an empty map under this key.
pub(super) fn may_drop_empty_map(key: &str) -> bool {
    matches!(
        key,
        "labels"
            | "annotations"
            | "nodeSelector"
            | "matchLabels"
            | "data"
            | "binaryData"
            | "stringData"
            | "limits"
            | "requests"
            | "parameters"
    )
}

/// Whether the API server leaves out `false` or 0 under this key, as it means the same.
pub(super) fn may_drop_zero(key: &str) -> bool {
    matches!(
        key,
        "hostNetwork"
            | "hostPID"
            | "hostIPC"
            | "stdin"
            | "stdinOnce"
            | "tty"
            | "readOnly"
            | "publishNotReadyAddresses"
            | "paused"
            | "minReadySeconds"
            | "initialDelaySeconds"
            | "hostPort"
            | "nodePort"
    )
}

/// Whether the API server keeps an empty text under this key apart from none.
pub(super) fn keeps_empty_text(key: &str) -> bool {
    matches!(key, "storageClassName" | "ingressClassName" | "runtimeClassName")
}

/// Whether values under this key, or below it, are quantities.
pub(super) fn is_quantity(key: &str, kind: &str) -> bool {
    let of_limit_range = kind == "LimitRange"
        && matches!(
            key,
            "min" | "max" | "default" | "defaultRequest" | "maxLimitRequestRatio"
        );
    of_limit_range
        || matches!(
            key,
            "limits"
                | "requests"
                | "capacity"
                | "hard"
                | "overhead"
                | "sizeLimit"
                | "divisor"
                | "averageValue"
                | "storage"
        )
}

/// Fields that hold a number or a text, where the two mean the same when they look the same.
pub(super) fn is_int_or_string(key: &str) -> bool {
    matches!(
        key,
        "port" | "targetPort" | "maxSurge" | "maxUnavailable" | "minAvailable"
    )
}

/// Groups whose objects the API server writes anew from its own types. Custom resources come back as they were sent.
pub(super) fn is_builtin(group: &str) -> bool {
    matches!(
        group,
        "" | "apps"
            | "batch"
            | "autoscaling"
            | "policy"
            | "networking.k8s.io"
            | "rbac.authorization.k8s.io"
            | "storage.k8s.io"
            | "coordination.k8s.io"
            | "scheduling.k8s.io"
            | "node.k8s.io"
            | "admissionregistration.k8s.io"
            | "apiextensions.k8s.io"
            | "apiregistration.k8s.io"
            | "discovery.k8s.io"
            | "events.k8s.io"
            | "certificates.k8s.io"
            | "flowcontrol.apiserver.k8s.io"
            | "resource.k8s.io"
    )
}
