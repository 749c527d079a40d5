//! What is next with the prompts, so that each is sent once per generation, whatever ends in between. Pure.
//!
//! In: the prompts, what the status says of them, what this process remembers (of this resource, by uid), what the
//! ConfigMap of the answers has kept. Out: what the status is to say, and what is to be done then.
//!
//! The caller goes in this order, and begins anew from [`advance`] when a step fails:
//!
//! 1. `unstored` is written to the ConfigMap.
//! 2. For `send` it remembers [`Memory::Intended`].
//! 3. `records` are stored in the status, unless they are there.
//! 4. For `send` it remembers [`Memory::Sending`], and only then sends; in the end [`Memory::Ended`].
//!
//! What is `Sending` in the status and not in memory was begun by a process that has ended. It may have reached the model,
//! so it is never sent again. The same goes for what memory or the ConfigMap know to have been sent when the status does
//! not know it, because it is an old one or somebody has changed it.

use api::infra_example_com::v1::{PromptState, PromptStatus};

use super::{
    answers::{Entry, Kept},
    outcome::Outcome,
    records,
};

/// What this process remembers of sending prompts for one resource: only the last one. Indexes count from 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Memory {
    /// Nothing.
    #[default]
    Nothing,
    /// It is about to store that it sends this prompt. It has not been sent.
    Intended {
        /// Generation of the spec.
        generation: i64,
        /// Place of the prompt.
        index: i32,
    },
    /// It is being sent, or answered.
    Sending {
        /// Generation of the spec.
        generation: i64,
        /// Place of the prompt.
        index: i32,
    },
    /// It has ended.
    Ended {
        /// Generation of the spec.
        generation: i64,
        /// Place of the prompt.
        index: i32,
        /// How.
        outcome: Outcome,
    },
}

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Ledger {
    /// What the status is to say of the prompts of this generation.
    pub records: Vec<PromptStatus>,
    /// The prompt to send once the records are stored. Never together with `unstored`.
    pub send: Option<ToSend>,
    /// Every prompt has ended.
    pub done: bool,
    /// All that the ConfigMap has to say before the records are stored.
    pub unstored: Option<Kept>,
}

/// A prompt to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToSend {
    /// Its place, from 1.
    pub index: i32,
    /// Its whole text.
    pub prompt: String,
}

/// What is next. `stored` and `stored_generation` are the status; without `may_send` nothing new begins.
pub fn advance(
    prompts: &[String],
    generation: i64,
    stored: &[PromptStatus],
    stored_generation: Option<i64>,
    memory: &Memory,
    kept: &Kept,
    may_send: bool,
) -> Ledger {
    let run = Run {
        prompts,
        generation,
        memory: memory.of(generation),
        kept,
    };
    let stored = if stored_generation == Some(generation) {
        stored
    } else {
        &[]
    };

    let mut records = run.complete(sound(stored, prompts.len()));
    let mut unstored = None;
    for record in &mut records {
        if matches!(record.state, PromptState::Sending | PromptState::Interrupted) {
            run.settle(record, &mut unstored);
        }
    }
    let send = run.next(&records).filter(|_| may_send && unstored.is_none());
    if let Some(send) = &send
        && place(send.index) == Some(records.len())
    {
        records.push(records::sending(send.index, &send.prompt));
    }
    Ledger {
        done: records.len() == prompts.len()
            && records.iter().all(|record| record.state != PromptState::Sending),
        records,
        send,
        unstored,
    }
}

/// One run through the prompts: those of one generation.
struct Run<'a> {
    prompts: &'a [String],
    generation: i64,
    /// Of this generation.
    memory: Option<(i32, Step<'a>)>,
    kept: &'a Kept,
}

