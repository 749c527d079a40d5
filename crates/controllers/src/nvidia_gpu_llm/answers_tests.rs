//! Tests of what is kept: it comes back as it was, it has room, and nothing in a ConfigMap can do harm.

use proptest::prelude::*;

use super::*;
use crate::nvidia_gpu_llm::outcome::Answer;

fn answered(text: &str) -> Outcome {
    Outcome::Answered(Answer {
        text: text.to_owned(),
        cut: false,
        duration: Duration::from_millis(2412),
        tokens_per_second: Some(38.461_53),
    })
}

fn failed(message: &str, text: &str) -> Outcome {
    Outcome::Failed {
        message: message.to_owned(),
        text: text.to_owned(),
    }
}

fn kept_of(generation: i64, outcomes: &[Outcome]) -> Kept {
    let indexed = (1..).zip(outcomes);
    indexed.fold(Kept::default(), |kept, (index, outcome)| {
        let entry = Entry::of(generation, &format!("prompt {index}"), outcome, outcomes.len());
        entry.map_or(kept.clone(), |entry| kept.with(index, entry, outcomes.len()))
    })
}

fn bytes(data: &BTreeMap<String, String>) -> usize {
    data.iter().map(|(key, value)| key.len() + value.len()).sum()
}

#[test]
fn a_person_finds_the_text_and_how_it_went() {
    let kept = kept_of(
        3,
        &[
            answered("Because of Rayleigh.\n"),
            failed("The connection broke.", "Bec"),
        ],
    );
    let data = data(&kept);
    let keys: Vec<&str> = data.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        ["prompt-1.json", "prompt-1.txt", "prompt-2.json", "prompt-2.txt"]
    );
    assert_eq!(data["prompt-1.txt"], "Because of Rayleigh.\n");
    assert_eq!(data["prompt-2.txt"], "Bec");
    let record = |key: &str| -> serde_json::Value { serde_json::from_str(&data[key]).expect("JSON") };
    assert_eq!(
        record("prompt-1.json"),
        serde_json::json!({
            "generation": 3, "index": 1, "prompt": "prompt 1", "state": "Answered",
            "durationSeconds": 2.412, "tokensPerSecond": 38.462, "cut": false,
        })
    );
    assert_eq!(
        record("prompt-2.json"),
        serde_json::json!({
            "generation": 3, "index": 2, "prompt": "prompt 2", "state": "Failed",
            "message": "The connection broke.", "cut": false,
        })
    );
}

#[test]
fn a_failure_without_text_has_no_text() {
    let data = data(&kept_of(1, &[failed("The model is gone.", "")]));
    assert_eq!(data.keys().collect::<Vec<_>>(), ["prompt-1.json"]);
    assert_eq!(Kept::read(&data), kept_of(1, &[failed("The model is gone.", "")]));
}

#[test]
fn what_was_not_sent_is_not_kept() {
    let message = "refused".to_owned();
    assert_eq!(Entry::of(1, "p", &Outcome::NotSent { message }, 1), None);
}

#[test]
fn an_older_generation_goes_when_a_new_run_begins() {
    let old = kept_of(1, &[answered("a"), answered("b")]);
    let entry = Entry::of(2, "prompt 1", &answered("c"), 2).expect("it left");
    let new = old.with(1, entry, 2);
    assert_eq!(data(&new).len(), 2);
    assert!(new.get(2, 1, "prompt 1").is_some());
    assert!(new.get(1, 2, "prompt 2").is_none());
}

#[test]
fn an_entry_is_of_one_prompt_of_one_generation() {
    let kept = kept_of(4, &[answered("a")]);
    assert!(kept.get(4, 1, "prompt 1").is_some());
    assert!(kept.get(5, 1, "prompt 1").is_none());
    assert!(kept.get(4, 2, "prompt 2").is_none());
    assert!(kept.get(4, 1, "another prompt").is_none());
}

#[test]
fn a_long_answer_is_cut_between_characters_and_says_so() {
    let limit = share(64);
    let entry = Entry::of(1, "p", &answered(&"ä€😀".repeat(limit)), 64).expect("it left");
    assert!(entry.cut && entry.text.len() <= limit && entry.text.len() > limit - 4);
    let length = entry.text.len();
    let data = data(&Kept::default().with(1, entry, 64));
    let said = format!("the answer was cut after {length} bytes");
    assert!(data["prompt-1.json"].contains(&said), "{}", data["prompt-1.json"]);

    let fits = Entry::of(1, "p", &answered(&"a".repeat(limit)), 64).expect("it left");
    assert!(!fits.cut && fits.text.len() == limit);
}

#[test]
fn the_largest_answers_to_all_prompts_fit_into_a_config_map() {
    for prompts in [1, 2, 3, 10, 64] {
        let worst = failed(&"\u{1}".repeat(9000), &"😀".repeat(TOTAL));
        let entry = Entry::of(i64::MIN, &"\u{1}".repeat(9000), &worst, prompts).expect("it left");
        let full = (1..=i32::try_from(prompts).expect("few")).fold(Kept::default(), |kept, index| {
            kept.with(index, entry.clone(), prompts)
        });
        let data = data(&full);
        assert_eq!(data.len(), prompts * 2);
        assert!(
            bytes(&data) < TOTAL,
            "{} bytes for {prompts} prompts",
            bytes(&data)
        );
        assert!(
            bytes(&data) > TOTAL * 9 / 10,
            "room is wasted for {prompts} prompts"
        );
        assert_eq!(Kept::read(&data), full);
    }
}

