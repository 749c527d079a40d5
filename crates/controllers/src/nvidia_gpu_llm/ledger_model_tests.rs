//! A model of everything that can go wrong around the ledger: the process ends at any step, writes are refused, answers of
//! writes are lost, caches lag, prompts fail, the spec changes. Whatever comes, no prompt is sent twice, and the run ends.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::nvidia_gpu_llm::{answers, outcome::Answer};

/// What is in the cluster, and what the model got.
#[derive(Default)]
struct World {
    prompts: Vec<String>,
    generation: i64,
    /// Every status since the process began, the last one is stored.
    statuses: Vec<Status>,
    answers: BTreeMap<String, String>,
    sent: Vec<(i64, i32)>,
    crashes: usize,
}

#[derive(Clone, Default, PartialEq)]
struct Status {
    records: Vec<PromptStatus>,
    generation: Option<i64>,
}

/// What a process of the operator has.
struct Process {
    memory: Memory,
    status: Status,
    answers: BTreeMap<String, String>,
}

/// What comes next, drawn beforehand; in the end all is well.
struct Fates<'a> {
    drawn: std::slice::Iter<'a, u8>,
    crashes: bool,
}

enum Write {
    Stored,
    Refused,
    /// Stored, and the process takes it for refused.
    AnswerLost,
    /// The process ends before.
    Never,
    /// The process ends after.
    Last,
}

impl Fates<'_> {
    fn draw(&mut self, of: u8) -> u8 {
        self.drawn.next().map_or(0, |fate| fate % of)
    }

    fn write(&mut self) -> Write {
        match self.draw(9) {
            5 => Write::Refused,
            6 => Write::AnswerLost,
            7 if self.crashes => Write::Never,
            8 if self.crashes => Write::Last,
            _ => Write::Stored,
        }
    }

    fn crash(&mut self) -> bool {
        self.draw(6) == 5 && self.crashes
    }
}

/// Why a round ended before its end.
enum Stop {
    Again,
    Crash,
}

impl World {
    fn new(prompts: usize) -> Self {
        Self {
            prompts: (1..=prompts).map(|index| format!("prompt {index}")).collect(),
            generation: 1,
            statuses: vec![Status::default()],
            ..Self::default()
        }
    }

    fn status(&self) -> Status {
        self.statuses.last().cloned().unwrap_or_default()
    }

    fn start(&mut self) -> Process {
        self.statuses = vec![self.status()];
        Process {
            memory: Memory::Nothing,
            status: self.status(),
            answers: self.answers.clone(),
        }
    }

    /// Everything until all prompts have ended.
    fn run(&mut self, fates: &mut Fates<'_>, lagging: bool) {
        let mut process = self.start();
        for _ in 0..1000 {
            match fates.draw(24) {
                21 => self.generation += 1,
                22 if lagging => {
                    let place = usize::from(fates.draw(u8::MAX)) % self.statuses.len();
                    process.status = self.statuses[place].clone();
                }
                23 => {}
                _ => {
                    process.status = self.status();
                    process.answers = self.answers.clone();
                }
            }
            match self.round(&mut process, fates) {
                Ok(true) if fates.drawn.len() == 0 && process.status == self.status() => return,
                Ok(_) | Err(Stop::Again) => {}
                Err(Stop::Crash) => {
                    self.crashes += 1;
                    process = self.start();
                }
            }
        }
        panic!("it never ends");
    }

    /// One reconcile, in the order that the ledger asks for; whether all prompts have ended.
    fn round(&mut self, process: &mut Process, fates: &mut Fates<'_>) -> Result<bool, Stop> {
        let ledger = self.look(process, fates.draw(5) != 4);
        if let Some(unstored) = &ledger.unstored {
            assert!(ledger.send.is_none(), "an answer that is not kept is at risk");
            let data = answers::data(unstored);
            self.write(fates, |world| world.answers = data.clone())?;
            process.answers = data;
        }
        if let Some(send) = &ledger.send {
            process.memory = Memory::Intended {
                generation: self.generation,
                index: send.index,
            };
        }
        let status = Status {
            records: ledger.records,
            generation: Some(self.generation),
        };
        if status != process.status {
            self.write(fates, |world| world.statuses.push(status.clone()))?;
            process.status = status;
        }
        if let Some(send) = ledger.send {
            self.send(process, fates, &send)?;
        }
        Ok(ledger.done)
    }

    fn look(&self, process: &Process, may_send: bool) -> Ledger {
        advance(
            &self.prompts,
            self.generation,
            &process.status.records,
            process.status.generation,
            &process.memory,
            &Kept::read(&process.answers),
            may_send,
        )
    }

