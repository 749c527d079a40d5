//! What the status says of a prompt. Pure.
//!
//! In: a prompt, or how it ended. Out: its record, cut so that the records of all prompts fit into a status.

use api::infra_example_com::v1::{PromptState, PromptStatus};
use diagnosis::shorten;

use super::answers::{Entry, PROMPT_CHARACTERS, text_key};

/// Characters of an answer.
const ANSWER_CHARACTERS: usize = 1000;

/// Characters of a message.
const MESSAGE_CHARACTERS: usize = 400;

const INTERRUPTED: &str = "The operator ended before an answer was kept. The model may have got the prompt, so it \
                           is not sent again; a change of the spec sends all prompts again.";

/// The message of a prompt that has not left yet though it was tried.
pub fn not_sent_yet(why: &str) -> String {
    shorten(&format!("Not sent yet: {why}"), MESSAGE_CHARACTERS)
}

/// It is on its way.
pub fn sending(index: i32, prompt: &str) -> PromptStatus {
    PromptStatus {
        index,
        prompt: shorten(prompt, PROMPT_CHARACTERS),
        state: PromptState::Sending,
        answer: None,
        duration_seconds: None,
        tokens_per_second: None,
        message: None,
    }
}

/// Nobody knows how it ended.
pub fn interrupted(record: &PromptStatus) -> PromptStatus {
    PromptStatus {
        state: PromptState::Interrupted,
        message: Some(INTERRUPTED.to_owned()),
        ..record.clone()
    }
}

/// It ended as `entry` says.
pub fn ended(index: i32, entry: &Entry) -> PromptStatus {
    let answer = shorten(&entry.text, ANSWER_CHARACTERS);
    let message = if let Some(failure) = &entry.failure {
        Some(shorten(failure, MESSAGE_CHARACTERS))
    } else if entry.cut {
        let bytes = entry.text.len();
        Some(format!("The answer was longer than {bytes} bytes and was cut."))
    } else if answer == entry.text {
        None
    } else {
        let key = text_key(index);
        Some(format!("The whole answer is {key} in the ConfigMap."))
    };
    PromptStatus {
        index,
        prompt: entry.prompt.clone(),
        state: if entry.failure.is_some() {
            PromptState::Failed
        } else {
            PromptState::Answered
        },
        answer: (entry.failure.is_none() || !answer.is_empty()).then_some(answer),
        duration_seconds: entry
            .duration
            .map(|duration| format!("{:.1}", duration.as_secs_f64())),
        tokens_per_second: entry.tokens_per_second.map(|rate| format!("{rate:.1}")),
        message,
    }
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
