//! What would fit otherwise: a shorter context, narrower weights, other GPUs, more of them.
//!
//! In: the same as the choice. Out: short phrases, each of which was tried and fits. It must not decide anything.

use api::shared::Engine;

use super::{
    Ask, SizingError,
    candidates::{Candidate, candidates},
    choose::{Choice, Wish, choose, roomiest},
    engine::loading,
    error::exists,
    words::gib,
};
use crate::{
    catalogue::{Entry, Precision},
    gpu::catalogue::CATALOGUE,
};

/// Contexts that are proposed are multiples of this.
const STEP: u64 = 256;
/// No shorter context is proposed.
const SHORTEST: u64 = 1024;

/// Why nothing fits, and what would.
pub(super) fn refusal(
    entry: &Entry,
    ask: &Ask<'_>,
    wish: &Wish,
    candidates: &[Candidate<'_>],
) -> SizingError {
    let unlimited: Vec<Candidate<'_>> = candidates
        .iter()
        .map(|candidate| Candidate {
            most: None,
            ..candidate.clone()
        })
        .collect();
    let ways = ways(entry, ask, wish, candidates);
    let nodes = ask.nodes.unwrap_or_default();
    if let Some(choice) = choose(wish, &unlimited) {
        let needs = format!(
            "{} x {} in one node",
            choice.layout.gpus, choice.candidate.product
        );
        let add = format!("add a node with {} GPUs", choice.layout.gpus);
        let message = match (ask.gpus, ways.is_empty()) {
            (Some(_), true) => format!("lower gpus, or {add}"),
            (Some(_), false) => format!("lower gpus, or {add}, or use {}", super::words::either(&ways)),
            (None, true) => add,
            (None, false) => format!("{add}, or use {}", super::words::either(&ways)),
        };
        return SizingError::NoSuchNode {
            needs,
            exists: exists(nodes),
            message,
        };
    }
    if let Some(gpus) = ask
        .gpus
        .filter(|gpus| !candidates.iter().any(|candidate| candidate.holds(*gpus)))
    {
        return SizingError::NoSuchNode {
            needs: format!("{gpus} GPUs in one node"),
            exists: exists(nodes),
            message: "lower gpus, or add a node with so many".to_owned(),
        };
    }
    SizingError::DoesNotFit {
        model: entry.name.clone(),
        why: why(wish, &unlimited, candidates),
        ways,
    }
}

/// The arithmetic of the attempt with most room.
fn why(wish: &Wish, unlimited: &[Candidate<'_>], candidates: &[Candidate<'_>]) -> String {
    let Some(Choice { candidate, layout }) = roomiest(wish, candidates).or_else(|| roomiest(wish, unlimited))
    else {
        return "no number of GPUs divides its heads".to_owned();
    };
    let product = &candidate.product;
    let gpus = layout.gpus;
    if layout.tokens == 0 {
        return format!(
            "its weights take {} of the {} that the engine uses on each of {gpus} x {product}, with activations and overhead {}",
            gib(layout.weights),
            gib(layout.usable),
            gib(layout.taken()),
        );
    }
    format!(
        "{} tokens are asked for, and {gpus} x {product} with {} of weights each leave room for {}",
        wish.least_tokens,
        gib(layout.weights),
        layout.tokens,
    )
}

/// Phrases for a person who may change the spec.
fn ways(entry: &Entry, ask: &Ask<'_>, wish: &Wish, candidates: &[Candidate<'_>]) -> Vec<String> {
    let more = ask.gpus.and_then(|_| {
        let free = Wish { gpus: None, ..*wish };
        let choice = choose(&free, candidates)?;
        let plural = if choice.layout.gpus == 1 { "GPU" } else { "GPUs" };
        Some(format!("{} {plural}", choice.layout.gpus))
    });
    let shorter = shorter_context(ask, wish, candidates);
    let narrower = narrower(entry, ask, candidates, None).or_else(|| {
        let ask = Ask { gpus: None, ..*ask };
        narrower(entry, &ask, candidates, None)
    });
    more.into_iter()
        .chain(shorter)
        .chain(narrower)
        .chain(other_gpus(ask, wish))
        .collect()
}

fn shorter_context(ask: &Ask<'_>, wish: &Wish, candidates: &[Candidate<'_>]) -> Option<String> {
    let layout = roomiest(wish, candidates)?.layout;
    let gpus = layout.gpus;
    let context = wish.room(&layout) / u64::from(ask.concurrency.unwrap_or(1).max(1)) / STEP * STEP;
    let words = match ask.concurrency {
        Some(concurrency) if concurrency > 1 => format!(" for each of {concurrency} at once"),
        _ => String::new(),
    };
    (context >= SHORTEST).then(|| format!("a contextLength of {context}{words} on {gpus} GPU(s)"))
}

/// The widest narrower weights that fit, on fewer GPUs than `below` where that is said.
pub(super) fn narrower(
    entry: &Entry,
    ask: &Ask<'_>,
    candidates: &[Candidate<'_>],
    below: Option<u32>,
) -> Option<String> {
    if ask.quantization.is_some() || ask.source.is_some() {
        return None;
    }
    let current = loading(entry, ask).ok()?;
    if current.engine != Engine::Vllm {
        return None;
    }
    let context = super::context(entry, ask, current.engine).ok()?;
    let mut variants: Vec<_> = entry
        .variants
        .iter()
        .filter(|(_, variant)| variant.weights_bytes < current.variant.weights_bytes)
        .collect();
    variants.sort_by_key(|(_, variant)| std::cmp::Reverse(variant.weights_bytes));
    variants.into_iter().find_map(|(precision, _)| {
        let choice = quantized(entry, ask, candidates, *precision, context)?;
        let gpus = choice.layout.gpus;
        below.is_none_or(|below| gpus < below).then(|| {
            format!(
                "quantization {precision} on {gpus} x {}",
                choice.candidate.product
            )
        })
    })
}

fn quantized<'a>(
    entry: &Entry,
    ask: &Ask<'_>,
    candidates: &'a [Candidate<'a>],
    precision: Precision,
    context: u64,
) -> Option<Choice<'a>> {
    let ask = Ask {
        quantization: Some(precision),
        ..*ask
    };
    let wish = super::wish(entry, &ask, &loading(entry, &ask).ok()?, context);
    choose(&wish, candidates)
}

/// Another GPU that exists; offline, another one that is known.
fn other_gpus(ask: &Ask<'_>, wish: &Wish) -> Option<String> {
    let asked = ask.gpu_type?;
    let free = Wish { gpus: None, ..*wish };
    let phrase = |choice: Choice<'_>| format!("{} x {}", choice.layout.gpus, choice.candidate.product);
    let other = |choice: &Choice<'_>| !choice.candidate.product.eq_ignore_ascii_case(asked);
    if ask.nodes.is_some() {
        let all = candidates(None, ask.nodes).ok()?;
        return choose(&free, &all).filter(other).map(phrase);
    }
    let all: Vec<Candidate<'_>> = CATALOGUE
        .iter()
        .filter_map(|gpu| candidates(Some(gpu.name), None).ok()?.pop())
        .collect();
    choose(&free, &all).filter(other).map(phrase)
}
