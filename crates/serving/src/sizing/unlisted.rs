//! Weights that no entry of the catalogue describes.
//!
//! In: a source, and what is asked for, GPUs among it. Out: a [`Sizing`] whose sizes are upper bounds. It must not claim that
//! anything fits: the engine finds that out.

use api::shared::Engine;

use super::{
    Arithmetic, Ask, OLLAMA_IMAGE, Performance, Sizing, SizingError, VLLM_IMAGE, asked,
    candidates::{Candidate, candidates},
    error::exists,
    host, memory, outcome, size,
    words::gib,
};
use crate::{
    catalogue::{Catalogue, Precision},
    load_time,
    source::ModelSource,
};

/// Sizes the weights of a source: by the entry that its name is about, else by the GPUs that are asked for.
///
/// `name` is what the model is called. `ask.source` is not read.
pub fn size_source(
    catalogue: &Catalogue,
    name: &str,
    source: &ModelSource,
    ask: &Ask<'_>,
) -> Result<Sizing, SizingError> {
    let ask = Ask {
        source: Some(source),
        engine: ask.engine.or_else(|| own_engine(source)),
        ..*ask
    };
    let text = source.model_name();
    let known = if ask.engine == Some(Engine::Ollama) {
        catalogue.recognize_ollama(text)
    } else {
        catalogue.recognize(text)
    };
    match known {
        Some(known) => size(known.entry, &ask),
        None => unlisted(name, source, &ask),
    }
}

fn own_engine(source: &ModelSource) -> Option<Engine> {
    matches!(source, ModelSource::Ollama { .. }).then_some(Engine::Ollama)
}

fn unlisted(name: &str, source: &ModelSource, ask: &Ask<'_>) -> Result<Sizing, SizingError> {
    let engine = ask.engine.unwrap_or(Engine::Vllm);
    let Some(gpus) = ask.gpus.filter(|gpus| *gpus > 0) else {
        return Err(SizingError::Engine {
            model: name.to_owned(),
            engine: engine.as_str(),
            why: UNKNOWN,
        });
    };
    let candidates = candidates(ask.gpu_type, ask.nodes)?;
    let asked = asked::digest(name, ask);
    let standing = ask.standing.filter(|standing| standing.asked == asked);
    let holding = candidates.iter().filter(|candidate| candidate.holds(gpus));
    let smallest_first = |candidate: &&Candidate<'_>| {
        let stands = standing.is_some_and(|standing| standing.gpu_product == candidate.product);
        (!stands, candidate.memory_mib)
    };
    let Some(candidate) = holding.min_by_key(smallest_first) else {
        return Err(SizingError::NoSuchNode {
            needs: format!("{gpus} x {} in one node", ask.gpu_type.unwrap_or("GPU")),
            exists: exists(ask.nodes.unwrap_or_default()),
            message: "lower gpus, or add a node with so many".to_owned(),
        });
    };
    let memory = candidate.memory_mib.saturating_mul(1 << 20);
    let all = memory.saturating_mul(u64::from(gpus));
    let default = if engine == Engine::Ollama {
        OLLAMA_IMAGE
    } else {
        VLLM_IMAGE
    };
    let context = ask.context.filter(|_| engine == Engine::Vllm);
    let args = context.map(|tokens| vec!["--max-model-len".to_owned(), tokens.to_string()]);
    let (bandwidth, flops, generation) = outcome::speed(candidate.gpu);
    Ok(Sizing {
        model: name.to_owned(),
        engine,
        image: ask.image.unwrap_or(default).to_owned(),
        source: source.clone(),
        gated: false,
        quantization: Precision::told_by(source.model_name())
            .or(ask.quantization)
            .unwrap_or(Precision::Bf16),
        guessed: true,
        gpus,
        gpu_product: candidate.product.clone(),
        gpu_memory_mib: candidate.memory_mib,
        args: args.unwrap_or_default(),
        env: Vec::new(),
        shm_bytes: host::shared_memory_bytes(gpus),
        claim_bytes: host::claim_bytes(all),
        cpus: host::cpus(gpus),
        memory_bytes: host::memory_bytes(gpus),
        startup_seconds: load_time::startup_seconds(all),
        weights_bytes: all,
        files_bytes: all,
        max_model_len: context.unwrap_or(0),
        kv_tokens: 0,
        concurrency: 1,
        performance: Performance {
            weight_bytes: all / 2,
            active_parameters: all / 4,
            layers: GUESSED_LAYERS,
            kv_bytes_per_token: GUESSED_KV_BYTES,
            gpus,
            bandwidth_bytes_per_second: bandwidth,
            flops,
            prompt_percent: generation.prompt_percent(),
            max_sequences: memory::vllm_sequences(candidate.memory_mib),
        },
        asked,
        arithmetic: Arithmetic {
            chosen: format!(
                "{name} from {source} on {gpus} x {} of {}",
                candidate.product,
                gib(memory)
            ),
            needs: "The catalogue does not know this model, so whether it fits shows when it starts"
                .to_owned(),
            free: None,
            otherwise: None,
        },
    })
}

/// Layers and bytes of cache per token of a network of middle size (Llama-3.1-8B has 32 and 131072).
const GUESSED_LAYERS: u32 = 48;
const GUESSED_KV_BYTES: u64 = 196_608;
/// The way out for weights that nobody describes.
const UNKNOWN: &str = "how many GPUs it needs is not known; set gpus, or describe it in the ConfigMap llm-operator-models of the \
                       operator's namespace";
