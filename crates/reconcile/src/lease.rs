//! Leader election by a `coordination.k8s.io` Lease. In: a client and names. Out: the moment we lead, and the moment
//! we no longer may.
//!
//! Clocks of different machines are never compared: a lease is expired when we have not seen it change for its whole
//! duration, by our own monotonic clock. A renewal counts from before its request was sent. The decisions are in
//! `decide`; this file talks to the API.

mod decide;

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use self::decide::{Observer, Step};
use crate::{apply::innermost, fence::Fence, jitter::jittered, metrics::Metrics};

/// Who competes for which lease, and how fast.
#[derive(Clone, Debug)]
pub struct LeaseConfig {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Name of this process, unique among the candidates: Pod name and something random.
    pub identity: String,
    /// How long a leader that vanished blocks the others; 15 s unless told, rounded up to whole seconds.
    pub duration: Duration,
    /// How long the leader tries to renew before it gives up; 10 s unless told, less than `duration`.
    pub renew_deadline: Duration,
    /// Time between two attempts; 2 s unless told.
    pub retry: Duration,
}

impl LeaseConfig {
    /// The usual times (15 s, 10 s, 2 s) for lease `namespace`/`name`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>, identity: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            identity: identity.into(),
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

/// Why [`Elector::hold`] returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldEnd {
    /// Asked to stop; the lease was given back.
    Stopped,
    /// The lease is somebody else's or could not be renewed in time. Stop writing at once and exit.
    Lost(String),
}

/// One candidate.
pub struct Elector {
    api: Api<Lease>,
    config: LeaseConfig,
    metrics: Metrics,
    fence: Fence,
    observer: Observer,
    /// The lease as we last wrote it, and when that write was sent.
    held: Option<(Lease, Instant)>,
}

