//! The result of a choice, complete.
//!
//! In: entry, ask, choice. Out: a [`Sizing`]. It must not choose.

use api::shared::Engine;

use super::{
    Arithmetic, Ask,
    candidates::Candidate,
    choose::{Choice, Wish},
    engine::{self, Decided, Loading},
    host, memory, otherwise,
    words::gib,
};
use crate::{
    catalogue::{Entry, Precision},
    gpu::{Generation, Gpu, GpuRequest},
    load_time,
    source::ModelSource,
};

/// Everything that follows from a model's name.
#[derive(Clone, Debug, PartialEq)]
pub struct Sizing {
    /// The model's short name.
    pub model: String,
    /// The engine.
    pub engine: Engine,
    /// Its image.
    pub image: String,
    /// Where the weights come from.
    pub source: ModelSource,
    /// The hub asks for a token.
    pub gated: bool,
    /// How the weights are stored in the GPUs.
    pub quantization: Precision,
    /// The catalogue does not know the model: sizes and performance are upper bounds that say little.
    pub guessed: bool,
    /// GPUs of one replica, all in one node.
    pub gpus: u32,
    /// The product by which nodes are selected: a family, or the value of the label.
    pub gpu_product: String,
    /// MiB that each of them has for sure.
    pub gpu_memory_mib: u64,
    /// Arguments of the engine before a person's, beside those that serving's engines set.
    pub args: Vec<String>,
    /// Variables of the engine before a person's.
    pub env: Vec<(String, String)>,
    /// Bytes of `/dev/shm`; 0: the container's default.
    pub shm_bytes: u64,
    /// Bytes of a claim for the weights.
    pub claim_bytes: u64,
    /// Cores to request.
    pub cpus: u32,
    /// Bytes of the host's memory to request.
    pub memory_bytes: u64,
    /// Seconds from the engine's start until it must serve.
    pub startup_seconds: u32,
    /// Bytes of the weights in the GPUs, all together.
    pub weights_bytes: u64,
    /// Bytes of the files to load.
    pub files_bytes: u64,
    /// Longest sequence in tokens; 0: what the engine finds in the model, when it is not in the catalogue.
    pub max_model_len: u64,
    /// Tokens that the cache holds.
    pub kv_tokens: u64,
    /// Sequences of the longest length that fit at once; at least 1.
    pub concurrency: u32,
    /// What decides its speed.
    pub performance: Performance,
    /// Digest of what was asked for; while it is the same, the choice stands.
    pub asked: String,
    /// Why, in words.
    pub arithmetic: Arithmetic,
}

/// What decides how fast a replica is, before anything is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Performance {
    /// Bytes of the weights that a step reads: of mixtures of experts, those of the active ones.
    pub weight_bytes: u64,
    /// Parameters that a token passes through.
    pub active_parameters: u64,
    /// Layers.
    pub layers: u32,
    /// Bytes of cache per token over all GPUs; heads that are held several times count as often.
    pub kv_bytes_per_token: u64,
    /// GPUs of the replica.
    pub gpus: u32,
    /// Of one GPU.
    pub bandwidth_bytes_per_second: u64,
    /// Dense 16-bit operations per second, of one GPU.
    pub flops: u64,
    /// Percent of `flops` that reading prompts reaches.
    pub prompt_percent: u32,
    /// Requests that run at once at most.
    pub max_sequences: u32,
}

/// An unknown GPU is taken for an A100: GB/s, 10^12 operations, generation.
const UNKNOWN_GPU: (u32, u32, Generation) = (2_039, 312, Generation::Ampere);

impl Sizing {
    /// The GPUs as a rule for the scheduler.
    pub fn gpu_request(&self) -> GpuRequest {
        GpuRequest {
            count: self.gpus,
            resource: "nvidia.com/gpu".to_owned(),
            product: Some(self.gpu_product.clone()),
            min_memory: None,
        }
    }
}

pub(super) struct Given<'a> {
    pub entry: &'a Entry,
    pub ask: &'a Ask<'a>,
    pub loading: &'a Loading,
    pub wish: &'a Wish,
    pub context: u64,
    pub candidates: &'a [Candidate<'a>],
    pub choice: &'a Choice<'a>,
    pub asked: String,
}

pub(super) fn sizing(given: &Given<'_>) -> Sizing {
    let Choice { candidate, layout } = given.choice;
    let variant = &given.loading.variant;
    let engine = given.loading.engine;
    let room = u32::try_from(layout.tokens / given.context.max(1))
        .unwrap_or(u32::MAX)
        .max(1);
    let sequences = sequences(given, room);
    let more = given
        .ask
        .concurrency
        .filter(|asked| *asked > memory::vllm_sequences(candidate.memory_mib));
    let decided = Decided {
        loading: given.loading,
        gpu: candidate.gpu,
        context: given.context,
        sequences: more,
    };
    Sizing {
        model: given.entry.name.clone(),
        engine,
        image: given.loading.image.clone(),
        source: variant.source.clone(),
        gated: variant.gated,
        quantization: given.loading.precision,
        guessed: false,
        gpus: layout.gpus,
        gpu_product: candidate.product.clone(),
        gpu_memory_mib: candidate.memory_mib,
        args: engine::args(given.entry, &decided),
        env: engine::env(engine, given.context, sequences),
        shm_bytes: host::shared_memory_bytes(layout.gpus),
        claim_bytes: host::claim_bytes(variant.files_bytes),
        cpus: host::cpus(layout.gpus),
        memory_bytes: host::memory_bytes(layout.gpus),
        startup_seconds: load_time::startup_seconds(variant.files_bytes),
        weights_bytes: variant.weights_bytes,
        files_bytes: variant.files_bytes,
        max_model_len: given.context,
        kv_tokens: layout.tokens,
        concurrency: room,
        performance: performance(given, sequences),
        asked: given.asked.clone(),
        arithmetic: arithmetic(given),
    }
}

