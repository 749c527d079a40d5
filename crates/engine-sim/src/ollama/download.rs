//! Downloads of layers: a layer in, its progress out. All who want the same layer share one download; it stops when the last
//! of them has gone, and the next one goes on where it stopped.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::go_error;
use super::library::Layer;
use super::name::Name;
use super::store::{Part, Store};
use crate::filesystem::FileError;
use crate::journal::Event;
use crate::latency;
use crate::process::Context;

/// Ollama tells progress about this often.
pub(crate) const TICK: Duration = Duration::from_millis(60);
/// Fewest steps of a download, however fast it is.
const STEPS: u64 = 8;

/// How far a download is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Bytes that are there.
    pub(crate) completed: u64,
    /// How it ended; the error is what the stream says.
    pub(crate) end: Option<Result<(), String>>,
}

struct Running {
    users: usize,
    progress: watch::Sender<Progress>,
    /// As they were when it began.
    parts: Vec<Part>,
    task: AbortHandle,
}

/// All downloads of a server.
pub(crate) struct Downloads {
    context: Context,
    store: Arc<Store>,
    running: Mutex<HashMap<String, Running>>,
}

/// One who waits for a layer. Dropping it is going away.
pub(crate) struct Ticket {
    downloads: Arc<Downloads>,
    layer: Layer,
    pub(crate) progress: watch::Receiver<Progress>,
}

impl Downloads {
    pub(crate) fn new(context: Context, store: Arc<Store>) -> Arc<Self> {
        Arc::new(Self {
            context,
            store,
            running: Mutex::default(),
        })
    }

    /// Joins the layer's download, or begins it for `name`.
    pub(crate) fn join(self: &Arc<Self>, name: &Name, layer: &Layer) -> Result<Ticket, String> {
        let mut running = self.running.lock();
        let progress = if let Some(known) = running.get_mut(&layer.digest) {
            known.users += 1;
            known.progress.subscribe()
        } else {
            let parts = self
                .store
                .begin(layer)
                .map_err(|error| self.failed(layer, &error))?;
            let present = parts.iter().map(|part| part.completed).sum();
            if layer.bytes > 1_000_000 {
                self.context.note(Event::Download {
                    model: name.short(),
                    present,
                });
            }
            let (sender, progress) = watch::channel(Progress {
                completed: present,
                end: None,
            });
            let task = tokio::spawn(run(Arc::clone(self), layer.clone(), sender.clone(), present));
            running.insert(
                layer.digest.clone(),
                Running {
                    users: 1,
                    progress: sender,
                    parts,
                    task: task.abort_handle(),
                },
            );
            progress
        };
        drop(running);
        Ok(Ticket {
            downloads: Arc::clone(self),
            layer: layer.clone(),
            progress,
        })
    }

    fn failed(&self, layer: &Layer, error: &FileError) -> String {
        go_error("open", &self.store.partial(layer), error)
    }

    /// All bytes are there. Not when everybody has gone in the meantime.
    fn finish(&self, layer: &Layer) {
        let mut running = self.running.lock();
        let Some(download) = running.remove(&layer.digest) else {
            return;
        };
        let end = self.store.finish(layer, &download.parts);
        let end = end.map_err(|error| self.failed(layer, &error));
        download.progress.send_modify(|progress| progress.end = Some(end));
    }
}

/// Downloads what is missing.
async fn run(downloads: Arc<Downloads>, layer: Layer, progress: watch::Sender<Progress>, present: u64) {
    let context = &downloads.context;
    let missing = layer.bytes - present;
    let real = latency::download(missing);
    let time = context
        .faults
        .model_pull_time()
        .unwrap_or_else(|| context.spec.speed.load_time(real));
    let ticks = u64::try_from(time.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX);
    let steps = ticks.clamp(STEPS, 1000);
    let step = time.div_f64(f64::from(u16::try_from(steps).unwrap_or(u16::MAX)));
    for done in 1..=steps {
        context.faults.load_for(step).await;
        // Who waits sees progress, also when no time passes.
        tokio::task::yield_now().await;
        let completed = present + missing / steps * done + if done == steps { missing % steps } else { 0 };
        progress.send_modify(|now| now.completed = completed);
    }
    downloads.finish(&layer);
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut running = self.downloads.running.lock();
        let Some(download) = running.get_mut(&self.layer.digest) else {
            return;
        };
        if !self.progress.same_channel(&download.progress.subscribe()) {
            // A later one of the same layer; this one's has ended.
            return;
        }
        download.users -= 1;
        if download.users > 0 {
            return;
        }
        download.task.abort();
        let completed = download.progress.borrow().completed;
        let parts = advanced(&download.parts, completed);
        running.remove(&self.layer.digest);
        // A volume that cannot be written keeps what it has.
        let _ = self.downloads.store.save(&self.layer, &parts);
    }
}

/// Parts are downloaded side by side: each has its share of the bytes that are there.
fn advanced(parts: &[Part], completed: u64) -> Vec<Part> {
    let missing_of = |part: &Part| part.size - part.completed;
    let missing: u64 = parts.iter().map(missing_of).sum();
    let mut fresh = completed.saturating_sub(parts.iter().map(|part| part.completed).sum());
    let all = fresh;
    let mut parts = parts.to_vec();
    for part in &mut parts {
        let share = u128::from(missing_of(part)) * u128::from(all) / u128::from(missing.max(1));
        let share = u64::try_from(share).unwrap_or(0).min(fresh);
        part.completed += share;
        fresh -= share;
    }
    parts
}
