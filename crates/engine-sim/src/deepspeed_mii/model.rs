//! Where MII's weights come from and whether they fit: a repository's name and a GPU in, shape and cache size out.

use std::path::{Path, PathBuf};

use crate::filesystem::FileError;
use crate::hub;
use crate::models::Model;
use crate::process::{Context, GpuSpec};

const GIB: f64 = 1_073_741_824.0;
/// Driver and context.
const CONTEXT: f64 = 0.45 * GIB;
/// What the engine leaves free beside weights and cache (`memory_config.size`), in bytes.
const RESERVED: f64 = 1e9;
/// Architectures that its ragged inference runs.
const SUPPORTED: &[&str] = &[
    "LlamaForCausalLM",
    "MistralForCausalLM",
    "MixtralForCausalLM",
    "OPTForCausalLM",
    "PhiForCausalLM",
    "Phi3ForCausalLM",
    "Qwen2ForCausalLM",
];

/// A model that can be loaded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Source {
    pub(crate) shape: Model,
    /// Bytes of the weights: always 16 bits each.
    pub(crate) bytes: u64,
    /// Where a download goes; `None`: it is there.
    pub(crate) download_to: Option<PathBuf>,
}

/// The cache that is left beside the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fit {
    /// Tokens.
    pub(crate) tokens: u64,
}

/// Why a model cannot be had; displayed as the exception's last line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModelError {
    #[error("ValueError: Model {0} not found")]
    NotFound(String),
    #[error(
        "OSError: You are trying to access a gated repo.\nMake sure to have access to it at https://huggingface.co/{0}."
    )]
    Gated(String),
    #[error("requests.exceptions.ConnectionError: offline mode is enabled")]
    Offline,
    #[error("OSError: [Errno {}] {}", .0.errno(), .0)]
    Files(#[from] FileError),
    #[error("ValueError: Unsupported model type {0}")]
    Unsupported(String),
    #[error(
        "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate {needed:.2} GiB. GPU 0 has a total capacity \
         of {total:.2} GiB"
    )]
    Memory { needed: f64, total: f64 },
}

/// Finds the model, without downloading it.
pub(crate) fn locate(uri: &str, context: &Context) -> Result<Source, ModelError> {
    let not_found = || ModelError::NotFound(uri.to_owned());
    let mut shape = Model::by_name(uri);
    shape.bytes_per_parameter = 2.0;
    let bytes = shape.weight_bytes();
    if uri.starts_with('/') {
        let there = context
            .spec
            .files
            .resolve(Path::new(uri))
            .join("config.json")
            .is_file();
        return there
            .then_some(Source {
                shape,
                bytes,
                download_to: None,
            })
            .ok_or_else(not_found);
    }
    if !hub::is_repository(uri) || hub::is_missing(uri) {
        return Err(not_found());
    }
    let dir = hub::snapshot(&hub::cache(context), uri, "main");
    if context
        .spec
        .files
        .resolve(&dir)
        .join("model.safetensors")
        .is_file()
    {
        return Ok(Source {
            shape,
            bytes,
            download_to: None,
        });
    }
    if hub::is_offline(context) {
        return Err(ModelError::Offline);
    }
    if hub::is_gated(uri) && hub::token(context).is_none() {
        return Err(ModelError::Gated(uri.to_owned()));
    }
    Ok(Source {
        shape,
        bytes,
        download_to: Some(dir),
    })
}

/// Whether the engine has an implementation.
pub(crate) fn supported(source: &Source) -> Result<(), ModelError> {
    let architecture = source.shape.architecture;
    if SUPPORTED.contains(&architecture) {
        return Ok(());
    }
    let kind = architecture.trim_end_matches("ForCausalLM").to_lowercase();
    Err(ModelError::Unsupported(kind))
}

/// Whether a download could be written at all.
pub(crate) fn prepare(dir: &Path, context: &Context) -> Result<(), ModelError> {
    Ok(context.spec.files.make_dir(dir).map(drop)?)
}

/// Stores what a finished download leaves.
pub(crate) fn store(dir: &Path, source: &Source, context: &Context) -> Result<(), ModelError> {
    let files = &context.spec.files;
    files.write_sparse(&dir.join("model.safetensors"), source.bytes)?;
    Ok(files.write(&dir.join("config.json"), source.shape.config_json().as_bytes())?)
}

/// Weights first, then a gigabyte for activations; the rest is cache.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
pub(crate) fn fit(source: &Source, gpu: &GpuSpec) -> Result<Fit, ModelError> {
    let (total, weights) = (gpu.memory as f64, source.bytes as f64);
    let left = total - CONTEXT - weights - RESERVED;
    if left <= 0.0 {
        return Err(ModelError::Memory {
            needed: weights / GIB,
            total: total / GIB,
        });
    }
    Ok(Fit {
        tokens: (left / source.shape.kv_bytes_per_token(2) as f64) as u64,
    })
}