/// Requests that the engine runs at once.
fn sequences(given: &Given<'_>, room: u32) -> u32 {
    match given.loading.engine {
        Engine::Vllm => {
            let default = memory::vllm_sequences(given.choice.candidate.memory_mib);
            given.ask.concurrency.map_or(default, |asked| asked.max(default))
        }
        Engine::Generic | Engine::Ollama => {
            let wished = given.wish.tokens / given.context.max(1);
            u32::try_from(wished).unwrap_or(u32::MAX).clamp(1, room)
        }
    }
}

/// Bytes and operations per second, and the generation.
pub(super) fn speed(gpu: Option<Gpu>) -> (u64, u64, Generation) {
    let (bandwidth, tflops, generation) = gpu.map_or(UNKNOWN_GPU, |gpu| {
        (gpu.bandwidth_gb_s, gpu.tflops, gpu.generation)
    });
    let bytes = u64::from(bandwidth) * 1_000_000_000;
    let flops = u64::from(tflops) * 1_000_000_000_000;
    (bytes, flops, generation)
}

fn performance(given: &Given<'_>, max_sequences: u32) -> Performance {
    let Choice { candidate, layout } = given.choice;
    let shape = &given.entry.shape;
    let active = u128::from(given.loading.variant.weights_bytes) * u128::from(shape.active_parameters)
        / u128::from(shape.parameters.max(1));
    let (bandwidth, flops, generation) = speed(candidate.gpu);
    let held = match given.loading.engine {
        Engine::Vllm => layout.token.saturating_mul(u64::from(layout.gpus)),
        Engine::Generic | Engine::Ollama => shape.kv_bytes_per_token(),
    };
    Performance {
        weight_bytes: u64::try_from(active).unwrap_or(u64::MAX),
        active_parameters: shape.active_parameters,
        layers: shape.layers,
        kv_bytes_per_token: held,
        gpus: layout.gpus,
        bandwidth_bytes_per_second: bandwidth,
        flops,
        prompt_percent: generation.prompt_percent(),
        max_sequences,
    }
}

fn arithmetic(given: &Given<'_>) -> Arithmetic {
    let Choice { candidate, layout } = given.choice;
    let (model, precision) = (&given.entry.name, given.loading.precision);
    let tenths = u128::from(layout.tokens) * 10 / u128::from(given.context.max(1));
    let chosen = format!(
        "{model} in {precision} on {} x {} of {}, sequences of {} tokens, room for {}.{} of them at once",
        layout.gpus,
        candidate.product,
        gib(layout.memory),
        given.context,
        tenths / 10,
        tenths % 10,
    );
    let activations = match layout.activations {
        0 => String::new(),
        bytes => format!("activations {}, ", gib(bytes)),
    };
    let needs = format!(
        "On each GPU: weights {}, {activations}overhead {}, cache {} ({} tokens of {} bytes), of {} usable",
        gib(layout.weights),
        gib(layout.overhead),
        gib(layout.cache),
        layout.tokens,
        layout.token,
        gib(layout.usable),
    );
    Arithmetic {
        chosen,
        needs,
        free: given.ask.nodes.map(|_| free(given)),
        otherwise: alternatives(given),
    }
}

fn free(given: &Given<'_>) -> String {
    let Choice { candidate, layout } = given.choice;
    let able: Vec<_> = candidate
        .nodes
        .iter()
        .filter(|node| node.splittable() >= layout.gpus)
        .collect();
    let now = able.iter().filter(|node| node.free >= layout.gpus).count();
    let nodes = if able.len() == 1 { "node" } else { "nodes" };
    format!(
        "{} {nodes} can hold a replica, {now} of them now ({} GPUs free)",
        able.len(),
        able.iter().map(|node| u64::from(node.free)).sum::<u64>(),
    )
}

/// Told when fewer GPUs would do, or when there is less room than usual.
fn alternatives(given: &Given<'_>) -> Option<String> {
    let gpus = given.choice.layout.gpus;
    let tight = given.wish.room(&given.choice.layout) < given.wish.tokens;
    let narrower = otherwise::narrower(
        given.entry,
        &Ask {
            gpus: None,
            ..*given.ask
        },
        given.candidates,
        Some(gpus),
    );
    let narrower = narrower.map(|words| format!("{words} would do too"));
    let tight = tight.then(|| {
        format!(
            "That is room for fewer tokens than the {} that are usual; a lower contextLength, larger GPUs or more of them give more",
            given.wish.tokens
        )
    });
    match (tight, narrower) {
        (Some(tight), Some(narrower)) => Some(format!("{tight}; {narrower}")),
        (tight, narrower) => tight.or(narrower),
    }
}
