//! `/api/pull`: a name in, the real progress lines while the simulated download runs out.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use serde_json::{Value, json};

use super::download::{Downloads, TICK, Ticket};
use super::go_error;
use super::library::{self, Layer};
use super::name::Name;
use super::store::Store;
use crate::process::Context;

const UNKNOWN: &str = "pull model manifest: file does not exist";

/// What a pull works with.
pub(crate) struct Pull {
    pub(crate) context: Context,
    pub(crate) store: Arc<Store>,
    pub(crate) downloads: Arc<Downloads>,
    pub(crate) name: Name,
}

enum Step {
    Manifest,
    Resolve,
    Layer(VecDeque<Layer>),
    Wait(Ticket, Layer, VecDeque<Layer>),
    Verify,
    Write,
    Success,
    End,
}

impl Pull {
    /// The lines, each when it is due; the last one is `success` or an error. Dropping them is going away.
    pub(crate) fn lines(self) -> impl Stream<Item = Value> + Send + 'static {
        futures::stream::unfold((self, Step::Manifest), |(pull, step)| async move {
            let (line, next) = pull.step(step).await?;
            Some((line, (pull, next)))
        })
    }

    async fn step(&self, mut step: Step) -> Option<(Value, Step)> {
        let status = |text: &str| json!({"status": text});
        loop {
            step = match step {
                Step::Manifest => return Some((status("pulling manifest"), Step::Resolve)),
                Step::Resolve => {
                    let unknown = (!library::is_published(&self.name)).then(|| UNKNOWN.to_owned());
                    match self.context.faults.model_pull_error().or(unknown) {
                        Some(error) => return Some((json!({"error": error}), Step::End)),
                        None => Step::Layer(library::layers(&self.name).into()),
                    }
                }
                Step::Layer(mut left) => match left.pop_front() {
                    None => Step::Verify,
                    Some(layer) if self.store.has(&layer) => {
                        return Some((told(&layer, layer.bytes), Step::Layer(left)));
                    }
                    Some(layer) => match self.downloads.join(&self.name, &layer) {
                        Ok(ticket) => {
                            let completed = ticket.progress.borrow().completed;
                            return Some((told(&layer, completed), Step::Wait(ticket, layer, left)));
                        }
                        Err(error) => return Some((json!({"error": error}), Step::End)),
                    },
                },
                Step::Wait(mut ticket, layer, left) => {
                    let end = ticket.progress.borrow_and_update().end.clone();
                    match end {
                        Some(Ok(())) => return Some((told(&layer, layer.bytes), Step::Layer(left))),
                        Some(Err(error)) => return Some((json!({"error": error}), Step::End)),
                        None => {}
                    }
                    // A line at least so often, also when nothing comes.
                    let _ = tokio::time::timeout(TICK, ticket.progress.changed()).await;
                    let completed = ticket.progress.borrow().completed;
                    return Some((told(&layer, completed), Step::Wait(ticket, layer, left)));
                }
                Step::Verify => return Some((status("verifying sha256 digest"), Step::Write)),
                Step::Write => {
                    return Some(match self.store.add(&self.name) {
                        Ok(()) => (status("writing manifest"), Step::Success),
                        Err(error) => {
                            let path = self.store.manifest(&self.name);
                            (json!({"error": go_error("open", &path, &error)}), Step::End)
                        }
                    });
                }
                Step::Success => return Some((status("success"), Step::End)),
                Step::End => return None,
            }
        }
    }
}

/// The line about a layer; as in Go's JSON, a zero is left out.
fn told(layer: &Layer, completed: u64) -> Value {
    let mut line = json!({"status": format!("pulling {}", &layer.digest[..12]),
        "digest": format!("sha256:{}", layer.digest), "total": layer.bytes});
    if completed > 0 {
        line["completed"] = completed.into();
    }
    line
}

/// A JSON line.
pub(crate) fn line(value: &Value) -> Bytes {
    Bytes::from(format!("{value}\n"))
}
