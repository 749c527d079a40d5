//! Does the model fit into the GPUs it asks for?
//!
//! In: engine, model, GPUs, arguments. Out: an answer with its numbers, as one sentence. It is advice, told before a GPU is
//! taken; it must not stop anything, because names say little about what somebody did to the weights.
//!
//! The formula is that of [`sizing`](crate::sizing::memory), the models those of the [`catalogue`](crate::catalogue).

use std::fmt;

use api::shared::Engine;

use crate::{
    catalogue::{Catalogue, Recognized},
    gpu::GpuRequest,
    request::ModelRequest,
    sizing::{
        memory::{Layout, Load},
        words::gib,
    },
    source::ModelSource,
};

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It fits.
    Fits {
        /// The model in the catalogue.
        model: String,
        /// Sequences of full length that fit at once, in hundredths.
        concurrency_hundredths: u64,
        /// The longest sequence in tokens.
        max_model_len: u64,
        /// GPUs per replica.
        gpus: u32,
        /// MiB per GPU.
        gpu_mib: u64,
    },
    /// It does not.
    DoesNotFit {
        /// The model in the catalogue.
        model: String,
        /// The whole sentence.
        why: String,
    },
    /// Not enough is known.
    Unknown {
        /// What is missing.
        why: &'static str,
    },
}

/// Judges a model.
pub fn assess(engine: Engine, model: &ModelRequest, gpu: Option<&GpuRequest>, args: &[String]) -> Fit {
    let Some(known) = known_model(engine, model) else {
        return Fit::Unknown {
            why: "the model is not in the catalogue",
        };
    };
    let Some(gpu) = gpu else {
        return Fit::Unknown {
            why: "no GPU is asked for",
        };
    };
    let Some(gpu_mib) = gpu.guaranteed_memory_mib() else {
        return Fit::Unknown {
            why: "any GPU may be chosen; set gpu.product or gpu.minMemory",
        };
    };
    let load = Load {
        shape: known.entry.shape,
        weights_bytes: known.weights_bytes(),
    };
    let name = &known.entry.name;
    match engine {
        Engine::Vllm => {
            let longest = max_model_len(args).unwrap_or(known.entry.context);
            vllm(name, &load, load.vllm(gpu.count, gpu_mib), longest)
        }
        Engine::Generic | Engine::Ollama => {
            by_layers(name, load.by_layers(gpu.count, gpu_mib), known.entry.context)
        }
    }
}

/// The catalogue's entry for what will be loaded, as far as its name tells.
pub fn known_model(engine: Engine, model: &ModelRequest) -> Option<Recognized<'static>> {
    let source = model.source.as_ref().map(ModelSource::model_name);
    let named = |name: &str| match engine {
        Engine::Ollama => Catalogue::builtin().recognize_ollama(name),
        Engine::Generic | Engine::Vllm => Catalogue::builtin().recognize(name),
    };
    source.and_then(named).or_else(|| named(&model.name))
}

fn vllm(model: &str, load: &Load, layout: Layout, max_model_len: u64) -> Fit {
    let gpus = layout.gpus;
    let misfit = |why: String| Fit::DoesNotFit {
        model: model.to_owned(),
        why,
    };
    if !load.splits(gpus) {
        let (heads, kv_heads) = (load.shape.heads, load.shape.kv_heads());
        return misfit(format!(
            "{model} cannot be split over {gpus} GPUs: its {heads} attention heads ({kv_heads} for keys and values) do not divide by {gpus}; use 1, 2, 4 or 8"
        ));
    }
    if layout.tokens >= max_model_len {
        return fits(model, layout, max_model_len);
    }
    misfit(if layout.cache == 0 {
        format!(
            "{model} does not fit: its weights take {} of the {} that vLLM uses on each of {gpus} GPU(s), with activations {}; ask for more GPUs or larger ones",
            gib(layout.weights),
            gib(layout.usable),
            gib(layout.taken()),
        )
    } else {
        format!(
            "{model} does not fit with sequences of {max_model_len} tokens: {gpus} GPU(s) with {} each leave room for {}; add args --max-model-len {}, or ask for more GPUs or larger ones",
            gib(layout.memory),
            layout.tokens,
            layout.tokens / 256 * 256,
        )
    })
}

/// Ollama and unknown servers: the weights and a tenth more must fit into all GPUs together.
fn by_layers(model: &str, layout: Layout, context: u64) -> Fit {
    if layout.taken() <= layout.memory {
        return fits(model, layout, context);
    }
    let gpus = u64::from(layout.gpus);
    Fit::DoesNotFit {
        model: model.to_owned(),
        why: format!(
            "{model} does not fit: it needs about {}, {gpus} GPU(s) have {} together; ask for more GPUs or larger ones",
            gib(layout.taken().saturating_mul(gpus)),
            gib(layout.memory.saturating_mul(gpus)),
        ),
    }
}

