//! Whether a model fits a GPU: model, GPU and settings in, the key-value cache's size or the real error out.
//! Pure arithmetic after vLLM 0.33's start-up: weights first, then activations and graphs, the rest is cache.

use super::config::Config;
use super::source::Source;
use crate::process::GpuSpec;

const GIB: f64 = 1_073_741_824.0;
const MIB: f64 = 1_048_576.0;
/// Tokens per block of the cache.
pub(crate) const BLOCK: u64 = 16;
/// What the engine cannot use of a GPU: driver and context.
const CONTEXT: f64 = 0.45 * GIB;

/// How the GPUs' memory is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fit {
    /// Weights on each GPU, in bytes.
    pub(crate) weights: f64,
    /// Cache on each GPU, in bytes.
    pub(crate) cache: f64,
    /// Tokens that the cache holds.
    pub(crate) tokens: u64,
    /// Longest request.
    pub(crate) max_model_len: u64,
    pub(crate) max_batched_tokens: u64,
    pub(crate) max_num_seqs: u64,
}

/// Why it does not fit.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum FitError {
    #[error(
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate {tried:.2} MiB. GPU 0 has a total capacity of \
         {total:.2} GiB of which {free:.2} MiB is free. Including non-PyTorch memory, this process has {used:.2} GiB \
         memory in use. Of the allocated memory {allocated:.2} GiB is allocated by PyTorch, and 33.67 MiB is reserved \
         by PyTorch but unallocated. If reserved but unallocated memory is large try setting \
         PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation.  See documentation for Memory \
         Management  (https://pytorch.org/docs/stable/notes/cuda.html#environment-variables)"
    )]
    Weights {
        tried: f64,
        total: f64,
        free: f64,
        used: f64,
        allocated: f64,
    },
    #[error(
        "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when \
         initializing the engine (this flag also controls CPU memory reservation on the CPU backend, despite its \
         name). See https://docs.vllm.ai/en/latest/configuration/conserving_memory/ for more details."
    )]
    NoCache,
    #[error(
        "ValueError: To serve at least one request with the model's max seq len ({max_model_len}), ({needed:.2} GiB KV \
         cache is needed, which is larger than the available KV cache memory ({available:.2} GiB). {hint}Try increasing \
         `gpu_memory_utilization` (which also controls CPU memory on the CPU backend) or decreasing `max_model_len` \
         when initializing the engine. See https://docs.vllm.ai/en/latest/configuration/conserving_memory/ for more \
         details."
    )]
    ShortCache {
        max_model_len: u64,
        needed: f64,
        available: f64,
        hint: String,
    },
}

/// Lays the model out on the GPUs; `length` is the longest request asked for.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
pub(crate) fn fit(config: &Config, source: &Source, gpu: &GpuSpec, length: u64) -> Result<Fit, FitError> {
    let total = gpu.memory as f64;
    let ranks = config.world_size() as f64;
    let offload = config.host_offload as f64;
    let weights = (weight_bytes(source) / ranks - offload).max(0.0);
    if weights > total - CONTEXT {
        return Err(out_of_memory(total));
    }
    let (max_batched_tokens, max_num_seqs) = batch(config, gpu, length);
    let per_token = cache_per_token(config, source);
    let cache = match config.kv_cache_memory {
        Some(bytes) => bytes as f64,
        None => total * config.utilization - weights - overhead(config, source, max_batched_tokens),
    };
    if cache <= 0.0 {
        return Err(FitError::NoCache);
    }
    let tokens = (cache / (per_token * BLOCK as f64)) as u64 * BLOCK;
    let max_model_len = if config.auto_model_len {
        length.min(tokens)
    } else {
        length
    };
    if max_model_len > tokens || max_model_len == 0 {
        let hint = match tokens {
            0 => String::new(),
            _ => format!("Based on the available memory, the estimated maximum model length is {tokens}. "),
        };
        let needed = max_model_len as f64 * per_token / GIB;
        return Err(FitError::ShortCache {
            max_model_len,
            needed,
            available: cache / GIB,
            hint,
        });
    }
    Ok(Fit {
        weights,
        cache,
        tokens,
        max_model_len,
        max_batched_tokens,
        max_num_seqs,
    })
}

/// Bytes in GPU memory: what was stored, less where weights are quantized while loading.
#[allow(clippy::cast_precision_loss)]
fn weight_bytes(source: &Source) -> f64 {
    let stored = crate::models::Model::weight_bytes(&source.shape) as f64;
    // A checkpoint of another size than the catalogue's (local files) counts as it is, unless it is converted.
    if source.shape.bytes_per_parameter < 1.9 {
        stored.min(source.bytes as f64)
    } else {
        stored.max(source.bytes as f64)
    }
}

/// Cache bytes of one token on one GPU: heads are spread over the ranks and copied when there are fewer than ranks.
#[allow(clippy::cast_precision_loss)]
fn cache_per_token(config: &Config, source: &Source) -> f64 {
    let heads = f64::from(source.shape.kv_heads);
    let share = (heads / config.tensor_parallel as f64).max(1.0) / heads;
    source.shape.kv_bytes_per_token(config.kv_bytes) as f64 * share / config.pipeline_parallel as f64
}

/// Activations at the largest step, what others allocate, and CUDA graphs. Measured: 4.8 to 5.6 GiB of activations for
/// dense models of 8B and more at 8,192 tokens a step, 7.4 for mixtures of experts; smaller models need less.
fn overhead(config: &Config, source: &Source, max_batched_tokens: u64) -> f64 {
    #[allow(clippy::cast_precision_loss)]
    let step = (max_batched_tokens as f64 / 8192.0).clamp(0.25, 2.0);
    let width = (f64::from(source.shape.heads * source.shape.head_dim) / 4096.0).clamp(0.2, 1.2);
    let experts = if source.shape.active_parameters < source.shape.parameters {
        7.4
    } else {
        4.8
    };
    let non_torch = if config.world_size() > 1 { 0.6 } else { 0.15 };
    let graphs = if config.enforce_eager { 0.0 } else { 0.6 * width };
    let lora = if config.enable_lora { 0.5 } else { 0.0 };
    (experts * step.sqrt() * width + non_torch + graphs + lora) * GIB
}

/// Defaults for tokens a step and requests at once: larger on GPUs of 70 GiB and more.
fn batch(config: &Config, gpu: &GpuSpec, length: u64) -> (u64, u64) {
    let large = gpu.memory >= 70 << 30;
    let tokens = config
        .max_batched_tokens
        .unwrap_or(if large { 8192 } else { 2048 });
    let sequences = config.max_num_seqs.unwrap_or(if large { 1024 } else { 256 });
    (tokens.max(sequences.min(length)), sequences)
}

fn out_of_memory(total: f64) -> FitError {
    let free = 124.0 * MIB;
    let used = total - free;
    FitError::Weights {
        tried: 500.0,
        total: total / GIB,
        free: free / MIB,
        used: used / GIB,
        allocated: (used - CONTEXT) / GIB,
    }
}
