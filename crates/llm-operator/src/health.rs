//! `/healthz`, `/readyz` and `/metrics` over plain HTTP.
//!
//! In: the readiness notes and the metrics registry. Out: three small pages; the metrics to this machine alone, since nobody
//! proves here who they are. It decides nothing about the cluster.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{ConnectInfo, State},
    http::StatusCode,
    response::IntoResponse,
    routing::get,
};
use reconcile::metrics::{CONTENT_TYPE, Metrics};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::readiness::Readiness;

/// What is told to another machine that asks for metrics here.
const ELSEWHERE: &str = "metrics are told here to this machine alone (kubectl port-forward). Ask port 6443 over https, with the \
                         bearer token of a user who has the ClusterRole llm-operator-metrics-reader\n";

#[derive(Clone)]
struct Pages {
    readiness: Arc<Readiness>,
    metrics: Metrics,
}

/// Binds the address, so that a taken port is told at once.
///
/// # Errors
/// The address cannot be bound.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| {
        format!("cannot listen on {address}: {error}; choose another with --http-address or HTTP_ADDRESS")
    })
}

/// Serves until `stop` is cancelled.
///
/// # Errors
/// The listener broke.
pub async fn serve(
    listener: TcpListener,
    readiness: Arc<Readiness>,
    metrics: Metrics,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let pages = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_page))
        .with_state(Pages { readiness, metrics });
    let pages = pages.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, pages)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

async fn readyz(State(pages): State<Pages>) -> impl IntoResponse {
    let report = pages.readiness.report();
    let status = if report.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, report.text)
}

async fn metrics_page(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    State(pages): State<Pages>,
) -> impl IntoResponse {
    let plain = |status, text| (status, [("content-type", "text/plain")], text);
    if !is_here(peer) {
        return plain(StatusCode::FORBIDDEN, ELSEWHERE.to_owned());
    }
    match pages.metrics.encode() {
        Ok(text) => (StatusCode::OK, [("content-type", CONTENT_TYPE)], text),
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

/// Whether somebody asks from this machine, or this Pod. A socket of both families shows IPv4 addresses as IPv6.
fn is_here(peer: SocketAddr) -> bool {
    peer.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Everybody is told the health, this machine the metrics too, and another where to ask.
    /// Promises: S2-23
    #[tokio::test]
    async fn metrics_are_for_this_machine_alone() {
        let listener = bind("0.0.0.0:0".parse().unwrap()).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = CancellationToken::new();
        let served = tokio::spawn(serve(
            listener,
            Arc::new(Readiness::default()),
            Metrics::new(),
            stop.clone(),
        ));
        let told = ask(Ipv4Addr::LOCALHOST.into(), port, "/metrics").await;
        assert!(
            told.starts_with("HTTP/1.1 200") && told.contains("# EOF"),
            "{told}"
        );
        // A machine without a network has no other address to be asked from.
        if let Some(other) = address_of_this_machine() {
            let told = ask(other, port, "/metrics").await;
            assert!(
                told.starts_with("HTTP/1.1 403") && told.ends_with(ELSEWHERE),
                "{told}"
            );
            assert!(ask(other, port, "/healthz").await.starts_with("HTTP/1.1 200"));
        }
        stop.cancel();
        served.await.unwrap().unwrap();
    }

    async fn ask(address: IpAddr, port: u16, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect((address, port)).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// The address from which packets to others leave; nothing is sent.
    fn address_of_this_machine() -> Option<IpAddr> {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
        socket.connect("192.0.2.1:9").ok()?;
        let address = socket.local_addr().ok()?.ip();
        (!address.is_loopback() && !address.is_unspecified()).then_some(address)
    }

    #[test]
    fn this_machine_is_known_by_its_loopback_addresses() {
        for (peer, here) in [
            ("127.0.0.1:1", true),
            ("127.9.8.7:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("10.0.0.1:1", false),
            ("[::ffff:10.0.0.1]:1", false),
            ("[fe80::1]:1", false),
            ("0.0.0.0:1", false),
        ] {
            assert_eq!(is_here(peer.parse().unwrap()), here, "{peer}");
        }
    }
}
