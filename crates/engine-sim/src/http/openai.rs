//! OpenAI's completion interfaces: a parsed request and a scheduler in, one answer or a stream of events out.
//! Shared by all engines; what an engine refuses (names, lengths, keys) it refuses before it comes here.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::stream::{event, streamed};
use super::{Response, json as json_response};
use crate::generation::{Answer, Piece, generate};
use crate::scheduler::Scheduler;

/// The fields of chat and text completion requests that matter here; others are accepted, as the real ones do.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct CompletionRequest {
    #[serde(default)]
    pub(crate) model: Option<String>,
    #[serde(default)]
    messages: Vec<Message>,
    #[serde(default)]
    prompt: Value,
    #[serde(default)]
    max_tokens: Option<u64>,
    #[serde(default)]
    max_completion_tokens: Option<u64>,
    #[serde(default)]
    pub(crate) stream: bool,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    pub(crate) ignore_eos: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

/// One chat message.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Message {
    #[serde(default)]
    pub(crate) content: Value,
}

/// Which of the two interfaces was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Chat,
    Text,
}

impl CompletionRequest {
    /// All text of the prompt.
    pub(crate) fn prompt_text(&self, kind: Kind) -> String {
        match kind {
            Kind::Chat => self
                .messages
                .iter()
                .map(|m| text_of(&m.content))
                .collect::<Vec<_>>()
                .join("\n"),
            Kind::Text => text_of(&self.prompt),
        }
    }

    /// What the answer speaks to: the last message.
    pub(crate) fn question(&self, kind: Kind) -> String {
        match kind {
            Kind::Chat => self
                .messages
                .last()
                .map(|m| text_of(&m.content))
                .unwrap_or_default(),
            Kind::Text => text_of(&self.prompt),
        }
    }

    /// Tokens of the prompt; a list of token ids counts each.
    pub(crate) fn prompt_tokens(&self, kind: Kind) -> u64 {
        if kind == Kind::Text
            && let Value::Array(items) = &self.prompt
            && items.iter().all(Value::is_number)
        {
            return items.len() as u64;
        }
        // A chat template adds a few tokens per message.
        count_tokens(&self.prompt_text(kind)) + 4 * self.messages.len() as u64
    }

    /// The bound that the client set on the answer.
    pub(crate) fn max_tokens(&self) -> Option<u64> {
        self.max_completion_tokens.or(self.max_tokens)
    }

    /// The bound of an engine that has one of its own, for a client that set none.
    pub(crate) fn or_max_tokens(mut self, bound: u64) -> Self {
        self.max_tokens = self.max_tokens().or(Some(bound));
        self
    }

    /// What is missing for a valid request.
    pub(crate) fn invalid(&self, kind: Kind) -> Option<&'static str> {
        match kind {
            Kind::Chat if self.messages.is_empty() => Some("messages: Field required"),
            Kind::Text if self.prompt.is_null() => Some("prompt: Field required"),
            _ if self.max_tokens() == Some(0) && kind == Kind::Chat => {
                Some("max_tokens must be at least 1, got 0.")
            }
            _ => None,
        }
    }
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(text_of).collect::<Vec<_>>().join(" "),
        Value::Object(part) => part.get("text").map(text_of).unwrap_or_default(),
        _ => String::new(),
    }
}

/// Tokens of a text: about four characters each.
pub(crate) fn count_tokens(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(4).max(1)
}

/// Answers a request as `model`; `limit` is the number of tokens that still fit the context.
pub(crate) async fn complete(
    scheduler: Arc<Scheduler>,
    kind: Kind,
    request: CompletionRequest,
    model: String,
    limit: u64,
) -> Response {
    let default = if kind == Kind::Text { 16 } else { limit };
    let answer = Answer {
        question: request.question(kind),
        model: model.clone(),
        max_tokens: request.max_tokens().unwrap_or(default).min(limit),
        ignore_eos: request.ignore_eos,
    };
    let head = Head {
        id: id(kind),
        model,
        created: unix_seconds(),
        kind,
        prompt_tokens: request.prompt_tokens(kind),
    };
    let pieces = generate(scheduler, head.prompt_tokens, &answer);
    if request.stream {
        let usage = request.stream_options.is_some_and(|o| o.include_usage);
        return streamed("text/event-stream; charset=utf-8", events(head, pieces, usage));
    }
    let (mut text, mut tokens, mut finish) = (String::new(), 0, "stop");
    futures::pin_mut!(pieces);
    while let Some(piece) = pieces.next().await {
        text.push_str(&piece.text);
        tokens += 1;
        finish = piece.finish.map_or(finish, crate::stats::Finish::word);
    }
    json_response(StatusCode::OK, &head.whole(&text, tokens, finish))
}

