//! The documented reasons of a condition, and the one word of state each stands for.
//!
//! In: nothing. Out: the closed list of [`Reason`]s with their meaning and the way out; `docs/conditions.md` is made of it.
//! Must not: depend on facts. The list is low-cardinality: it is a metric label and an Event reason too.

mod words;

use std::fmt::{self, Display, Write};

pub use words::Reason;

/// The one word a person sees in `kubectl get`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// All replicas asked for serve.
    Ready,
    /// The model, its image or its weights are on their way into memory.
    Loading,
    /// Kubernetes is at work: Pods are made, placed, replaced.
    Progressing,
    /// Nothing will change until somebody acts.
    Blocked,
    /// The resource itself cannot be right.
    Invalid,
    /// No replicas are asked for.
    Stopped,
    /// On its way out.
    Terminating,
}

impl State {
    /// The word itself.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Loading => "Loading",
            Self::Progressing => "Progressing",
            Self::Blocked => "Blocked",
            Self::Invalid => "Invalid",
            Self::Stopped => "Stopped",
            Self::Terminating => "Terminating",
        }
    }
}

impl Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Reason {
    /// One paragraph: what it means and what to do.
    pub fn doc(self) -> String {
        format!("{} {}", self.meaning(), self.way_out())
    }
}

/// The reasons as a Markdown table, worst first: the body of `docs/conditions.md`.
pub fn conditions_markdown() -> String {
    let mut page = String::from("| Reason | State | Meaning | What to do |\n|---|---|---|---|\n");
    for reason in Reason::ALL.iter().rev() {
        let _ = writeln!(
            page,
            "| `{reason}` | {} | {} | {} |",
            reason.state(),
            reason.meaning().replace('|', "\\|"),
            reason.way_out().replace('|', "\\|"),
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_a_condition_reason_and_documented() {
        let page = conditions_markdown();
        for reason in Reason::ALL {
            let word = reason.as_str();
            assert!(
                word.chars().all(|letter| letter.is_ascii_alphanumeric()),
                "{word}"
            );
            assert!(
                word.starts_with(|letter: char| letter.is_ascii_uppercase()),
                "{word}"
            );
            assert!(
                reason.meaning().ends_with('.') && reason.way_out().ends_with('.'),
                "{word}"
            );
            assert!(page.contains(&format!("| `{word}` | ")), "{word}");
        }
        assert_eq!(page.lines().count(), Reason::ALL.len() + 2);
    }

    #[test]
    fn all_reasons_differ_and_stand_in_order_of_severity() {
        for pair in Reason::ALL.windows(2) {
            assert!(pair[0] < pair[1], "{} {}", pair[0], pair[1]);
            assert_ne!(pair[0].as_str(), pair[1].as_str());
        }
        assert!(Reason::AllReplicasReady < Reason::LoadingModel);
        assert!(Reason::LoadingModel < Reason::GpusTaken);
    }
}
