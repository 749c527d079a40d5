//! Putting it together.
//!
//! In: a client, [`Options`], the decisions. Out: [`ExternalMetrics`], which serves until its stop token is cancelled. Every
//! replica of the operator serves; only the leader writes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::{Api, Client};
use reconcile::metrics::Metrics;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::certificate::Lifetimes;
use crate::certificate::make::{self, Profile};
use crate::certificate::stored::{Stored, Usable};
use crate::claim::Place;
use crate::decisions::Decisions;
use crate::front_proxy::Settings;
use crate::keeper::{Keeper, Kept, Watched};
use crate::names::{API_SERVICE, SERVICE, certificate_of};
use crate::server;
use crate::service::Service;
use crate::standing::{Standing, standing};
use crate::tls::{self, Served};
use crate::watching::{Seen, watch_one};

/// Where this process listens, unless told: a port that needs no privilege.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 6443);

/// How long a certificate of the process itself is valid: longer than a process lives.
const OWN_VALID: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);

/// How this process is reached, and what it may do.
#[derive(Clone, Debug)]
pub struct Options {
    /// The operator's namespace: its Service and the Secret are there.
    pub namespace: String,
    /// The Service that leads to all replicas of the operator. The Secret is named `<service>-tls`.
    pub service: String,
    /// The Service's port. Not used with `host`: requests then come to the port that is listened on.
    pub service_port: u16,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Under which name the API server reaches this process outside the cluster, such as `localhost`. The Service is then
    /// made here, as an alias of that name. `None`: it is there already, and nothing is claimed before it is.
    pub host: Option<String>,
    /// Whether this replica leads, that is: may write.
    pub lead: watch::Receiver<bool>,
    /// Whether anything is scaled by this API: before that it is not claimed, so that a cluster which does not need it stays
    /// free for another adapter. What is ours already is kept in order in any case.
    pub wanted: watch::Receiver<bool>,
    /// How long certificates live.
    pub lifetimes: Lifetimes,
    /// The operator's own metrics, told at `/metrics` to whoever the cluster lets read them. `None`: there is no such page.
    pub metrics: Option<Metrics>,
}

impl Options {
    /// Wanted from the start; Service [`SERVICE`] with port 443 in that namespace, `0.0.0.0:6443` to listen on.
    pub fn new(namespace: impl Into<String>, lead: watch::Receiver<bool>) -> Self {
        Self {
            namespace: namespace.into(),
            service: SERVICE.to_owned(),
            service_port: 443,
            listen: LISTEN,
            host: None,
            lead,
            wanted: watch::channel(true).1,
            lifetimes: Lifetimes::default(),
            metrics: None,
        }
    }
}

/// The API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("external metrics cannot be served on {address}: {source}; choose another address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The TLS library refuses its configuration.
    #[error("external metrics cannot be served: {0}")]
    Tls(#[from] rustls::Error),
    /// No certificate can be made.
    #[error("external metrics cannot be served: no certificate can be made: {0}")]
    Certificate(String),
}

