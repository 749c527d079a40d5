//! From a model's name to everything that serves it: engine, arguments, GPUs per replica, memory, budgets.
//!
//! In: an [`Entry`] of the catalogue, an [`Ask`] with what a person decided, and the GPUs that exist. Out: a [`Sizing`] and its
//! arithmetic in words, or why not and what would fit. It must not know a client or a clock. The same input gives the same output,
//! so a resource keeps its choice by saying what stands ([`Ask::standing`]).
//!
//! The rule: the fewest GPUs of one node, of {1, 2, 4, 8}, over which the heads can be spread and where ([`memory`]) the cache has
//! room for what is asked: `concurrency` sequences of the whole context. When no concurrency is asked for, one sequence must fit, and
//! 16 of at most 8192 tokens should ([`default_tokens`]); where no GPUs for that exist, the roomiest are taken.
//! A number of GPUs that is chosen leaves 1 GiB of each free.

mod asked;
mod candidates;
mod choose;
mod engine;
mod error;
pub(crate) mod host;
pub mod memory;
mod otherwise;
mod outcome;
mod unlisted;
pub mod words;

use api::shared::Engine;

pub use candidates::NodeGpus;
pub use engine::{OLLAMA_IMAGE, VLLM_IMAGE};
pub use error::SizingError;
pub use outcome::{Performance, Sizing};
pub use unlisted::size_source;
pub use words::Arithmetic;

use crate::{
    catalogue::{Entry, Precision},
    source::ModelSource,
};
use candidates::{Candidate, candidates};
use choose::{Choice, Wish, choose};
use engine::Loading;

/// Sequences that should fit at once when nobody asks.
const SEQUENCES: u64 = 16;
/// Tokens of each of them, at most. Conversations have 1,400 on average (Azure's trace), so this is room for some 90 of them.
const SEQUENCE_TOKENS: u64 = 8192;
/// Longest sequence that Ollama is told when nobody asks; it takes the memory for all of it at the start.
const OLLAMA_CONTEXT: u64 = 8192;
/// Requests that Ollama runs at once when nobody asks.
const OLLAMA_SEQUENCES: u64 = 4;

/// What is asked for. `None`: not said.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask<'a> {
    /// A family of GPUs (`H100`), or a value of the label `nvidia.com/gpu.product`.
    pub gpu_type: Option<&'a str>,
    /// GPUs per replica.
    pub gpus: Option<u32>,
    /// Longest sequence in tokens.
    pub context: Option<u64>,
    /// Sequences of that length that must fit at once.
    pub concurrency: Option<u32>,
    /// How weights are stored.
    pub quantization: Option<Precision>,
    /// Another engine than the entry's.
    pub engine: Option<Engine>,
    /// Another image.
    pub image: Option<&'a str>,
    /// Another place for the same weights.
    pub source: Option<&'a ModelSource>,
    /// The GPUs of the cluster; `None` offline.
    pub nodes: Option<&'a [NodeGpus]>,
    /// What was chosen before. It is chosen again for as long as it fits and a node has it, so that a node that joins or goes
    /// rolls nothing.
    pub standing: Option<Standing<'a>>,
}

/// A choice that stands for as long as nobody asks for something else.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// [`Sizing::asked`].
    pub asked: &'a str,
    /// [`Sizing::gpu_product`].
    pub gpu_product: &'a str,
    /// [`Sizing::gpus`].
    pub gpus: u32,
    /// Some replica of it serves. Then it stands whatever nodes there are at the moment: one that is away, or whose GPUs are, must not roll
    /// what serves.
    pub serves: bool,
}

