//! Models in memory: a configuration in, a loaded model with its scheduler out, from the first request on.
//! What the container's memory cannot hold ends the whole container, as the kernel does with a container's group.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::config::ModelConfig;
use super::{SERVER, weights};
use crate::latency::{self, Profile};
use crate::models::Model;
use crate::process::Context;
use crate::scheduler::{Limits, Scheduler};

/// Tokens of context when nothing says otherwise.
const CONTEXT: u64 = 512;
/// A backend's process beside the weights and the cache.
const BACKEND: u64 = 300 << 20;
/// What the driver keeps of a GPU.
const DRIVER: u64 = 450 << 20;
/// Backends of llama.cpp, which read a file.
const LLAMA: &[&str] = &["", "llama", "llama-cpp", "llama-ggml", "llama-stable"];
/// Backends that fetch a repository by themselves.
const PYTHON: &[&str] = &[
    "autogptq",
    "bert-embeddings",
    "diffusers",
    "exllama",
    "exllama2",
    "huggingface",
    "mamba",
    "sentencetransformers",
    "transformers",
    "vllm",
];

/// A model in memory.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) scheduler: Arc<Scheduler>,
    /// Longest prompt and answer together, in tokens.
    pub(crate) context: u64,
    host_bytes: u64,
}

/// All models in memory.
pub(crate) struct Runners {
    context: Context,
    folder: PathBuf,
    default_context: Option<u64>,
    parallel: u64,
    loaded: tokio::sync::Mutex<BTreeMap<String, Loaded>>,
    /// The kernel has killed the container for memory.
    pub(crate) killed: CancellationToken,
}

impl Runners {
    pub(crate) fn new(
        context: Context,
        folder: PathBuf,
        default_context: Option<u64>,
        parallel: bool,
    ) -> Self {
        Self {
            context,
            folder,
            default_context,
            // One request at a time, unless backends may take several.
            parallel: if parallel { 4 } else { 1 },
            loaded: tokio::sync::Mutex::default(),
            killed: CancellationToken::new(),
        }
    }

    /// The model in memory, read into it if need be; the error is the real one's.
    pub(crate) async fn get(&self, config: &ModelConfig) -> Result<Loaded, String> {
        let mut loaded = self.loaded.lock().await;
        if let Some(found) = loaded.get(config.model()) {
            return Ok(found.clone());
        }
        let shape = weights::shape(config.telling_name());
        let bytes = self.weights(config, &shape).await?;
        let others = loaded.values().map(|other| other.host_bytes).sum();
        let placed = self.place(config, &shape, bytes, others)?;
        let time = latency::weight_loading(bytes);
        self.context
            .faults
            .load_for(self.context.spec.speed.load_time(time))
            .await;
        loaded.insert(config.model().to_owned(), placed.clone());
        Ok(placed)
    }

    /// Bytes of the weights; a Python backend downloads them first.
    async fn weights(&self, config: &ModelConfig, shape: &Model) -> Result<u64, String> {
        let backend = config.backend();
        if LLAMA.contains(&backend) {
            let found = weights::measured(&self.folder.join(config.model()), shape);
            return found.map_err(|error| {
                format!(
                    "could not load model - all backends returned error: could not load model: rpc error: code = \
                     Unknown desc = failed loading model: {error}"
                )
            });
        }
        if !PYTHON.contains(&backend) {
            return Err(format!(
                "grpc process not found: /tmp/localai/backend_data/backend-assets/grpc/{backend}. some \
                 backends(stablediffusion, tts) require LocalAI compiled with GO_TAGS"
            ));
        }
        let missing = ["does-not-exist", "no-such", "nonexistent"];
        if missing.iter().any(|mark| config.model().contains(mark)) {
            return Err(format!(
                "could not load model (no success): Unexpected err=OSError(\"{} is not a local folder and is not a \
                 valid model identifier listed on 'https://huggingface.co/models'\")",
                config.model()
            ));
        }
        let time = latency::download(shape.weight_bytes());
        self.context
            .faults
            .load_for(self.context.spec.speed.load_time(time))
            .await;
        Ok(shape.weight_bytes())
    }

    fn place(&self, config: &ModelConfig, shape: &Model, bytes: u64, others: u64) -> Result<Loaded, String> {
        let spec = &self.context.spec;
        let context = config.context_size().or(self.default_context).unwrap_or(CONTEXT);
        let cache = shape.kv_bytes_per_token(2) * context;
        let gpu = spec.gpus.first();
        let gpus = if gpu.is_some() { &spec.gpus[..] } else { &[] };
        let video: u64 = gpus.iter().map(|gpu| gpu.memory.saturating_sub(DRIVER)).sum();
        if gpu.is_some() && bytes + cache > video {
            self.context.log.err("CUDA error: out of memory");
            return Err(
                "could not load model: rpc error: code = Unavailable desc = error reading from server: EOF"
                    .into(),
            );
        }
        // Mapped pages can be dropped; what is read has to stay.
        let in_memory = match (gpu, config.mmap()) {
            (Some(_), _) => 0,
            (None, true) => cache,
            (None, false) => bytes + cache,
        };
        let host_bytes = in_memory + BACKEND;
        if self.context.use_memory(SERVER + others + host_bytes).is_err() {
            self.killed.cancel();
            return Err(
                "could not load model: rpc error: code = Unavailable desc = error reading from server: EOF"
                    .into(),
            );
        }
        let limits = Limits {
            sequences: self.parallel,
            kv_tokens: context,
        };
        let mut quantized = shape.clone();
        #[allow(clippy::cast_precision_loss)]
        if shape.parameters > 0.0 {
            quantized.bytes_per_parameter = bytes as f64 / shape.parameters;
        }
        Ok(Loaded {
            scheduler: Scheduler::new(Profile::of(&quantized, gpus), limits, spec.speed),
            context,
            host_bytes,
        })
    }
}
