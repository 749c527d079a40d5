//! What an engine is told, beside what serving's own engines tell it (port, served name, tensor parallelism).
//!
//! In: an entry and what is asked for. Out: image, weights, arguments, variables. It must not know GPUs' memory.

use api::shared::Engine;

use super::{Ask, SizingError};
use crate::{
    catalogue::{Entry, Precision, Variant, Version},
    gpu::Gpu,
    source::ModelSource,
};

/// The vLLM that this operator is tested with.
pub const VLLM_IMAGE: &str = "vllm/vllm-openai:v0.33.0";
/// The Ollama that this operator is tested with.
pub const OLLAMA_IMAGE: &str = "ollama/ollama:0.17.4";

/// Which weights the engine loads, from where.
#[derive(Clone, Debug)]
pub(super) struct Loading {
    pub engine: Engine,
    pub image: String,
    pub precision: Precision,
    pub variant: Variant,
}

pub(super) fn loading(entry: &Entry, ask: &Ask<'_>) -> Result<Loading, SizingError> {
    let engine = ask.engine.unwrap_or(entry.engine);
    let (precision, variant) = match engine {
        Engine::Vllm => vllm_weights(entry, ask)?,
        Engine::Ollama => ollama_weights(entry, ask)?,
        Engine::Generic => {
            return Err(refused(
                entry,
                engine,
                "what an unknown server needs cannot be computed; use engine vllm or ollama",
            ));
        }
    };
    let own_image = entry.image.as_deref().filter(|_| engine == entry.engine);
    let default = if engine == Engine::Ollama {
        OLLAMA_IMAGE
    } else {
        VLLM_IMAGE
    };
    let image = ask.image.or(own_image).unwrap_or(default).to_owned();
    let least = entry.min_version.filter(|_| engine == entry.engine);
    if let (Some(least), Some(is)) = (least, Version::of_image(&image))
        && is < least
    {
        return Err(SizingError::EngineTooOld {
            model: entry.name.clone(),
            engine: engine.as_str(),
            least,
            image,
            is,
        });
    }
    Ok(Loading {
        engine,
        image,
        precision,
        variant,
    })
}

fn refused(entry: &Entry, engine: Engine, why: &'static str) -> SizingError {
    SizingError::Engine {
        model: entry.name.clone(),
        engine: engine.as_str(),
        why,
    }
}

/// A source of one's own holds the precision that is asked for, else the one that its name tells, else the published one.
fn vllm_weights(entry: &Entry, ask: &Ask<'_>) -> Result<(Precision, Variant), SizingError> {
    if let Some(source) = ask.source {
        let told = Precision::told_by(source.model_name());
        let precision = told.or(ask.quantization).unwrap_or(entry.published);
        let listed = entry.variants.values().find(|variant| variant.source == *source);
        // Weights that are wider than what is asked for are narrowed while loading, which vLLM can do for fp8.
        let while_loading = told.unwrap_or(Precision::Bf16) == Precision::Bf16
            && ask.quantization == Some(Precision::Fp8)
            && entry
                .variants
                .get(&Precision::Fp8)
                .is_some_and(|fp8| fp8.while_loading);
        let weights_bytes = entry.weights_bytes(precision);
        let files_bytes = if while_loading {
            entry.weights_bytes(Precision::Bf16)
        } else {
            weights_bytes
        };
        let variant = Variant {
            source: source.clone(),
            gated: listed.is_some_and(|variant| variant.gated),
            weights_bytes,
            files_bytes: listed.map_or(files_bytes, |variant| variant.files_bytes),
            while_loading,
        };
        return Ok((precision, variant));
    }
    let asked = ask.quantization.unwrap_or(entry.published);
    match entry.variants.get(&asked) {
        Some(variant) => Ok((asked, variant.clone())),
        None => Err(SizingError::NoSuchQuantization {
            model: entry.name.clone(),
            asked: asked.to_string(),
            possible: entry.variants.keys().map(ToString::to_string).collect(),
        }),
    }
}

fn ollama_weights(entry: &Entry, ask: &Ask<'_>) -> Result<(Precision, Variant), SizingError> {
    let listed = entry.ollama.clone().map(|model| ModelSource::Ollama { model });
    let Some(source) = ask.source.cloned().or(listed) else {
        return Err(refused(
            entry,
            Engine::Ollama,
            "its name in Ollama's library is not known; set source to ollama://name:tag",
        ));
    };
    let told = Precision::told_by(source.model_name());
    let published = if entry.published == Precision::Bf16 {
        Precision::Q4
    } else {
        entry.published
    };
    let precision = told.unwrap_or(published);
    if let Some(asked) = ask.quantization
        && asked != precision
    {
        return Err(refused(
            entry,
            Engine::Ollama,
            "a tag decides how Ollama's weights are quantized; set source to ollama://name:tag",
        ));
    }
    let weights_bytes = entry.weights_bytes(precision);
    let variant = Variant {
        source,
        gated: false,
        weights_bytes,
        files_bytes: weights_bytes,
        while_loading: false,
    };
    Ok((precision, variant))
}

/// What the arguments depend on.
pub(super) struct Decided<'a> {
    pub loading: &'a Loading,
    pub gpu: Option<Gpu>,
    pub context: u64,
    /// Requests at once, where that is more than the engine's own default.
    pub sequences: Option<u32>,
}

/// Arguments before a person's.
pub(super) fn args(entry: &Entry, decided: &Decided<'_>) -> Vec<String> {
    if decided.loading.engine != Engine::Vllm {
        return Vec::new();
    }
    let mut args = vec!["--max-model-len".to_owned(), decided.context.to_string()];
    if decided.loading.variant.while_loading {
        args.extend(["--quantization".to_owned(), decided.loading.precision.to_string()]);
    }
    if decided.gpu.is_some_and(|gpu| !gpu.generation.has_bf16()) {
        args.extend(["--dtype".to_owned(), "half".to_owned()]);
    }
    if let Some(sequences) = decided.sequences {
        args.extend(["--max-num-seqs".to_owned(), sequences.to_string()]);
    }
    if decided.loading.engine == entry.engine {
        args.extend(entry.args.iter().cloned());
    }
    args
}

/// Variables before a person's.
pub(super) fn env(engine: Engine, context: u64, concurrency: u32) -> Vec<(String, String)> {
    if engine != Engine::Ollama {
        return Vec::new();
    }
    vec![
        ("OLLAMA_CONTEXT_LENGTH".to_owned(), context.to_string()),
        ("OLLAMA_NUM_PARALLEL".to_owned(), concurrency.to_string()),
    ]
}