struct Head {
    id: String,
    model: String,
    created: u64,
    kind: Kind,
    prompt_tokens: u64,
}

impl Head {
    fn whole(&self, text: &str, tokens: u64, finish: &str) -> Value {
        let (object, choice) = match self.kind {
            Kind::Chat => (
                "chat.completion",
                json!({"index": 0, "message": {"role": "assistant", "content": text}, "logprobs": null, "finish_reason": finish}),
            ),
            Kind::Text => (
                "text_completion",
                json!({"index": 0, "text": text, "logprobs": null, "finish_reason": finish}),
            ),
        };
        json!({"id": self.id, "object": object, "created": self.created, "model": self.model,
            "choices": [choice], "usage": self.usage(tokens)})
    }

    fn usage(&self, tokens: u64) -> Value {
        json!({"prompt_tokens": self.prompt_tokens, "completion_tokens": tokens, "total_tokens": self.prompt_tokens + tokens})
    }

    fn chunk(&self, choices: &Value, usage: Option<Value>) -> Bytes {
        let object = if self.kind == Kind::Chat {
            "chat.completion.chunk"
        } else {
            "text_completion"
        };
        let mut chunk = json!({"id": self.id, "object": object, "created": self.created, "model": self.model,
            "choices": choices});
        if let Some(usage) = usage {
            chunk["usage"] = usage;
        }
        event(&chunk.to_string())
    }

    fn piece(&self, piece: &Piece) -> Bytes {
        let finish = piece.finish.map(crate::stats::Finish::word);
        let choice = match self.kind {
            Kind::Chat => {
                json!({"index": 0, "delta": {"content": piece.text}, "logprobs": null, "finish_reason": finish})
            }
            Kind::Text => json!({"index": 0, "text": piece.text, "logprobs": null, "finish_reason": finish}),
        };
        self.chunk(&json!([choice]), None)
    }

    fn opening(&self) -> Option<Bytes> {
        let delta = json!({"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": null, "finish_reason": null});
        (self.kind == Kind::Chat).then(|| self.chunk(&json!([delta]), None))
    }
}

enum Stage<S> {
    Opening(S),
    Pieces(S),
    Closing,
}

/// Opening chunk (chat), a chunk per token, the usage when asked for, `[DONE]`.
fn events(
    head: Head,
    pieces: impl Stream<Item = Piece> + Send + 'static,
    include_usage: bool,
) -> impl Stream<Item = Bytes> + Send + 'static {
    let state = (Stage::Opening(Box::pin(pieces)), head, 0u64);
    futures::stream::unfold(state, move |(stage, head, tokens)| async move {
        let (mut pieces, opening) = match stage {
            Stage::Opening(pieces) => (pieces, true),
            Stage::Pieces(pieces) => (pieces, false),
            Stage::Closing => return None,
        };
        if opening && let Some(bytes) = head.opening() {
            return Some((bytes, (Stage::Pieces(pieces), head, tokens)));
        }
        if let Some(piece) = pieces.next().await {
            return Some((head.piece(&piece), (Stage::Pieces(pieces), head, tokens + 1)));
        }
        let usage = include_usage.then(|| head.chunk(&json!([]), Some(head.usage(tokens))));
        let closing = [usage.unwrap_or_default(), event("[DONE]")].concat();
        Some((Bytes::from(closing), (Stage::Closing, head, tokens)))
    })
}

/// The list that `/v1/models` answers.
pub(crate) fn model_list(cards: &[Value]) -> Value {
    json!({"object": "list", "data": cards})
}

/// A fresh id as engines make them.
fn id(kind: Kind) -> String {
    let prefix = if kind == Kind::Chat { "chatcmpl" } else { "cmpl" };
    format!("{prefix}-{}", random_hex())
}

/// 32 hexadecimal digits.
pub(crate) fn random_hex() -> String {
    let half = || RandomState::new().hash_one(0u8);
    format!("{:016x}{:016x}", half(), half())
}

pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}
