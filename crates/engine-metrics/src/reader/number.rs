//! A number that stands in several samples.
//!
//! In: samples of one quantity. Out: their sum or mean, over those of the lowest rank, each copy of a thing counted once.

use crate::{engines::Source, text::Sample};

/// How many different things that have copies are told apart (`SGLang`: data-parallel ranks); more are left out.
pub const MAX_GROUPS: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Number {
    rank: Option<u8>,
    sum: f64,
    terms: u32,
    /// Of things that have copies: what identifies them, and the highest that any copy tells.
    groups: Vec<(u64, f64)>,
}

impl Number {
    /// An empty one with the same buffer.
    pub(super) fn cleared(&mut self) -> Self {
        let mut groups = std::mem::take(&mut self.groups);
        groups.clear();
        Self {
            groups,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, source: &Source, sample: &Sample<'_>) {
        match self.rank {
            Some(rank) if rank < source.rank => return,
            Some(rank) if rank == source.rank => {}
            _ => {
                *self = self.cleared();
                self.rank = Some(source.rank);
            }
        }
        if source.copies.is_empty() {
            self.sum += sample.value;
            self.terms = self.terms.saturating_add(1);
            return;
        }
        let id = identity(source, sample);
        if let Some((_, highest)) = self.groups.iter_mut().find(|(known, _)| *known == id) {
            *highest = highest.max(sample.value);
        } else if self.groups.len() < MAX_GROUPS {
            self.groups.push((id, sample.value));
        }
    }

    pub(super) fn sum(&self) -> Option<f64> {
        self.rank?;
        let grouped: f64 = self.groups.iter().map(|(_, value)| value).sum();
        Some(self.sum + grouped)
    }

    pub(super) fn mean(&self) -> Option<f64> {
        let groups = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
        let terms = self.terms.saturating_add(groups);
        Some(self.sum()? / f64::from(terms))
    }
}

/// A hash (FNV-1a) of the name and of the labels that tell things apart.
fn identity(source: &Source, sample: &Sample<'_>) -> u64 {
    let is_copy = |name: &[u8]| source.copies.iter().any(|copy| copy.as_bytes() == name);
    let labels = sample
        .labels
        .iter()
        .filter(|label| !is_copy(label.name))
        .flat_map(|label| {
            let value = label.value.raw().iter();
            label.name.iter().chain(b"=").chain(value).chain(b"\"")
        });
    sample
        .name
        .iter()
        .chain(b"{")
        .chain(labels)
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
}
