//! An `AutoNodeLabeler` as the cache keeps it: parsed once, when it arrives. Pure.

use api::premlabs_io::v1alpha1::AutoNodeLabeler;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::PartialObjectMeta;
use reconcile::RawObject;
use serving::field_error::FieldError;

use super::rule::Rule;

/// The resource and what its spec means.
#[derive(Debug)]
pub struct Labeler {
    /// The resource.
    pub object: AutoNodeLabeler,
    rule: Result<Rule, Refusal>,
}

/// Why a labeler is not acted on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is stored in a form that this version does not understand.
    #[error(
        "it cannot be read: {0}; install the definitions of this operator's version (`llm-operator crds`) and correct the \
         resource"
    )]
    Unreadable(String),
    /// Fields that cannot be used.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    InvalidSpec(Vec<FieldError>),
    /// Labels that Kubernetes keeps for itself.
    #[error(
        "spec.labels: {} below kubernetes.io or k8s.io, which Kubernetes keeps for itself; choose another key, or start \
         the operator with --allow-protected-node-labels",
        if .0.len() == 1 { format!("{} is", .0[0]) } else { format!("{} are", .0.join(", ")) }
    )]
    ProtectedLabel(Vec<String>),
}

impl From<AutoNodeLabeler> for Labeler {
    fn from(object: AutoNodeLabeler) -> Self {
        let rule = Rule::parse(&object.spec).map_err(|errors| {
            let below_spec = errors.into_iter().map(|error| error.under("spec"));
            Refusal::InvalidSpec(below_spec.collect())
        });
        Self { object, rule }
    }
}

impl Labeler {
    /// Reads a labeler. Of one that cannot be read the metadata are kept, so that it can be told so, and can go.
    ///
    /// # Errors
    /// Not even these can be read.
    pub fn read(raw: &RawObject) -> Result<Self, serde_json::Error> {
        match raw.decode::<AutoNodeLabeler>() {
            Ok(object) => Ok(object.into()),
            Err(error) => {
                let known: PartialObjectMeta<AutoNodeLabeler> = raw.decode()?;
                let object = AutoNodeLabeler {
                    metadata: known.metadata,
                    ..AutoNodeLabeler::default()
                };
                Ok(Self {
                    object,
                    rule: Err(Refusal::Unreadable(error.to_string())),
                })
            }
        }
    }

    /// What it asks for is unknown.
    pub fn is_unreadable(&self) -> bool {
        matches!(self.rule, Err(Refusal::Unreadable(_)))
    }

    /// What it asks for, unless that is refused.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn rule(&self, allow_protected: bool) -> Result<&Rule, Refusal> {
        let rule = self.rule.as_ref().map_err(Clone::clone)?;
        let protected: Vec<String> = rule.protected().map(str::to_owned).collect();
        if allow_protected || protected.is_empty() {
            Ok(rule)
        } else {
            Err(Refusal::ProtectedLabel(protected))
        }
    }

    /// As [`Labeler::rule`], until it is deleted. It need not have its finalizer: that only makes a deletion wait. Labels
    /// that nobody asks for any more are known by their manager and removed, whatever became of their labeler.
    pub fn working(&self, allow_protected: bool) -> Option<&Rule> {
        self.rule(allow_protected).ok().filter(|_| !self.is_going())
    }

    /// The keys that it names, whether or not they are refused.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.object
            .spec
            .labels
            .iter()
            .flatten()
            .map(|(key, _)| key.as_str())
    }

    /// It is being deleted.
    pub fn is_going(&self) -> bool {
        self.object.metadata.deletion_timestamp.is_some()
    }

    /// Namespace.
    pub fn namespace(&self) -> &str {
        self.object.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Name.
    pub fn name(&self) -> &str {
        self.object.metadata.name.as_deref().unwrap_or_default()
    }

    /// By this the oldest comes first.
    pub fn rank(&self) -> (Option<&Time>, &str, &str) {
        let created = self.object.metadata.creation_timestamp.as_ref();
        (created, self.namespace(), self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_cannot_be_read_keeps_its_metadata() {
        let text = serde_json::json!({
            "apiVersion": "premlabs.io/v1alpha1", "kind": "AutoNodeLabeler",
            "metadata": {"name": "l", "namespace": "n", "uid": "1", "resourceVersion": "7",
                "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["premlabs.io/node-labels"]},
            "spec": {"labels": "none"},
        });
        let labeler = Labeler::read(&RawObject::from_text(text.to_string()).unwrap()).unwrap();
        assert!(labeler.is_unreadable() && labeler.is_going());
        assert_eq!((labeler.namespace(), labeler.name()), ("n", "l"));
        assert!(reconcile::finalizer::has(
            &labeler.object,
            super::super::FINALIZER
        ));
        let refusal = labeler.rule(true).unwrap_err().to_string();
        assert!(refusal.starts_with("it cannot be read: "), "{refusal}");
        assert!(labeler.keys().next().is_none() && labeler.working(true).is_none());
    }
}
