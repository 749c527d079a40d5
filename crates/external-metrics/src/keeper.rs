//! The leader's part: the Secret with the certificates, the `APIService`, and outside a cluster the Service.
//!
//! In: those objects as they are watched. Out: writes, only where something is not as it should be, each on top of the version
//! that was looked at; and why nothing can be done, if so.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use reconcile::FIELD_MANAGER;
use reconcile::jitter::Backoff;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::certificate::Lifetimes;
use crate::certificate::make::{self, Profile};
use crate::certificate::plan::{Step, plan};
use crate::certificate::stored::{Pair, Stored};
use crate::claim::{self, Alias, Claim, Place};
use crate::names::API_SERVICE;
use crate::watching::Seen;

/// Between attempts that fail.
const BACKOFF: Backoff = Backoff {
    base: Duration::from_secs(1),
    max: Duration::from_mins(1),
};
/// A write is seen by the watch within this time, else one acts on what is known.
const SEEN: Duration = Duration::from_secs(5);
/// Longest sleep: a clock may be set.
const LOOK: Duration = Duration::from_hours(1);

/// Something could not be written.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    /// A write failed.
    #[error("{what} cannot be written: {}", words(source))]
    Write { what: String, source: Box<kube::Error> },
    /// No certificate.
    #[error("no certificate can be made: {0}")]
    Make(#[from] rcgen::Error),
}

/// What one look came to.
enum Round {
    /// All is as it should be until then.
    Done(Timestamp),
    /// Something was written, which the watch will tell.
    Wrote,
    /// Not enough is known yet.
    Wait,
    /// Nothing can be done until somebody else does something.
    Blocked(String),
}

/// Where the objects are and how long certificates live.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) place: Place,
    pub(crate) secret: String,
    /// How the API server reaches this process when it is outside the cluster.
    pub(crate) host: Option<String>,
    pub(crate) lifetimes: Lifetimes,
}

/// The objects as they are watched.
#[derive(Clone)]
pub(crate) struct Watched {
    pub(crate) secret: watch::Receiver<Seen<Secret>>,
    pub(crate) api_service: watch::Receiver<Seen<APIService>>,
    pub(crate) service: watch::Receiver<Seen<Service>>,
    /// Whether callers can be authenticated, or why not; `None` when not known yet.
    pub(crate) front_proxy: watch::Receiver<Option<Result<(), String>>>,
}

/// Keeps the objects as they should be while `lead` says so.
pub(crate) struct Keeper {
    pub(crate) client: Client,
    pub(crate) kept: Kept,
    pub(crate) watched: Watched,
    pub(crate) lead: watch::Receiver<bool>,
    pub(crate) wanted: watch::Receiver<bool>,
    /// Why the API cannot be ours as things are.
    pub(crate) blocked: watch::Sender<Option<String>>,
}