/// The API, served.
#[derive(Debug)]
pub struct ExternalMetrics {
    standing: watch::Receiver<Standing>,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl ExternalMetrics {
    /// Begins to serve and, as leader, to keep the `APIService`. Ends in order when `stop` is cancelled.
    pub async fn start(
        client: Client,
        options: Options,
        decisions: Arc<dyn Decisions>,
        stop: CancellationToken,
    ) -> Result<Self, StartError> {
        let (listener, address) = listen(options.listen).await?;
        let kept = kept(&options, address);
        let served = Arc::new(match options.metrics {
            // There may be nothing to scale for long, and metrics are asked for all the while.
            Some(_) => own_certificate(&[kept.place.host(), "localhost".to_owned()])?,
            None => Served::default(),
        });
        let config = tls::config(served.clone())?;
        let service = Service::new(decisions, client.clone(), served.clone(), options.metrics);
        let service = Arc::new(service);
        let (front_proxy, told) = watch::channel(None);
        let watched = watch_all(&client, &kept, told, &stop);
        let settings = watch_settings(&client, &stop);
        let (blocked, why) = watch::channel(None);
        let (sender, standing) = watch::channel(Standing::Unknown);

        tokio::spawn(follow_secret(watched.secret.clone(), served));
        tokio::spawn(follow_settings(settings, service.clone(), front_proxy));
        tokio::spawn(follow_standing(
            watched.api_service.clone(),
            why,
            kept.place.clone(),
            sender,
        ));
        let keeper = Keeper {
            client,
            kept,
            watched,
            lead: options.lead,
            wanted: options.wanted,
            blocked,
        };
        tokio::spawn(keeper.run(stop.clone()));
        let task = tokio::spawn(server::serve(listener, config, service, stop));
        Ok(Self {
            standing,
            address,
            task,
        })
    }

    /// Where the API stands, now and whenever it changes.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the last request is answered after the stop.
    pub async fn ended(self) {
        if let Err(error) = self.task.await {
            tracing::error!("the server of external metrics failed: {error}");
        }
    }
}

pub(crate) async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// A certificate of this process, never stored: whoever asks for metrics does not verify it, or is told another by the Secret.
pub(crate) fn own_certificate(hosts: &[String]) -> Result<Served, StartError> {
    let failed = |error: &dyn std::fmt::Display| StartError::Certificate(error.to_string());
    let made = make::pair(&Profile {
        hosts: hosts.to_vec(),
        valid: OWN_VALID,
        now: Timestamp::now(),
    });
    let usable = made
        .map_err(|error| failed(&error))
        .and_then(|pair| Usable::of(pair).map_err(|error| failed(&error)))?;
    Ok(Served::with_own(usable.certified))
}

fn kept(options: &Options, address: SocketAddr) -> Kept {
    let outside = options.host.is_some();
    Kept {
        place: Place {
            namespace: options.namespace.clone(),
            service: options.service.clone(),
            port: if outside {
                address.port()
            } else {
                options.service_port
            },
        },
        secret: certificate_of(&options.service),
        host: options.host.clone(),
        lifetimes: options.lifetimes,
    }
}

fn watch_all(
    client: &Client,
    kept: &Kept,
    front_proxy: watch::Receiver<Option<Result<(), String>>>,
    stop: &CancellationToken,
) -> Watched {
    let namespace = &kept.place.namespace;
    let secrets = Api::namespaced(client.clone(), namespace);
    let services = Api::namespaced(client.clone(), namespace);
    let api_services = Api::all(client.clone());
    Watched {
        secret: watch_one(
            secrets,
            "the Secret of external metrics",
            &kept.secret,
            stop.clone(),
        ),
        service: watch_one(
            services,
            "the Service of external metrics",
            &kept.place.service,
            stop.clone(),
        ),
        api_service: watch_one(
            api_services,
            "the APIService of external metrics",
            API_SERVICE,
            stop.clone(),
        ),
        front_proxy,
    }
}

fn watch_settings(client: &Client, stop: &CancellationToken) -> watch::Receiver<Seen<ConfigMap>> {
    let maps = Api::namespaced(client.clone(), "kube-system");
    let name = "extension-apiserver-authentication";
    watch_one(
        maps,
        "ConfigMap kube-system/extension-apiserver-authentication",
        name,
        stop.clone(),
    )
}

/// Serves what the Secret holds. One that cannot be read changes nothing: the leader replaces it.
async fn follow_secret(mut secret: watch::Receiver<Seen<Secret>>, served: Arc<Served>) {
    loop {
        let seen = secret.borrow_and_update().clone();
        match seen.object().map(Stored::read) {
            Some(Ok(stored)) => served.set(stored.current.certified),
            Some(Err(error)) => tracing::warn!("the Secret of external metrics: {error}"),
            None => {}
        }
        if secret.changed().await.is_err() {
            return;
        }
    }
}

/// Authenticates as the API server has published it last.
async fn follow_settings(
    mut map: watch::Receiver<Seen<ConfigMap>>,
    service: Arc<Service>,
    told: watch::Sender<Option<Result<(), String>>>,
) {
    loop {
        let seen = map.borrow_and_update().clone();
        let refused = matches!(seen, Seen::Refused(_));
        let read = match seen {
            Seen::Unknown => None,
            Seen::Refused(why) => Some(Err(why)),
            Seen::Absent => {
                Some(Settings::read(&std::collections::BTreeMap::new()).map_err(|error| error.to_string()))
            }
            Seen::There(map) => {
                let data = map.data.clone().unwrap_or_default();
                Some(Settings::read(&data).map_err(|error| error.to_string()))
            }
        };
        if let Some(read) = read {
            told.send_replace(Some(read.as_ref().map(drop).map_err(Clone::clone)));
            // Who may no longer read them knows nothing against those that were read.
            if !refused {
                service.set_settings(read.ok().map(Arc::new));
            }
        }
        if map.changed().await.is_err() {
            return;
        }
    }
}

async fn follow_standing(
    mut api_service: watch::Receiver<Seen<APIService>>,
    mut blocked: watch::Receiver<Option<String>>,
    place: Place,
    told: watch::Sender<Standing>,
) {
    loop {
        let why = blocked.borrow_and_update().clone();
        let now = standing(&api_service.borrow_and_update().clone(), why.as_deref(), &place);
        told.send_if_modified(|last| {
            let differs = *last != now;
            if differs {
                tracing::info!("external metrics: {now}");
                *last = now;
            }
            differs
        });
        let changed = tokio::select! {
            changed = api_service.changed() => changed,
            changed = blocked.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}
