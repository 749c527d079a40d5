//! Tests of each rule of the ledger. That the rules together send nothing twice stands in `ledger_model_tests`.

use std::time::Duration;

use super::*;
use crate::nvidia_gpu_llm::outcome::Answer;

const GENERATION: i64 = 7;

fn prompts(count: usize) -> Vec<String> {
    (1..=count).map(|index| format!("prompt {index}")).collect()
}

fn answered() -> Outcome {
    Outcome::Answered(Answer {
        text: "Rayleigh.".to_owned(),
        cut: false,
        duration: Duration::from_millis(2400),
        tokens_per_second: Some(38.5),
    })
}

fn failed() -> Outcome {
    Outcome::Failed {
        message: "The connection broke.".to_owned(),
        text: "Ray".to_owned(),
    }
}

fn not_sent() -> Outcome {
    Outcome::NotSent {
        message: "Nobody listens.".to_owned(),
    }
}

fn intended(index: i32) -> Memory {
    Memory::Intended {
        generation: GENERATION,
        index,
    }
}

fn sending(index: i32) -> Memory {
    Memory::Sending {
        generation: GENERATION,
        index,
    }
}

fn ended(index: i32, outcome: Outcome) -> Memory {
    Memory::Ended {
        generation: GENERATION,
        index,
        outcome,
    }
}

fn kept(outcomes: &[(i32, Outcome)]) -> Kept {
    outcomes.iter().fold(Kept::default(), |kept, (index, outcome)| {
        let entry = Entry::of(GENERATION, &format!("prompt {index}"), outcome, 3).expect("it left");
        kept.with(*index, entry, 3)
    })
}

/// Records in these states: `S`ending, `A`nswered, `F`ailed, `I`nterrupted.
fn stored(states: &str) -> Vec<PromptStatus> {
    let indexed = (1..).zip(states.chars());
    indexed
        .map(|(index, state)| {
            let prompt = format!("prompt {index}");
            let of = |outcome| {
                let entry = Entry::of(GENERATION, &prompt, &outcome, 3).expect("it left");
                records::ended(index, &entry)
            };
            match state {
                'A' => of(answered()),
                'F' => of(failed()),
                'I' => records::interrupted(&records::sending(index, &prompt)),
                _ => records::sending(index, &prompt),
            }
        })
        .collect()
}

fn states(ledger: &Ledger) -> String {
    let letter = |record: &PromptStatus| match record.state {
        PromptState::Sending => 'S',
        PromptState::Answered => 'A',
        PromptState::Failed => 'F',
        PromptState::Interrupted => 'I',
    };
    ledger.records.iter().map(letter).collect()
}

/// With three prompts.
fn next(before: &str, memory: &Memory, kept: &Kept) -> Ledger {
    advance(
        &prompts(3),
        GENERATION,
        &stored(before),
        Some(GENERATION),
        memory,
        kept,
        true,
    )
}

/// States before and after, and the prompt that is sent.
#[track_caller]
fn check(before: &str, memory: &Memory, kept: &Kept, after: &str, send: Option<i32>) {
    let ledger = next(before, memory, kept);
    assert_eq!(
        (&*states(&ledger), ledger.send.map(|send| send.index)),
        (after, send)
    );
}

#[test]
fn without_prompts_all_is_done() {
    let ledger = advance(
        &[],
        GENERATION,
        &[],
        None,
        &Memory::Nothing,
        &Kept::default(),
        true,
    );
    assert!(ledger.done && ledger.records.is_empty() && ledger.send.is_none() && ledger.unstored.is_none());
}

#[test]
fn each_prompt_has_its_turn() {
    let nothing = Kept::default();
    check("", &Memory::Nothing, &nothing, "S", Some(1));
    check("A", &Memory::Nothing, &nothing, "AS", Some(2));
    check("AF", &Memory::Nothing, &nothing, "AFS", Some(3));
    check("AFI", &Memory::Nothing, &nothing, "AFI", None);
    assert!(next("AFI", &Memory::Nothing, &nothing).done);
    assert!(!next("AFS", &sending(3), &nothing).done);
    assert!(!next("AF", &Memory::Nothing, &nothing).done);
}

