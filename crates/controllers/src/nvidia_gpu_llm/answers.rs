//! The whole answers, as the ConfigMap `<llmName>-answers` keeps them. Pure.
//!
//! In: answers, or the data of the ConfigMap. Out: the other of the two. The caller reads only a ConfigMap that the
//! resource owns (by uid): generations of another resource count from 1 as well.
//!
//! Two keys per prompt: `prompt-1.txt` is the text of the answer, `prompt-1.json` says of which prompt and generation it
//! is and how it went. What cannot be read, or was edited so that it contradicts itself, counts as not kept.

use std::{collections::BTreeMap, time::Duration};

use api::infra_example_com::v1::PromptState;
use diagnosis::shorten;
use serde::{Deserialize, Serialize};

use super::outcome::Outcome;

/// Bytes of all keys and values together. Kubernetes takes 1 MiB; the rest is for what others add.
const TOTAL: usize = 900 * 1024;

/// Bytes of what is kept beside an answer's text: 200 and 400 characters of at most 6 bytes in JSON, numbers, names.
const RECORD: usize = 4096;

/// Characters of a prompt, here and in the status.
pub const PROMPT_CHARACTERS: usize = 200;

/// Characters of a failure.
const FAILURE_CHARACTERS: usize = 400;

/// Bytes of the answer to one of `prompts` prompts, so that all have room.
pub fn share(prompts: usize) -> usize {
    (TOTAL / prompts.max(1)).saturating_sub(RECORD)
}

/// What is kept of the prompts that ended, by their place from 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    entries: BTreeMap<i32, Entry>,
}

/// What is kept of one prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Generation of the spec that it was sent for.
    pub generation: i64,
    /// The prompt, cut.
    pub prompt: String,
    /// Why it was not answered; `None` when it was.
    pub failure: Option<String>,
    /// The answer, or what came of it.
    pub text: String,
    /// More came than `text`.
    pub cut: bool,
    /// From sending to the end of the answer, in whole milliseconds.
    pub duration: Option<Duration>,
    /// Tokens of the answer per second of generating it, in thousandths.
    pub tokens_per_second: Option<f64>,
}

impl Entry {
    /// How `prompt`, one of `prompts`, ended; nothing if it did not leave.
    pub fn of(generation: i64, prompt: &str, outcome: &Outcome, prompts: usize) -> Option<Self> {
        let entry = match outcome {
            Outcome::NotSent { .. } => return None,
            Outcome::Answered(answer) => Self {
                generation,
                prompt: prompt.to_owned(),
                failure: None,
                text: answer.text.clone(),
                cut: answer.cut,
                duration: Some(in_milliseconds(answer.duration)),
                tokens_per_second: answer.tokens_per_second.and_then(in_thousandths),
            },
            Outcome::Failed { message, text } => Self {
                generation,
                prompt: prompt.to_owned(),
                failure: Some(message.clone()),
                text: text.clone(),
                cut: false,
                duration: None,
                tokens_per_second: None,
            },
        };
        Some(entry.within(share(prompts)))
    }

    /// Cut to what may be kept.
    fn within(mut self, bytes: usize) -> Self {
        let end = self.text.floor_char_boundary(bytes);
        self.cut |= end < self.text.len();
        self.text.truncate(end);
        self.prompt = shorten(&self.prompt, PROMPT_CHARACTERS);
        self.failure = self.failure.map(|failure| shorten(&failure, FAILURE_CHARACTERS));
        self
    }
}

impl Kept {
    /// What is kept of a prompt, if it is kept for this generation.
    pub fn get(&self, generation: i64, index: i32, prompt: &str) -> Option<&Entry> {
        let entry = self.entries.get(&index)?;
        let same = entry.generation == generation && entry.prompt == shorten(prompt, PROMPT_CHARACTERS);
        same.then_some(entry)
    }

    /// The same with one entry more, one of `prompts`. Entries of other generations go.
    #[must_use]
    pub fn with(&self, index: i32, entry: Entry, prompts: usize) -> Self {
        let in_use = 1..=i32::try_from(prompts).unwrap_or(i32::MAX);
        let mut entries = self.entries.clone();
        entries.retain(|index, old| old.generation == entry.generation && in_use.contains(index));
        entries.insert(index, entry);
        let limit = share(prompts);
        Self {
            entries: entries
                .into_iter()
                .map(|(index, entry)| (index, entry.within(limit)))
                .collect(),
        }
    }

    /// What the data of a ConfigMap says.
    pub fn read(data: &BTreeMap<String, String>) -> Self {
        let entries = data.iter().filter_map(|(key, json)| {
            let index: i32 = key.strip_prefix("prompt-")?.strip_suffix(".json")?.parse().ok()?;
            let record: Record = serde_json::from_str(json).ok()?;
            let sound = index >= 1 && record.index == index && record_key(index) == *key;
            let entry = record.entry(data.get(&text_key(index)))?;
            sound.then_some((index, entry))
        });
        Self {
            entries: entries.collect(),
        }
    }
}

/// The data of the ConfigMap.
pub fn data(kept: &Kept) -> BTreeMap<String, String> {
    let mut data = BTreeMap::new();
    for (&index, entry) in &kept.entries {
        let record = serde_json::to_string_pretty(&Record::of(index, entry));
        // Only maps with odd keys and failing writers make this fail, and there are none.
        let Ok(record) = record else { continue };
        data.insert(record_key(index), record);
        if entry.failure.is_none() || !entry.text.is_empty() {
            data.insert(text_key(index), entry.text.clone());
        }
    }
    data
}

/// Key of an answer's text.
pub fn text_key(index: i32) -> String {
    format!("prompt-{index}.txt")
}

fn record_key(index: i32) -> String {
    format!("prompt-{index}.json")
}

/// What is written beside the text.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    generation: i64,
    index: i32,
    prompt: String,
    state: PromptState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokens_per_second: Option<f64>,
    #[serde(default)]
    cut: bool,
}

impl Record {
    fn of(index: i32, entry: &Entry) -> Self {
        let shortened = || {
            let length = entry.text.len();
            entry
                .cut
                .then(|| format!("the answer was cut after {length} bytes"))
        };
        Self {
            generation: entry.generation,
            index,
            prompt: entry.prompt.clone(),
            state: if entry.failure.is_some() {
                PromptState::Failed
            } else {
                PromptState::Answered
            },
            message: entry.failure.clone().or_else(shortened),
            duration_seconds: entry.duration.map(|duration| duration.as_secs_f64()),
            tokens_per_second: entry.tokens_per_second,
            cut: entry.cut,
        }
    }

    /// With the text that stands beside it.
    fn entry(self, text: Option<&String>) -> Option<Entry> {
        let (failure, text) = match self.state {
            PromptState::Answered => (None, text?.clone()),
            PromptState::Failed => (Some(self.message?), text.cloned().unwrap_or_default()),
            PromptState::Sending | PromptState::Interrupted => return None,
        };
        Some(Entry {
            generation: self.generation,
            prompt: self.prompt,
            failure,
            text,
            cut: self.cut,
            duration: self
                .duration_seconds
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            tokens_per_second: self.tokens_per_second,
        })
    }
}

fn in_milliseconds(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// Nothing for what is no rate.
fn in_thousandths(rate: f64) -> Option<f64> {
    let rounded = (rate * 1000.0).round() / 1000.0;
    (rounded.is_finite() && rounded >= 0.0).then_some(rounded)
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
