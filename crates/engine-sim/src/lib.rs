//! Simulated inference engines: what stands in for vLLM, Ollama, LocalAI, DeepSpeed-MII, Triton and plain
//! HTTP model servers where no GPU is.
//!
//! In: a [`ProcessSpec`] (command line, environment, address, GPUs, mounts) as a container runtime would start it.
//! Out: a running engine that listens on the given address, and its [`Exit`] when it ends.
//! It parses and refuses what the real program parses and refuses; it must not know Kubernetes, and it must not
//! hold a thread or more than a few kilobytes per idle engine.

mod aws;
mod deepspeed_mii;
pub mod fault;
pub mod filesystem;
mod generation;
mod generic;
mod http;
mod hub;
pub mod journal;
pub mod latency;
mod localai;
pub mod log;
pub mod models;
mod ollama;
pub mod process;
mod prometheus;
pub mod sandbox;
mod scheduler;
pub mod speed;
mod stats;
mod tcp;
mod triton;
mod vllm;

pub use fault::FaultHandle;
pub use filesystem::{FileError, Filesystem, Mount, Root};
pub use generic::{End, GenericOptions, LogLine, Site, Write};
pub use journal::Journal;
pub use log::{LogSink, Stream};
pub use process::{Cause, Exit, GpuSpec, Image, ProcessSpec, Program, loopback_of, run};
pub use sandbox::{PROGRAM_NAMES, environment_for, from_environment};
pub use speed::Speed;