impl std::fmt::Debug for Elector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Elector")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Elector {
    /// A candidate that has not asked yet.
    pub fn new(client: Client, config: LeaseConfig, metrics: Metrics) -> Self {
        let api = Api::namespaced(client, &config.namespace);
        Self {
            api,
            config,
            metrics,
            fence: Fence::default(),
            observer: Observer::default(),
            held: None,
        }
    }

    /// Moves this fence: from the moment that it leads, writes may begin until the deadline for the next renewal.
    #[must_use]
    pub fn fencing(self, fence: Fence) -> Self {
        Self { fence, ..self }
    }

    /// Waits until this process leads. Returns `false` when `stop` came first.
    pub async fn acquire(&mut self, stop: &CancellationToken) -> bool {
        let mut told = String::new();
        loop {
            let wait = tokio::select! {
                () = stop.cancelled() => return false,
                attempt = self.attempt() => match attempt {
                    Ok(None) => {
                        self.metrics.set_leader(true);
                        tracing::info!(lease = self.config.name, identity = self.config.identity, "leading");
                        return true;
                    }
                    Ok(Some(wait)) => {
                        self.tell_holder(&mut told);
                        wait
                    }
                    Err(error) => {
                        let message = innermost(&error);
                        tracing::warn!(lease = self.config.name, namespace = self.config.namespace, "cannot ask for the lease: {message}");
                        self.config.retry
                    }
                }
            };
            tokio::select! {
                () = stop.cancelled() => return false,
                () = sleep(jittered(wait)) => {}
            }
        }
    }

    fn tell_holder(&self, told: &mut String) {
        if let Some(holder) = self.observer.holder()
            && *told != holder
        {
            holder.clone_into(told);
            tracing::info!(lease = self.config.name, holder, "another process leads; waiting");
        }
    }

    /// One try: `None` when we lead now, else how long to wait.
    async fn attempt(&mut self) -> Result<Option<Duration>, kube::Error> {
        let current = self.api.get_opt(&self.config.name).await?;
        let step = self
            .observer
            .observe(current.as_ref(), &self.config.identity, Instant::now());
        let sent = Instant::now();
        let written = match (step, current) {
            (Step::Wait(expires_in), _) => return Ok(Some(expires_in.min(self.config.retry))),
            (Step::Take, Some(current)) => {
                let next = self.next(&current);
                self.api
                    .replace(&self.config.name, &PostParams::default(), &next)
                    .await
            }
            (Step::Take, None) => {
                self.api
                    .create(&PostParams::default(), &self.next(&Lease::default()))
                    .await
            }
        };
        match written {
            // The lease counts from when it was asked for: this one is about to end, and the next try renews it.
            Ok(_) if sent.elapsed() >= self.config.renew_deadline => Ok(Some(Duration::ZERO)),
            Ok(lease) => {
                self.keep(lease, sent);
                Ok(None)
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Some(self.config.retry)),
            Err(error) => Err(error),
        }
    }

    /// Renews until the lease is lost, or gives it back when `stop` is cancelled. Call after [`Elector::acquire`].
    pub async fn hold(&mut self, stop: &CancellationToken) -> HoldEnd {
        let end = loop {
            let Some((lease, renewed)) = self.held.clone() else {
                break HoldEnd::Lost("the lease was never acquired".to_owned());
            };
            let deadline = renewed + self.config.renew_deadline;
            tokio::select! {
                () = stop.cancelled() => {
                    // From here on nothing is written any more in this process' name.
                    self.metrics.set_leader(false);
                    self.release(lease).await;
                    break HoldEnd::Stopped;
                }
                () = sleep_until(deadline.min(Instant::now() + self.config.retry)) => {}
            }
            // One request that hangs must neither outlive the deadline nor use up all the time until then; the lease
            // itself lasts longer.
            let patience = deadline.min(Instant::now() + self.config.renew_deadline / 2);
            match timeout_at(patience, self.renew(lease)).await {
                Ok(Ok(())) => {}
                Ok(Err(Some(holder))) => break HoldEnd::Lost(format!("{holder} holds the lease now")),
                Ok(Err(None)) | Err(_) if Instant::now() < deadline => {}
                Ok(Err(None)) | Err(_) => {
                    break HoldEnd::Lost(format!("not renewed within {:?}", self.config.renew_deadline));
                }
            }
        };
        self.held = None;
        self.metrics.set_leader(false);
        if let HoldEnd::Lost(why) = &end {
            tracing::error!(lease = self.config.name, "leadership lost: {why}");
        }
        end
    }

    /// `Err(Some(holder))` when somebody else has it; `Err(None)` when it may be tried again.
    async fn renew(&mut self, lease: Lease) -> Result<(), Option<String>> {
        let refused = match self.replace(&lease).await {
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => self.reread().await?,
            written => return self.renewed(written),
        };
        // Somebody touched it, or the answer to our last renewal was lost: it is still ours.
        let written = self.replace(&refused).await;
        self.renewed(written)
    }

    /// Renews the lease as we know it. Counts from before the request.
    async fn replace(&self, lease: &Lease) -> Result<(Lease, Instant), kube::Error> {
        let sent = Instant::now();
        let (name, params) = (&self.config.name, PostParams::default());
        let stored = self.api.replace(name, &params, &self.next(lease)).await?;
        Ok((stored, sent))
    }

    fn renewed(&mut self, written: Result<(Lease, Instant), kube::Error>) -> Result<(), Option<String>> {
        match written {
            Ok((lease, sent)) => {
                self.keep(lease, sent);
                Ok(())
            }
            Err(error) => {
                let (lease, why) = (&self.config.name, innermost(&error));
                tracing::warn!(lease, "lease not renewed, trying again: {why}");
                Err(None)
            }
        }
    }

    /// It is ours, by a request that was sent then.
    fn keep(&mut self, lease: Lease, sent: Instant) {
        self.fence.permit_until(sent + self.config.renew_deadline);
        self.held = Some((lease, sent));
    }

    /// The lease as it is now, if it is still ours.
    async fn reread(&self) -> Result<Lease, Option<String>> {
        let current = self.api.get_opt(&self.config.name).await.map_err(|_| None)?;
        let Some(current) = current else {
            return Err(Some("nobody (it was deleted)".to_owned()));
        };
        match decide::holder(&current).unwrap_or_default() {
            holder if holder == self.config.identity => Ok(current),
            "" => Err(Some("nobody".to_owned())),
            holder => Err(Some(holder.to_owned())),
        }
    }

    async fn release(&self, mut lease: Lease) {
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
        }
        let params = PostParams::default();
        let released = self.api.replace(&self.config.name, &params, &lease);
        if let Ok(Ok(_)) = tokio::time::timeout(self.config.retry, released).await {
            tracing::info!(lease = self.config.name, "lease released");
        } else {
            tracing::warn!(
                lease = self.config.name,
                "lease not released; it expires by itself"
            );
        }
    }

    /// The lease as we would have it after `current`.
    fn next(&self, current: &Lease) -> Lease {
        let before = current.spec.clone().unwrap_or_default();
        let now = MicroTime(Timestamp::now());
        let renewed = before.holder_identity.as_deref() == Some(&self.config.identity);
        let transitions = before.lease_transitions.unwrap_or(0);
        Lease {
            metadata: ObjectMeta {
                name: Some(self.config.name.clone()),
                namespace: Some(self.config.namespace.clone()),
                managed_fields: None,
                ..current.metadata.clone()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.config.identity.clone()),
                lease_duration_seconds: Some(decide::whole_seconds(self.config.duration)),
                acquire_time: if renewed {
                    before.acquire_time.clone()
                } else {
                    Some(now.clone())
                },
                renew_time: Some(now),
                lease_transitions: Some(if renewed {
                    transitions
                } else {
                    transitions.saturating_add(1)
                }),
                ..before
            }),
        }
    }
}
