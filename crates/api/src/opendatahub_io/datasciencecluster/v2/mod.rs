//! Version `v2`.

pub mod data_science_cluster;
pub mod status;

pub use data_science_cluster::{Components, DataScienceCluster, DataScienceClusterSpec, DscLlmd};
pub use status::{ComponentsStatus, DataScienceClusterStatus, DscCondition, LlmdComponentStatus};
