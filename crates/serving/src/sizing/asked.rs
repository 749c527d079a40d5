//! What a choice was made from.
//!
//! In: a model's name and an [`Ask`]. Out: a digest of what a person decided: as long as it is the same, a choice may stand; a person who
//! asks for other weights, a shorter context or no number of GPUs any more gets a new one. The nodes are no part of it.

use super::Ask;
use crate::digest;

/// See the module.
pub(super) fn digest(model: &str, ask: &Ask<'_>) -> String {
    let Ask {
        gpu_type,
        gpus,
        context,
        concurrency,
        quantization,
        engine,
        // The same weights elsewhere, and the same engine in another version.
        image: _,
        source: _,
        nodes: _,
        standing: _,
    } = ask;
    digest::short_of(format!(
        "{model:?} {gpu_type:?} {gpus:?} {context:?} {concurrency:?} {quantization:?} {engine:?}"
    ))
}
