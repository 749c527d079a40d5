//! The token of gated models, by convention.
//!
//! In: nothing. Out: where it is, and what may be known of it. Its value is nobody's here.

/// The Secret, in the namespace of the resource.
pub const SECRET: &str = "hf-token";
/// The key in it.
pub const KEY: &str = "token";

/// What is known of a namespace's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// It exists.
    Present,
    /// There is no such Secret, or no such key, or nothing in it.
    Missing,
    /// The operator may not look; the Pod's own status will tell.
    Unknown,
}
