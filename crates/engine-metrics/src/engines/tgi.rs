//! Hugging Face text-generation-inference (3.3.x, `docs/source/reference/metrics.md`).
//!
//! Names without `_total` and without units. It has no time to first token and no cache gauge; tokens are the sums of its
//! histograms of lengths. `tgi_request_mean_time_per_token_duration` is a request's inference time over its tokens: the prompt's
//! time is in it, so it errs to the slow side. `tgi_request_count` counts requests when they come; what ended is success
//! and failure (its samples appear with the first failure).

use super::source::{Field, Source};

pub(super) const SOURCES: &[Source] = &[
    Source::new(Field::Finished, "tgi_request_success"),
    Source::new(Field::Finished, "tgi_request_failure"),
    Source::new(Field::PromptTokens, "tgi_request_input_length_sum"),
    Source::new(Field::GenerationTokens, "tgi_request_generated_tokens_sum"),
    Source::new(Field::Running, "tgi_batch_current_size"),
    Source::new(Field::Waiting, "tgi_queue_size"),
    Source::new(Field::PerToken, "tgi_request_mean_time_per_token_duration"),
];
