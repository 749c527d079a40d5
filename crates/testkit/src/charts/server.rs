//! A web server on a loopback port.
//!
//! In: a router, an identity for TLS or none. Out: its address and the runtime on which it lives, so that it does not depend on
//! that of the test which made it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::serve::Listener;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::ChartsError;
use crate::plane::Background;

/// A certificate for 127.0.0.1, signed by itself.
pub(super) struct Identity {
    /// As PEM.
    pub(super) certificate: String,
    config: Arc<ServerConfig>,
}

impl Identity {
    pub(super) fn new() -> Result<Self, ChartsError> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)?;
        Ok(Self {
            certificate: made.cert.pem(),
            config: Arc::new(config),
        })
    }
}

/// Serves in a runtime of its own. Returns that and the address.
pub(super) async fn serve(
    name: &str,
    router: Router,
    identity: Option<&Identity>,
) -> Result<(Background, String), ChartsError> {
    let acceptor = identity.map(|identity| TlsAcceptor::from(Arc::clone(&identity.config)));
    let background = Background::start(name)?;
    let started = background.run(async move {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        tokio::spawn(async move {
            // It ends with its runtime; an error of a single connection does not end it.
            let _ = match acceptor {
                Some(acceptor) => axum::serve(Encrypted { listener, acceptor }, router).await,
                None => axum::serve(listener, router).await,
            };
        });
        Ok::<_, io::Error>(format!("{scheme}://{address}"))
    });
    let url = started
        .await
        .ok_or_else(|| io::Error::other("the server's runtime has ended"))??;
    Ok((background, url))
}

/// Connections once they are encrypted, one after the other.
struct Encrypted {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Encrypted {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            // Whoever does not trust us hangs up.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
