//! Models in memory: a stored model in, a loaded one with its scheduler out, until its keep-alive is over.
//! No timer: what has expired is found when somebody looks.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

use super::name::Name;
use super::store::{self, Stored};
use crate::latency::{self, Profile};
use crate::process::Context;
use crate::scheduler::{Limits, Scheduler};

const GIB: f64 = 1_073_741_824.0;
/// What the server itself takes of the container's memory.
pub(super) const SERVER: u64 = 150 << 20;

/// A model in memory.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) name: Name,
    pub(crate) origin: Name,
    pub(crate) digest: String,
    /// Bytes of weights and cache.
    pub(crate) bytes: u64,
    /// Of them on GPUs.
    pub(crate) on_gpu: u64,
    pub(crate) context: u64,
    /// `None`: stays for ever.
    pub(crate) expires: Option<SystemTime>,
    pub(crate) scheduler: Arc<Scheduler>,
}

/// All models in memory.
pub(crate) struct Runners {
    context: Context,
    loaded: Mutex<Vec<Loaded>>,
    loading: tokio::sync::Mutex<()>,
}

impl Runners {
    pub(crate) fn new(context: Context) -> Self {
        Self {
            context,
            loaded: Mutex::default(),
            loading: tokio::sync::Mutex::new(()),
        }
    }

    /// Models in memory now.
    pub(crate) fn list(&self) -> Vec<Loaded> {
        let mut loaded = self.loaded.lock();
        let now = SystemTime::now();
        loaded
            .retain(|model| model.scheduler.load().running > 0 || model.expires.is_none_or(|end| end > now));
        loaded.clone()
    }

    /// Takes a model out of memory.
    pub(crate) fn unload(&self, name: &Name) {
        self.loaded.lock().retain(|model| model.name != *name);
    }

    /// The model in memory, loaded if need be; the error is the real one's.
    pub(crate) async fn get(&self, stored: &Stored, keep_alive: Option<Duration>) -> Result<Loaded, String> {
        let _one_at_a_time = self.loading.lock().await;
        let expires = keep_alive.map(|time| SystemTime::now() + time);
        if self.list().iter().any(|model| model.name == stored.name) {
            let mut loaded = self.loaded.lock();
            if let Some(model) = loaded.iter_mut().find(|model| model.name == stored.name) {
                model.expires = expires;
                return Ok(model.clone());
            }
        }
        let mut model = self.place(stored)?;
        let time = self
            .context
            .spec
            .speed
            .load_time(latency::weight_loading(stored.bytes));
        self.context.faults.load_for(time).await;
        model.expires = expires;
        self.loaded.lock().push(model.clone());
        Ok(model)
    }

    /// Finds room on GPUs first, in the container's memory for the rest.
    #[allow(clippy::cast_precision_loss)]
    fn place(&self, stored: &Stored) -> Result<Loaded, String> {
        let spec = &self.context.spec;
        let shape = store::shape(&stored.origin);
        let parallel = number(&self.context, "OLLAMA_NUM_PARALLEL").unwrap_or(1).max(1);
        let video: u64 = spec.gpus.iter().map(|gpu| gpu.memory).sum();
        let context =
            number(&self.context, "OLLAMA_CONTEXT_LENGTH").unwrap_or_else(|| default_context(video));
        let context = context.min(shape.context).max(1);
        let bytes = stored.bytes + shape.kv_bytes_per_token(2) * context * parallel;
        let others: u64 = self.list().iter().map(|model| model.on_gpu).sum();
        let on_gpu = bytes.min((video - video / 20).saturating_sub(others));
        let in_memory: u64 = self.list().iter().map(|model| model.bytes - model.on_gpu).sum();
        let host = bytes - on_gpu;
        if let Some(limit) = spec.memory_limit {
            let available = limit.saturating_sub(SERVER + in_memory);
            if host > available {
                return Err(format!(
                    "model requires more system memory ({:.1} GiB) than is available ({:.1} GiB)",
                    host as f64 / GIB,
                    available as f64 / GIB
                ));
            }
        }
        let gpus = if on_gpu == bytes {
            spec.gpus.get(..1).unwrap_or(&[])
        } else {
            &[]
        };
        let limits = Limits {
            sequences: parallel,
            kv_tokens: context * parallel,
        };
        Ok(Loaded {
            name: stored.name.clone(),
            origin: stored.origin.clone(),
            digest: stored.digest.clone(),
            bytes,
            on_gpu,
            context,
            expires: None,
            scheduler: Scheduler::new(Profile::of(&shape, gpus), limits, spec.speed),
        })
    }
}

/// Context by the GPUs' memory, as the server chooses it.
fn default_context(video: u64) -> u64 {
    match video >> 30 {
        47.. => 262_144,
        23.. => 32_768,
        _ => 4096,
    }
}

pub(super) fn number(context: &Context, name: &str) -> Option<u64> {
    context.env(name)?.trim().parse().ok()
}

/// `5m`, `300`, `-1`, `24h`: `None` means for ever.
pub(crate) fn keep_alive(word: &str) -> Option<Duration> {
    let word = word.trim();
    if word.starts_with('-') {
        return None;
    }
    let end = word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len());
    let number: f64 = word[..end].parse().unwrap_or(300.0);
    let seconds = match &word[end..] {
        "ms" => number / 1000.0,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => number,
    };
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::from_mins(5)))
}
