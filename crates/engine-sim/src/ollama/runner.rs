//! Models in memory: a stored model in, a lease on the loaded one out, until its keep-alive after the last lease is over.
//! Loads come one after the other, as in the real scheduler. No timer: what has expired is found when somebody looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::duration::Lifetime;
use super::name::Name;
use super::placement::{self, Options, Placed};
use super::settings::Settings;
use super::store::Stored;
use super::{journal, library};
use crate::journal::Event;
use crate::latency::{self, Profile};
use crate::process::Context;
use crate::scheduler::{Limits, Scheduler};

/// Models in memory by default, per GPU.
const PER_GPU: usize = 3;

/// A model in memory.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    /// The name under which it was loaded; copies of a model are the same one.
    pub(crate) name: Name,
    pub(crate) origin: Name,
    pub(crate) digest: String,
    pub(crate) placed: Placed,
    /// `None`: stays for ever.
    pub(crate) expires: Option<SystemTime>,
    pub(crate) scheduler: Arc<Scheduler>,
}

struct Runner {
    blob: String,
    options: Options,
    model: Loaded,
    users: u64,
    keep_alive: Lifetime,
}

impl Runner {
    fn is_over(&self, now: SystemTime) -> bool {
        self.users == 0 && self.model.expires.is_some_and(|end| end <= now)
    }

    fn rest(&mut self) {
        self.model.expires = self.keep_alive.map(|time| SystemTime::now() + time);
    }
}

/// Why a model was not loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("server busy, please try again.  maximum pending requests exceeded")]
    Busy,
    #[error("{0}")]
    Failed(String),
}

/// All models in memory.
pub(crate) struct Runners {
    context: Context,
    settings: Arc<Settings>,
    loaded: Mutex<Vec<Runner>>,
    loading: tokio::sync::Mutex<()>,
    pending: AtomicU64,
    changed: Notify,
}

/// The use of a model: its keep-alive begins when this is dropped.
pub(crate) struct Lease {
    runners: Arc<Runners>,
    blob: String,
    pub(crate) model: Loaded,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut loaded = self.runners.loaded.lock();
        if let Some(runner) = loaded.iter_mut().find(|runner| runner.blob == self.blob) {
            runner.users = runner.users.saturating_sub(1);
            runner.rest();
        }
        drop(loaded);
        self.runners.changed.notify_waiters();
    }
}

