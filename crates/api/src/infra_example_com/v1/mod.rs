//! Version `v1`: `NvidiaGpuLlm`.

pub mod nvidia_gpu_llm;

pub use self::nvidia_gpu_llm::{
    Action, NvidiaGpuLlm, NvidiaGpuLlmSpec, NvidiaGpuLlmStatus, Phase, PromptState, PromptStatus,
};