#[test]
fn the_whole_prompt_is_sent() {
    let prompt = "€".repeat(8192);
    let all = [prompt.clone()];
    let ledger = advance(&all, 1, &[], None, &Memory::Nothing, &Kept::default(), true);
    assert_eq!(ledger.send, Some(ToSend { index: 1, prompt }));
}

#[test]
fn another_generation_begins_anew() {
    let (all, before) = (prompts(3), stored("AAA"));
    for stored_generation in [None, Some(6), Some(8)] {
        let memory = Memory::Sending {
            generation: 6,
            index: 3,
        };
        let kept = Kept::default();
        let ledger = advance(&all, GENERATION, &before, stored_generation, &memory, &kept, true);
        assert_eq!(
            (&*states(&ledger), ledger.send.map(|send| send.index)),
            ("S", Some(1))
        );
        let waits = advance(
            &all,
            GENERATION,
            &before,
            stored_generation,
            &memory,
            &kept,
            false,
        );
        assert!(waits.records.is_empty() && waits.send.is_none() && !waits.done);
    }
}

#[test]
fn nothing_new_begins_unless_it_may() {
    for (before, memory) in [("", Memory::Nothing), ("A", Memory::Nothing), ("S", intended(1))] {
        let (all, before) = (prompts(3), stored(before));
        let stored_generation = Some(GENERATION);
        let kept = Kept::default();
        let ledger = advance(
            &all,
            GENERATION,
            &before,
            stored_generation,
            &memory,
            &kept,
            false,
        );
        assert_eq!((ledger.records, ledger.send), (before, None));
    }
}

#[test]
fn what_ended_is_recorded_without_leave_to_send() {
    let memory = ended(1, answered());
    let (all, before) = (prompts(3), stored("S"));
    let kept = kept(&[(1, answered())]);
    let ledger = advance(&all, GENERATION, &before, Some(GENERATION), &memory, &kept, false);
    assert_eq!((&*states(&ledger), ledger.send), ("A", None));
}

#[test]
fn an_intent_that_is_stored_is_sent() {
    check("S", &intended(1), &Kept::default(), "S", Some(1));
    check("AS", &intended(2), &Kept::default(), "AS", Some(2));
}

#[test]
fn an_intent_that_is_not_stored_is_stored() {
    check("A", &intended(2), &Kept::default(), "AS", Some(2));
}

#[test]
fn what_is_on_its_way_is_waited_for() {
    check("AS", &sending(2), &Kept::default(), "AS", None);
}

#[test]
fn an_answer_goes_to_the_config_map_first() {
    let ledger = next("S", &ended(1, answered()), &Kept::default());
    assert_eq!((&*states(&ledger), ledger.send), ("A", None));
    assert_eq!(ledger.unstored, Some(kept(&[(1, answered())])));

    let ledger = next("AS", &ended(2, failed()), &kept(&[(1, answered())]));
    assert_eq!((&*states(&ledger), ledger.send), ("AF", None));
    assert_eq!(ledger.unstored, Some(kept(&[(1, answered()), (2, failed())])));
}

#[test]
fn once_the_answer_is_kept_the_next_prompt_goes_out() {
    let ledger = next("S", &ended(1, answered()), &kept(&[(1, answered())]));
    assert_eq!(
        (&*states(&ledger), ledger.send.map(|send| send.index)),
        ("AS", Some(2))
    );
    assert_eq!(ledger.unstored, None);
    assert_eq!(ledger.records[..1], stored("A"));
}

#[test]
fn what_did_not_leave_is_sent_again_and_says_why() {
    let ledger = next("AS", &ended(2, not_sent()), &Kept::default());
    assert_eq!(
        (&*states(&ledger), ledger.send.map(|send| send.index)),
        ("AS", Some(2))
    );
    assert_eq!(
        ledger.records[1].message.as_deref(),
        Some("Not sent yet: Nobody listens.")
    );
    assert_eq!(ledger.unstored, None);
}

#[test]
fn what_nobody_remembers_is_interrupted_and_the_next_goes_out() {
    check("S", &Memory::Nothing, &Kept::default(), "IS", Some(2));
    check("AAS", &Memory::Nothing, &Kept::default(), "AAI", None);
    assert!(next("AAS", &Memory::Nothing, &Kept::default()).done);
}