/// A request that waits for a model to be loaded.
struct Pending<'a>(&'a AtomicU64);

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Runners {
    pub(crate) fn new(context: Context, settings: Arc<Settings>) -> Arc<Self> {
        Arc::new(Self {
            context,
            settings,
            loaded: Mutex::default(),
            loading: tokio::sync::Mutex::new(()),
            pending: AtomicU64::new(0),
            changed: Notify::new(),
        })
    }

    /// Models in memory now, the one that stays longest first.
    pub(crate) fn list(&self) -> Vec<Loaded> {
        let mut loaded = self.loaded.lock();
        let now = SystemTime::now();
        loaded.retain(|runner| !runner.is_over(now));
        let mut models: Vec<Loaded> = loaded.iter().map(|runner| runner.model.clone()).collect();
        models.sort_by_key(|model| (model.expires.is_some(), std::cmp::Reverse(model.expires)));
        models
    }

    /// Takes a model out of memory once nobody uses it.
    pub(crate) fn unload(&self, stored: &Stored) {
        let mut loaded = self.loaded.lock();
        if let Some(runner) = loaded.iter_mut().find(|runner| runner.blob == stored.blob) {
            runner.keep_alive = Some(std::time::Duration::ZERO);
            runner.rest();
        }
    }

    /// The model in memory, loaded if need be.
    pub(crate) async fn get(
        self: &Arc<Self>,
        stored: &Stored,
        options: Options,
        keep_alive: Lifetime,
    ) -> Result<Lease, Refused> {
        if let Some(lease) = self.lease(stored, options, keep_alive) {
            return Ok(lease);
        }
        // One is being worked on, the others wait in the queue.
        if self.pending.fetch_add(1, Ordering::Relaxed) > self.settings.max_queue {
            self.pending.fetch_sub(1, Ordering::Relaxed);
            return Err(Refused::Busy);
        }
        let _pending = Pending(&self.pending);
        let _one_at_a_time = self.loading.lock().await;
        loop {
            if let Some(lease) = self.lease(stored, options, keep_alive) {
                return Ok(lease);
            }
            let others = self.list();
            let same = self.loaded.lock().iter().any(|runner| runner.blob == stored.blob);
            let room = placement::place(&self.context, &self.settings, stored, options, &others);
            let fits = room.as_ref().is_ok_and(|placed| placed.is_whole(&self.context));
            if same {
                self.evict(Some(&stored.blob)).await;
            } else if others.len() >= self.most() || (!others.is_empty() && !fits) {
                self.evict(None).await;
            } else {
                return self
                    .load(stored, options, keep_alive, room.map_err(Refused::Failed)?)
                    .await;
            }
        }
    }

    fn most(&self) -> usize {
        match usize::try_from(self.settings.max_loaded) {
            Ok(0) | Err(_) => PER_GPU * self.context.spec.gpus.len().max(1),
            Ok(most) => most,
        }
    }

    /// A lease on a model that is in memory as wanted.
    fn lease(self: &Arc<Self>, stored: &Stored, options: Options, keep_alive: Lifetime) -> Option<Lease> {
        let mut loaded = self.loaded.lock();
        let now = SystemTime::now();
        loaded.retain(|runner| !runner.is_over(now));
        let runner = loaded
            .iter_mut()
            .find(|runner| runner.blob == stored.blob && runner.options == options)?;
        runner.users += 1;
        runner.keep_alive = keep_alive;
        runner.rest();
        Some(Lease {
            runners: Arc::clone(self),
            blob: stored.blob.clone(),
            model: runner.model.clone(),
        })
    }

    /// Takes a model out of memory, waiting until it is not used: this one, or an idle one that was to go soonest.
    async fn evict(&self, blob: Option<&str>) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut loaded = self.loaded.lock();
                let wanted = |runner: &Runner| blob.is_none_or(|blob| blob == runner.blob);
                let key =
                    |runner: &Runner| (runner.users > 0, runner.keep_alive.is_none(), runner.keep_alive);
                let first = loaded.iter().filter(|runner| wanted(runner)).map(key).min();
                let at = loaded
                    .iter()
                    .position(|runner| wanted(runner) && Some(key(runner)) == first);
                match at {
                    None => return,
                    Some(at) if loaded[at].users == 0 => {
                        loaded.remove(at);
                        return;
                    }
                    Some(at) => loaded[at].keep_alive = Some(std::time::Duration::ZERO),
                }
            }
            changed.await;
        }
    }

    async fn load(
        self: &Arc<Self>,
        stored: &Stored,
        options: Options,
        keep_alive: Lifetime,
        placed: Placed,
    ) -> Result<Lease, Refused> {
        let Self {
            context, settings, ..
        } = &**self;
        let (began, faults) = (std::time::Instant::now(), &context.faults);
        let reading = latency::weight_loading(stored.bytes);
        faults.slowed(context.spec.speed.load_time(reading)).await;
        match settings.load_timeout {
            None => faults.unstalled().await,
            Some(limit) => tokio::time::timeout(limit, faults.unstalled())
                .await
                .map_err(|_| {
                    let message = "timed out waiting for llama runner to start - progress 0.00 - ";
                    Refused::Failed(message.to_owned())
                })?,
        }
        context.note(Event::Load {
            model: stored.name.short(),
        });
        let took = began.elapsed().as_secs_f64();
        journal(
            context,
            "server.go:1388",
            &format!("llama runner started in {took:.2} seconds"),
        );
        let shape = library::shape(&stored.origin);
        let gpus = if placed.on_gpu == placed.bytes {
            context.spec.gpus.get(..1)
        } else {
            None
        };
        let limits = Limits {
            sequences: settings.parallel,
            kv_tokens: placed.context * settings.parallel,
        };
        let profile = Profile::of(&shape, gpus.unwrap_or(&[]));
        let model = Loaded {
            name: stored.name.clone(),
            origin: stored.origin.clone(),
            digest: stored.digest.clone(),
            placed,
            expires: keep_alive.map(|time| SystemTime::now() + time),
            scheduler: Scheduler::new(profile, limits, context.spec.speed),
        };
        self.loaded.lock().push(Runner {
            blob: stored.blob.clone(),
            options,
            model: model.clone(),
            users: 1,
            keep_alive,
        });
        Ok(Lease {
            runners: Arc::clone(self),
            blob: stored.blob.clone(),
            model,
        })
    }
}
