//! Why a Secret cannot be read as a revision of a release.

/// See the variants; `secret` is `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// It is no Secret of Helm's.
    #[error("Secret {secret} is no release of Helm's: {missing} is missing or wrong")]
    NotHelm {
        /// The Secret.
        secret: String,
        /// The field that says so.
        missing: &'static str,
    },
    /// Its payload is not what Helm writes.
    #[error(
        "Secret {secret} holds no release that can be read: {message}; helm rollback to another revision, or delete this Secret"
    )]
    Malformed {
        /// The Secret.
        secret: String,
        /// What is wrong with it.
        message: String,
    },
    /// Its payload unpacks to more than can be a release.
    #[error("the release in Secret {secret} unpacks to more than {limit} bytes, which is not read")]
    TooLarge {
        /// The Secret.
        secret: String,
        /// Bytes that are read at most.
        limit: usize,
    },
}
