//! How fast simulated time runs: in go real durations, out come durations to sleep.
//! It must not read a clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Speed-up of an engine against the real one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// Times faster than real that downloads, weight loading and process start-up run (1 = real time; infinite = at once).
    #[serde(with = "factor")]
    pub load: f64,
    /// Times faster than real that tokens are generated.
    #[serde(with = "factor")]
    pub generate: f64,
}

/// JSON has no infinity: `null` stands for it.
mod factor {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde calls
    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        value.is_finite().then_some(*value).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
    }
}

impl Speed {
    /// Real time: an 8B model takes its half minute to load and 7 ms per token.
    pub const REAL: Self = Self {
        load: 1.0,
        generate: 1.0,
    };
    /// Loads and answers at once: for tests of everything but time.
    pub const INSTANT: Self = Self {
        load: f64::INFINITY,
        generate: f64::INFINITY,
    };

    /// Loading runs `load` times faster than real, generation in real time.
    pub fn loading(load: f64) -> Self {
        Self { load, generate: 1.0 }
    }

    /// The time to sleep for a start-up step that really takes `real`.
    pub fn load_time(&self, real: Duration) -> Duration {
        scaled(real, self.load)
    }

    /// The time to sleep for a generation step that really takes `real`.
    pub fn generate_time(&self, real: Duration) -> Duration {
        scaled(real, self.generate)
    }
}

impl Default for Speed {
    fn default() -> Self {
        Self::REAL
    }
}

fn scaled(real: Duration, factor: f64) -> Duration {
    if factor.is_nan() || factor <= 0.0 {
        return real;
    }
    Duration::try_from_secs_f64(real.as_secs_f64() / factor).unwrap_or(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_divides_and_nonsense_means_real_time() {
        let ten = Duration::from_secs(10);
        assert_eq!(Speed::loading(10.0).load_time(ten), Duration::from_secs(1));
        assert_eq!(Speed::INSTANT.load_time(ten), Duration::ZERO);
        assert_eq!(Speed::loading(0.0).load_time(ten), ten);
        assert_eq!(Speed::loading(f64::NAN).load_time(ten), ten);
        assert_eq!(Speed::REAL.generate_time(ten), ten);
    }
}
