//! Asking a model: a prompt in, its text with what it cost out, or an error with the text so far.
//! It must not send a prompt twice, or keep more text than allowed.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::Ollama;
use crate::error::{Cause, Error};
use crate::exchange::{Question, connect, words};
use crate::stream::JsonLines;
use crate::text::cut;

/// The longest line: the last one repeats the conversation as numbers, up to 262,144 tokens of up to 7 bytes.
const LINE: usize = 4 << 20;

/// How long and how much is waited for. A model that is not in memory yet is loaded first, on this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GenerateLimits {
    /// The longest silence, also before the first word. Default: 2 min.
    pub idle: Duration,
    /// Time from sending the prompt to the end of the answer. Default: 10 min.
    pub total: Duration,
    /// Bytes of text; an answer that is longer is cut, and the model stopped. Default: 256 KiB.
    pub bytes: usize,
}

impl Default for GenerateLimits {
    fn default() -> Self {
        Self {
            idle: Duration::from_mins(2),
            total: Duration::from_mins(10),
            bytes: 256 << 10,
        }
    }
}

/// What a model answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The text, without what the model thought before it.
    pub text: String,
    /// The text ends at the limit of bytes (between two characters), not where the model ended it.
    pub cut: bool,
    /// Tokens generated; unknown when cut.
    pub tokens: Option<u64>,
    /// Time the server spent generating them; unknown when cut.
    pub eval: Option<Duration>,
    /// Time from sending the prompt to the end of the answer, loading and waiting included.
    pub total: Duration,
    /// Tokens over the time spent generating them.
    pub tokens_per_second: Option<f64>,
}

/// A prompt without a whole answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct GenerateError {
    /// Why.
    pub error: Error,
    /// The text that came before, within the limit of bytes.
    pub text: String,
}

/// One line of the answer (`GenerateResponse` in `api/types.go`).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    response: String,
    done: bool,
    eval_count: Option<u64>,
    /// Nanoseconds.
    eval_duration: Option<u64>,
    error: Option<Value>,
}

impl Ollama {
    /// Sends a prompt, once, and waits for the whole answer. The model stays in memory, as [`Self::load`] put it.
    ///
    /// When the error [is unreachable](Error::is_unreachable) the prompt was not sent; after any other the model may
    /// have been asked. A future that is dropped stops the model.
    pub async fn generate(
        &self,
        model: &str,
        prompt: &str,
        limits: GenerateLimits,
    ) -> Result<Answer, GenerateError> {
        let mut text = String::new();
        match self.generated(model, prompt, limits, &mut text).await {
            Ok(End { cut, last, total }) => Ok(last.answer(text, cut, total)),
            Err(cause) => {
                let error = self.error(&format!("a prompt to {model:?}"), cause);
                Err(GenerateError { error, text })
            }
        }
    }

    async fn generated(
        &self,
        model: &str,
        prompt: &str,
        limits: GenerateLimits,
        text: &mut String,
    ) -> Result<End, Cause> {
        // Without it the server would forget that the model is to stay (server/sched.go).
        let body = json!({"model": model, "prompt": prompt, "stream": true, "keep_alive": -1});
        let connected = connect(self.address, self.limits.connect).await?;
        let clock = Clock {
            began: Instant::now(),
            limits,
        };
        let question = Question::post("/api/generate", body);
        let begun = async { connected.send(question).await?.accepted().await };
        let mut lines = JsonLines::new(clock.wait(begun).await?, LINE);
        while let Some(line) = clock.wait(lines.next::<Line>()).await? {
            if let Some(error) = &line.error {
                return Err(Cause::Failed {
                    message: words(error),
                });
            }
            let room = limits.bytes.saturating_sub(text.len());
            text.push_str(cut(&line.response, room));
            let cut = line.response.len() > room;
            if cut || line.done {
                let total = clock.began.elapsed();
                return Ok(End {
                    cut,
                    last: line,
                    total,
                });
            }
        }
        Err(Cause::Broken {
            reason: "the answer ended before the model was done".to_owned(),
        })
    }
}

/// How an answer ended.
struct End {
    cut: bool,
    last: Line,
    total: Duration,
}

impl Line {
    #[allow(clippy::cast_precision_loss)] // tokens: far below 2^52
    fn answer(self, text: String, cut: bool, total: Duration) -> Answer {
        let tokens = self.eval_count;
        let eval = self.eval_duration.map(Duration::from_nanos);
        let rate = |tokens: u64, eval: Duration| tokens as f64 / eval.as_secs_f64();
        let tokens_per_second = match (tokens, eval) {
            (Some(tokens), Some(eval)) if !eval.is_zero() => Some(rate(tokens, eval)),
            _ => None,
        };
        Answer {
            text,
            cut,
            tokens,
            eval,
            total,
            tokens_per_second,
        }
    }
}

/// Both limits of time.
struct Clock {
    began: Instant,
    limits: GenerateLimits,
}

impl Clock {
    async fn wait<T>(&self, work: impl Future<Output = Result<T, Cause>>) -> Result<T, Cause> {
        let GenerateLimits { idle, total, .. } = self.limits;
        let left = total.saturating_sub(self.began.elapsed());
        // Work that is always ready would never be timed out.
        if left.is_zero() {
            return Err(Cause::TooLate { after: total });
        }
        match tokio::time::timeout(idle.min(left), work).await {
            Ok(done) => done,
            Err(_) if left <= idle => Err(Cause::TooLate { after: total }),
            Err(_) => Err(Cause::Stalled { after: idle }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(line: &str) -> Answer {
        let line: Line = serde_json::from_str(line).unwrap();
        line.answer("text".into(), false, Duration::from_secs(3))
    }

    #[test]
    fn speed_is_tokens_over_the_time_that_they_took() {
        let told = answer(
            r#"{"response":"","done":true,"context":[1,2],"eval_count":5,"eval_duration":2500000000}"#,
        );
        assert_eq!(told.eval, Some(Duration::from_millis(2500)));
        assert_eq!((told.tokens, told.tokens_per_second), (Some(5), Some(2.0)));
        assert_eq!(
            answer(r#"{"done":true,"eval_count":5,"eval_duration":0}"#).tokens_per_second,
            None
        );
        assert_eq!(answer(r#"{"done":true}"#).tokens, None);
    }
}
