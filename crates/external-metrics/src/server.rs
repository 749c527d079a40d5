//! The TLS server.
//!
//! In: a listener, its TLS side, the [`Service`]. Out: nothing; it answers until told to stop. It is bounded in connections,
//! header sizes and time. The front proxy keeps its connections; whoever else connects gets one short request.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::service::Service;

/// Connections of strangers, and those whose handshake is not done: more than one at once only probes and mistakes need.
const STRANGERS: usize = 64;
/// Connections of the front proxy: each API server opens one per request under way.
const TRUSTED: usize = 256;
/// Longest time for a handshake, and for a stranger's request to come.
const STRANGER_TIME: Duration = Duration::from_secs(3);
/// Longest time that a connection of the front proxy is idle: more than the 90 s after which the proxy closes it itself.
const IDLE: Duration = Duration::from_mins(2);
/// Headers in bytes: a user with thousand groups fits.
const TRUSTED_HEADERS: usize = 256 * 1024;
/// Headers in bytes of a stranger, the least that the HTTP library can.
const STRANGER_HEADERS: usize = 8 * 1024;
/// Header lines of the front proxy: each group of a user is one.
const TRUSTED_LINES: usize = 4096;
/// Answers under way at the end get this long.
const LAST_ANSWERS: Duration = Duration::from_secs(3);
/// Pause after a failed accept: there are no file descriptors left, or the network is ill.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What every connection needs.
struct Shared {
    acceptor: TlsAcceptor,
    service: Arc<Service>,
    trusted: Arc<Semaphore>,
    stop: CancellationToken,
}

/// A connection after its handshake.
struct Greeted {
    stream: TlsStream<TcpStream>,
    chain: Vec<CertificateDer<'static>>,
    /// Whether it is the front proxy's.
    trusted: bool,
    /// Its place among its kind.
    _permit: OwnedSemaphorePermit,
}

/// Serves until `stop`; what is under way then is answered.
pub(crate) async fn serve(
    listener: TcpListener,
    config: ServerConfig,
    service: Arc<Service>,
    stop: CancellationToken,
) {
    let strangers = Arc::new(Semaphore::new(STRANGERS));
    let shared = Arc::new(Shared {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        service,
        trusted: Arc::new(Semaphore::new(TRUSTED)),
        stop: stop.clone(),
    });
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &strangers) => accepted,
            Some(_) = connections.join_next() => continue,
            () = stop.cancelled() => break,
        };
        let Some((stream, permit)) = accepted else {
            continue;
        };
        let shared = shared.clone();
        connections.spawn(async move {
            if let Some(greeted) = shared.greet(stream, permit).await {
                shared.talk(greeted).await;
            }
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn accept(
    listener: &TcpListener,
    strangers: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = strangers.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, permit)),
        Err(error) => {
            tracing::warn!("a connection could not be accepted: {error}");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

impl Shared {
    /// The handshake, and a place among strangers or the front proxy. Ended by the stop, at any point.
    async fn greet(&self, stream: TcpStream, permit: OwnedSemaphorePermit) -> Option<Greeted> {
        tokio::select! {
            greeted = self.handshake(stream, permit) => greeted,
            () = self.stop.cancelled() => None,
        }
    }

    async fn handshake(&self, stream: TcpStream, permit: OwnedSemaphorePermit) -> Option<Greeted> {
        // Answers are small, and one waits for the other.
        let _ = stream.set_nodelay(true);
        let handshake = tokio::time::timeout(STRANGER_TIME, self.acceptor.accept(stream));
        let stream = match handshake.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!("a TLS handshake failed: {error}");
                return None;
            }
            Err(_) => {
                tracing::debug!("a TLS handshake took too long");
                return None;
            }
        };
        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let chain: Vec<_> = certificates
            .iter()
            .map(|certificate| certificate.clone().into_owned())
            .collect();
        let trusted = self.service.is_front_proxy(&chain);
        let permit = if trusted {
            // From then on a stranger may connect instead.
            self.trusted.clone().acquire_owned().await.ok()?
        } else {
            permit
        };
        Some(Greeted {
            stream,
            chain,
            trusted,
            _permit: permit,
        })
    }

    /// Answers what is asked on a connection until it ends.
    async fn talk(&self, greeted: Greeted) {
        let Greeted {
            stream,
            chain,
            trusted,
            _permit,
        } = greeted;
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).keep_alive(trusted);
        if trusted {
            http.header_read_timeout(IDLE)
                .max_buf_size(TRUSTED_HEADERS)
                .max_headers(TRUSTED_LINES);
        } else {
            http.header_read_timeout(STRANGER_TIME)
                .max_buf_size(STRANGER_HEADERS);
        }
        let chain = Arc::new(chain);
        let respond = service_fn(move |request| {
            let (service, chain) = (self.service.clone(), chain.clone());
            async move { Ok::<_, Infallible>(service.answer(&request, &chain).await) }
        });
        let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), respond));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                let last = tokio::time::timeout(LAST_ANSWERS, connection).await;
                last.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!("a connection ended: {error}");
        }
    }
}
