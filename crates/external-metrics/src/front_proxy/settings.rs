//! How the front proxy proves itself and names the caller.
//!
//! In: the ConfigMap `kube-system/extension-apiserver-authentication`, which the API server writes. Out: [`Settings`].

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

const AUTHORITY: &str = "requestheader-client-ca-file";
const NAMES: &str = "requestheader-allowed-names";
const USERS: &str = "requestheader-username-headers";
const UIDS: &str = "requestheader-uid-headers";
const GROUPS: &str = "requestheader-group-headers";
const EXTRAS: &str = "requestheader-extra-headers-prefix";

/// Nobody can be authenticated by what the API server has published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// No front proxy is configured.
    #[error(
        "the API server has no front proxy ({0} is not in ConfigMap kube-system/extension-apiserver-authentication): \
         start kube-apiserver with --requestheader-client-ca-file and --proxy-client-cert-file"
    )]
    Missing(&'static str),
    /// A value is not what it should be.
    #[error("{key} in ConfigMap kube-system/extension-apiserver-authentication: {why}")]
    Unreadable { key: &'static str, why: String },
}

/// How the front proxy proves itself and names the caller.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Accepts the certificates of the front proxy's authority.
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
    /// Common names that the proxy's certificate may have; empty: any.
    pub(super) names: Vec<String>,
    pub(super) user_headers: Vec<String>,
    pub(super) uid_headers: Vec<String>,
    pub(super) group_headers: Vec<String>,
    /// In lower case.
    pub(super) extra_prefixes: Vec<String>,
}

impl Settings {
    /// Reads the ConfigMap's data.
    pub(crate) fn read(data: &BTreeMap<String, String>) -> Result<Self, SettingsError> {
        let authority = data.get(AUTHORITY).ok_or(SettingsError::Missing(AUTHORITY))?;
        let user_headers = list(data, USERS)?;
        if user_headers.is_empty() {
            return Err(SettingsError::Missing(USERS));
        }
        let mut extra_prefixes = list(data, EXTRAS)?;
        for prefix in &mut extra_prefixes {
            prefix.make_ascii_lowercase();
        }
        Ok(Self {
            verifier: verifier(authority).map_err(|why| unreadable(AUTHORITY, why))?,
            names: list(data, NAMES)?,
            user_headers,
            uid_headers: list(data, UIDS)?,
            group_headers: list(data, GROUPS)?,
            extra_prefixes,
        })
    }
}

fn verifier(authority: &str) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| error.to_string())
}

/// A list of strings in JSON; one that is not there is empty.
fn list(data: &BTreeMap<String, String>, key: &'static str) -> Result<Vec<String>, SettingsError> {
    let Some(text) = data.get(key) else {
        return Ok(Vec::new());
    };
    serde_json::from_str(text).map_err(|error| unreadable(key, error.to_string()))
}

fn unreadable(key: &'static str, why: String) -> SettingsError {
    SettingsError::Unreadable { key, why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::make::{self, Profile};

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        let entries = entries.iter();
        entries
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn reads_what_the_api_server_publishes() {
        let pair = make::pair(&Profile::for_tests()).unwrap();
        let mut data = map(&[
            (NAMES, "[\"front-proxy-client\"]"),
            (USERS, "[\"X-Remote-User\"]"),
            (GROUPS, "[\"X-Remote-Group\"]"),
            (EXTRAS, "[\"X-Remote-Extra-\"]"),
        ]);
        assert!(matches!(
            Settings::read(&data),
            Err(SettingsError::Missing(AUTHORITY))
        ));
        data.insert(AUTHORITY.to_owned(), pair.authority);
        let settings = Settings::read(&data).unwrap();
        assert_eq!(settings.names, ["front-proxy-client"]);
        assert_eq!(settings.extra_prefixes, ["x-remote-extra-"]);
        assert!(settings.uid_headers.is_empty());
        data.insert(NAMES.to_owned(), "front-proxy-client".to_owned());
        let error = Settings::read(&data).unwrap_err().to_string();
        assert!(
            error.starts_with("requestheader-allowed-names in ConfigMap"),
            "{error}"
        );
        data.remove(USERS);
        assert!(matches!(
            Settings::read(&data),
            Err(SettingsError::Missing(USERS))
        ));
        data.insert(AUTHORITY.to_owned(), "no certificate".to_owned());
        data.insert(USERS.to_owned(), "[\"X-Remote-User\"]".to_owned());
        assert!(matches!(
            Settings::read(&data),
            Err(SettingsError::Unreadable { key: AUTHORITY, .. })
        ));
    }
}
