//! Prompts, and the word that ends a server that was started for them.
//!
//! In: a prompt whose intent is stored. Out: how it ended, in the memory of its resource. It must not send one twice:
//! whoever calls asks the ledger first.

use std::time::{Duration, Instant};

use api::infra_example_com::v1::PromptStatus;
use ollama_client::{GenerateError, GenerateLimits, Ollama};
use reconcile::ObjectKey;
use serving::engine::ollama::finished_marker;

use super::{
    super::{
        ledger::Memory,
        outcome::{Answer, Outcome},
    },
    Running, Subject, Talks, of,
};

/// The longest silence: a model that was thrown out of memory by another one is read again first.
const IDLE: Duration = Duration::from_mins(5);
/// The longest answer.
const TOTAL: Duration = Duration::from_mins(30);
/// What did not leave, or had no effect, is tried again after this time.
const RETRY: Duration = Duration::from_secs(3);

/// A prompt, and what it is for.
#[derive(Clone, Debug)]
pub(in crate::nvidia_gpu_llm) struct Question {
    /// Generation of the spec.
    pub generation: i64,
    /// Its place, from 1.
    pub index: i32,
    /// Its text.
    pub prompt: String,
    /// Bytes of the answer that are kept.
    pub bytes: usize,
}

impl Talks {
    /// What this process remembers of prompts for the resource; nothing of those of another generation, which end.
    pub(in crate::nvidia_gpu_llm) fn memory(
        &self,
        key: &ObjectKey,
        resource: &str,
        generation: i64,
    ) -> Memory {
        let mut talks = self.talks.lock();
        let talk = of(&mut talks, key, resource);
        if talk.memory.generation().is_some_and(|other| other != generation) {
            talk.memory = Memory::Nothing;
            talk.asking = None;
        }
        talk.memory.clone()
    }

    /// Whether a prompt may be sent now: one that did not leave waits for a moment.
    pub(in crate::nvidia_gpu_llm) fn may_send(&self, key: &ObjectKey) -> bool {
        let talks = self.talks.lock();
        let tried = talks.get(key).and_then(|talk| talk.tried);
        tried.is_none_or(|tried| tried.elapsed() >= RETRY)
    }

    /// What a prompt ended with need not be remembered once `stored` tells it, which is what a status now says of the prompts of
    /// this generation. One that has ended since it was written is not in there yet.
    pub(in crate::nvidia_gpu_llm) fn settle(
        &self,
        key: &ObjectKey,
        generation: i64,
        stored: &[PromptStatus],
    ) {
        let mut talks = self.talks.lock();
        if let Some(talk) = talks.get_mut(key)
            && talk.memory.is_told_by(generation, stored)
        {
            talk.memory = Memory::Nothing;
        }
    }

    /// Notes that the intent to send is about to be stored.
    pub(in crate::nvidia_gpu_llm) fn intend(&self, key: &ObjectKey, generation: i64, index: i32) {
        if let Some(talk) = self.talks.lock().get_mut(key) {
            talk.memory = Memory::Intended { generation, index };
        }
    }

    /// Sends a prompt whose intent is stored.
    pub(in crate::nvidia_gpu_llm) fn ask(&self, key: &ObjectKey, subject: &Subject, question: Question) {
        let mut talks = self.talks.lock();
        let Some(talk) = talks.get_mut(key) else { return };
        talk.memory = Memory::Sending {
            generation: question.generation,
            index: question.index,
        };
        talk.tried = None;
        let (talks, key) = (self.clone(), key.clone());
        let (server, model) = (Ollama::new(subject.address), subject.model.clone());
        talk.asking = Some(Running::start(async move {
            let limits = GenerateLimits {
                idle: IDLE,
                total: TOTAL,
                bytes: question.bytes,
            };
            let answer = server.generate(&model, &question.prompt, limits).await;
            talks.answered(
                &key,
                &question,
                answer.map_or_else(|error| failed(&error), answered),
            );
        }));
    }

    fn answered(&self, key: &ObjectKey, question: &Question, outcome: Outcome) {
        let mut talks = self.talks.lock();
        let Some(talk) = talks.get_mut(key) else { return };
        let (generation, index) = (question.generation, question.index);
        if talk.memory != (Memory::Sending { generation, index }) {
            return; // It ends while it is being given up for another one.
        }
        if matches!(outcome, Outcome::NotSent { .. }) {
            talk.tried = Some(Instant::now());
        }
        talk.memory = Memory::Ended {
            generation,
            index,
            outcome,
        };
        drop(talks);
        self.queue.add(key.clone());
    }

    /// Tells the Pod that it may end. Told twice it ends once.
    pub(in crate::nvidia_gpu_llm) fn finish(&self, key: &ObjectKey, subject: &Subject) {
        let mut talks = self.talks.lock();
        let Some(talk) = talks.get_mut(key) else { return };
        if talk.tried.is_some_and(|tried| tried.elapsed() < RETRY) {
            return;
        }
        talk.tried = Some(Instant::now());
        let (server, model) = (Ollama::new(subject.address), subject.model.clone());
        let marker = finished_marker(&subject.pod);
        let key = key.clone();
        talk.asking = Some(Running::start(async move {
            if let Err(error) = server.copy(&model, &marker).await {
                tracing::warn!(object = %key, "the Pod could not be told to end, and is told again: {error}");
            }
        }));
    }
}

fn answered(answer: ollama_client::Answer) -> Outcome {
    Outcome::Answered(Answer {
        text: answer.text,
        cut: answer.cut,
        duration: answer.total,
        tokens_per_second: answer.tokens_per_second,
    })
}

fn failed(failure: &GenerateError) -> Outcome {
    let message = failure.error.to_string();
    if failure.error.is_unreachable() {
        Outcome::NotSent { message }
    } else {
        Outcome::Failed {
            message,
            text: failure.text.clone(),
        }
    }
}
