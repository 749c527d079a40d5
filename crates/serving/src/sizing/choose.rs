//! The choice among candidates: the fewest GPUs in one node that hold the model.
//!
//! In: weights, tokens that must fit, candidates. Out: one of them with a number of GPUs and what each holds. Pure and total;
//! it must not word anything.

use api::shared::Engine;

use super::{
    candidates::Candidate,
    memory::{Layout, Load},
};

/// Numbers of GPUs that are tried when none is asked for.
const SPLITS: [u32; 4] = [1, 2, 4, 8];

/// Bytes on each GPU that are left free when vLLM's number of GPUs is chosen, since activations are known to 1 GiB or so.
/// Whoever asks for a number takes the risk.
const RESERVE: u64 = 1 << 30;

/// What must fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub engine: Engine,
    pub load: Load,
    /// A number that was asked for.
    pub gpus: Option<u32>,
    /// Tokens that must fit.
    pub least_tokens: u64,
    /// Tokens that should fit, if there are GPUs for them.
    pub tokens: u64,
}

/// A choice.
#[derive(Clone, Debug)]
pub(super) struct Choice<'a> {
    pub candidate: &'a Candidate<'a>,
    pub layout: Layout,
}

impl Wish {
    pub(super) fn splits(&self, gpus: u32) -> bool {
        gpus > 0 && (self.engine != Engine::Vllm || self.load.splits(gpus))
    }

    pub(super) fn layout(&self, gpus: u32, memory_mib: u64) -> Layout {
        match self.engine {
            Engine::Vllm => self.load.vllm(gpus, memory_mib),
            Engine::Generic | Engine::Ollama => self.load.by_layers(gpus, memory_mib),
        }
    }

    /// Tokens for which there is room for sure.
    pub(super) fn room(&self, layout: &Layout) -> u64 {
        let chosen = self.gpus.is_none() && self.engine == Engine::Vllm;
        let reserve = if chosen { RESERVE.div_ceil(layout.token) } else { 0 };
        layout.tokens.saturating_sub(reserve)
    }

    /// Numbers of GPUs over which it can be split, ascending.
    pub(super) fn numbers(&self) -> Vec<u32> {
        match self.gpus {
            Some(gpus) => vec![gpus],
            None => SPLITS.to_vec(),
        }
        .into_iter()
        .filter(|gpus| self.splits(*gpus))
        .collect()
    }
}

/// Everything that the nodes can hold, in the order of the candidates.
fn attempts<'a>(wish: &Wish, candidates: &'a [Candidate<'a>]) -> Vec<Choice<'a>> {
    let numbers = wish.numbers();
    candidates
        .iter()
        .flat_map(|candidate| {
            let held = numbers.iter().filter(|gpus| candidate.holds(**gpus));
            held.map(|gpus| Choice {
                candidate,
                layout: wish.layout(*gpus, candidate.memory_mib),
            })
        })
        .collect()
}

/// The cheapest that holds all tokens; else the roomiest that holds what must fit; else none.
///
/// Cheapest: fewest GPUs, then smallest memory, then the earliest candidate, which is a whole family before one of its products.
pub(super) fn choose<'a>(wish: &Wish, candidates: &'a [Candidate<'a>]) -> Option<Choice<'a>> {
    let cheapest = attempts(wish, candidates)
        .into_iter()
        .filter(|choice| wish.room(&choice.layout) >= wish.tokens)
        .min_by_key(|choice| (choice.layout.gpus, choice.candidate.memory_mib));
    cheapest.or_else(|| {
        roomiest(wish, candidates).filter(|choice| wish.room(&choice.layout) >= wish.least_tokens)
    })
}

/// The one with the largest cache; of equals the one with most GPUs, then the earliest.
pub(super) fn roomiest<'a>(wish: &Wish, candidates: &'a [Candidate<'a>]) -> Option<Choice<'a>> {
    // `max_by_key` takes the last of equals.
    attempts(wish, candidates)
        .into_iter()
        .rev()
        .max_by_key(|choice| (choice.layout.tokens, choice.layout.gpus))
}
