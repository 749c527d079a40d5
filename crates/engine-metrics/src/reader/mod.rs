//! From the text of one engine to one [`Scrape`].
//!
//! In: the bytes of a whole answer, the engine if it is known, and when the answer came. Out: what the engine's table finds in
//! them. It must not keep anything of one text for the next but buffers and bucket bounds, and must not guess: what does not
//! stand there is `None`.

mod buckets;
mod number;

use std::time::Duration;

use autoscale::observe::Scrape;

use crate::{
    engines::{Engine, Field, Role, Source, detect},
    text::{Sample, samples},
};
use buckets::{Buckets, Shared};
use number::Number;

pub use buckets::MAX_BUCKETS;
pub use number::MAX_GROUPS;

/// The longest text that is read, in bytes. A vLLM server has some 60 kB, one with many models and ranks a few hundred.
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// Why a text is no scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Longer than [`MAX_BODY`].
    #[error(
        "the metrics are {bytes} bytes long, more than the {MAX_BODY} that are read: have the engine export fewer label sets"
    )]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Not one line is a sample.
    #[error(
        "none of {lines} lines is a metric in the Prometheus text format: ask the engine's metrics path and port (TensorRT-LLM \
         serves JSON under /metrics, and its metrics under /prometheus/metrics)"
    )]
    NotMetrics {
        /// Lines that are neither empty nor a comment.
        lines: usize,
    },
}

/// What one text says.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The engine that was told or, if none was, detected. `None` when no engine's names occur; then the scrape is empty.
    pub engine: Option<Engine>,
    /// Its numbers.
    pub scrape: Scrape,
    /// How many samples the text has.
    pub samples: usize,
    /// How many lines were skipped because they are none.
    pub malformed: usize,
}

/// Reads texts one after the other, with the same buffers. Histograms that it reads share their bounds, so one reader for
/// many replicas is best.
#[derive(Debug, Default)]
pub struct Reader {
    finished: Number,
    prompt_tokens: Number,
    generation_tokens: Number,
    running: Number,
    waiting: Number,
    cache_use: Number,
    ttft: Buckets,
    per_token: Buckets,
    inter_token: Buckets,
    shared: Shared,
    matching: Vec<(&'static Source, Role)>,
}

impl Reader {
    /// Reads the metrics of `engine`, or of the engine whose names occur in them (which takes more than twice as long: tell
    /// the next call what [`Reading::engine`] says). `at` is when they came. The text must be whole.
    pub fn read(&mut self, text: &[u8], engine: Option<Engine>, at: Duration) -> Result<Reading, ReadError> {
        if text.len() > MAX_BODY {
            return Err(ReadError::TooLarge { bytes: text.len() });
        }
        let engine = engine.or_else(|| detect(text));
        let sources = engine.map_or(&[][..], Engine::sources);
        self.clear();
        let (mut read, mut malformed) = (0, 0);
        let mut name: &[u8] = &[];
        for sample in samples(text) {
            let Ok(sample) = sample else {
                malformed += 1;
                continue;
            };
            read += 1;
            // A metric's samples mostly follow each other.
            if sample.name != name {
                name = sample.name;
                let role = |source: &'static Source| Some((source, source.role(name)?));
                self.matching.clear();
                self.matching.extend(sources.iter().filter_map(role));
            }
            self.take(&sample);
        }
        if read == 0 && malformed > 0 {
            return Err(ReadError::NotMetrics { lines: malformed });
        }
        Ok(Reading {
            engine,
            scrape: self.scrape(at),
            samples: read,
            malformed,
        })
    }

    fn clear(&mut self) {
        *self = Self {
            finished: self.finished.cleared(),
            prompt_tokens: self.prompt_tokens.cleared(),
            generation_tokens: self.generation_tokens.cleared(),
            running: self.running.cleared(),
            waiting: self.waiting.cleared(),
            cache_use: self.cache_use.cleared(),
            ttft: self.ttft.cleared(),
            per_token: self.per_token.cleared(),
            inter_token: self.inter_token.cleared(),
            shared: std::mem::take(&mut self.shared),
            matching: std::mem::take(&mut self.matching),
        };
    }

    fn take(&mut self, sample: &Sample<'_>) {
        // Only amounts can be added up; NaN is how some exporters say "nothing yet".
        if !(sample.value.is_finite() && sample.value >= 0.0) {
            return;
        }
        let matching = std::mem::take(&mut self.matching);
        for (source, role) in matching.iter().filter(|(source, _)| source.counts(sample.labels)) {
            match source.field {
                Field::Finished => self.finished.add(source, sample),
                Field::PromptTokens => self.prompt_tokens.add(source, sample),
                Field::GenerationTokens => self.generation_tokens.add(source, sample),
                Field::Running => self.running.add(source, sample),
                Field::Waiting => self.waiting.add(source, sample),
                Field::CacheUse => self.cache_use.add(source, sample),
                Field::Ttft => self.ttft.add(source, *role, sample),
                Field::PerToken => self.per_token.add(source, *role, sample),
                Field::InterToken => self.inter_token.add(source, *role, sample),
            }
        }
        self.matching = matching;
    }

    fn scrape(&mut self, at: Duration) -> Scrape {
        Scrape {
            at,
            finished: self.finished.sum(),
            prompt_tokens: self.prompt_tokens.sum(),
            generation_tokens: self.generation_tokens.sum(),
            running: self.running.sum(),
            waiting: self.waiting.sum(),
            cache_use: self.cache_use.mean(),
            ttft: self.ttft.histogram(&mut self.shared),
            per_token: self.per_token.histogram(&mut self.shared),
            inter_token: self.inter_token.histogram(&mut self.shared),
        }
    }
}
