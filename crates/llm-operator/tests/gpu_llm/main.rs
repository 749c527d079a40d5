//! `NvidiaGpuLlm` on the real control plane, on simulated nodes with simulated Ollama.

#[path = "../common/mod.rs"]
mod common;

mod documents;
mod seen;
