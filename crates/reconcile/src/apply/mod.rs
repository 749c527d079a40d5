//! Server-side apply that never takes over, never writes what is already so, and prunes what is no longer wanted.
//!
//! In: desired objects and the caches of our children. Out: API writes. What "already so" means is in `diff`; how a
//! foreign object is left alone with a single write is in `docs/adr/0002-apply-without-taking-over.md`; what an earlier
//! operator left to us, in `docs/adr/0006-taking-over.md`.

mod applier;
mod desired;
pub mod diff;
mod error;
mod found;
mod managed;
mod prune;
mod quantity;
mod quota;
mod replace;
mod request;

pub use applier::{Applied, Applier, ChangeMade};
pub use desired::{ADOPTED, APPLIED_HASH, DesiredError, DesiredObject, RELEASED};
pub(crate) use error::innermost;
pub use error::{ApplyError, is_about_uid};
pub use prune::{PrunePolicy, Wanted};
pub(crate) use request::{apply_beside, get, merge_as, merge_status, operate_as, server_side_apply};