/// Decides everything that nobody asked for, and checks what somebody did.
pub fn size(entry: &Entry, ask: &Ask<'_>) -> Result<Sizing, SizingError> {
    let loading = engine::loading(entry, ask)?;
    let context = context(entry, ask, loading.engine)?;
    let wish = wish(entry, ask, &loading, context);
    if let Some(gpus) = ask.gpus.filter(|gpus| !wish.splits(*gpus)) {
        return Err(cannot_split(entry, &wish, gpus));
    }
    let asked = asked::digest(&entry.name, ask);
    let standing = ask.standing.filter(|standing| standing.asked == asked);
    let sized = |ask: &Ask<'_>, candidates: &[Candidate<'_>], choice: &Choice<'_>| {
        outcome::sizing(&outcome::Given {
            entry,
            ask,
            loading: &loading,
            wish: &wish,
            context,
            candidates,
            choice,
            asked: asked.clone(),
        })
    };
    if let Some(standing) = standing.filter(|standing| standing.serves) {
        let offline = candidates(Some(standing.gpu_product), None).unwrap_or_default();
        if let Some(choice) = stands(&wish, &offline, standing) {
            return Ok(sized(&Ask { nodes: None, ..*ask }, &offline, &choice));
        }
    }
    let candidates = candidates(ask.gpu_type, ask.nodes)?;
    let standing = standing.and_then(|standing| stands(&wish, &candidates, standing));
    match standing.or_else(|| choose(&wish, &candidates)) {
        Some(choice) => Ok(sized(ask, &candidates, &choice)),
        None => Err(otherwise::refusal(entry, ask, &wish, &candidates)),
    }
}

/// Tokens for which there should be room when no concurrency is asked for.
pub fn default_tokens(engine: Engine, context: u64) -> u64 {
    let sequences = match engine {
        Engine::Vllm => SEQUENCES,
        Engine::Generic | Engine::Ollama => OLLAMA_SEQUENCES,
    };
    context.max(sequences * context.min(SEQUENCE_TOKENS))
}

fn context(entry: &Entry, ask: &Ask<'_>, engine: Engine) -> Result<u64, SizingError> {
    let default = match engine {
        Engine::Vllm => entry.default_context,
        Engine::Generic | Engine::Ollama => entry.default_context.min(OLLAMA_CONTEXT),
    };
    let asked = ask.context.unwrap_or(default).max(1);
    if asked > entry.context {
        return Err(SizingError::ContextTooLong {
            model: entry.name.clone(),
            asked,
            most: entry.context,
        });
    }
    Ok(asked)
}

fn wish(entry: &Entry, ask: &Ask<'_>, loading: &Loading, context: u64) -> Wish {
    let asked = ask
        .concurrency
        .map(|sequences| context.saturating_mul(u64::from(sequences.max(1))));
    Wish {
        engine: loading.engine,
        load: memory::Load {
            shape: entry.shape,
            weights_bytes: loading.variant.weights_bytes,
        },
        gpus: ask.gpus,
        least_tokens: asked.unwrap_or(context),
        tokens: asked.unwrap_or_else(|| default_tokens(loading.engine, context)),
    }
}

fn stands<'a>(wish: &Wish, candidates: &'a [Candidate<'a>], standing: Standing<'_>) -> Option<Choice<'a>> {
    let wish = Wish {
        gpus: Some(wish.gpus.unwrap_or(standing.gpus)).filter(|gpus| *gpus == standing.gpus),
        tokens: wish.least_tokens,
        ..*wish
    };
    wish.gpus?;
    let position = candidates
        .iter()
        .position(|candidate| candidate.product.eq_ignore_ascii_case(standing.gpu_product))?;
    choose(&wish, &candidates[position..=position])
}

fn cannot_split(entry: &Entry, wish: &Wish, gpus: u32) -> SizingError {
    SizingError::CannotSplit {
        model: entry.name.clone(),
        gpus,
        heads: entry.shape.heads,
        kv_heads: entry.shape.kv_heads(),
        possible: (1..=8)
            .filter(|gpus| wish.splits(*gpus))
            .map(|gpus| gpus.to_string())
            .collect(),
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod tests;
