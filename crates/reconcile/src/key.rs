//! The name of one unit of work: kind, namespace and name of a resource. It carries no object and no behaviour.

use std::{fmt, sync::Arc};

/// Which object a reconcile is about. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// Kind of the resource, as registered by its [`Reconciler`](crate::Reconciler); `Kind.group` where another group has the same.
    pub kind: &'static str,
    /// Namespace; empty for cluster-scoped resources.
    pub namespace: Arc<str>,
    /// Name of the object.
    pub name: Arc<str>,
}

impl ObjectKey {
    /// Key of `kind` `namespace`/`name`.
    pub fn new(kind: &'static str, namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

/// The kind in the API of a kind in keys: without the group.
pub fn api_kind(kind: &str) -> &str {
    kind.split_once('.').map_or(kind, |(kind, _)| kind)
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}
