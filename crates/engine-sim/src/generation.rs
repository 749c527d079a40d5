//! The simulated answer: a question in, a stream of pieces at the pace of the scheduler out.
//! It must not know HTTP. The text says that it is simulated and repeats the question: nobody takes it for a model's.

use std::sync::Arc;

use futures::Stream;

use crate::scheduler::{Scheduler, Sequence};
use crate::stats::Finish;

/// What is to be answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) question: String,
    pub(crate) model: String,
    /// Pieces at most.
    pub(crate) max_tokens: u64,
    /// Go on to `max_tokens` instead of ending with the text.
    pub(crate) ignore_eos: bool,
}

/// One token of text; the last one says why it is the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) finish: Option<Finish>,
}

/// The question is repeated up to this many words.
const QUOTED: usize = 40;

fn words(answer: &Answer) -> Vec<String> {
    let mut quoted = answer
        .question
        .split_whitespace()
        .take(QUOTED)
        .collect::<Vec<_>>()
        .join(" ");
    if answer.question.split_whitespace().nth(QUOTED).is_some() {
        quoted.push_str(" …");
    }
    let text = format!(
        "This is {} on a simulated engine. You said: \"{quoted}\"",
        answer.model
    );
    text.split_inclusive(' ').map(str::to_owned).collect()
}

/// Pieces one by one, each after the time that the engine needs for it. Dropping the stream ends the request.
pub(crate) fn generate(
    scheduler: Arc<Scheduler>,
    prompt_tokens: u64,
    answer: &Answer,
) -> impl Stream<Item = Piece> + Send + use<> {
    let (limit, ignore_eos) = (answer.max_tokens, answer.ignore_eos);
    let words: Arc<[String]> = words(answer).into();
    let natural = words.len() as u64;
    let total = if ignore_eos { limit } else { natural.min(limit) }.max(1);
    let reason = if total == natural && !ignore_eos {
        Finish::Stop
    } else {
        Finish::Length
    };
    futures::stream::unfold((None::<Sequence>, 0u64), move |(sequence, index)| {
        let (scheduler, words) = (Arc::clone(&scheduler), Arc::clone(&words));
        async move {
            if index == total {
                return None;
            }
            let sequence = match sequence {
                Some(mut sequence) => {
                    sequence.decode().await;
                    sequence
                }
                None => first(&scheduler, prompt_tokens).await,
            };
            let at = usize::try_from(index % natural).unwrap_or(0);
            let text = words.get(at).cloned().unwrap_or_default();
            let last = index + 1 == total;
            let piece = Piece {
                text,
                finish: last.then_some(reason),
            };
            if last {
                sequence.finish(reason);
                return Some((piece, (None, total)));
            }
            Some((piece, (Some(sequence), index + 1)))
        }
    })
}

async fn first(scheduler: &Arc<Scheduler>, prompt_tokens: u64) -> Sequence {
    let mut sequence = scheduler.admit(prompt_tokens).await;
    sequence.prefill().await;
    sequence
}
