//! What our own executable does when it is called by [`crate::CliHelm`] or by Helm.
//!
//! In: the arguments behind the subcommand. Out: an exit code. A binary offers both as hidden subcommands of these names.

mod guard;
mod render;

use std::time::Duration;

pub use guard::guard;
pub use render::{error_file, post_render};

/// The subcommand that starts Helm and ends it when its starter is gone: [`guard`].
pub const GUARD: &str = "helm-guard";
/// The subcommand that Helm calls to have its objects changed: [`post_render`].
pub const POST_RENDER: &str = "post-render";
/// How long Helm has to end by itself, between being asked to and being killed: enough to note in the release that it failed.
pub const GRACE: Duration = Duration::from_secs(5);
/// The variable that tells the guard the directory of the call, which it removes when its starter is gone: credentials may be
/// in it.
pub(crate) const CALL_DIRECTORY: &str = "LLM_OPERATOR_HELM_CALL";
/// How the guard's only message begins.
pub(crate) const NOT_STARTED: &str = "helm-guard: ";
