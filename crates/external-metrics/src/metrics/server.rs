//! The metrics alone, where no external metrics are served.
//!
//! In: a client, an address, the metrics. Out: a TLS server until `stop`, with a certificate of this process.

use std::net::SocketAddr;
use std::sync::Arc;

use kube::Client;
use reconcile::metrics::Metrics;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::server;
use crate::service::Service;
use crate::start::{StartError, listen, own_certificate};
use crate::tls;

/// A server of `/metrics`, `/healthz`, `/livez` and `/readyz`.
#[derive(Debug)]
pub struct MetricsServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl MetricsServer {
    /// Begins to serve.
    pub async fn start(
        client: Client,
        address: SocketAddr,
        metrics: Metrics,
        stop: CancellationToken,
    ) -> Result<Self, StartError> {
        let (listener, address) = listen(address).await?;
        let served = Arc::new(own_certificate(&["localhost".to_owned()])?);
        let config = tls::config(served.clone())?;
        let service = Arc::new(Service::metrics_alone(client, served, metrics));
        Ok(Self {
            address,
            task: tokio::spawn(server::serve(listener, config, service, stop)),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the last request is answered after the stop.
    pub async fn ended(self) {
        if let Err(error) = self.task.await {
            tracing::error!("the server of metrics failed: {error}");
        }
    }
}
