//! Numbers made safe: conversions that saturate, and values that are never NaN.
//!
//! In: counts and floats of any origin. Out: finite floats and replica counts. It must not panic for any input.

/// A count as a float; counts beyond `u32::MAX` saturate.
pub(crate) fn float(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::from(u32::MAX), f64::from)
}

/// The most that is believed of any counter or gauge: a century of a billion tokens per second is below it.
const MOST: f64 = 1e19;

/// The value when it is an amount: finite, not negative, not beyond belief.
pub(crate) fn amount(value: f64) -> Option<f64> {
    (0.0..=MOST).contains(&value).then_some(value)
}

/// The smallest whole number of replicas that is at least `need`. A billionth less than a whole number's excess is
/// rounding, not need. NaN and negative needs are 0; infinite needs saturate.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float to integer casts saturate, and NaN is 0"
)]
pub(crate) fn whole_replicas(need: f64) -> u32 {
    (need - 1e-9).ceil() as u32
}

/// The largest index not above `position`, for tables of `len` entries.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float to integer casts saturate, and NaN is 0"
)]
pub(crate) fn index(position: f64, len: usize) -> usize {
    (position as usize).min(len.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_are_rounded_up_and_saturate() {
        for (need, replicas) in [
            (0.0, 0),
            (0.1, 1),
            (1.0, 1),
            (1.000_000_000_1, 1),
            (1.01, 2),
            (-3.0, 0),
            (f64::NAN, 0),
            (f64::INFINITY, u32::MAX),
            (f64::NEG_INFINITY, 0),
        ] {
            assert_eq!(whole_replicas(need), replicas, "{need}");
        }
    }

    #[test]
    fn an_index_stays_in_its_table() {
        assert_eq!(index(2.9, 10), 2);
        assert_eq!(index(-1.0, 10), 0);
        assert_eq!(index(99.0, 10), 9);
        assert_eq!(index(f64::NAN, 10), 0);
        assert_eq!(index(5.0, 0), 0);
    }
}
