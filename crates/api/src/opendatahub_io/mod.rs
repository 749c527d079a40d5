//! API groups below `opendatahub.io`.

pub mod components;
pub mod datasciencecluster;
