//! What an engine counts about its requests: events in, counters and histograms out (metrics files print them).
//! It must not know metric names.

use std::time::Duration;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    /// The model ended its answer.
    Stop,
    /// `max_tokens` or the context's end.
    Length,
    /// The client left.
    Abort,
}

impl Finish {
    pub(crate) const ALL: [Self; 3] = [Self::Stop, Self::Length, Self::Abort];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::Abort => "abort",
        }
    }
}

/// A histogram with fixed upper bounds.
#[derive(Debug)]
pub(crate) struct Histogram {
    pub(crate) bounds: &'static [f64],
    counts: Vec<u64>,
    pub(crate) sum: f64,
    pub(crate) count: u64,
}

impl Histogram {
    pub(crate) fn new(bounds: &'static [f64]) -> Self {
        // Counts are made with the first observation: an idle engine holds none.
        Self {
            bounds,
            counts: Vec::new(),
            sum: 0.0,
            count: 0,
        }
    }

    pub(crate) fn observe(&mut self, value: f64) {
        if self.counts.is_empty() {
            self.counts = vec![0; self.bounds.len()];
        }
        if let Some(at) = self.bounds.iter().position(|bound| value <= *bound) {
            self.counts[at] += 1;
        }
        self.sum += value;
        self.count += 1;
    }

    /// Bounds with the number of observations at or below each.
    pub(crate) fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let mut total = 0;
        self.bounds.iter().enumerate().map(move |(i, bound)| {
            total += self.counts.get(i).copied().unwrap_or(0);
            (*bound, total)
        })
    }
}

/// Upper bounds; all but the last as vLLM 0.33 has them.
pub(crate) mod bounds {
    pub(crate) const FIRST_TOKEN: &[f64] = &[
        0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0,
        40.0, 80.0, 160.0, 640.0, 2560.0,
    ];
    pub(crate) const INTER_TOKEN: &[f64] = &[
        0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0,
        80.0,
    ];
    pub(crate) const REQUEST: &[f64] = &[
        0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0,
        480.0, 960.0, 1920.0, 7680.0,
    ];
    pub(crate) const TOKENS: &[f64] = &[
        1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0, 20_000.0,
        50_000.0, 100_000.0,
    ];
    /// OpenTelemetry's own, which LocalAI does not change although it measures seconds.
    pub(crate) const CALL: &[f64] = &[
        0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0,
        10_000.0,
    ];
}

#[derive(Debug)]
pub(crate) struct Stats {
    pub(crate) prompt_tokens: u64,
    pub(crate) generation_tokens: u64,
    finished: [u64; 3],
    pub(crate) first_token: Histogram,
    pub(crate) inter_token: Histogram,
    pub(crate) per_output_token: Histogram,
    pub(crate) request: Histogram,
    pub(crate) queue: Histogram,
    pub(crate) inference: Histogram,
    pub(crate) prefill: Histogram,
    pub(crate) decode: Histogram,
    pub(crate) request_prompt: Histogram,
    pub(crate) request_generation: Histogram,
}

impl Default for Stats {
    fn default() -> Self {
        use bounds::{FIRST_TOKEN, INTER_TOKEN, REQUEST, TOKENS};
        Self {
            prompt_tokens: 0,
            generation_tokens: 0,
            finished: [0; 3],
            first_token: Histogram::new(FIRST_TOKEN),
            inter_token: Histogram::new(INTER_TOKEN),
            per_output_token: Histogram::new(INTER_TOKEN),
            request: Histogram::new(REQUEST),
            queue: Histogram::new(REQUEST),
            inference: Histogram::new(REQUEST),
            prefill: Histogram::new(REQUEST),
            decode: Histogram::new(REQUEST),
            request_prompt: Histogram::new(TOKENS),
            request_generation: Histogram::new(TOKENS),
        }
    }
}

impl Stats {
    pub(crate) fn finished(&self, reason: Finish) -> u64 {
        self.finished[reason as usize]
    }

    pub(crate) fn queued(&mut self, time: Duration) {
        self.queue.observe(time.as_secs_f64());
    }

    pub(crate) fn first_token(&mut self, since_arrival: Duration, prompt: u64) {
        self.prompt_tokens += prompt;
        self.generation_tokens += 1;
        self.first_token.observe(since_arrival.as_secs_f64());
    }

    pub(crate) fn next_token(&mut self, since_last: Duration) {
        self.generation_tokens += 1;
        self.inter_token.observe(since_last.as_secs_f64());
    }

    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn ended(
        &mut self,
        reason: Finish,
        prompt: u64,
        generated: u64,
        total: Duration,
        inference: Duration,
        decode: Duration,
    ) {
        self.finished[reason as usize] += 1;
        self.request.observe(total.as_secs_f64());
        self.inference.observe(inference.as_secs_f64());
        self.decode.observe(decode.as_secs_f64());
        self.prefill
            .observe(inference.saturating_sub(decode).as_secs_f64());
        self.request_prompt.observe(prompt as f64);
        self.request_generation.observe(generated as f64);
        if generated > 1 {
            self.per_output_token
                .observe(decode.as_secs_f64() / (generated - 1) as f64);
        }
    }
}
