//! A real control plane on this machine.
//!
//! In: a [`ClusterBuilder`]. Out: a running [`Cluster`]: etcd, kube-apiserver, kube-controller-manager, kube-scheduler,
//! with ways into it, counts of its requests, and faults to order. Must not know our custom resources.

pub mod access;
mod apply;
pub mod asked;
pub mod audit;
pub mod binaries;
mod builder;
mod cluster;
mod components;
mod error;
mod pki;
mod ports;
mod processes;
pub mod proxy;
mod runtime;
mod shared;
mod start;

pub use access::Access;
pub use binaries::Program;
pub use builder::ClusterBuilder;
pub use cluster::{Cluster, FrontProxy};
pub use error::ClusterError;
pub use pki::Identity;
pub use ports::{NoPort, Port};
pub(crate) use runtime::Background;
pub use shared::shared;
