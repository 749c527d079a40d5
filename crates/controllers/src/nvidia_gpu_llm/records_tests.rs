//! Tests of what a person reads of a prompt.

use std::time::Duration;

use super::*;
use crate::nvidia_gpu_llm::outcome::{Answer, Outcome};

fn ended_as(outcome: &Outcome) -> PromptStatus {
    let entry = Entry::of(1, "Why is the sky blue?", outcome, 64).expect("it left");
    ended(2, &entry)
}

fn answered(text: &str) -> PromptStatus {
    ended_as(&Outcome::Answered(Answer {
        text: text.to_owned(),
        cut: false,
        duration: Duration::from_millis(2449),
        tokens_per_second: Some(38.46),
    }))
}

fn failed(message: &str, text: &str) -> PromptStatus {
    ended_as(&Outcome::Failed {
        message: message.to_owned(),
        text: text.to_owned(),
    })
}

#[test]
fn an_answer_stands_there_with_its_figures() {
    let expected = PromptStatus {
        index: 2,
        prompt: "Why is the sky blue?".to_owned(),
        state: PromptState::Answered,
        answer: Some("Rayleigh.".to_owned()),
        duration_seconds: Some("2.4".to_owned()),
        tokens_per_second: Some("38.5".to_owned()),
        message: None,
    };
    assert_eq!(answered("Rayleigh."), expected);
}

#[test]
fn an_empty_answer_is_an_answer() {
    assert_eq!(answered("").answer.as_deref(), Some(""));
}

#[test]
fn a_long_answer_says_where_the_rest_is() {
    let record = answered(&"ä".repeat(1001));
    let answer = record.answer.expect("an answer");
    assert_eq!(answer.chars().count(), 1000);
    assert!(answer.ends_with('…'));
    assert_eq!(
        record.message.as_deref(),
        Some("The whole answer is prompt-2.txt in the ConfigMap.")
    );
    assert_eq!(answered(&"ä".repeat(1000)).message, None);
}

#[test]
fn a_cut_answer_says_so() {
    let limit = crate::nvidia_gpu_llm::answers::share(64);
    let record = answered(&"a".repeat(limit + 1));
    let expected = format!("The answer was longer than {limit} bytes and was cut.");
    assert_eq!(record.message, Some(expected));
}

#[test]
fn a_failure_says_why_and_what_came() {
    let record = failed("The connection broke.", "Ray");
    assert_eq!(record.state, PromptState::Failed);
    assert_eq!(record.message.as_deref(), Some("The connection broke."));
    assert_eq!(record.answer.as_deref(), Some("Ray"));
    assert_eq!(failed("The connection broke.", "").answer, None);
}

#[test]
fn an_interruption_says_that_nothing_is_sent_again() {
    let record = interrupted(&sending(1, "p"));
    assert_eq!(record.state, PromptState::Interrupted);
    assert!(
        record
            .message
            .is_some_and(|message| message.contains("not sent again"))
    );
}

#[test]
fn prompts_and_messages_are_cut() {
    let record = sending(1, &"€".repeat(201));
    assert_eq!(record.prompt.chars().count(), 200);
    assert!(record.prompt.ends_with('…'));
    assert_eq!(sending(1, &"€".repeat(200)).prompt, "€".repeat(200));
    let message = failed(&"m".repeat(9000), "").message.expect("a message");
    assert_eq!(message.chars().count(), 400);
    assert_eq!(not_sent_yet(&"m".repeat(9000)).chars().count(), 400);
}
