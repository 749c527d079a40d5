//! A histogram that stands in many samples, of one or several label sets.
//!
//! In: its bucket, sum and count samples in any order. Out: one [`Histogram`], label sets added up bucket by bucket. A bound that
//! not all label sets have is left out: there is no telling how many of the others' values lie below it. A histogram with a
//! sum or a count missing is none.

use std::sync::Arc;

use autoscale::observe::Histogram;

use crate::{
    engines::{Role, Source},
    text::{Sample, number},
};

/// How many bounds of one histogram are kept; engines have about 20. Bounds beyond are left out.
pub const MAX_BUCKETS: usize = 128;

/// How many different lists of bounds are shared between histograms.
const MAX_SHARED: usize = 32;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    bound: f64,
    values: f64,
    sets: u32,
}

/// Sums over label sets, and how many label sets there were.
#[derive(Clone, Copy, Debug, Default)]
struct Total {
    sum: f64,
    sets: u32,
}

impl Total {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.sets = self.sets.saturating_add(1);
    }
}

#[derive(Debug, Default)]
pub(super) struct Buckets {
    rank: Option<u8>,
    /// By rising bound.
    finite: Vec<Bucket>,
    /// Where the next bucket is expected: they come in rising order.
    next: usize,
    infinite: Total,
    sum: Total,
    count: Total,
}

impl Buckets {
    /// An empty one with the same buffer.
    pub(super) fn cleared(&mut self) -> Self {
        let mut finite = std::mem::take(&mut self.finite);
        finite.clear();
        Self {
            finite,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, source: &Source, role: Role, sample: &Sample<'_>) {
        match self.rank {
            Some(rank) if rank < source.rank => return,
            Some(rank) if rank == source.rank => {}
            _ => {
                *self = self.cleared();
                self.rank = Some(source.rank);
            }
        }
        match role {
            Role::Sum => self.sum.add(sample.value),
            Role::Count => self.count.add(sample.value),
            Role::Bucket => {
                let bound = sample.labels.get("le").and_then(|le| number(le.raw()));
                match bound {
                    Some(f64::INFINITY) => self.infinite.add(sample.value),
                    Some(bound) if bound.is_finite() => self.bucket(bound, sample.value),
                    _ => {}
                }
            }
            Role::Value => {}
        }
    }

    fn bucket(&mut self, bound: f64, values: f64) {
        let is = |bucket: &Bucket| bucket.bound.total_cmp(&bound);
        let found = match self.finite.get(self.next) {
            Some(expected) if is(expected).is_eq() => Ok(self.next),
            _ => self.finite.binary_search_by(is),
        };
        let at = found.unwrap_or_else(|at| at);
        if found.is_err() {
            if self.finite.len() >= MAX_BUCKETS {
                return;
            }
            let empty = Bucket {
                bound,
                values: 0.0,
                sets: 0,
            };
            self.finite.insert(at, empty);
        }
        if let Some(bucket) = self.finite.get_mut(at) {
            bucket.values += values;
            bucket.sets = bucket.sets.saturating_add(1);
        }
        self.next = at + 1;
    }

    pub(super) fn histogram(&self, shared: &mut Shared) -> Option<Histogram> {
        let count = if self.count.sets >= self.infinite.sets {
            self.count
        } else {
            self.infinite
        };
        if count.sets == 0 || self.sum.sets != count.sets {
            return None;
        }
        let common = self.finite.iter().filter(|bucket| bucket.sets == count.sets);
        Some(Histogram {
            bounds: shared.bounds(common.clone().map(|bucket| bucket.bound)),
            cumulative: common.map(|bucket| bucket.values).collect(),
            sum: self.sum.sum,
            count: count.sum,
        })
    }
}

/// Lists of bounds that were seen. Replicas of one engine have the same.
#[derive(Debug, Default)]
pub(super) struct Shared(Vec<Arc<[f64]>>);

impl Shared {
    fn bounds(&mut self, bounds: impl Iterator<Item = f64> + Clone) -> Arc<[f64]> {
        let same = |known: &&Arc<[f64]>| {
            let bits = |bound: f64| bound.to_bits();
            known.iter().copied().map(bits).eq(bounds.clone().map(bits))
        };
        if let Some(known) = self.0.iter().find(same) {
            return Arc::clone(known);
        }
        let new: Arc<[f64]> = bounds.collect();
        if self.0.len() < MAX_SHARED {
            self.0.push(Arc::clone(&new));
        }
        new
    }
}