#[test]
fn memory_of_another_generation_is_none() {
    for generation in [GENERATION - 1, GENERATION + 1] {
        for memory in [
            Memory::Intended { generation, index: 1 },
            Memory::Sending { generation, index: 1 },
            Memory::Ended {
                generation,
                index: 1,
                outcome: answered(),
            },
        ] {
            check("S", &memory, &Kept::default(), "IS", Some(2));
        }
    }
}

#[test]
fn an_answer_that_is_kept_is_no_interruption() {
    check("S", &Memory::Nothing, &kept(&[(1, answered())]), "AS", Some(2));
    check("AS", &Memory::Nothing, &kept(&[(2, failed())]), "AFS", Some(3));
    check("S", &intended(2), &kept(&[(1, answered())]), "AS", Some(2));
}

#[test]
fn an_answer_of_another_prompt_or_generation_is_not_taken() {
    let entry = |generation, prompt| Entry::of(generation, prompt, &answered(), 3).expect("it left");
    let other_prompt = Kept::default().with(1, entry(GENERATION, "prompt X"), 3);
    check("S", &Memory::Nothing, &other_prompt, "IS", Some(2));
    let other_generation = Kept::default().with(1, entry(GENERATION - 1, "prompt 1"), 3);
    check("S", &Memory::Nothing, &other_generation, "IS", Some(2));
}

#[test]
fn an_answer_that_turns_up_late_ends_an_interruption() {
    check("I", &Memory::Nothing, &kept(&[(1, answered())]), "AS", Some(2));
    let ledger = next("I", &ended(1, answered()), &Kept::default());
    assert_eq!(states(&ledger), "A");
    assert!(ledger.unstored.is_some());
    check("I", &intended(1), &Kept::default(), "IS", Some(2));
    check("I", &ended(1, not_sent()), &Kept::default(), "IS", Some(2));
}

#[test]
fn a_status_that_forgot_what_was_sent_is_put_right() {
    check("", &sending(1), &Kept::default(), "S", None);
    check("", &sending(2), &kept(&[(1, answered())]), "AS", None);
    check("S", &sending(2), &Kept::default(), "IS", None);
    check("", &ended(1, answered()), &Kept::default(), "A", None);
    check(
        "",
        &intended(3),
        &kept(&[(1, answered()), (2, failed())]),
        "AFS",
        Some(3),
    );
    check("", &Memory::Nothing, &kept(&[(2, answered())]), "IAS", Some(3));
}

#[test]
fn records_that_somebody_else_put_there_are_not_believed() {
    let mut odd = stored("AAA");
    odd[1].index = 5;
    let all = prompts(3);
    let kept = Kept::default();
    let ledger = advance(
        &all,
        GENERATION,
        &odd,
        Some(GENERATION),
        &Memory::Nothing,
        &kept,
        true,
    );
    assert_eq!(
        (&*states(&ledger), ledger.send.map(|send| send.index)),
        ("AS", Some(2))
    );

    let many = stored("AAAAA");
    let ledger = advance(
        &all,
        GENERATION,
        &many,
        Some(GENERATION),
        &Memory::Nothing,
        &kept,
        true,
    );
    assert!(ledger.done && ledger.records.len() == 3);

    for index in [i32::MIN, -1, 0, 4, i32::MAX] {
        for memory in [intended(index), sending(index), ended(index, answered())] {
            let ledger = next("A", &memory, &kept);
            assert!(ledger.records.len() <= 3);
        }
    }
}

/// What has ended is remembered until a stored status says so: one that was written a moment earlier does not.
#[test]
fn an_end_is_remembered_until_it_is_told() {
    let cases = [
        (ended(2, failed()), "AS", false),
        (ended(2, failed()), "A", false),
        (ended(2, failed()), "AI", false),
        (ended(2, failed()), "AF", true),
        (ended(2, answered()), "AAS", true),
        (ended(2, not_sent()), "AF", false),
        (sending(2), "AF", false),
        (Memory::Nothing, "AA", false),
    ];
    for (memory, states, told) in cases {
        assert_eq!(
            memory.is_told_by(GENERATION, &stored(states)),
            told,
            "{memory:?} {states}"
        );
        assert!(!memory.is_told_by(GENERATION + 1, &stored(states)));
    }
}
