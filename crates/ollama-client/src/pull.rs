//! Pulling a model: a name in, progress as it is told, then success or the server's words out.
//! It must not decide that a pull is too slow; it only minds silence. Memory stays bounded, however long it takes.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::Ollama;
use crate::error::{Cause, Error};
use crate::exchange::{Question, connect, words};
use crate::stream::JsonLines;
use crate::text::shown;

/// The most layers of one model that are counted; real ones have fewer than ten, tensors one by one some thousand.
const LAYERS: usize = 16_384;
/// The most bytes of a layer's name; `sha256:` and its digits are 71.
const DIGEST: usize = 128;
/// The slowest disk, in bytes a second: a server reads all that it pulled once more, without a word.
const VERIFY: u64 = 20_000_000;
/// How the status of that step begins.
const VERIFYING: &str = "verifying";

/// How far a pull is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The server's words for this step: `pulling manifest`, `verifying sha256 digest`, `success`.
    pub status: String,
    /// Bytes that are there, of all layers named so far. Never falls.
    pub completed: u64,
    /// Bytes of all layers named so far; a server names them one after the other, the largest first as a rule.
    pub total: u64,
    /// Whole percent of the bytes named so far. Never falls, also when another layer is named; 100 only at the end.
    pub percent: u8,
    /// The server is in the middle of a layer: the moment to drop a pull that another client waits for too.
    pub mid_layer: bool,
}

/// One line of the answer (`ProgressResponse` in `api/types.go`).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    status: String,
    digest: String,
    total: u64,
    completed: u64,
    error: Option<Value>,
}

