//! Which engine exports what under which name: one table per engine, as data.
//!
//! In: an engine, or the names that occur in a text. Out: the [`Source`]s of each quantity. It must not read values. What an
//! engine does not export has no source: the quantity stays `None`.

mod detect;
mod llama_cpp;
mod sglang;
mod source;
mod tensorrt_llm;
mod tgi;
mod triton;
mod vllm;

pub use detect::detect;
pub(crate) use source::Role;
pub use source::{Field, Source};

/// An engine whose metrics are known, or known not to exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// vLLM.
    Vllm,
    /// `SGLang`; exports metrics with `--enable-metrics` only.
    Sglang,
    /// Hugging Face text-generation-inference.
    Tgi,
    /// TensorRT-LLM's own server, `trtllm-serve`.
    TensorRtLlm,
    /// llama.cpp's server; exports metrics with `--metrics` only.
    LlamaCpp,
    /// NVIDIA Triton, with any backend.
    Triton,
    /// Ollama; exports nothing.
    Ollama,
    /// LocalAI; exports times of its API only, nothing about requests it holds or tokens.
    LocalAi,
    /// DeepSpeed-MII; exports nothing.
    DeepSpeedMii,
}

impl Engine {
    /// All engines.
    pub const ALL: [Self; 9] = [
        Self::Vllm,
        Self::Sglang,
        Self::Tgi,
        Self::TensorRtLlm,
        Self::LlamaCpp,
        Self::Triton,
        Self::Ollama,
        Self::LocalAi,
        Self::DeepSpeedMii,
    ];

    /// Where the quantities stand in this engine's metrics; empty if it exports none of them.
    pub const fn sources(self) -> &'static [Source] {
        match self {
            Self::Vllm => vllm::SOURCES,
            Self::Sglang => sglang::SOURCES,
            Self::Tgi => tgi::SOURCES,
            Self::TensorRtLlm => tensorrt_llm::SOURCES,
            Self::LlamaCpp => llama_cpp::SOURCES,
            Self::Triton => triton::SOURCES,
            Self::Ollama | Self::LocalAi | Self::DeepSpeedMii => &[],
        }
    }

    /// The path of its metrics, on its own metrics port; `None` if it exports none of the quantities.
    pub const fn path(self) -> Option<&'static str> {
        match self {
            // Under `/metrics` it answers JSON, and each answer is given only once.
            Self::TensorRtLlm => Some("/prometheus/metrics"),
            Self::Ollama | Self::LocalAi | Self::DeepSpeedMii => None,
            _ => Some("/metrics"),
        }
    }

    /// Whether it exports a quantity, as far as its table says.
    pub fn exports(self, field: Field) -> bool {
        self.sources().iter().any(|source| source.field == field)
    }

    /// What its own metrics' names begin with.
    const fn prefix(self) -> Option<&'static str> {
        match self {
            Self::Vllm => Some("vllm:"),
            Self::Sglang => Some("sglang:"),
            Self::Tgi => Some("tgi_"),
            Self::TensorRtLlm => Some("trtllm_"),
            Self::LlamaCpp => Some("llamacpp:"),
            Self::Triton => Some("nv_"),
            Self::Ollama | Self::LocalAi | Self::DeepSpeedMii => None,
        }
    }
}
