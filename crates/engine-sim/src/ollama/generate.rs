//! `/api/generate` and `/api/chat`: a request and a loaded model in, one answer or JSON lines out.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::StatusCode;
use serde_json::{Value, json};

use super::api::{self, GenerateRequest};
use super::json as json_response;
use super::pull::line;
use super::runner::Loaded;
use crate::generation::{Answer, Piece, generate};
use crate::http::openai::count_tokens;
use crate::http::stream::{streamed, streamed_or_cut};
use crate::http::{Cut, Response};
use crate::stats::Finish;

/// Lines of an answer before it is cut.
const BEFORE_CUT: usize = 3;

/// By then they have been sent.
const SENT: Duration = Duration::from_millis(20);

struct Exchange {
    chat: bool,
    model: String,
    began: Instant,
    load: Duration,
    prompt_tokens: u64,
}

/// Answers with the loaded model; `load` is how long it took to be there. `cut`: only half of it.
pub(crate) async fn answer(
    chat: bool,
    request: GenerateRequest,
    model: &Loaded,
    load: Duration,
    cut: bool,
) -> Response {
    let contents = || request.messages.iter().map(|message| message.content.as_str());
    let prompt = if chat {
        contents().collect::<Vec<_>>().join("\n")
    } else {
        request.prompt.clone()
    };
    let asked = request
        .options
        .get("num_predict")
        .and_then(Value::as_i64)
        .and_then(|n| u64::try_from(n).ok());
    let exchange = Exchange {
        chat,
        model: request.model.clone(),
        began: Instant::now(),
        load,
        prompt_tokens: count_tokens(&prompt),
    };
    let answer = Answer {
        question: request.question(chat).to_owned(),
        model: request.model,
        max_tokens: asked.unwrap_or(model.placed.context),
        ignore_eos: false,
    };
    let pieces = generate(Arc::clone(&model.scheduler), exchange.prompt_tokens, &answer);
    if request.stream.unwrap_or(true) {
        let lines = pieces.scan(0u64, move |tokens, piece| {
            *tokens += 1;
            futures::future::ready(Some(exchange.lines(&piece, *tokens)))
        });
        return if cut {
            let lines = lines.take(BEFORE_CUT).map(Ok);
            streamed_or_cut(
                "application/x-ndjson",
                lines.chain(futures::stream::iter([Err(Cut)])),
            )
        } else {
            streamed("application/x-ndjson", lines)
        };
    }
    let (mut text, mut tokens, mut finish) = (String::new(), 0, None);
    futures::pin_mut!(pieces);
    while let Some(piece) = pieces.next().await {
        text.push_str(&piece.text);
        tokens += 1;
        finish = piece.finish;
    }
    let whole = exchange.done(&text, finish.unwrap_or(Finish::Stop), tokens);
    if cut {
        let mut half = whole.to_string().into_bytes();
        half.truncate(half.len() / 2);
        let pieces = futures::stream::iter([Bytes::from(half)]);
        return streamed_or_cut(super::JSON, then_cut(pieces));
    }
    json_response(StatusCode::OK, &whole)
}

/// The pieces, sent, and then the end of the connection.
fn then_cut(pieces: impl Stream<Item = Bytes> + Send) -> impl Stream<Item = Result<Bytes, Cut>> + Send {
    let cut = futures::stream::once(async {
        tokio::time::sleep(SENT).await;
        Err(Cut)
    });
    pieces.map(Ok).chain(cut)
}

/// The answer to a request without a prompt: the model is in memory (or no longer).
pub(crate) fn empty(chat: bool, model: &str, reason: &str) -> Value {
    let mut answer = head(chat, model, "");
    answer["done"] = true.into();
    answer["done_reason"] = reason.into();
    answer
}

fn head(chat: bool, model: &str, text: &str) -> Value {
    let mut answer = json!({"model": model, "created_at": api::time(SystemTime::now()), "done": false});
    if chat {
        answer["message"] = json!({"role": "assistant", "content": text});
    } else {
        answer["response"] = text.into();
    }
    answer
}

impl Exchange {
    /// A piece; after the last one the closing line.
    fn lines(&self, piece: &Piece, tokens: u64) -> Bytes {
        let text = line(&head(self.chat, &self.model, &piece.text));
        match piece.finish {
            None => text,
            Some(finish) => [text, line(&self.done("", finish, tokens))].concat().into(),
        }
    }

    fn done(&self, text: &str, finish: Finish, tokens: u64) -> Value {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let total = self.began.elapsed();
        let mut answer = head(self.chat, &self.model, text);
        answer["done"] = true.into();
        answer["done_reason"] = finish.word().into();
        if !self.chat {
            answer["context"] = (0..self.prompt_tokens + tokens).collect::<Vec<_>>().into();
        }
        answer["total_duration"] = nanos(total + self.load).into();
        answer["load_duration"] = nanos(self.load).into();
        answer["prompt_eval_count"] = self.prompt_tokens.into();
        answer["prompt_eval_duration"] = nanos(total / 10).into();
        answer["eval_count"] = tokens.into();
        answer["eval_duration"] = nanos(total.saturating_sub(total / 10)).into();
        answer
    }
}
