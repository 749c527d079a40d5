//! The local cluster: a real Kubernetes control plane and simulated GPU nodes, for tests, benchmarks and the demo.
//!
//! In: choices of a test or person. Out: a running [`Cluster`] and the operator as a process in front of it. It simulates
//! hardware and third-party programs, never Kubernetes, and must not ship in the operator.

pub mod chaos;
pub mod charts;
pub mod manifests;
pub mod node;
pub mod operator;
pub mod plane;
pub mod process;
pub mod wait;

pub use charts::{ChartRegistry, ChartRepository, Charts, ChartsError, Mood, RegistryLogin};
pub use node::{
    Faults, FileServer, GpuModel, ImageEntry, ImageTable, NodeOptions, NodeSpec, Records, SimulatedNodes,
    Target, Tools, archive,
};
pub use operator::OperatorProcess;
pub use plane::{Access, Cluster, ClusterBuilder, ClusterError, Identity, Program, shared};
pub use wait::until;