impl Keeper {
    /// Runs until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        tokio::select! {
            () = self.keep() => {}
            () = stop.cancelled() => {}
        }
    }

    async fn keep(&mut self) {
        let mut failures = 0;
        loop {
            let leads = *self.lead.borrow_and_update();
            let seen = self.snapshot();
            let round = if leads {
                self.round(&seen).await
            } else {
                Ok(Round::Wait)
            };
            let sleep = match &round {
                Ok(Round::Done(until)) => time_to(*until),
                Ok(Round::Wrote) => SEEN,
                Ok(Round::Wait | Round::Blocked(_)) => LOOK,
                Err(_) => BACKOFF.delay(failures),
            };
            failures = if round.is_err() { failures + 1 } else { 0 };
            self.tell(round);
            self.wait(sleep).await;
        }
    }

    /// What is known now; later changes wake [`Keeper::wait`].
    fn snapshot(&mut self) -> Snapshot {
        Snapshot {
            wanted: *self.wanted.borrow_and_update(),
            secret: self.watched.secret.borrow_and_update().clone(),
            api_service: self.watched.api_service.borrow_and_update().clone(),
            service: self.watched.service.borrow_and_update().clone(),
            front_proxy: self.watched.front_proxy.borrow_and_update().clone(),
        }
    }

    async fn wait(&mut self, sleep: Duration) {
        let Watched {
            secret,
            api_service,
            service,
            front_proxy,
        } = &mut self.watched;
        // A channel whose sender is gone never changes again; the stop token ends this then.
        tokio::select! {
            Ok(()) = self.lead.changed() => {}
            Ok(()) = self.wanted.changed() => {}
            Ok(()) = secret.changed() => {}
            Ok(()) = api_service.changed() => {}
            Ok(()) = service.changed() => {}
            Ok(()) = front_proxy.changed() => {}
            () = tokio::time::sleep(sleep) => {}
        }
    }

    fn tell(&self, round: Result<Round, KeepError>) {
        let why = match round {
            Ok(Round::Blocked(why)) => Some(why),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!("external metrics: {error}; trying again");
                if !needs_somebody(&error) {
                    // What passes by itself says nothing about where the API stands.
                    return;
                }
                Some(error.to_string())
            }
        };
        self.blocked.send_if_modified(|blocked| {
            let differs = *blocked != why;
            *blocked = why;
            differs
        });
    }

    async fn round(&self, seen: &Snapshot) -> Result<Round, KeepError> {
        // Nothing is made before it is known whose the API is.
        let unknown = matches!(seen.api_service, Seen::Unknown);
        if unknown || (matches!(seen.api_service, Seen::Absent) && !seen.wanted) {
            return Ok(Round::Wait);
        }
        match &seen.front_proxy {
            None => return Ok(Round::Wait),
            Some(Err(why)) => return Ok(Round::Blocked(why.clone())),
            Some(Ok(())) => {}
        }
        if let Some(holder) = seen
            .api_service
            .object()
            .and_then(|found| claim::holder(found, &self.kept.place))
        {
            tracing::debug!("external metrics are served by {holder}; it is left alone");
            return Ok(Round::Wait);
        }
        let refused = refusal(&seen.secret)
            .or_else(|| refusal(&seen.api_service))
            .or_else(|| refusal(&seen.service));
        if let Some(why) = refused {
            return Ok(Round::Blocked(why));
        }
        if let Some(round) = self.service(seen).await? {
            return Ok(round);
        }
        let (stored, until) = match self.certificates(seen).await? {
            Ok(kept) => kept,
            Err(round) => return Ok(round),
        };
        self.api_service(seen, &stored, until).await
    }

    /// The Service has to be there before requests are led to it: an API that is never reached disturbs the whole cluster
    /// (discovery, the deletion of namespaces).
    async fn service(&self, seen: &Snapshot) -> Result<Option<Round>, KeepError> {
        let Place { port, .. } = self.kept.place;
        let shown = self.kept.place.shown();
        let existing = match &seen.service {
            Seen::Unknown | Seen::Refused(_) => return Ok(Some(Round::Wait)),
            Seen::Absent => None,
            Seen::There(existing) => Some(&**existing),
        };
        let Some(host) = &self.kept.host else {
            let missing = existing.is_none() && matches!(seen.api_service, Seen::Absent);
            return Ok(missing.then(|| {
                Round::Blocked(format!(
                    "Service {shown} does not exist: apply the operator's manifests, or run it with --external-metrics-host \
                     outside a cluster"
                ))
            }));
        };
        match claim::alias(existing, host, port) {
            Alias::InPlace => Ok(None),
            Alias::Taken => Ok(Some(Round::Blocked(format!(
                "Service {shown} is not an alias that this operator made: it belongs to an operator inside the cluster"
            )))),
            Alias::Apply(version) => {
                let object = claim::alias_service(&self.kept.place, host, version);
                self.apply::<Service>(self.namespaced(), &self.kept.place.service, &object)
                    .await?;
                Ok(Some(Round::Wrote))
            }
        }
    }

    /// The certificates, and until when they need nothing; or that something else comes first.
    async fn certificates(&self, seen: &Snapshot) -> Result<Result<(Stored, Timestamp), Round>, KeepError> {
        let existing = match &seen.secret {
            Seen::Unknown | Seen::Refused(_) => return Ok(Err(Round::Wait)),
            Seen::Absent => None,
            Seen::There(existing) => Some(&**existing),
        };
        let stored = existing.map(Stored::read).and_then(|read| {
            read.inspect_err(|error| tracing::warn!("Secret {}: {error}; it is replaced", self.kept.secret))
                .ok()
        });
        let published = stored.as_ref().is_some_and(|stored| {
            let found = seen.api_service.object();
            found.is_some_and(|found| claim::has_bundle(found, &stored.bundle()))
        });
        let now = Timestamp::now();
        let step = plan(now, stored.as_ref(), published, self.kept.lifetimes);
        let data = match (step, &stored) {
            (Step::Keep(until), Some(stored)) => return Ok(Ok((stored.clone(), until))),
            (Step::Stage, Some(stored)) => stored.staged(&self.pair(now)?),
            (Step::Promote, Some(stored @ Stored { next: Some(next), .. })) => stored.promoted(next),
            _ => Stored::replaced(stored.as_ref(), &self.pair(now)?),
        };
        tracing::info!(?step, "external metrics: the serving certificate is renewed");
        let version = existing.and_then(ResourceExt::resource_version);
        let object = claim::secret(&self.kept.secret, &data, version);
        self.apply::<Secret>(self.namespaced(), &self.kept.secret, &object)
            .await?;
        Ok(Err(Round::Wrote))
    }

    fn pair(&self, now: Timestamp) -> Result<Pair, rcgen::Error> {
        make::pair(&Profile {
            hosts: vec![self.kept.place.host()],
            valid: self.kept.lifetimes.valid,
            now,
        })
    }

    async fn api_service(
        &self,
        seen: &Snapshot,
        stored: &Stored,
        until: Timestamp,
    ) -> Result<Round, KeepError> {
        let existing = match &seen.api_service {
            Seen::Unknown | Seen::Refused(_) => return Ok(Round::Wait),
            Seen::Absent => None,
            Seen::There(existing) => Some(&**existing),
        };
        let (place, bundle) = (&self.kept.place, stored.bundle());
        match claim::claim(existing, place, &bundle) {
            Claim::InPlace => Ok(Round::Done(until)),
            Claim::HeldBy(_) => Ok(Round::Wait),
            Claim::Create | Claim::Update => {
                let version = existing.and_then(ResourceExt::resource_version);
                let object = claim::api_service(place, &bundle, version);
                self.apply::<APIService>(Api::all(self.client.clone()), API_SERVICE, &object)
                    .await?;
                tracing::info!(
                    "external metrics: APIService {API_SERVICE} leads to Service {}",
                    place.shown()
                );
                Ok(Round::Wrote)
            }
        }
    }

    fn namespaced<K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>>(
        &self,
    ) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.kept.place.namespace)
    }

    /// Server-side apply also creates, and a right to create what one may apply can be limited to a name.
    async fn apply<K>(&self, api: Api<K>, name: &str, object: &Value) -> Result<(), KeepError>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
    {
        // Never by force on what is not known to be ours: that has a version.
        let mut params = PatchParams::apply(FIELD_MANAGER);
        params.force = object["metadata"].get("resourceVersion").is_some();
        match api.patch(name, &params, &Patch::Apply(object)).await {
            Ok(_) => Ok(()),
            // Somebody was faster: the watch brings what it is now.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            Err(source) => Err(KeepError::Write {
                what: format!("{} {name}", K::kind(&())),
                source: Box::new(source),
            }),
        }
    }
}

struct Snapshot {
    wanted: bool,
    secret: Seen<Secret>,
    api_service: Seen<APIService>,
    service: Seen<Service>,
    front_proxy: Option<Result<(), String>>,
}

fn refusal<K>(seen: &Seen<K>) -> Option<String> {
    match seen {
        Seen::Refused(why) => Some(why.clone()),
        _ => None,
    }
}

/// A right is missing, or the namespace. Other failures pass by themselves.
fn needs_somebody(error: &KeepError) -> bool {
    match error {
        KeepError::Write { source, .. } => {
            matches!(&**source, kube::Error::Api(status) if [403, 404].contains(&status.code))
        }
        KeepError::Make(_) => false,
    }
}

/// The API server's own words, without what surrounds them on the wire.
fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// The time until then, at least a moment and at most [`LOOK`].
fn time_to(until: Timestamp) -> Duration {
    let left = until.duration_since(Timestamp::now());
    let left = left.max(SignedDuration::from_millis(50));
    Duration::try_from(left).unwrap_or(LOOK).min(LOOK)
}
