//! Continuous batching: requests in, the pauses between their tokens out.
//! All requests of one engine share a batch; each step gets longer with the batch, and what does not fit waits.
//! No task of its own: an engine without requests does nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::latency::Profile;
use crate::speed::Speed;
use crate::stats::{Finish, Stats};

/// Prompt tokens read in one step at most: longer prompts are read in chunks between others' tokens.
const CHUNK: u64 = 8192;

/// What an engine can hold at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Requests in the batch.
    pub(crate) sequences: u64,
    /// Tokens in the key-value cache.
    pub(crate) kv_tokens: u64,
}

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) running: u64,
    pub(crate) waiting: u64,
    /// Tokens in the key-value cache.
    pub(crate) context: u64,
    /// Prompt tokens being read.
    pub(crate) prefill: u64,
}

#[derive(Debug)]
pub(crate) struct Scheduler {
    profile: Profile,
    limits: Limits,
    speed: Speed,
    load: Mutex<Load>,
    freed: Notify,
    pub(crate) stats: Mutex<Stats>,
}

impl Scheduler {
    pub(crate) fn new(profile: Profile, limits: Limits, speed: Speed) -> Arc<Self> {
        Arc::new(Self {
            profile,
            limits,
            speed,
            load: Mutex::default(),
            freed: Notify::new(),
            stats: Mutex::new(Stats::default()),
        })
    }

    pub(crate) fn load(&self) -> Load {
        *self.load.lock()
    }

    /// Share of the key-value cache in use, 0 to 1.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn kv_usage(&self) -> f64 {
        (self.load.lock().context as f64 / self.limits.kv_tokens.max(1) as f64).min(1.0)
    }

    /// Waits for room, then takes the request into the batch.
    pub(crate) async fn admit(self: &Arc<Self>, prompt_tokens: u64) -> Sequence {
        let arrived = Instant::now();
        let waiting = Waiting::new(self);
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.try_take(prompt_tokens) {
                break;
            }
            freed.await;
        }
        drop(waiting);
        self.stats.lock().queued(arrived.elapsed());
        Sequence {
            scheduler: Arc::clone(self),
            arrived,
            admitted: Instant::now(),
            first: None,
            last: arrived,
            prompt: prompt_tokens,
            generated: 0,
            ended: false,
        }
    }

    fn try_take(&self, prompt_tokens: u64) -> bool {
        let mut load = self.load.lock();
        // A request alone always fits: its length was checked against the model's context before.
        let fits = load.running == 0
            || (load.running < self.limits.sequences
                && load.context + prompt_tokens <= self.limits.kv_tokens);
        if fits {
            load.running += 1;
            load.context += prompt_tokens;
        }
        fits
    }

    fn step(&self) -> Duration {
        let load = self.load();
        self.profile
            .step(load.running, load.context, load.prefill.min(CHUNK))
    }
}

/// Counts a request as waiting while it lives.
struct Waiting<'a>(&'a Scheduler);

impl<'a> Waiting<'a> {
    fn new(scheduler: &'a Scheduler) -> Self {
        scheduler.load.lock().waiting += 1;
        Self(scheduler)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.load.lock().waiting -= 1;
    }
}

/// One request in the batch; dropping it (the client left) frees its place.
pub(crate) struct Sequence {
    scheduler: Arc<Scheduler>,
    arrived: Instant,
    admitted: Instant,
    first: Option<Instant>,
    last: Instant,
    prompt: u64,
    generated: u64,
    ended: bool,
}

impl Sequence {
    /// Waits until the prompt is read, behind the prompts that are being read already; the first token is then there.
    pub(crate) async fn prefill(&mut self) {
        let pending = {
            let mut load = self.scheduler.load.lock();
            load.prefill += self.prompt;
            load.prefill
        };
        let reading = Reading {
            scheduler: &self.scheduler,
            tokens: self.prompt,
        };
        let load = self.scheduler.load();
        pause(
            self.scheduler.speed,
            self.scheduler.profile.step(load.running, load.context, pending),
        )
        .await;
        drop(reading);
        self.count_token();
    }

    /// Waits for the next token.
    pub(crate) async fn decode(&mut self) {
        pause(self.scheduler.speed, self.scheduler.step()).await;
        self.count_token();
    }

    /// The request ended well.
    pub(crate) fn finish(mut self, reason: Finish) {
        self.end(reason);
    }

    fn count_token(&mut self) {
        let now = Instant::now();
        self.generated += 1;
        self.scheduler.load.lock().context += 1;
        let mut stats = self.scheduler.stats.lock();
        if self.first.is_none() {
            self.first = Some(now);
            stats.first_token(now - self.arrived, self.prompt);
        } else {
            stats.next_token(now - self.last);
        }
        self.last = now;
    }

    fn end(&mut self, reason: Finish) {
        self.ended = true;
        let decode = self.first.map(|first| self.last - first).unwrap_or_default();
        let total = self.arrived.elapsed();
        let inference = self.admitted.elapsed();
        self.scheduler
            .stats
            .lock()
            .ended(reason, self.prompt, self.generated, total, inference, decode);
    }
}

impl Drop for Sequence {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Finish::Abort);
        }
        let mut load = self.scheduler.load.lock();
        load.running -= 1;
        load.context -= self.prompt + self.generated;
        drop(load);
        self.scheduler.freed.notify_waiters();
    }
}

struct Reading<'a> {
    scheduler: &'a Scheduler,
    tokens: u64,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.scheduler.load.lock().prefill -= self.tokens;
    }
}

async fn pause(speed: Speed, real: Duration) {
    let time = speed.generate_time(real);
    if time.is_zero() {
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep(time).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scheduler(sequences: u64, kv_tokens: u64) -> Arc<Scheduler> {
        let profile = Profile {
            a: 0.01,
            b: 0.0,
            g: 0.0,
            c: 0.001,
        };
        Scheduler::new(profile, Limits { sequences, kv_tokens }, Speed::REAL)
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_batch_makes_the_next_request_wait_until_one_leaves() {
        let scheduler = scheduler(1, 1000);
        let first = scheduler.admit(10).await;
        let second = tokio::spawn({
            let scheduler = Arc::clone(&scheduler);
            async move { drop(scheduler.admit(10).await) }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!((scheduler.load().running, scheduler.load().waiting), (1, 1));
        drop(first);
        second.await.unwrap();
        assert_eq!((scheduler.load().running, scheduler.load().context), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn prompts_are_read_one_after_another() {
        let scheduler = scheduler(8, 10_000);
        let begin = tokio::time::Instant::now();
        let (mut a, mut b) = (scheduler.admit(1000).await, scheduler.admit(1000).await);
        tokio::join!(a.prefill(), b.prefill());
        let took = begin.elapsed();
        assert!(
            took >= Duration::from_secs(2) && took < Duration::from_millis(2100),
            "{took:?}"
        );
        assert!(scheduler.kv_usage() > 0.2);
    }
}
