//! Version `v1alpha1`.

pub mod chart_block;
pub mod llmd;
pub mod llmd_status;

pub use chart_block::{ChartBlock, Remediation, Repository, SecretReference, ValuesFrom};
pub use llmd::{Llmd, LlmdSpec};
pub use llmd_status::{
    AppliedRevision, ChartRelease, LlmdStatus, ReleaseAttempts, ReleaseRevision, StartedStep,
};
