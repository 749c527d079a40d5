//! Where a vLLM server's weights come from: a model's name and the container's files in, its shape, size and place out.
//! Downloads leave sparse files of the real size in the hub's cache layout, so a second start finds them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::config::Config;
use crate::filesystem::FileError;
use crate::hub;
use crate::models::Model;
use crate::process::Context;

/// A model that can be loaded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Source {
    pub(crate) shape: Model,
    /// Bytes to read into GPU memory before any online quantization.
    pub(crate) bytes: u64,
    /// Where a download puts the weights; `None` when nothing is to be downloaded.
    pub(crate) download_to: Option<PathBuf>,
}

/// Why a model cannot be had; displayed as the real exception's last lines.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error(
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n  \
         Value error, Invalid repository ID or local directory specified: '{0}'.\n\
         Please verify the following requirements:\n\
         1. Provide a valid Hugging Face repository ID.\n\
         2. Specify a local directory that contains a recognized configuration file.\n   \
         - For Hugging Face models: ensure the presence of a 'config.json'.\n   \
         - For Mistral models: ensure the presence of a 'params.json'.\n"
    )]
    Invalid(String),
    #[error(
        "OSError: You are trying to access a gated repo.\nMake sure to have access to it at \
         https://huggingface.co/{0}.\n401 Client Error.\nAccess to model {0} is restricted. You must have access to it \
         and be authenticated to access it. Please log in."
    )]
    Gated(String),
    #[error(
        "OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them in the \
         cached files.\nCheck your internet connection or see how to run the library in offline mode at \
         'https://huggingface.co/docs/transformers/installation#offline-mode'."
    )]
    Offline,
    #[error(
        "OSError: PermissionError at {0} when downloading {1}. Check cache directory permissions. Common causes: 1) \
         another user is downloading the same model (please wait); 2) a previous download was canceled and the lock \
         file needs manual removal."
    )]
    Denied(String, String),
    #[error("OSError: [Errno {}] {}", .0.errno(), .0)]
    Files(FileError),
    #[error("RuntimeError: Cannot find any model weights with `{0}`")]
    NoWeights(String),
    #[error(
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for VllmConfig\n  Value error, Cannot find the \
         config file for {0}"
    )]
    NotQuantized(String),
}

/// Finds the model, without downloading it.
pub(crate) fn locate(config: &Config, context: &Context) -> Result<Source, SourceError> {
    let name = config.model.as_str();
    if ["s3://", "gs://", "az://"]
        .iter()
        .any(|scheme| name.starts_with(scheme))
    {
        let shape = Model::by_name(name);
        return sized(
            config,
            Source {
                bytes: shape.weight_bytes(),
                shape,
                download_to: None,
            },
        );
    }
    let files = &context.spec.files;
    let path = Path::new(name);
    if path.is_absolute() || name.starts_with("./") || name.starts_with("../") {
        return sized(config, local(config, &files.resolve(path))?);
    }
    if !hub::is_repository(name) {
        return Err(SourceError::Invalid(name.to_owned()));
    }
    sized(config, repository(config, context)?)
}

/// Stores what a finished download leaves.
pub(crate) fn store(source: &Source, config: &Config, context: &Context) -> Result<(), SourceError> {
    let Some(dir) = &source.download_to else {
        return Ok(());
    };
    let files = &context.spec.files;
    let refused = |error| match error {
        FileError::Denied(_) => SourceError::Denied(dir.display().to_string(), config.model.clone()),
        other => SourceError::Files(other),
    };
    files
        .write_sparse(&dir.join("model.safetensors"), source.bytes)
        .map_err(refused)?;
    files
        .write(&dir.join("config.json"), source.shape.config_json().as_bytes())
        .map_err(refused)
}

/// Whether a download could be written at all: the real one makes the folders first.
pub(crate) fn prepare(source: &Source, config: &Config, context: &Context) -> Result<(), SourceError> {
    let Some(dir) = &source.download_to else {
        return Ok(());
    };
    context
        .spec
        .files
        .make_dir(dir)
        .map(drop)
        .map_err(|error| match error {
            FileError::Denied(_) => SourceError::Denied(dir.display().to_string(), config.model.clone()),
            other => SourceError::Files(other),
        })
}