impl Line {
    /// The server has not learned the layer's size yet; a moment later it has, or never will.
    fn names_layer_without_size(&self) -> bool {
        !self.digest.is_empty() && self.total == 0
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Layer {
    completed: u64,
    total: u64,
}

/// What was told of the layers so far.
#[derive(Debug, Default)]
struct Tracker {
    layers: HashMap<String, Layer>,
    sum: Layer,
    percent: u8,
}

impl Ollama {
    /// Pulls a model, or joins the pull of it that is under way; layers that are there are not pulled again.
    ///
    /// `on_progress` hears every line, about 16 a second. The pull has no time limit, but fails when the server says
    /// nothing, or names a layer without its size, for [`crate::Limits::idle`] (while it verifies what it pulled: longer,
    /// by the size). The server ends its download when the last client that waits for it is gone, and keeps what it has: a
    /// later pull goes on from there.
    ///
    /// Dropping it leaves another client's pull of the same model running, with an exception (0.17.4,
    /// `server/download.go`): the client whose pull comes first to a layer asks the registry for its size, and when that
    /// client leaves meanwhile, all others wait for the layer for ever, and the server dies when the last of them leaves.
    /// Drop it while [`Progress::mid_layer`] holds, where this does not happen.
    pub async fn pull(&self, model: &str, on_progress: impl FnMut(Progress) + Send) -> Result<(), Error> {
        self.pulled(model, on_progress)
            .await
            .map_err(|cause| self.error(&format!("pull {model:?}"), cause))
    }

    async fn pulled(&self, model: &str, mut on_progress: impl FnMut(Progress) + Send) -> Result<(), Cause> {
        let question = Question::post("/api/pull", json!({"model": model, "stream": true}));
        let connected = connect(self.address, self.limits.connect).await?;
        let idle = self.limits.idle;
        let begun = async { connected.send(question).await?.accepted().await };
        let exchange = unless_silent(idle, begun).await?;
        let mut lines = JsonLines::new(exchange, self.limits.bytes);
        let mut tracker = Tracker::default();
        let mut silence = idle;
        let mut without_size: Option<Instant> = None;
        while let Some(line) = unless_silent(silence, lines.next::<Line>()).await? {
            if let Some(error) = &line.error {
                return Err(Cause::Failed {
                    message: words(error),
                });
            }
            silence = tracker.silence(&line, idle);
            without_size = line
                .names_layer_without_size()
                .then(|| without_size.unwrap_or_else(Instant::now));
            if without_size.is_some_and(|since| since.elapsed() >= idle) {
                return Err(Cause::Stalled { after: idle });
            }
            let done = line.status == "success";
            on_progress(tracker.take(line)?);
            if done {
                return Ok(());
            }
        }
        Err(Cause::Broken {
            reason: "the pull ended without success".to_owned(),
        })
    }
}

async fn unless_silent<T>(
    silence: Duration,
    work: impl Future<Output = Result<T, Cause>>,
) -> Result<T, Cause> {
    match tokio::time::timeout(silence, work).await {
        Ok(done) => done,
        Err(_) => Err(Cause::Stalled { after: silence }),
    }
}

impl Tracker {
    /// Adds what a line says.
    fn take(&mut self, line: Line) -> Result<Progress, Cause> {
        let mid_layer = !line.digest.is_empty() && line.completed < line.total;
        if !line.digest.is_empty() {
            self.add(line.digest, line.completed, line.total)?;
        }
        let reached = u128::from(self.sum.completed) * 100 / u128::from(self.sum.total.max(1));
        let reached = u8::try_from(reached).unwrap_or(99).min(99);
        let whole = line.status == "success";
        self.percent = if whole { 100 } else { self.percent.max(reached) };
        Ok(Progress {
            status: shown(&line.status),
            completed: self.sum.completed,
            total: self.sum.total,
            percent: self.percent,
            mid_layer,
        })
    }

    fn add(&mut self, digest: String, completed: u64, total: u64) -> Result<(), Cause> {
        let known = self.layers.contains_key(&digest);
        if digest.len() > DIGEST || (!known && self.layers.len() == LAYERS) {
            let reason =
                format!("layers with more than {DIGEST} bytes of name, or more than {LAYERS} of them");
            return Err(Cause::Malformed { reason });
        }
        let layer = self.layers.entry(digest).or_default();
        let before = *layer;
        layer.total = layer.total.max(total);
        layer.completed = layer.completed.max(completed.min(layer.total));
        self.sum.total = self.sum.total.saturating_add(layer.total - before.total);
        let more = layer.completed - before.completed;
        self.sum.completed = self.sum.completed.saturating_add(more);
        Ok(())
    }

    /// The silence that is allowed after a line.
    fn silence(&self, line: &Line, idle: Duration) -> Duration {
        if line.status.starts_with(VERIFYING) {
            idle.saturating_add(Duration::from_secs(self.sum.total / VERIFY))
        } else {
            idle
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(digest: &str, completed: u64, total: u64) -> Line {
        Line {
            status: format!("pulling {digest}"),
            digest: digest.to_owned(),
            total,
            completed,
            error: None,
        }
    }

    fn said(status: &str) -> Line {
        Line {
            status: status.to_owned(),
            ..Line::default()
        }
    }

    #[test]
    fn layers_are_summed_and_nothing_runs_backwards() {
        let mut tracker = Tracker::default();
        let mut told = Vec::new();
        for line in [
            said("pulling manifest"),
            layer("a", 0, 0),
            layer("a", 10, 100),
            layer("a", 60, 100),
            // The server began a part of the layer anew.
            layer("a", 40, 100),
            layer("a", 100, 100),
            layer("b", 0, 100),
            layer("b", 500, 100),
            said("verifying sha256 digest"),
            said("success"),
        ] {
            let progress = tracker.take(line).unwrap();
            told.push((
                progress.completed,
                progress.total,
                progress.percent,
                progress.mid_layer,
            ));
        }
        let expected = [
            (0, 0, 0, false),
            (0, 0, 0, false),
            (10, 100, 10, true),
            (60, 100, 60, true),
            (60, 100, 60, true),
            (100, 100, 99, false),
            (100, 200, 99, true),
            (200, 200, 99, false),
            (200, 200, 99, false),
            (200, 200, 100, false),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn sizes_without_measure_do_not_overflow() {
        let mut tracker = Tracker::default();
        for digest in ["a", "b", "c"] {
            tracker.take(layer(digest, u64::MAX, u64::MAX)).unwrap();
        }
        let progress = tracker.take(said("writing manifest")).unwrap();
        assert_eq!(
            (progress.completed, progress.total, progress.percent),
            (u64::MAX, u64::MAX, 99)
        );
    }

    #[test]
    fn layers_without_end_are_refused() {
        let mut tracker = Tracker::default();
        let failed = (0..=LAYERS).find(|n| tracker.take(layer(&n.to_string(), 0, 1)).is_err());
        assert_eq!(failed, Some(LAYERS));
        assert!(tracker.take(layer("0", 1, 1)).is_ok());
        assert!(Tracker::default().take(layer(&"x".repeat(200), 0, 1)).is_err());
    }

    #[test]
    fn verifying_may_be_silent_for_as_long_as_a_slow_disk_takes() {
        let mut tracker = Tracker::default();
        tracker.take(layer("a", 0, 40_000_000_000)).unwrap();
        let minute = Duration::from_mins(1);
        assert_eq!(tracker.silence(&said("pulling a"), minute), minute);
        assert_eq!(
            tracker.silence(&said("verifying sha256 digest"), minute),
            minute + Duration::from_secs(2000)
        );
    }
}
