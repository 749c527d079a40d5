//! Requests to the operator itself, past the API server.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{SERVICE, SYSTEM};

/// Who connects.
pub enum Client {
    /// Without a certificate.
    Bare,
    /// With one that it signed itself, with the front proxy's name.
    SelfSigned,
    /// As the API server does.
    FrontProxy(testkit::plane::FrontProxy),
}

/// What was answered: the status and the body, as JSON where it is some.
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub body: Value,
}

/// Sends one request; verifies the server by the authorities of `bundle`.
pub async fn request(
    address: std::net::SocketAddr,
    bundle: &[u8],
    client: &Client,
    (method, path): (Method, &str),
    headers: &[(&str, &str)],
) -> Result<Answer, String> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(bundle) {
        roots.add(authority.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match client {
        Client::Bare => builder.with_no_client_auth(),
        Client::SelfSigned => {
            let (chain, key) = self_signed();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
        Client::FrontProxy(files) => {
            let read = |path: &Path| std::fs::read(path).unwrap();
            let chain = vec![CertificateDer::from_pem_slice(&read(&files.certificate)).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(&read(&files.key)).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| error.to_string())?;
    let name = ServerName::try_from(format!("{SERVICE}.{SYSTEM}.svc")).unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    let stream = TokioIo::new(stream.map_err(|error| error.to_string())?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream)
        .await
        .map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("host", "x");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = sender
        .send_request(request.body(Empty::<Bytes>::new()).unwrap())
        .await;
    let answer = answer.map_err(|error| error.to_string())?;
    let status = answer.status().as_u16();
    let content_type = answer
        .headers()
        .get("content-type")
        .map(|value| value.to_str().unwrap().to_owned());
    let body = answer
        .into_body()
        .collect()
        .await
        .map_err(|error| error.to_string())?;
    let body = body.to_bytes();
    let words = || Value::String(String::from_utf8_lossy(&body).into_owned());
    Ok(Answer {
        status,
        content_type: content_type.unwrap_or_default(),
        body: serde_json::from_slice(&body).unwrap_or_else(|_| words()),
    })
}

fn self_signed() -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "front-proxy-client");
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    (vec![certificate], key)
}
