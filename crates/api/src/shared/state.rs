//! The one word of state that every serving kind shows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a person sees in the column `STATE`; the conditions carry the sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum State {
    /// Everything that was asked for serves.
    Ready,
    /// The containers run and read their weights.
    Loading,
    /// On the way, nothing stands against it.
    Progressing,
    /// Something outside the resource must change first; the message says what.
    Blocked,
    /// The resource itself must be edited; the message names the field.
    Invalid,
    /// Zero replicas were asked for.
    Stopped,
    /// It is being deleted.
    Terminating,
}

impl State {
    /// All states, in the order of their declaration.
    pub const ALL: [Self; 7] = [
        Self::Ready,
        Self::Loading,
        Self::Progressing,
        Self::Blocked,
        Self::Invalid,
        Self::Stopped,
        Self::Terminating,
    ];

    /// The word itself, as in the status and in metric labels.
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
