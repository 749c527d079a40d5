//! Short hashes for names and annotations.
//!
//! In: a finished SHA-256. Out: text. It must not be used for secrets: half of the hash is left out.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// 16 of the 32 bytes as 32 hexadecimal digits: enough to tell any two contents apart.
pub(crate) fn short(hash: Sha256) -> String {
    let bytes = hash.finalize();
    bytes
        .iter()
        .take(16)
        .fold(String::with_capacity(32), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// [`short`] of these bytes.
pub(crate) fn short_of(bytes: impl AsRef<[u8]>) -> String {
    short(Sha256::new_with_prefix(bytes))
}
