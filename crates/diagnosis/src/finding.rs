//! A cause and the sentence that tells it.
//!
//! In: a [`Reason`] and words. Out: a [`Finding`]. Must not: look at facts.

use crate::{Reason, redact};

/// Longest message of a condition that this crate makes, in characters (the API allows 32768; Events 1024).
pub const MESSAGE_LIMIT: usize = 1024;

/// Why one Pod, or a workload, does not serve.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The documented reason.
    pub reason: Reason,
    /// A sentence that names the object and the next step.
    pub message: String,
}

impl Finding {
    /// A finding whose message fits a condition.
    pub fn new(reason: Reason, message: impl AsRef<str>) -> Self {
        Self {
            reason,
            message: redact::shorten(message.as_ref(), MESSAGE_LIMIT),
        }
    }
}

/// `1 Pod`, `2 Pods`.
pub(crate) fn pods(count: usize) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} Pod{plural}")
}

/// `a`, `a and b`, `a, b and c`; more than three are counted.
pub(crate) fn list<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] if items.len() <= 3 => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
        [first, second, rest @ ..] => {
            format!("{}, {} and {} more", first.as_ref(), second.as_ref(), rest.len())
        }
    }
}