fn fits(model: &str, layout: Layout, max_model_len: u64) -> Fit {
    Fit::Fits {
        model: model.to_owned(),
        concurrency_hundredths: layout.tokens.saturating_mul(100) / max_model_len.max(1),
        max_model_len,
        gpus: layout.gpus,
        gpu_mib: layout.memory >> 20,
    }
}

/// The value of `--max-model-len` in the user's arguments; `None` also for `auto`, which shrinks until it fits.
fn max_model_len(args: &[String]) -> Option<u64> {
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let value = match arg.split_once('=') {
            Some(("--max-model-len", value)) => value,
            None if arg == "--max-model-len" => args.next()?.as_str(),
            _ => continue,
        };
        return match value.strip_suffix(['k', 'K']) {
            Some(thousands) => thousands
                .parse::<u64>()
                .ok()
                .map(|n| n * if value.ends_with('k') { 1000 } else { 1024 }),
            None if matches!(value, "auto" | "-1") => Some(1),
            None => value.parse().ok(),
        };
    }
    None
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fits {
                model,
                concurrency_hundredths: hundredths,
                max_model_len,
                gpus,
                gpu_mib,
            } => write!(
                f,
                "{model} fits on {gpus} GPU(s) with {} each: about {}.{} requests of {max_model_len} tokens at once",
                gib(gpu_mib << 20),
                hundredths / 100,
                hundredths % 100 / 10,
            ),
            Self::DoesNotFit { why, .. } => f.write_str(why),
            Self::Unknown { why } => write!(f, "whether it fits is not known: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(engine: Engine, uri: &str, gpus: u32, product: Option<&str>, args: &[&str]) -> Fit {
        let model = ModelRequest {
            name: "m".into(),
            source: Some(uri.parse().unwrap()),
            credentials_secret: None,
            weights_bytes: None,
        };
        let gpu = GpuRequest {
            count: gpus,
            resource: "nvidia.com/gpu".into(),
            product: product.map(Into::into),
            min_memory: None,
        };
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        assess(engine, &model, Some(&gpu), &args)
    }

    /// Measured with vLLM on an H100 for Llama-3.1-8B: 51.38 GiB for the cache at 0.9; ours is a little lower on purpose.
    #[test]
    fn an_8b_model_has_room_for_three_full_sequences_on_an_h100() {
        let fit = ask(
            Engine::Vllm,
            "hf://meta-llama/Llama-3.1-8B",
            1,
            Some("NVIDIA-H100-80GB-HBM3"),
            &[],
        );
        let Fit::Fits {
            concurrency_hundredths,
            ..
        } = fit
        else {
            panic!("{fit}")
        };
        assert!((310..360).contains(&concurrency_hundredths), "{fit}");
    }

    #[test]
    fn a_70b_model_needs_four_a100() {
        let one = ask(
            Engine::Vllm,
            "hf://meta-llama/Llama-3.1-70B",
            1,
            Some("H100"),
            &[],
        );
        assert!(
            one.to_string().contains("weights take 131.4 GiB of the 73.3 GiB"),
            "{one}"
        );
        let two = ask(
            Engine::Vllm,
            "hf://meta-llama/Llama-3.1-70B",
            2,
            Some("NVIDIA-A100-SXM4-80GB"),
            &["--max-model-len", "32768"],
        );
        assert!(matches!(two, Fit::DoesNotFit { .. }), "{two}");
        let four = ask(
            Engine::Vllm,
            "hf://meta-llama/Llama-3.1-70B",
            4,
            Some("NVIDIA-A100-SXM4-80GB"),
            &[],
        );
        assert!(matches!(four, Fit::Fits { .. }), "{four}");
    }

    #[test]
    fn heads_that_do_not_divide_are_named() {
        let fit = ask(Engine::Vllm, "hf://Qwen/Qwen2.5-7B", 8, Some("H100"), &[]);
        assert!(fit.to_string().contains("28 attention heads"), "{fit}");
    }

    #[test]
    fn the_way_out_is_a_shorter_sequence() {
        let fit = ask(Engine::Vllm, "hf://meta-llama/Llama-3.1-8B", 1, Some("L4"), &[]);
        assert!(fit.to_string().contains("--max-model-len"), "{fit}");
        let shorter = ask(
            Engine::Vllm,
            "hf://meta-llama/Llama-3.1-8B",
            1,
            Some("L4"),
            &["--max-model-len=8k"],
        );
        assert!(matches!(shorter, Fit::Fits { .. }), "{shorter}");
    }

    #[test]
    fn ollama_takes_four_bits_and_any_split() {
        let fit = ask(Engine::Ollama, "ollama://llama2:70b", 3, Some("L4"), &[]);
        assert!(matches!(fit, Fit::Fits { .. }), "{fit}");
    }

    #[test]
    fn what_is_not_known_is_said() {
        assert!(
            ask(Engine::Vllm, "hf://some/thing", 1, Some("H100"), &[])
                .to_string()
                .contains("catalogue")
        );
        assert!(
            ask(Engine::Vllm, "hf://a/Llama-3.1-8B", 1, None, &[])
                .to_string()
                .contains("gpu.minMemory")
        );
    }
}
