//! One thing that is wrong with a field.
//!
//! In: a path and a sentence. Out: a value that controllers put into a status and an Event, under the resource
//! that has the field. It must not know which resource that is.

use std::fmt;

/// A field that cannot be used as it is.
///
/// Paths are written as in `LLMModel` and `LLMDeployment` below `spec` (`storage.size`, `replicas`, `env[2].name`);
/// a kind with other field names translates them by [`FieldError::root`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct FieldError {
    /// Where, for example `storage.size`.
    pub path: String,
    /// What is wrong and what to do, without the path.
    pub message: String,
}

impl FieldError {
    /// An error at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }

    /// The first segment of the path, by which a kind finds the resource that has the field.
    pub fn root(&self) -> &str {
        self.path.split(['.', '[']).next().unwrap_or_default()
    }

    /// The same error below `prefix`, for example `spec`.
    #[must_use]
    pub fn under(self, prefix: &str) -> Self {
        Self {
            path: format!("{prefix}.{}", self.path),
            message: self.message,
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}
