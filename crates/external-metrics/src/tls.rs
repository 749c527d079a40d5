//! TLS of the server: the certificate that is served now (the stored one, or one of this process alone until there is one), and clients' certificates taken as they come.
//!
//! A client's certificate is not judged in the handshake, so that a wrong one is answered with a `Status` and an authority
//! that changes needs no new connections; that the client has its key is proven in the handshake. Judged is it for each
//! request (`front_proxy::caller`).

use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};

/// The certificate that is served, changed while connections go on.
#[derive(Default)]
pub(crate) struct Served {
    stored: RwLock<Option<Arc<CertifiedKey>>>,
    /// Of this process alone: for those who ask for metrics while nothing is stored.
    own: Option<Arc<CertifiedKey>>,
}

impl Served {
    /// With a certificate of this process.
    pub(crate) fn with_own(own: Arc<CertifiedKey>) -> Self {
        Self {
            stored: RwLock::default(),
            own: Some(own),
        }
    }

    /// From now on, new connections get this.
    pub(crate) fn set(&self, certified: Arc<CertifiedKey>) {
        *self.stored.write() = Some(certified);
    }

    /// Whether there is a stored one, whose authority the API server can be told.
    pub(crate) fn is_set(&self) -> bool {
        self.stored.read().is_some()
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Served")
            .field("set", &self.is_set())
            .finish()
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.stored.read().clone().or_else(|| self.own.clone())
    }
}

/// The server's side of TLS.
pub(crate) fn config(served: Arc<Served>) -> Result<ServerConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = Arc::new(AnyClient {
        provider: provider.clone(),
    });
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(served);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Takes any certificate whose key the client has, or none.
#[derive(Debug)]
struct AnyClient {
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _own: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
