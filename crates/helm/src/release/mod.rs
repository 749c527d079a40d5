//! Helm's own record of a release: one Secret per revision.
//!
//! In: the Secrets `sh.helm.release.v1.<release>.v<revision>`. Out: [`StoredRelease`], which a watch cache keeps (its
//! [`ReleaseHead`] and the compressed rest), [`Release`] when the manifest or the hooks are asked for, and the patch that takes a
//! lock off. The format is that of Helm's `pkg/storage/driver`. It must not ask a cluster, nor know what the release should be.

mod contents;
mod error;
#[cfg(test)]
pub(crate) mod fixture;
mod head;
mod payload;
mod status;
mod stored;
mod unlock;
mod values_digest;

pub use contents::{DeletePolicy, Hook, Release};
pub use error::ReleaseError;
pub use head::ReleaseHead;
pub use status::Status;
pub use stored::{SECRET_TYPE, StoredRelease};
pub use unlock::Unlock;
pub(crate) use values_digest::hex;
pub use values_digest::values_digest;
