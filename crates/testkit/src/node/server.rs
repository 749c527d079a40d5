//! The kubelet API of all nodes: requests of the API server in, container logs out.
//! One HTTPS server on the block's first address. It must not change anything.

use std::net::TcpListener;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures::stream;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use jiff::{SignedDuration, Timestamp};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use serde::Deserialize;
use tokio_rustls::TlsAcceptor;

use super::logs::{Line, LogBuffer};
use super::{NodeError, Shared};

/// Serves on the listener until the runtime ends.
pub(crate) fn start(shared: Arc<Shared>, claim: TcpListener) -> Result<(), NodeError> {
    let io = |source| NodeError::Io {
        what: "the kubelet API's listener".to_owned(),
        source,
    };
    let acceptor = acceptor(&shared.block.node_address().to_string())?;
    claim.set_nonblocking(true).map_err(io)?;
    let listener = tokio::net::TcpListener::from_std(claim).map_err(io)?;
    let router = Router::new()
        .route(
            "/containerLogs/{namespace}/{pod}/{container}",
            get(container_logs),
        )
        .route("/healthz", get(async || "ok"))
        .with_state(shared);
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(router.clone()));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let served = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
                if let Err(error) = served {
                    tracing::debug!(%error, "a connection to the kubelet API broke");
                }
            });
        }
    });
    Ok(())
}

fn acceptor(address: &str) -> Result<TlsAcceptor, NodeError> {
    let tls = |error: &dyn std::fmt::Display| NodeError::Tls(error.to_string());
    let own = rcgen::generate_simple_self_signed(vec![address.to_owned()]).map_err(|error| tls(&error))?;
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).map_err(|error| tls(&error))?;
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| tls(&error))?
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .map_err(|error| tls(&error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The parameters of `kubectl logs`, as the API server passes them on.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LogQuery {
    follow: Option<bool>,
    previous: Option<bool>,
    timestamps: Option<bool>,
    tail_lines: Option<usize>,
    since_seconds: Option<i64>,
    since_time: Option<String>,
    limit_bytes: Option<usize>,
}

impl LogQuery {
    fn since(&self) -> Option<Timestamp> {
        let ago = self
            .since_seconds
            .map(|seconds| Timestamp::now() - SignedDuration::from_secs(seconds));
        ago.or_else(|| self.since_time.as_deref().and_then(|time| time.parse().ok()))
    }

    fn print(&self, line: &Line) -> String {
        if self.timestamps == Some(true) {
            format!("{:.9} {}\n", line.at, line.text)
        } else {
            format!("{}\n", line.text)
        }
    }
}

async fn container_logs(
    State(shared): State<Arc<Shared>>,
    Path((namespace, pod, container)): Path<(String, String, String)>,
    Query(query): Query<LogQuery>,
) -> Response {
    let previous = query.previous.unwrap_or(false);
    let Some(buffer) = shared.logs.find(&namespace, &pod, &container, previous) else {
        let which = if previous {
            "previous terminated container"
        } else {
            "container"
        };
        let message = format!("{which} \"{container}\" in pod \"{pod}\" not found");
        return (StatusCode::BAD_REQUEST, message).into_response();
    };
    let (text, next) = first_part(&buffer, &query);
    if query.follow != Some(true) || query.limit_bytes.is_some() {
        return text.into_response();
    }
    let rest = stream::unfold(
        (buffer, query, next, Some(text)),
        |(buffer, query, next, first)| async move {
            if let Some(text) = first.filter(|text| !text.is_empty()) {
                return Some((
                    Ok::<_, std::convert::Infallible>(text),
                    (buffer, query, next, None),
                ));
            }
            let mut progress = buffer.subscribe();
            let ended = progress
                .wait_for(|(count, closed)| *count > next || *closed)
                .await;
            drop(ended);
            let (lines, after) = buffer.since(next);
            if lines.is_empty() {
                return None;
            }
            let text: String = lines.iter().map(|line| query.print(line)).collect();
            Some((Ok(text), (buffer, query, after, None)))
        },
    );
    Body::from_stream(rest).into_response()
}

fn first_part(buffer: &LogBuffer, query: &LogQuery) -> (String, u64) {
    let (lines, next) = buffer.since(0);
    let since = query.since();
    let recent: Vec<&Line> = lines
        .iter()
        .filter(|line| since.is_none_or(|since| line.at >= since))
        .collect();
    let skip = query
        .tail_lines
        .map_or(0, |tail| recent.len().saturating_sub(tail));
    let mut text: String = recent[skip..].iter().map(|line| query.print(line)).collect();
    if let Some(limit) = query.limit_bytes {
        let mut end = limit.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    (text, next)
}

/// TLS as probes do it: any certificate will do.
pub(crate) fn trusting_client() -> Result<Arc<rustls::ClientConfig>, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
