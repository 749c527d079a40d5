//! The Helm CLI behind the trait, against a real API server, a repository and a registry.

mod bed;
mod ending;
mod releases;
mod rendering;
mod secrets;
mod sources;
