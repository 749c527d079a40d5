//! An `AutoNodeLabeler` as the cache keeps it: parsed once, when it arrives. Pure.

use api::premlabs_io::v1alpha1::AutoNodeLabeler;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serving::field_error::FieldError;

use super::rule::Rule;

/// The resource and what its spec means.
#[derive(Debug)]
pub struct Labeler {
    /// The resource.
    pub object: AutoNodeLabeler,
    rule: Result<Rule, Vec<FieldError>>,
}

/// Why a labeler is not acted on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
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
            below_spec.collect()
        });
        Self { object, rule }
    }
}

impl Labeler {
    /// What it asks for, unless that is refused.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn rule(&self, allow_protected: bool) -> Result<&Rule, Refusal> {
        let rule = self
            .rule
            .as_ref()
            .map_err(|errors| Refusal::InvalidSpec(errors.clone()))?;
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
