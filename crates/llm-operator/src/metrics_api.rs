//! The TLS server: wires the external metrics API to what is decided, where it stands to whoever has to choose another way, and
//! the operator's own metrics to whoever may read them.
//!
//! In: options, a client, whether this replica leads. Out: a server that runs until `stop`, and [`MetricsApi`] as it changes.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use controllers::{
    decisions::{Number, StatusDecisions},
    scaling::MetricsApi,
};
use external_metrics::{Decided, Decisions, ExternalMetrics, MetricsServer, Options, Standing, Workload};
use kube::Client;
use reconcile::{metrics::Metrics, rights::Right};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{cli::ExternalMetricsArgs, scope::Scope};

/// An API that the API server does not reach for so long is not waited for: the numbers go another way until it does.
const PATIENCE: Duration = Duration::from_mins(2);

/// Decisions as the server asks for them.
struct FromStatuses(Arc<StatusDecisions>);

impl Decisions for FromStatuses {
    fn replicas(&self, namespace: &str, kind_label: &str, name: &str) -> Option<Decided> {
        self.0.of(namespace, kind_label, name).and_then(decided)
    }

    fn all(&self, namespace: &str) -> Vec<Workload> {
        let all = self.0.all(namespace).into_iter();
        all.filter_map(|(kind, name, number)| {
            Some(Workload {
                kind_label: kind.to_owned(),
                name,
                decided: decided(number)?,
            })
        })
        .collect()
    }
}

/// A number that autoscalers may carry. Zero is none: an autoscaler leaves a workload at zero alone, and where somebody has just
/// set another number, it would take that back to its least before we have heard of it.
fn decided(number: Number) -> Option<Decided> {
    (number.replicas > 0).then(|| Decided {
        replicas: i64::from(number.replicas),
        at: number.at,
    })
}

/// Serves, if it is to be served; where the API stands then. An address that is taken does not stop the operator: it sets the numbers
/// itself and says why.
pub async fn serve(
    args: &ExternalMetricsArgs,
    (client, metrics): (&Client, &Metrics),
    (operator_namespace, scope): (&str, &Scope),
    lead: watch::Receiver<bool>,
    stop: CancellationToken,
) -> watch::Receiver<MetricsApi> {
    let metrics = args.secure_metrics.then(|| metrics.clone());
    if metrics.is_some() {
        tokio::spawn(tell_missing_right(client.clone(), args.address));
    }
    if let Some(why) = not_served(args, client, scope).await {
        if let Some(metrics) = metrics {
            serve_metrics_alone(client, args.address, metrics, stop).await;
        }
        return fixed(&why);
    }
    let decisions = StatusDecisions::start(client, scope.namespaces.clone(), scope.families);
    let decisions = Arc::new(decisions);
    let options = Options {
        listen: args.address,
        host: args.host.clone().filter(|host| !host.is_empty()),
        wanted: decisions.any(),
        metrics,
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

/// Why there is no external metrics API, if there is none.
async fn not_served(args: &ExternalMetricsArgs, client: &Client, scope: &Scope) -> Option<String> {
    if !args.served {
        return Some("the operator was told not to serve external metrics (--external-metrics)".to_owned());
    }
    let why = scope.without_external_metrics(client).await?.to_owned();
    tracing::info!("external metrics are left out: {why}; decided numbers of replicas are set on /scale");
    Some(why)
}

/// An address that is taken does not stop the operator: it has metrics on its plain port too.
async fn serve_metrics_alone(
    client: &Client,
    address: SocketAddr,
    metrics: Metrics,
    stop: CancellationToken,
) {
    match MetricsServer::start(client.clone(), address, metrics, stop).await {
        Ok(server) => tracing::info!("metrics are told over TLS on {}", server.address()),
        Err(error) => tracing::warn!("metrics over TLS: {error}"),
    }
}

/// Says at once what whoever scrapes would learn only later.
async fn tell_missing_right(client: Client, address: SocketAddr) {
    let right = Right::new("create", "authentication.k8s.io", "tokenreviews");
    // Where even this cannot be asked, whoever scrapes is told.
    if matches!(right.is_held(&client).await, Ok(false)) {
        tracing::warn!(
            "/metrics on {address} answers nobody: the operator may not create tokenreviews.authentication.k8s.io, so it cannot \
             tell who asks. Grant config/rbac/metrics_auth_role.yaml, or say --secure-metrics=false"
        );
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
        let mut unanswered_since = None;
        loop {
            let now = standing.borrow_and_update().clone();
            let unanswered = now == Standing::Ours { available: false };
            let since = *unanswered_since.get_or_insert_with(Instant::now);
            if !unanswered {
                unanswered_since = None;
            }
            let given_up = unanswered && since.elapsed() >= PATIENCE;
            let now = translated(&now, given_up);
            tell.send_if_modified(|last| {
                let differs = *last != now;
                *last = now;
                differs
            });
            tokio::select! {
                changed = standing.changed() => if changed.is_err() { break },
                () = tokio::time::sleep_until(since + PATIENCE), if unanswered && !given_up => {}
                () = stop.cancelled() => break,
            }
        }
        served.ended().await;
    });
    told
}

/// `given_up`: the API server has not reached it for so long that nobody should wait for it.
fn translated(standing: &Standing, given_up: bool) -> MetricsApi {
    match standing {
        Standing::Ours { available: true } => MetricsApi::Ours,
        Standing::Ours { available: false } if given_up => MetricsApi::Unusable(
            "the API server does not reach this operator's external.metrics.k8s.io; see `kubectl get apiservice \
             v1beta1.external.metrics.k8s.io -o yaml`, firewalls and network policies (port 6443 of the operator's Pods)"
                .to_owned(),
        ),
        // One that cannot be reached for a moment is not given up: autoscalers hold meanwhile.
        Standing::Unknown | Standing::Ours { available: false } => MetricsApi::Unknown,
        Standing::HeldBy { service } => {
            MetricsApi::Unusable(format!("external.metrics.k8s.io is served by {service}"))
        }
        Standing::NotPermitted { why } => {
            MetricsApi::Unusable(format!("external.metrics.k8s.io cannot be served: {why}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two crates do not know each other; an autoscaler that one makes asks for what the other serves.
    #[test]
    fn what_autoscalers_ask_for_is_what_is_served() {
        assert_eq!(serving::build::METRIC, external_metrics::METRIC);
        assert_eq!(serving::labels::KIND, external_metrics::KIND_LABEL);
        assert_eq!(serving::labels::NAME, external_metrics::NAME_LABEL);
    }

    #[test]
    fn an_api_that_is_not_reached_is_given_up_after_a_while() {
        let away = Standing::Ours { available: false };
        assert_eq!(translated(&away, false), MetricsApi::Unknown);
        assert!(matches!(translated(&away, true), MetricsApi::Unusable(_)));
        assert_eq!(
            translated(&Standing::Ours { available: true }, true),
            MetricsApi::Ours
        );
    }
}