/// How far a prompt in memory is.
#[derive(Clone, Copy)]
enum Step<'a> {
    /// Nothing has left; the message says why, if it was tried.
    Before(Option<&'a str>),
    On,
    After(&'a Outcome),
}

impl Memory {
    /// The generation that it is about.
    pub fn generation(&self) -> Option<i64> {
        match self {
            Self::Nothing => None,
            Self::Intended { generation, .. }
            | Self::Sending { generation, .. }
            | Self::Ended { generation, .. } => Some(*generation),
        }
    }

    /// Whether it is about a prompt whose end these records of a generation tell.
    pub fn is_told_by(&self, told: i64, records: &[PromptStatus]) -> bool {
        let ended =
            |record: &PromptStatus| matches!(record.state, PromptState::Answered | PromptState::Failed);
        match self.of(told) {
            Some((index, Step::After(_))) => records
                .iter()
                .any(|record| record.index == index && ended(record)),
            _ => false,
        }
    }

    fn of(&self, wanted: i64) -> Option<(i32, Step<'_>)> {
        let (generation, index, step) = match self {
            Self::Nothing => return None,
            Self::Intended { generation, index } => (generation, index, Step::Before(None)),
            Self::Sending { generation, index } => (generation, index, Step::On),
            Self::Ended {
                generation,
                index,
                outcome: Outcome::NotSent { message },
            } => (generation, index, Step::Before(Some(message))),
            Self::Ended {
                generation,
                index,
                outcome,
            } => (generation, index, Step::After(outcome)),
        };
        (*generation == wanted).then_some((*index, step))
    }
}

impl<'a> Run<'a> {
    /// Adds records of what the status does not know and was begun all the same.
    fn complete(&self, mut records: Vec<PromptStatus>) -> Vec<PromptStatus> {
        // Also what is only intended: that may be stored by now, and an intent is never taken back.
        let begun = self.memory.map_or(0, |(index, _)| index);
        let places = (1..).zip(self.prompts);
        let kept = places
            .clone()
            .filter(|(index, prompt)| self.kept.get(self.generation, *index, prompt).is_some())
            .map(|(index, _)| index);
        let last = kept.max().unwrap_or_default().max(begun);
        let unknown = places.skip(records.len()).take_while(|(index, _)| *index <= last);
        records.extend(unknown.map(|(index, prompt)| records::sending(index, prompt)));
        records
    }

    /// Says of a record that is `Sending` how that ended, if it ended. An answer that turns up late ends an interruption.
    fn settle(&self, record: &mut PromptStatus, unstored: &mut Option<Kept>) {
        let index = record.index;
        let Some(prompt) = self.prompt(index) else { return };
        let kept = self.kept.get(self.generation, index, prompt);
        match self.memory.filter(|(last, _)| *last == index) {
            Some((_, Step::Before(None) | Step::On)) => {}
            Some((_, Step::Before(Some(message)))) => {
                if record.state == PromptState::Sending {
                    record.message = Some(records::not_sent_yet(message));
                }
            }
            Some((_, Step::After(outcome))) => {
                let count = self.prompts.len();
                if let Some(entry) = Entry::of(self.generation, prompt, outcome, count) {
                    *record = records::ended(index, &entry);
                    if kept.is_none() {
                        *unstored = Some(self.kept.with(index, entry, count));
                    }
                }
            }
            None => {
                *record = kept.map_or_else(
                    || records::interrupted(record),
                    |entry| records::ended(index, entry),
                );
            }
        }
    }

    /// The prompt whose turn it is, unless one is on its way.
    fn next(&self, records: &[PromptStatus]) -> Option<ToSend> {
        let open = records.iter().find(|record| record.state == PromptState::Sending);
        let index = match (open, self.memory) {
            (None, _) => i32::try_from(records.len()).ok()?.checked_add(1)?,
            (Some(record), Some((index, Step::Before(_)))) if record.index == index => index,
            (Some(_), _) => return None,
        };
        let prompt = self.prompt(index)?.to_owned();
        Some(ToSend { index, prompt })
    }

    fn prompt(&self, index: i32) -> Option<&'a str> {
        self.prompts.get(place(index)?).map(String::as_str)
    }
}

/// The records up to the first that is out of order, which somebody else must have put there.
fn sound(stored: &[PromptStatus], prompts: usize) -> Vec<PromptStatus> {
    (1..)
        .zip(stored)
        .take(prompts)
        .take_while(|(index, record)| record.index == *index)
        .map(|(_, record)| record.clone())
        .collect()
}

/// From an index, which counts from 1, to one that counts from 0.
fn place(index: i32) -> Option<usize> {
    usize::try_from(index).ok()?.checked_sub(1)
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "ledger_model_tests.rs"]
mod model_tests;
