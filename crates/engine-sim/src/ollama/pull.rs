//! `/api/pull`: a name in, the real progress lines while the simulated download runs out.

use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use serde_json::{Value, json};

use super::name::Name;
use super::store::{self, Store};
use super::{go_error, models_dir};
use crate::latency;
use crate::process::Context;

/// Progress lines of one download.
const STEPS: u64 = 8;

/// What a pull works with.
pub(crate) struct Pull {
    pub(crate) context: Context,
    pub(crate) store: Arc<Store>,
    pub(crate) name: Name,
}

enum Step {
    Manifest,
    Layer(u64),
    Verify,
    Write,
    Success,
    End,
}

impl Pull {
    /// The lines, each when it is due; the last one is `success` or an error.
    pub(crate) fn lines(self) -> impl Stream<Item = Value> + Send + 'static {
        futures::stream::unfold((self, Step::Manifest), |(pull, step)| async move {
            let (line, next) = pull.step(step).await?;
            Some((line, (pull, next)))
        })
    }

    async fn step(&self, step: Step) -> Option<(Value, Step)> {
        let status = |text: &str| json!({"status": text});
        let (bytes, digest) = (store::size(&self.name), self.name.digest("model"));
        Some(match step {
            Step::Manifest => (status("pulling manifest"), Step::Layer(0)),
            Step::Layer(0) if !self.name.is_published() => (
                json!({"error": "pull model manifest: file does not exist"}),
                Step::End,
            ),
            Step::Layer(done) => {
                let here = self.store.find(&self.name).is_some();
                let done = if here { STEPS } else { done };
                if done > 0 && !here {
                    let time = self
                        .context
                        .spec
                        .speed
                        .load_time(latency::download(bytes / STEPS));
                    self.context.faults.load_for(time).await;
                }
                let line = json!({"status": format!("pulling {}", &digest[..12]), "digest": format!("sha256:{digest}"),
                    "total": bytes, "completed": bytes / STEPS * done + if done == STEPS { bytes % STEPS } else { 0 }});
                (
                    line,
                    if done == STEPS {
                        Step::Verify
                    } else {
                        Step::Layer(done + 1)
                    },
                )
            }
            Step::Verify => (status("verifying sha256 digest"), Step::Write),
            Step::Write => match self.store.add(&self.name) {
                Ok(()) => (status("writing manifest"), Step::Success),
                Err(error) => {
                    let path = models_dir(&self.context)
                        .join("blobs")
                        .join(format!("sha256-{digest}-partial"));
                    (json!({"error": go_error("open", &path, &error)}), Step::End)
                }
            },
            Step::Success => (status("success"), Step::End),
            Step::End => return None,
        })
    }
}

/// A JSON line.
pub(crate) fn line(value: &Value) -> Bytes {
    Bytes::from(format!("{value}\n"))
}
