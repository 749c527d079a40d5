//! The shapes of Ollama's own interface: stored and loaded models in, JSON out; request fields in, typed values out.

use std::time::SystemTime;

use serde::Deserialize;
use serde_json::{Value, json};

use super::name::Name;
use super::runner::Loaded;
use super::store::{self, Stored};

/// A request of `/api/generate` and `/api/chat`; what they do not share is optional.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct GenerateRequest {
    #[serde(default)]
    pub(crate) model: String,
    #[serde(default)]
    pub(crate) prompt: String,
    #[serde(default)]
    pub(crate) messages: Vec<Message>,
    pub(crate) stream: Option<bool>,
    #[serde(default)]
    pub(crate) options: Value,
    #[serde(default)]
    pub(crate) keep_alive: Value,
}

/// One chat message.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Message {
    #[serde(default)]
    pub(crate) content: String,
}

/// A request for another name.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct CopyRequest {
    #[serde(default)]
    pub(crate) source: String,
    #[serde(default)]
    pub(crate) destination: String,
}

/// A request that names a model, in the new or the old field.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct ModelRequest {
    #[serde(default)]
    model: String,
    #[serde(default)]
    name: String,
    pub(crate) stream: Option<bool>,
}

impl ModelRequest {
    pub(crate) fn model(&self) -> &str {
        if self.model.is_empty() {
            &self.name
        } else {
            &self.model
        }
    }
}

pub(crate) fn time(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at)
        .map(|t| t.to_string())
        .unwrap_or_default()
}

pub(crate) fn details(name: &Name) -> Value {
    let shape = store::shape(name);
    let family = name
        .model
        .split(|c: char| c.is_ascii_digit())
        .next()
        .unwrap_or("llama")
        .trim_end_matches('-');
    let quantization = match shape.bytes_per_parameter {
        b if b > 1.9 => "F16",
        b if b > 1.0 => "Q8_0",
        _ => "Q4_K_M",
    };
    json!({"parent_model": "", "format": "gguf", "family": family, "families": [family],
        "parameter_size": format!("{:.1}B", shape.parameters / 1e9), "quantization_level": quantization})
}

pub(crate) fn tag(stored: &Stored) -> Value {
    let name = stored.name.short();
    json!({"name": name, "model": name, "modified_at": time(stored.modified), "size": stored.bytes,
        "digest": stored.digest, "details": details(&stored.origin)})
}

pub(crate) fn running(model: &Loaded) -> Value {
    let name = model.name.short();
    let never = || "2318-01-01T00:00:00Z".to_owned();
    json!({"name": name, "model": name, "size": model.bytes, "digest": model.digest, "details": details(&model.origin),
        "expires_at": model.expires.map_or_else(never, time), "size_vram": model.on_gpu,
        "context_length": model.context})
}

pub(crate) fn show(stored: &Stored) -> Value {
    let shape = store::shape(&stored.origin);
    json!({"modelfile": format!("FROM {}", stored.origin.short()), "parameters": "", "template": "{{ .Prompt }}",
        "details": details(&stored.origin), "capabilities": ["completion"], "modified_at": time(stored.modified),
        "model_info": {"general.architecture": "llama", "general.parameter_count": shape.parameters,
            "llama.context_length": shape.context, "llama.block_count": shape.layers,
            "llama.attention.head_count": shape.heads, "llama.attention.head_count_kv": shape.kv_heads}})
}
