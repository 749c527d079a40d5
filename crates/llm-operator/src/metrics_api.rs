//! The external metrics API: wires what serves it to what is decided, and where it stands to whoever has to choose another way.
//!
//! In: options, a client, whether this replica leads. Out: a server that runs until `stop`, and [`MetricsApi`] as it changes.

use std::sync::Arc;

use controllers::{
    decisions::{Number, StatusDecisions},
    scaling::MetricsApi,
};
use external_metrics::{Decided, Decisions, ExternalMetrics, Options, Standing, Workload};
use kube::Client;
use reconcile::cache::Namespaces;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::cli::ExternalMetricsArgs;

/// Decisions as the server asks for them.
struct FromStatuses(Arc<StatusDecisions>);

impl Decisions for FromStatuses {
    fn replicas(&self, namespace: &str, kind_label: &str, name: &str) -> Option<Decided> {
        self.0.of(namespace, kind_label, name).map(decided)
    }

    fn all(&self, namespace: &str) -> Vec<Workload> {
        let all = self.0.all(namespace).into_iter();
        all.map(|(kind, name, number)| Workload {
            kind_label: kind.to_owned(),
            name,
            decided: decided(number),
        })
        .collect()
    }
}

fn decided(number: Number) -> Decided {
    Decided {
        replicas: i64::from(number.replicas),
        at: number.at,
    }
}

/// Serves, if it is to be served; where the API stands then. An address that is taken does not stop the operator: it sets the numbers
/// itself and says why.
pub async fn serve(
    args: &ExternalMetricsArgs,
    client: &Client,
    (operator_namespace, namespaces): (&str, Namespaces),
    lead: watch::Receiver<bool>,
    stop: CancellationToken,
) -> watch::Receiver<MetricsApi> {
    if !args.served {
        return fixed("the operator was told not to serve external metrics (--external-metrics)");
    }
    let decisions = Arc::new(StatusDecisions::start(client, namespaces));
    let options = Options {
        listen: args.address,
        host: args.host.clone().filter(|host| !host.is_empty()),
        wanted: decisions.any(),
        ..Options::new(operator_namespace, lead)
    };
    let served = ExternalMetrics::start(
        client.clone(),
        options,
        Arc::new(FromStatuses(decisions)),
        stop.clone(),
    );
    match served.await {
        Ok(served) => follow(served, stop),
        Err(error) => {
            tracing::warn!("{error}");
            fixed(&error.to_string())
        }
    }
}

fn fixed(why: &str) -> watch::Receiver<MetricsApi> {
    watch::channel(MetricsApi::Unusable(why.to_owned())).1
}

/// Translates for as long as it is served.
fn follow(served: ExternalMetrics, stop: CancellationToken) -> watch::Receiver<MetricsApi> {
    let mut standing = served.standing();
    let (tell, told) = watch::channel(MetricsApi::Unknown);
    tokio::spawn(async move {
        loop {
            let now = translated(&standing.borrow_and_update());
            tell.send_if_modified(|last| {
                let differs = *last != now;
                *last = now;
                differs
            });
            tokio::select! {
                changed = standing.changed() => if changed.is_err() { break },
                () = stop.cancelled() => break,
            }
        }
        served.ended().await;
    });
    told
}

fn translated(standing: &Standing) -> MetricsApi {
    match standing {
        // One that cannot be reached for a moment is not given up: autoscalers hold meanwhile.
        Standing::Unknown | Standing::Ours { available: false } => MetricsApi::Unknown,
        Standing::Ours { available: true } => MetricsApi::Ours,
        Standing::HeldBy { service } => {
            MetricsApi::Unusable(format!("external.metrics.k8s.io is served by {service}"))
        }
        Standing::NotPermitted { why } => {
            MetricsApi::Unusable(format!("external.metrics.k8s.io cannot be served: {why}"))
        }
    }
}
