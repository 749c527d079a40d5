//! Accepts connections on a Pod's address and answers them: listener and handler in, nothing out until told to stop.
//! Connections live in one set owned by [`serve`], so that dropping it cuts them all, as SIGKILL does.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Request, Response};
use crate::process::ProcessSpec;

/// Opens the port that a program asks for by host and port, inside the Pod.
pub(crate) async fn listen(spec: &ProcessSpec, host: &str, port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::new(pod_address(spec, host)?, port)).await
}

/// The address of this machine that stands for `host` as a program in the Pod names it.
pub(crate) fn pod_address(spec: &ProcessSpec, host: &str) -> io::Result<IpAddr> {
    let host = host.trim_matches(['[', ']']);
    if host.is_empty() {
        return Ok(spec.address);
    }
    if host == "localhost" || host == spec.host_name {
        return Ok(if host == "localhost" {
            spec.loopback
        } else {
            spec.address
        });
    }
    match host.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() || ip == spec.address => Ok(spec.address),
        Ok(ip) if ip == spec.loopback => Ok(ip),
        Ok(ip) if ip.is_loopback() => Ok(spec.loopback),
        Ok(ip) if spec.address.is_unspecified() => Ok(ip),
        Ok(_) => Err(io::Error::from_raw_os_error(99)),
        Err(_) => Err(io::Error::new(
            io::ErrorKind::NotFound,
            "Name or service not known",
        )),
    }
}

/// Answers connections until `stop`; then takes no more, gives those under way `drain` to end, and cuts the rest.
pub(crate) async fn serve<H, F>(listener: TcpListener, handler: H, stop: CancellationToken, drain: Duration)
where
    H: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    let _ = socket.set_nodelay(true);
                    connections.spawn(connection(TokioIo::new(socket), handler.clone(), stop.clone()));
                }
                // Out of file descriptors: wait for some to be closed instead of spinning.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(drain, async { while connections.join_next().await.is_some() {} }).await;
}

async fn connection<H, F>(socket: TokioIo<tokio::net::TcpStream>, handler: H, stop: CancellationToken)
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let service = service_fn(|request| {
        let answer = handler(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(socket, service);
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    // A client that went away is no error of the engine.
    let _ = connection.await;
}
