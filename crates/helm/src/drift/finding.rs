//! What differs. Plain data.

use std::fmt;

use crate::manifest::ObjectId;

/// How it differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It is not there: the object, when the path is empty, or the field.
    Missing,
    /// It is something else.
    Changed,
    /// A label is not there.
    LabelLost,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The object.
    pub object: ObjectId,
    /// Where, such as `spec.template.spec.containers[engine].image`; empty for the object as a whole.
    pub path: String,
    /// How.
    pub difference: Difference,
}

/// `Deployment.apps llm-d/demo: spec.replicas was changed`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "it" } else { &self.path };
        let difference = match self.difference {
            Difference::Missing => "is missing",
            Difference::Changed => "was changed",
            Difference::LabelLost => "was taken off",
        };
        write!(f, "{}: {path} {difference}", self.object)
    }
}