fn local(config: &Config, dir: &Path) -> Result<Source, SourceError> {
    let invalid = || SourceError::Invalid(config.model.clone());
    if !dir.join("config.json").is_file() && !dir.join("params.json").is_file() {
        return Err(invalid());
    }
    let mut shape = Model::by_name(&config.model);
    if let Ok(text) = std::fs::read_to_string(dir.join("config.json")) {
        let json: Value = serde_json::from_str(&text).map_err(|_| invalid())?;
        reshape(&mut shape, &json);
    }
    let weights = weight_files(dir);
    if weights.is_empty() && config.load_format != "dummy" {
        return Err(SourceError::NoWeights(config.model.clone()));
    }
    let on_disk: u64 = weights
        .iter()
        .filter_map(|file| std::fs::metadata(file).ok())
        .map(|m| m.len())
        .sum();
    // Markers of a few bytes stand for the real weights.
    let bytes = if on_disk > 1 << 20 {
        on_disk
    } else {
        shape.weight_bytes()
    };
    Ok(Source {
        shape,
        bytes,
        download_to: None,
    })
}

fn weight_files(dir: &Path) -> Vec<PathBuf> {
    let is_weights = |path: &PathBuf| {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        matches!(extension, "safetensors" | "bin" | "pt" | "gguf")
    };
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(is_weights).collect()
}

fn repository(config: &Config, context: &Context) -> Result<Source, SourceError> {
    let name = config.model.as_str();
    let shape = Model::by_name(name);
    let cache = config
        .download_dir
        .as_ref()
        .map_or_else(|| hub::cache(context), PathBuf::from);
    let dir = hub::snapshot(&cache, name, config.revision.as_deref().unwrap_or("main"));
    let cached = context.spec.files.resolve(&dir).join("model.safetensors");
    if let Ok(found) = std::fs::metadata(&cached) {
        return Ok(Source {
            shape,
            bytes: found.len(),
            download_to: None,
        });
    }
    if hub::is_offline(context) {
        return Err(SourceError::Offline);
    }
    if hub::is_missing(name) {
        return Err(SourceError::Invalid(name.to_owned()));
    }
    if config.token.is_none() && hub::is_gated(name) {
        return Err(SourceError::Gated(name.to_owned()));
    }
    let download_to = (config.load_format != "dummy").then_some(dir);
    Ok(Source {
        bytes: shape.weight_bytes(),
        shape,
        download_to,
    })
}

/// Applies what `--quantization` and `--dtype` do to the bytes in GPU memory.
fn sized(config: &Config, mut source: Source) -> Result<Source, SourceError> {
    let stored = source.shape.bytes_per_parameter;
    match config.quantization.as_deref() {
        Some(
            method @ ("awq" | "gptq" | "awq_marlin" | "gptq_marlin" | "auto_awq" | "auto_gptq"
            | "compressed-tensors"),
        ) if stored > 1.9 => {
            return Err(SourceError::NotQuantized(method.to_owned()));
        }
        Some(method) if stored > 1.9 && (method.contains("fp8") || method.contains("int8")) => {
            source.shape.bytes_per_parameter = 1.03;
        }
        _ if config.dtype == "float32" || config.dtype == "float" => {
            source.shape.bytes_per_parameter = stored * 2.0;
        }
        _ => {}
    }
    Ok(source)
}

fn reshape(shape: &mut Model, json: &Value) {
    let number = |name: &str| {
        json.get(name)
            .and_then(Value::as_u64)
            .and_then(|n| u32::try_from(n).ok())
    };
    shape.layers = number("num_hidden_layers").unwrap_or(shape.layers);
    shape.heads = number("num_attention_heads").unwrap_or(shape.heads).max(1);
    shape.kv_heads = number("num_key_value_heads").unwrap_or(shape.kv_heads).max(1);
    shape.head_dim = number("head_dim")
        .or_else(|| Some(number("hidden_size")? / shape.heads))
        .unwrap_or(shape.head_dim);
    shape.context = number("max_position_embeddings").map_or(shape.context, u64::from);
}
