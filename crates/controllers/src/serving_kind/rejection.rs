//! Why a resource cannot be acted on.
//!
//! In: what dereferencing and validating found. Out: a reason, a sentence and a state, the same way for every kind. Pure.

use std::fmt;

use api::shared::State;
use serving::field_error::FieldError;

use crate::reason::Reason;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// Something that it names is missing, cannot be read, or may not be used.
    Referent {
        /// The word for conditions and metrics.
        reason: Reason,
        /// What it is, and what to do.
        sentence: String,
    },
    /// Fields cannot be used as they are.
    Invalid(Vec<WrongField>),
    /// Something that it names is being brought in line by its own reconcile, which wakes whoever waits.
    Pending,
}

/// A field that cannot be used, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongField {
    /// Kind and name of the resource with the field, for example `LLMModel small`.
    pub resource: String,
    /// Where below its `spec`, and what is wrong.
    pub error: FieldError,
}

impl Rejection {
    /// Something that is named cannot be used.
    pub fn referent(reason: Reason, sentence: impl Into<String>) -> Self {
        Self::Referent {
            reason,
            sentence: sentence.into(),
        }
    }

    /// Fields that cannot be used; `owner` tells of each which resource, as kind and name, has it.
    pub fn invalid(errors: Vec<FieldError>, owner: impl Fn(&FieldError) -> String) -> Self {
        let wrong = errors.into_iter().map(|error| WrongField {
            resource: owner(&error),
            error,
        });
        Self::Invalid(wrong.collect())
    }

    /// The word for conditions and metrics.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Referent { reason, .. } => *reason,
            Self::Invalid(_) => Reason::InvalidSpec,
            Self::Pending => Reason::ModelMapNotFound,
        }
    }

    /// The word in `kubectl get`: whether the resource itself or something beside it must change.
    pub const fn state(&self) -> State {
        match self.reason() {
            Reason::InvalidSpec => State::Invalid,
            _ => State::Blocked,
        }
    }

    /// Whether something that is named does not exist, and may be on its way.
    pub const fn may_come(&self) -> bool {
        matches!(self.reason(), Reason::ModelNotFound | Reason::ModelMapNotFound)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Referent { sentence, .. } => f.write_str(sentence),
            Self::Pending => {
                f.write_str("an AIModelMap that it names was edited and is not applied yet; wait")
            }
            Self::Invalid(wrong) => {
                for (place, WrongField { resource, error }) in wrong.iter().enumerate() {
                    let before = if place == 0 { "" } else { "; " };
                    write!(f, "{before}{resource} spec.{error}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for Rejection {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_told_with_the_resource_that_has_them() {
        let errors = vec![
            FieldError::new("replicas", "no"),
            FieldError::new("source.uri", "what"),
        ];
        let rejection = Rejection::invalid(errors, |error| format!("Kind {}", error.root()));
        assert_eq!(
            rejection.to_string(),
            "Kind replicas spec.replicas: no; Kind source spec.source.uri: what"
        );
        assert_eq!(rejection.state(), State::Invalid);
        assert!(!rejection.may_come());
    }

    #[test]
    fn what_is_named_and_missing_may_come() {
        let missing = Rejection::referent(Reason::ModelNotFound, "it does not exist");
        assert!(missing.may_come());
        assert_eq!(missing.state(), State::Blocked);
        let refused = Rejection::referent(Reason::NotAllowed, "ask");
        assert!(!refused.may_come());
        let unreadable = Rejection::referent(Reason::InvalidSpec, "old");
        assert_eq!(unreadable.state(), State::Invalid);
    }
}
