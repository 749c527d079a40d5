//! Histograms as engines export them.
//!
//! In: bucket bounds with cumulative counts, sum and count, at two times. Out: what was added between them: mean, and
//! what share lies above a target. It must not pretend more resolution than the buckets have: between two bounds
//! nothing is known but the mean of all, so the spread is fitted as one number (see [`Histogram::spread`]).

use std::sync::Arc;

use crate::num::amount;

/// A histogram at one time, or what was added to one between two times. Values in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// Upper bounds of the buckets in rising order, without `+Inf`. Shared: all replicas of an engine have the same.
    pub bounds: Arc<[f64]>,
    /// Number of values at or below each bound; as long as `bounds`.
    pub cumulative: Vec<f64>,
    /// Sum of all values.
    pub sum: f64,
    /// Number of all values.
    pub count: f64,
}

impl Histogram {
    /// An empty histogram with these bounds.
    pub fn empty(bounds: &Arc<[f64]>) -> Self {
        Self {
            bounds: Arc::clone(bounds),
            cumulative: vec![0.0; bounds.len()],
            sum: 0.0,
            count: 0.0,
        }
    }

    /// Adds `times` values of one size.
    pub fn record(&mut self, value: f64, times: f64) {
        for (cumulative, bound) in self.cumulative.iter_mut().zip(self.bounds.iter()).rev() {
            if value > *bound {
                break;
            }
            *cumulative += times;
        }
        self.sum += value * times;
        self.count += times;
    }

    /// What was added since `earlier`. A histogram that was reset (its count fell, or its bounds are others) counts from
    /// zero, as its process does. `None` when nothing sound was added.
    pub fn since(&self, earlier: Option<&Self>) -> Option<Self> {
        let reset = earlier.is_none_or(|e| e.count > self.count || e.bounds != self.bounds);
        let added = match earlier {
            Some(e) if !reset => Self {
                bounds: Arc::clone(&self.bounds),
                cumulative: self
                    .cumulative
                    .iter()
                    .zip(&e.cumulative)
                    .map(|(new, old)| new - old)
                    .collect(),
                sum: self.sum - e.sum,
                count: self.count - e.count,
            },
            _ => self.clone(),
        };
        added.is_sound().then_some(added)
    }

    /// Adds another histogram with the same bounds; one with other bounds counts only into sum and count.
    pub fn merge(&mut self, other: &Self) {
        if self.count <= 0.0 && self.bounds != other.bounds {
            *self = other.clone();
            return;
        }
        if self.bounds == other.bounds {
            for (mine, theirs) in self.cumulative.iter_mut().zip(&other.cumulative) {
                *mine += theirs;
            }
        }
        self.sum += other.sum;
        self.count += other.count;
    }

    /// Makes old values count less: every count times `factor` (0 to 1).
    pub fn fade(&mut self, factor: f64) {
        for cumulative in &mut self.cumulative {
            *cumulative *= factor;
        }
        self.sum *= factor;
        self.count *= factor;
    }

    /// Mean of the values; `None` when there is none.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count).and_then(amount)
    }

    /// Bounds of the share of values above `target`: at least the first, at most the second. Both are the same when
    /// `target` is a bucket's bound. `None` when there are no values.
    pub fn share_above(&self, target: f64) -> Option<(f64, f64)> {
        if self.count <= 0.0 {
            return None;
        }
        let below = |cumulative: Option<&f64>| {
            (1.0 - cumulative.copied().unwrap_or(0.0) / self.count).clamp(0.0, 1.0)
        };
        let above = self.bounds.partition_point(|bound| *bound < target);
        let most = match self.bounds.get(above) {
            Some(bound) if *bound <= target => below(self.cumulative.get(above)),
            _ if above == 0 => 1.0,
            _ => below(self.cumulative.get(above - 1)),
        };
        let least = self.cumulative.get(above).map_or(0.0, |c| below(Some(c)));
        Some((least, most))
    }

    /// Share of values above `target`, taken to fall off evenly within the bucket that `target` lies in.
    pub fn share_late(&self, target: f64) -> Option<f64> {
        let (least, most) = self.share_above(target)?;
        let at = self.bounds.partition_point(|bound| *bound < target);
        let lower = at
            .checked_sub(1)
            .and_then(|before| self.bounds.get(before))
            .copied()
            .unwrap_or(0.0);
        let part = self
            .bounds
            .get(at)
            .map_or(0.0, |upper| (target - lower) / (upper - lower));
        Some(most + (least - most) * part.clamp(0.0, 1.0))
    }

    /// The value that a share of all values does not exceed, taken to lie evenly within its bucket; the highest bound when
    /// it lies beyond. `None` when there are no values or no buckets.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = self.count * share.clamp(0.0, 1.0);
        let highest = self.bounds.last().copied().filter(|_| self.count > 0.0)?;
        let at = self.cumulative.partition_point(|cumulative| *cumulative < wanted);
        let Some((upper, cumulative)) = self.bounds.get(at).zip(self.cumulative.get(at)) else {
            return Some(highest);
        };
        let before = at.checked_sub(1);
        let of = |values: &[f64]| before.and_then(|index| values.get(index)).copied().unwrap_or(0.0);
        let (lower, seen) = (of(&self.bounds), of(&self.cumulative));
        let part = if *cumulative > seen {
            (wanted - seen) / (cumulative - seen)
        } else {
            1.0
        };
        Some(lower + (upper - lower) * part)
    }

    /// Numbers that can be a histogram: finite, not negative, rising, something in it.
    fn is_sound(&self) -> bool {
        let rising = self.cumulative.windows(2).all(|pair| pair[0] <= pair[1] + 1e-9);
        let within = self
            .cumulative
            .iter()
            .all(|c| amount(*c).is_some() && *c <= self.count + 1e-9);
        self.cumulative.len() == self.bounds.len()
            && self.bounds.iter().all(|b| b.is_finite())
            && amount(self.sum).is_some()
            && self.count.is_finite()
            && self.count > 0.0
            && rising
            && within
    }
}
