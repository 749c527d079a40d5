//! llama.cpp's server (`tools/server/README.md`; with `--metrics`).
//!
//! No labels, no histograms, and nothing counts requests that ended. Two counters, the time that all slots spent on output and
//! the tokens they made, give the mean time per output token: a histogram without buckets. `predicted_tokens_seconds` is a
//! rate in spite of its name.

use super::source::{Field, Part, Source};

pub(super) const SOURCES: &[Source] = &[
    Source::new(Field::PromptTokens, "llamacpp:prompt_tokens_total"),
    Source::new(Field::GenerationTokens, "llamacpp:tokens_predicted_total"),
    Source::new(Field::Running, "llamacpp:requests_processing"),
    Source::new(Field::Waiting, "llamacpp:requests_deferred"),
    Source::new(Field::InterToken, "llamacpp:tokens_predicted_seconds_total").part(Part::Sum),
    Source::new(Field::InterToken, "llamacpp:tokens_predicted_total").part(Part::Count),
];
