//! Where a model's memory is: a stored model and what is in use in, its share of GPUs and of the container's memory out, or
//! the real one's refusal. Pure arithmetic.

use serde_json::Value;

use super::library;
use super::runner::Loaded;
use super::settings::Settings;
use super::store::Stored;
use crate::process::Context;

/// What the server itself takes of the container's memory.
pub(crate) const SERVER: u64 = 150 << 20;

/// Options of a request that decide how the model is loaded: another value loads it anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Tokens of context.
    pub(crate) num_ctx: Option<u64>,
    /// `num_gpu: 0`.
    pub(crate) without_gpu: bool,
}

impl Options {
    pub(crate) fn of(options: &Value) -> Self {
        let number = |name: &str| options.get(name).and_then(Value::as_i64);
        Self {
            num_ctx: number("num_ctx")
                .and_then(|n| u64::try_from(n).ok())
                .map(|n| n.max(4)),
            without_gpu: number("num_gpu") == Some(0),
        }
    }
}

/// A model's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Bytes of weights and cache.
    pub(crate) bytes: u64,
    /// Of them on GPUs.
    pub(crate) on_gpu: u64,
    /// Tokens of context.
    pub(crate) context: u64,
}

impl Placed {
    /// Nothing of it had to be left out of the GPUs, if there are any.
    pub(crate) fn is_whole(&self, context: &Context) -> bool {
        self.on_gpu == self.bytes || context.spec.gpus.is_empty()
    }
}

/// Finds room on GPUs first, in the container's memory for the rest.
pub(crate) fn place(
    context: &Context,
    settings: &Settings,
    stored: &Stored,
    options: Options,
    others: &[Loaded],
) -> Result<Placed, String> {
    let spec = &context.spec;
    let shape = library::shape(&stored.origin);
    let video: u64 = spec.gpus.iter().map(|gpu| gpu.memory).sum();
    let wanted = options.num_ctx.unwrap_or(match settings.context_length {
        0 => default_context(video),
        length => length,
    });
    let tokens = wanted.min(shape.context).max(1);
    let bytes = stored.bytes + shape.kv_bytes_per_token(2) * tokens * settings.parallel;
    let taken: u64 = others.iter().map(|model| model.placed.on_gpu).sum();
    let free = if options.without_gpu {
        0
    } else {
        (video - video / 20).saturating_sub(taken)
    };
    let on_gpu = bytes.min(free);
    let in_memory: u64 = others
        .iter()
        .map(|model| model.placed.bytes - model.placed.on_gpu)
        .sum();
    let host = bytes - on_gpu;
    if let Some(limit) = spec.memory_limit {
        let available = limit.saturating_sub(SERVER + in_memory);
        if host > available {
            return Err(format!(
                "model requires more system memory ({}) than is available ({})",
                written(host),
                written(available)
            ));
        }
    }
    Ok(Placed {
        bytes,
        on_gpu,
        context: tokens,
    })
}

/// Context by the GPUs' memory, as the server chooses it.
pub(crate) fn default_context(video: u64) -> u64 {
    match video >> 30 {
        47.. => 262_144,
        23.. => 32_768,
        _ => 4096,
    }
}

/// Binary units, one decimal, as in the server's messages.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn written(bytes: u64) -> String {
    let units = [
        (1_u64 << 40, "TiB"),
        (1 << 30, "GiB"),
        (1 << 20, "MiB"),
        (1 << 10, "KiB"),
    ];
    match units.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, word)) => format!("{:.1} {word}", bytes as f64 / *unit as f64),
        None => format!("{bytes} B"),
    }
}
