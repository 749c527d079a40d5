//! A decision as a value: how many, why, and from what.
//!
//! In: what the planner found. Out: something for a status, a metric and a log line. It must not be needed to decide again.

use serde::{Deserialize, Serialize};

use crate::estimate::{Bound, Capacity};

/// Why there are as many as there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// As many as are needed.
    Enough,
    /// More are needed for the rate that will come.
    RateRises,
    /// More are needed for what is already there.
    QueueGrows,
    /// Fewer are needed.
    RateFalls,
    /// Fewer would do, but not for long enough yet.
    WaitsToShrink,
    /// Nothing, or not everything, can be seen: nothing is taken away.
    ScrapeFailed,
    /// The engine exports nothing that scaling could follow.
    NotObservable,
    /// A promise cannot be kept by any number of replicas; the rest is followed.
    Unreachable,
    /// More are needed than there may be.
    Limited,
    /// Nobody uses the model; whoever asks wakes it. Not the planner's: see [`crate::idle`].
    ScaledToZero,
    /// It was at zero, and none serves yet. Not the planner's.
    Waking,
}

/// What a decision was made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inputs {
    /// Replicas that exist and do not drain.
    pub current: u32,
    /// Replicas scraped.
    pub scraped: u32,
    /// Replicas that could not be scraped.
    pub unseen: u32,
    /// Requests arriving per second.
    pub arrivals: f64,
    /// The rate to be ready for.
    pub ready_for: f64,
    /// Requests inside.
    pub in_flight: f64,
    /// Requests waiting.
    pub waiting: f64,
    /// Seconds from order to serving.
    pub startup_seconds: f64,
    /// Mean tokens of a prompt.
    pub prompt_tokens: f64,
    /// Mean tokens of an answer.
    pub output_tokens: f64,
    /// Seconds of a step with nothing in it.
    pub unloaded_step_seconds: f64,
    /// Share of their time that replicas spend on tokens now.
    pub utilization: f64,
    /// Replicas for the rate, before rounding.
    pub for_rate: f64,
    /// Replicas for what is already there, before rounding.
    pub for_queue: f64,
    /// Replicas for the promised throughput, before rounding.
    pub for_throughput: f64,
}

/// How many replicas there should be, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Replicas that should exist.
    pub replicas: u32,
    /// Why.
    pub reason: Reason,
    /// The same in one sentence.
    pub message: String,
    /// What one replica sustains within the promises.
    pub capacity: Capacity,
    /// False when the engine exports no latency: then expectations are followed, not measurements.
    pub latency_observable: bool,
    /// What it was made from.
    pub inputs: Inputs,
}

impl Decision {
    pub(super) fn explain(mut self) -> Self {
        let (i, c) = (&self.inputs, &self.capacity);
        let n = counted(self.replicas);
        // More than the one replica that there always is, and more than the load asks for.
        let for_tokens = i.for_throughput > i.for_rate.max(1.0);
        let capacity = format!("{:.2}", c.rate);
        let bound = c.bound.words();
        let ready = if for_tokens {
            let of = format!("requests/s of {:.0} output tokens", i.output_tokens);
            let sustained = format!("one replica sustains {capacity} {of} (limited by {bound})");
            match self.reason {
                Reason::Limited => sustained,
                _ => format!(
                    "the promised throughput needs {:.1}, as {sustained}",
                    i.for_throughput
                ),
            }
        } else {
            format!(
                "{:.1} requests/s arrive, {:.1}/s may arrive by the time that a new replica serves ({:.0} s), and one replica sustains {capacity}/s (limited by {bound})",
                i.arrivals, i.ready_for, i.startup_seconds,
            )
        };
        self.message = match self.reason {
            Reason::Enough => format!("{n}: {ready}"),
            Reason::ScaledToZero => format!("{n}: nobody uses the model"),
            Reason::Waking => format!("{n}, of which none serves yet"),
            Reason::RateRises => format!("{n} instead of {}: {ready}", i.current),
            Reason::QueueGrows => format!(
                "{n} instead of {}: {:.0} requests are inside, {:.0} of them waiting, and one replica holds {:.0} within the targets",
                i.current, i.in_flight, i.waiting, c.concurrency
            ),
            Reason::RateFalls => format!("{n} instead of {}, which is enough: {ready}", i.current),
            Reason::WaitsToShrink => {
                format!("{n} as before, until fewer have been enough for a while: {ready}")
            }
            Reason::ScrapeFailed => format!(
                "{n} as before: {} of {} replicas could not be scraped, so none is taken away",
                i.unseen,
                i.unseen + i.scraped
            ),
            Reason::NotObservable => {
                format!("{n} as before: the engine exports neither requests nor latency")
            }
            Reason::Unreachable => {
                let (bound, seconds) = c.unreachable.unwrap_or((Bound::PerToken, 0.0));
                format!(
                    "{n}: no number of replicas reaches the target for {}; a replica without load takes {:.1} ms already. Use a faster GPU, a smaller model or a higher target",
                    bound.words(),
                    seconds * 1000.0
                )
            }
            Reason::Limited => format!(
                "{n}, the most there may be; {:.1} are needed: {ready}",
                i.for_rate.max(i.for_queue).max(i.for_throughput)
            ),
        };
        self
    }
}

/// `1 replica`, `2 replicas`.
fn counted(replicas: u32) -> String {
    let plural = if replicas == 1 { "" } else { "s" };
    format!("{replicas} replica{plural}")
}