#[test]
fn a_share_is_never_too_much() {
    assert_eq!(share(0), share(1));
    assert!(share(64) > 10_000);
    assert_eq!(share(usize::MAX), 0);
}

#[test]
fn fewer_prompts_leave_no_entries_behind() {
    let kept = kept_of(1, &[answered("a"), answered("b")]);
    let entry = Entry::of(1, "prompt 1", &answered("c"), 1).expect("it left");
    assert_eq!(data(&kept.with(1, entry, 1)).len(), 2);
}

#[test]
fn edited_data_counts_as_not_kept() {
    let sound = data(&kept_of(1, &[answered("a"), answered("b")]));
    let edits: [(&str, Option<&str>); 8] = [
        ("prompt-1.json", Some("{")),
        ("prompt-1.json", Some("[]")),
        ("prompt-1.json", Some("{}")),
        ("prompt-1.json", Some(&sound["prompt-2.json"])),
        (
            "prompt-1.json",
            Some(r#"{"generation":1,"index":1,"prompt":"p","state":"Sending"}"#),
        ),
        (
            "prompt-1.json",
            Some(r#"{"generation":1,"index":1,"prompt":"p","state":"Failed"}"#),
        ),
        ("prompt-1.json", None),
        ("prompt-1.txt", None),
    ];
    for (key, value) in edits {
        let mut data = sound.clone();
        match value {
            Some(value) => data.insert(key.to_owned(), value.to_owned()),
            None => data.remove(key),
        };
        let kept = Kept::read(&data);
        assert!(kept.get(1, 1, "prompt 1").is_none(), "{key} {value:?}");
        assert!(kept.get(1, 2, "prompt 2").is_some(), "{key} {value:?}");
    }
}

#[test]
fn keys_of_others_are_passed_over() {
    let mut data = data(&kept_of(1, &[answered("a")]));
    let known = Kept::read(&data);
    let record = data["prompt-1.json"].clone();
    for key in [
        "prompt-01.json",
        "prompt-+1.json",
        "prompt-.json",
        "prompt-0.json",
        "notes.json",
        "prompt-1",
    ] {
        data.insert(key.to_owned(), record.clone());
    }
    assert_eq!(Kept::read(&data), known);
}

#[test]
fn odd_figures_are_left_out() {
    for rate in [f64::NAN, f64::INFINITY, -1.0, f64::MAX] {
        let outcome = Outcome::Answered(Answer {
            text: String::new(),
            cut: false,
            duration: Duration::MAX,
            tokens_per_second: Some(rate),
        });
        let kept = kept_of(1, &[outcome]);
        let read = Kept::read(&data(&kept));
        assert!(
            read.get(1, 1, "prompt 1")
                .is_some_and(|entry| entry.tokens_per_second.is_none())
        );
    }
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    let answer = (
        any::<String>(),
        any::<bool>(),
        0_u64..1_000_000_000,
        proptest::option::of(0.0..1e6),
    );
    prop_oneof![
        answer.prop_map(
            |(text, cut, milliseconds, tokens_per_second)| Outcome::Answered(Answer {
                text,
                cut,
                duration: Duration::from_millis(milliseconds),
                tokens_per_second,
            })
        ),
        (any::<String>(), any::<String>()).prop_map(|(message, text)| Outcome::Failed { message, text }),
        any::<String>().prop_map(|message| Outcome::NotSent { message }),
    ]
}

proptest! {
    #[test]
    fn what_is_kept_comes_back(
        generation in any::<i64>(),
        outcomes in proptest::collection::vec((any::<String>(), outcomes()), 0..8),
    ) {
        let count = outcomes.len();
        let kept = (1..).zip(&outcomes).fold(Kept::default(), |kept, (index, (prompt, outcome))| {
            let entry = Entry::of(generation, prompt, outcome, count);
            entry.map_or(kept.clone(), |entry| kept.with(index, entry, count))
        });
        prop_assert_eq!(Kept::read(&data(&kept)), kept.clone());
        for (index, (prompt, outcome)) in (1..).zip(&outcomes) {
            let entry = Entry::of(generation, prompt, outcome, count);
            prop_assert_eq!(kept.get(generation, index, prompt), entry.as_ref());
        }
    }

    #[test]
    fn no_data_does_harm(data in proptest::collection::btree_map("prompt-[0-9+-]{0,11}\\.(json|txt)", any::<String>(), 0..8)) {
        Kept::read(&data);
    }

    #[test]
    fn no_record_does_harm(
        generation in any::<i64>(),
        seconds in any::<f64>(),
        rate in any::<f64>(),
        state in prop_oneof![Just("Answered"), Just("Failed"), Just("Sending"), Just("Other")],
    ) {
        let record = serde_json::json!({
            "generation": generation, "index": 1, "prompt": "p", "state": state, "message": "m",
            "durationSeconds": seconds, "tokensPerSecond": rate,
        });
        let edited = BTreeMap::from([
            ("prompt-1.json".to_owned(), record.to_string()),
            ("prompt-1.txt".to_owned(), "text".to_owned()),
        ]);
        data(&Kept::read(&edited));
    }
}
