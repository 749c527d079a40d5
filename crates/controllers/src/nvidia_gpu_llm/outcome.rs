//! How sending a prompt ended.

use std::time::Duration;

/// How sending a prompt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The model answered.
    Answered(Answer),
    /// The prompt left, and no complete answer came.
    Failed {
        /// Why, in a sentence.
        message: String,
        /// What came until then.
        text: String,
    },
    /// Nothing left this process: the prompt may be sent again.
    NotSent {
        /// Why, in a sentence.
        message: String,
    },
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Its text.
    pub text: String,
    /// More came than is kept.
    pub cut: bool,
    /// From sending to the end of the answer.
    pub duration: Duration,
    /// Tokens of the answer per second of generating it.
    pub tokens_per_second: Option<f64>,
}
