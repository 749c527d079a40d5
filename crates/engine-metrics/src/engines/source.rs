//! One place where a quantity stands: a metric's name, and which of its samples count.

use crate::text::Labels;

/// A quantity of [`Scrape`](autoscale::observe::Scrape).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Requests answered.
    Finished,
    /// Prompt tokens.
    PromptTokens,
    /// Output tokens.
    GenerationTokens,
    /// Requests that run.
    Running,
    /// Requests that wait.
    Waiting,
    /// Share of the key-value cache in use: the mean over ranks, not their sum.
    CacheUse,
    /// Time to first token.
    Ttft,
    /// Mean time per output token of each request.
    PerToken,
    /// Time between two tokens.
    InterToken,
}

impl Field {
    /// Whether it is a histogram.
    pub const fn is_histogram(self) -> bool {
        matches!(self, Self::Ttft | Self::PerToken | Self::InterToken)
    }
}

/// What of a quantity a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it; of a histogram, the family `name_bucket`, `name_sum`, `name_count`.
    Whole,
    /// The sum of a histogram without buckets.
    Sum,
    /// The count of a histogram without buckets.
    Count,
}

/// One metric that a quantity is read from. Samples of all sources of a quantity with the same rank are added.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// The quantity.
    pub field: Field,
    /// The metric's name; `:` and `_` are the same (some proxies replace one by the other).
    pub name: &'static str,
    pub(crate) part: Part,
    /// The lowest rank that occurs counts, the others are left out.
    pub(crate) rank: u8,
    /// Only samples with this label count.
    pub(crate) only: Option<(&'static str, &'static str)>,
    /// Samples with this label, not empty, are parts of a total that is exported too.
    pub(crate) part_of_total: Option<&'static str>,
    /// Samples that differ in these labels only tell the same thing again: the highest counts.
    pub(crate) copies: &'static [&'static str],
}

impl Source {
    pub(super) const fn new(field: Field, name: &'static str) -> Self {
        Self {
            field,
            name,
            part: Part::Whole,
            rank: 0,
            only: None,
            part_of_total: None,
            copies: &[],
        }
    }

    pub(super) const fn part(self, part: Part) -> Self {
        Self { part, ..self }
    }

    pub(super) const fn rank(self, rank: u8) -> Self {
        Self { rank, ..self }
    }

    pub(super) const fn only(self, label: &'static str, value: &'static str) -> Self {
        Self {
            only: Some((label, value)),
            ..self
        }
    }

    pub(super) const fn part_of_total(self, label: &'static str) -> Self {
        Self {
            part_of_total: Some(label),
            ..self
        }
    }

    pub(super) const fn copies(self, labels: &'static [&'static str]) -> Self {
        Self {
            copies: labels,
            ..self
        }
    }

    /// Whether samples with these labels count.
    pub(crate) fn counts(&self, labels: Labels<'_>) -> bool {
        let wanted = |(name, value)| labels.get(name).is_some_and(|found| found.is(value));
        let is_part = |name| labels.get(name).is_some_and(|found| !found.raw().is_empty());
        self.only.is_none_or(wanted) && !self.part_of_total.is_some_and(is_part)
    }

    /// What a sample of this name says of this source; `None` if it is another metric's.
    pub(crate) fn role(&self, name: &[u8]) -> Option<Role> {
        let is = |name: &[u8]| same_name(self.name.as_bytes(), name);
        match self.part {
            Part::Whole if self.field.is_histogram() => [
                ("_bucket", Role::Bucket),
                ("_sum", Role::Sum),
                ("_count", Role::Count),
            ]
            .into_iter()
            .find(|(suffix, _)| name.strip_suffix(suffix.as_bytes()).is_some_and(is))
            .map(|(_, role)| role),
            Part::Whole => is(name).then_some(Role::Value),
            Part::Sum => is(name).then_some(Role::Sum),
            Part::Count => is(name).then_some(Role::Count),
        }
    }
}

/// What one sample says of a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A number.
    Value,
    /// One bucket of a histogram.
    Bucket,
    /// A histogram's sum.
    Sum,
    /// A histogram's count.
    Count,
}

/// Whether two names are the same, `:` and `_` being the same.
pub(super) fn same_name(one: &[u8], other: &[u8]) -> bool {
    let plain = |byte: u8| if byte == b':' { b'_' } else { byte };
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| plain(*a) == plain(*b))
}
