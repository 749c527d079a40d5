//! The memory of a model on GPUs: the one formula, for sizing and for advice.
//!
//! In: a shape, the size of its weights, GPUs. Out: what each GPU holds and how many tokens its cache has room for. It must not
//! choose or word anything. Whole bytes throughout.
//!
//! For vLLM (0.33), on each of TP GPUs:
//!
//! ```text
//! cache = 0.92 * memory - weights / TP - activations - CUDA graphs - other
//! bytes per token = layers * 2 * max(kv_heads / TP, 1) * head_dim * 2      latent attention: layers * width * 2
//! ```
//!
//! Activations: 5.5 GiB, for mixtures of experts 8 GiB, on GPUs of 70 GiB and more, where vLLM takes batches of 8192 tokens; else 2
//! and 3 GiB. CUDA graphs: 1 GiB, else 0.5. Other (NCCL, the context): 0.15 GiB on one GPU, 0.6 GiB on several. Measured on H100:
//! 4.8 to 5.6, 7.4, -0.9 to 1.0, 0.13 and 0.55 GiB. Sliding windows are not discounted, so room for long sequences of models
//! that have them is a lower bound.

use crate::catalogue::Shape;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// Percent of a GPU that vLLM takes (`--gpu-memory-utilization`).
const VLLM_PERCENT: u64 = 92;
/// GPUs from here on are given larger batches by vLLM.
const LARGE_GPU: u64 = 70 * GIB;
/// Tokens in a block of the cache.
const BLOCK: u64 = 16;

/// A network with its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// The network.
    pub shape: Shape,
    /// Bytes of the weights, over all GPUs.
    pub weights_bytes: u64,
}

/// What each GPU holds, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// GPUs.
    pub gpus: u32,
    /// Memory of one.
    pub memory: u64,
    /// What the engine takes of it.
    pub usable: u64,
    /// Weights.
    pub weights: u64,
    /// Activations of the largest batch.
    pub activations: u64,
    /// CUDA graphs, NCCL, the context.
    pub overhead: u64,
    /// What is left for the cache of keys and values.
    pub cache: u64,
    /// Bytes of the cache that a token takes on each GPU.
    pub token: u64,
    /// Tokens that the cache holds.
    pub tokens: u64,
}

impl Layout {
    /// Everything but the cache.
    pub const fn taken(&self) -> u64 {
        self.weights
            .saturating_add(self.activations)
            .saturating_add(self.overhead)
    }
}

impl Load {
    /// The heads can be spread over so many GPUs; where there are fewer for keys and values than GPUs, each is held several times.
    pub fn splits(&self, gpus: u32) -> bool {
        let kv_heads = self.shape.kv_heads();
        gpus > 0
            && self.shape.heads.is_multiple_of(gpus)
            && (kv_heads.is_multiple_of(gpus) || gpus.is_multiple_of(kv_heads.max(1)))
    }

    /// vLLM, split by tensor parallelism.
    pub fn vllm(&self, gpus: u32, memory_mib: u64) -> Layout {
        let memory = memory_mib.saturating_mul(MIB);
        let gpus = gpus.max(1);
        let large = memory >= LARGE_GPU;
        let usable = memory / 100 * VLLM_PERCENT;
        let weights = self.weights_bytes.div_ceil(u64::from(gpus));
        let activations = match (self.shape.is_mixture(), large) {
            (false, true) => 5 * GIB + GIB / 2,
            (true, true) => 8 * GIB,
            (false, false) => 2 * GIB,
            (true, false) => 3 * GIB,
        };
        let graphs = if large { GIB } else { GIB / 2 };
        let overhead = graphs + if gpus == 1 { 154 * MIB } else { 615 * MIB };
        let held = weights.saturating_add(activations).saturating_add(overhead);
        let cache = usable.saturating_sub(held);
        let kv_heads = u64::from(self.shape.kv_heads().max(1));
        let share = (kv_heads / u64::from(gpus)).max(1);
        let token = (self.shape.kv_bytes_per_token() / kv_heads * share).max(1);
        Layout {
            gpus,
            memory,
            usable,
            weights,
            activations,
            overhead,
            cache,
            token,
            tokens: cache / token / BLOCK * BLOCK,
        }
    }

    /// Ollama and unknown servers: weights and a tenth more are spread over the GPUs by layers, the rest is cache.
    pub fn by_layers(&self, gpus: u32, memory_mib: u64) -> Layout {
        let gpus = gpus.max(1);
        let count = u64::from(gpus);
        let memory = memory_mib.saturating_mul(MIB);
        let weights = self.weights_bytes.div_ceil(count);
        let overhead = weights / 10;
        let cache = memory.saturating_sub(weights.saturating_add(overhead));
        let token = self.shape.kv_bytes_per_token().div_ceil(count).max(1);
        Layout {
            gpus,
            memory,
            usable: memory,
            weights,
            activations: 0,
            overhead,
            cache,
            token,
            tokens: cache / token,
        }
    }
}

/// Requests that vLLM runs at once unless it is told otherwise.
pub const fn vllm_sequences(memory_mib: u64) -> u32 {
    if memory_mib.saturating_mul(MIB) >= LARGE_GPU {
        1024
    } else {
        256
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    fn load(name: &str) -> Load {
        let entry = Catalogue::builtin().find(name).unwrap();
        Load {
            shape: entry.shape,
            weights_bytes: entry.published_variant().unwrap().weights_bytes,
        }
    }

    /// Measured: 51.38 GiB of cache at 0.9 of 79.18 GiB for Llama-3.1-8B; at 0.92 of 79.65 GiB, and with CUDA graphs, about the same.
    #[test]
    fn an_8b_model_on_an_h100() {
        let layout = load("llama-3.1-8b").vllm(1, 81_559);
        assert_eq!(layout.cache >> 30, 51, "{layout:?}");
        assert_eq!(layout.token, 131_072);
    }

    #[test]
    fn heads_are_spread_or_held_several_times() {
        let small = load("qwen2.5-3b"); // 16 heads, 2 for keys and values
        assert_eq!(
            [1, 2, 4, 8].map(|gpus| small.vllm(gpus, 81_559).token),
            [36_864, 18_432, 18_432, 18_432]
        );
        assert!([1, 2, 4, 8].iter().all(|gpus| small.splits(*gpus)));
        let latent = load("deepseek-r1");
        assert_eq!(
            [1, 8].map(|gpus| latent.vllm(gpus, 143_771).token),
            [70_272, 70_272]
        );
        let phi = load("phi-4"); // 40 heads, 10 for keys and values
        assert_eq!(
            [1, 2, 4, 5, 8, 10].map(|gpus| phi.splits(gpus)),
            [true, true, false, true, false, true]
        );
        assert!(!phi.splits(0));
    }
}