    fn write(&mut self, fates: &mut Fates<'_>, store: impl FnOnce(&mut Self)) -> Result<(), Stop> {
        match fates.write() {
            Write::Never => Err(Stop::Crash),
            Write::Refused => Err(Stop::Again),
            Write::Stored => {
                store(self);
                Ok(())
            }
            Write::AnswerLost => {
                store(self);
                Err(Stop::Again)
            }
            Write::Last => {
                store(self);
                Err(Stop::Crash)
            }
        }
    }

    fn send(&mut self, process: &mut Process, fates: &mut Fates<'_>, send: &ToSend) -> Result<(), Stop> {
        let (generation, index) = (self.generation, send.index);
        assert_eq!(
            Some(&send.prompt),
            self.prompts.get(place(index).expect("from 1"))
        );
        assert!(
            self.status().records.iter().any(|record| record.index == index),
            "prompt {index} is sent, and its intent is not stored"
        );
        process.memory = Memory::Sending { generation, index };
        if fates.crash() {
            return Err(Stop::Crash);
        }
        let outcome = match fates.draw(8) {
            6 => Outcome::NotSent {
                message: "Nobody listens.".to_owned(),
            },
            7 => self.leave(index, || Outcome::Failed {
                message: "The connection broke.".to_owned(),
                text: "Ray".to_owned(),
            }),
            _ => self.leave(index, || {
                Outcome::Answered(Answer {
                    text: format!("answer {index} of {generation}"),
                    cut: false,
                    duration: Duration::from_millis(2400),
                    tokens_per_second: Some(38.5),
                })
            }),
        };
        let meanwhile = self.look(process, true);
        assert_eq!(meanwhile.send, None, "one after the other");
        assert!(!meanwhile.done);
        if fates.crash() {
            return Err(Stop::Crash);
        }
        process.memory = Memory::Ended {
            generation,
            index,
            outcome,
        };
        Ok(())
    }

    fn leave(&mut self, index: i32, outcome: impl FnOnce() -> Outcome) -> Outcome {
        let this = (self.generation, index);
        assert!(!self.sent.contains(&this), "{this:?} is sent twice");
        self.sent.push(this);
        outcome()
    }

    /// What holds in the end, whatever came.
    fn check(&self) {
        let status = self.status();
        assert_eq!(status.generation, Some(self.generation));
        assert_eq!(status.records.len(), self.prompts.len());
        let kept = Kept::read(&self.answers);
        for ((index, prompt), record) in (1..).zip(&self.prompts).zip(&status.records) {
            assert_eq!((record.index, &record.prompt), (index, prompt));
            let sent = self.sent.contains(&(self.generation, index));
            let entry = kept.get(self.generation, index, prompt);
            match record.state {
                PromptState::Sending => panic!("{index} has not ended"),
                PromptState::Interrupted => assert!(self.crashes > 0),
                PromptState::Answered => {
                    let text = format!("answer {index} of {}", self.generation);
                    assert!(sent && record.answer.as_ref() == Some(&text));
                    assert!(entry.is_some_and(|entry| entry.text == text && entry.failure.is_none()));
                }
                PromptState::Failed => {
                    assert!(sent && entry.is_some_and(|entry| entry.failure.is_some()));
                }
            }
        }
        let mut places = self.sent.clone();
        places.sort_unstable();
        assert_eq!(places, self.sent, "out of order");
    }
}

fn fates() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_crash_sends_a_prompt_twice(prompts in 0_usize..5, drawn in fates()) {
        let mut world = World::new(prompts);
        world.run(&mut Fates { drawn: drawn.iter(), crashes: true }, false);
        world.check();
    }

    #[test]
    fn without_a_crash_nothing_is_interrupted(prompts in 0_usize..5, drawn in fates()) {
        let mut world = World::new(prompts);
        world.run(&mut Fates { drawn: drawn.iter(), crashes: false }, false);
        world.check();
    }

    #[test]
    fn an_old_status_sends_nothing_twice(prompts in 0_usize..5, drawn in fates(), crashes in any::<bool>()) {
        let mut world = World::new(prompts);
        world.run(&mut Fates { drawn: drawn.iter(), crashes }, true);
    }
}

#[test]
fn when_all_goes_well_all_prompts_are_answered_in_order() {
    for prompts in 0..5 {
        let mut world = World::new(prompts);
        let fates = &mut Fates {
            drawn: [].iter(),
            crashes: true,
        };
        world.run(fates, false);
        world.check();
        let states: Vec<PromptState> = world.status().records.iter().map(|record| record.state).collect();
        assert_eq!(states, vec![PromptState::Answered; prompts]);
        let sent: Vec<i32> = world.sent.iter().map(|(_, index)| *index).collect();
        assert_eq!(sent, (1..).take(prompts).collect::<Vec<i32>>());
    }
}
