//! What was promised.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Promises of a deployment. Without any, it is sized for [`Targets::UTILIZATION`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Targets {
    /// Time to first token.
    pub ttft: Option<Duration>,
    /// Mean time per output token of a request.
    pub per_token: Option<Duration>,
    /// Output tokens per second that the whole deployment must be able to make.
    pub throughput: Option<f64>,
    /// Share of requests that must be within both times; 0.99 unless told.
    pub attainment: f64,
}

impl Targets {
    /// Utilization of a replica where no promise asks for less: queues stay short below it.
    pub const UTILIZATION: f64 = 0.9;

    /// Share of requests that may be late.
    pub fn allowance(&self) -> f64 {
        let attainment = if self.attainment.is_finite() {
            self.attainment
        } else {
            0.99
        };
        (1.0 - attainment).clamp(1e-4, 0.5)
    }
}

impl Default for Targets {
    fn default() -> Self {
        Self {
            ttft: None,
            per_token: None,
            throughput: None,
            attainment: 0.99,
        }
    }
}
