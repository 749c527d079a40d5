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
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use self::decide::{Observer, Step};
use crate::{apply::innermost, jitter::jittered, metrics::Metrics};

/// Who competes for which lease, and how fast.
#[derive(Clone, Debug)]
pub struct LeaseConfig {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Name of this process, unique among the candidates: Pod name and something random.
    pub identity: String,
    /// How long a leader that vanished blocks the others; 15 s unless told, whole seconds.
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
            observer: Observer::default(),
            held: None,
        }
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
            Ok(lease) => {
                self.held = Some((lease, sent));
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
            tokio::select! {
                () = stop.cancelled() => {
                    self.release(lease).await;
                    break HoldEnd::Stopped;
                }
                () = sleep(self.config.retry) => {}
            }
            let deadline = renewed + self.config.renew_deadline;
            // A renewal that hangs must not outlive the deadline; the lease itself lasts longer than it.
            match timeout_at(deadline, self.renew(lease)).await {
                Ok(Ok(())) => {}
                Ok(Err(Some(holder))) => break HoldEnd::Lost(format!("{holder} holds the lease now")),
                Ok(Err(None)) if Instant::now() < deadline => {}
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
        let sent = Instant::now();
        match self
            .api
            .replace(&self.config.name, &PostParams::default(), &self.next(&lease))
            .await
        {
            Ok(lease) => {
                self.held = Some((lease, sent));
                Ok(())
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => self.reread().await,
            Err(error) => {
                tracing::warn!(
                    lease = self.config.name,
                    "lease not renewed, trying again: {}",
                    innermost(&error)
                );
                Err(None)
            }
        }
    }

    /// Somebody changed or deleted the lease: still ours, or not?
    async fn reread(&mut self) -> Result<(), Option<String>> {
        match self.api.get_opt(&self.config.name).await {
            Ok(Some(current)) => {
                let holder = decide::holder(&current).unwrap_or_default().to_owned();
                if holder != self.config.identity {
                    return Err(Some(if holder.is_empty() {
                        "nobody".to_owned()
                    } else {
                        holder
                    }));
                }
                if let Some((held, _)) = &mut self.held {
                    *held = current;
                }
                Err(None)
            }
            Ok(None) => Err(Some("nobody (it was deleted)".to_owned())),
            Err(_) => Err(None),
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
                lease_duration_seconds: i32::try_from(self.config.duration.as_secs().max(1)).ok(),
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
