//! Other people's charts as Helm releases.
//!
//! In: what a release should be ([`ReleaseSpec`]) and what the cluster has of it (the Secrets in which Helm keeps its
//! releases). Out: the state that the release is in, the next step towards what is wanted, and that step done by the Helm CLI.
//! It must not know llm-d, nor any custom resource of ours.

mod chart;
mod cli;
mod decide;
mod defaults;
pub mod drift;
mod error;
mod helm;
pub mod manifest;
pub mod post_render;
pub mod release;
mod spec;
mod state;
pub mod tool;

pub use chart::{Access, Chart, Secret, Source, Version};
pub use cli::{Capabilities, CapabilitiesSource, CliHelm, CliHelmOptions, KubeconfigSource};
pub use decide::{
    Action, Applied, Attempts, Ended, InstallRemedy, Pass, Remediation, Request, Started, Step,
    UpgradeRemedy, decide, pass,
};
pub use defaults::chart_defaults;
pub use error::HelmError;
pub use helm::{Helm, LocalChart, Operation, Rendered};
pub use spec::{ReleaseName, ReleaseSpec};
pub use state::{DIGEST_LABEL, Mismatch, State, View, Wanted, determine};
