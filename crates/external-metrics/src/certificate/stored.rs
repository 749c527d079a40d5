//! The Secret with the certificates.
//!
//! In: the Secret as it is. Out: [`Stored`], certificates that can be served; and back. The replicas of the operator read it,
//! their leader writes it. A key is never shown, not even by `{:?}`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::sign::CertifiedKey;

use super::{make, read};

const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const AUTHORITY: &str = "ca.crt";
const NEXT_CERTIFICATE: &str = "next.crt";
const NEXT_KEY: &str = "next.key";
const NEXT_AUTHORITY: &str = "next-ca.crt";
const FORMER_AUTHORITY: &str = "former-ca.crt";

/// The Secret has nothing that can be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoredError {
    /// An entry is missing.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// An entry is not what it should be.
    #[error("{entry}: {why}")]
    Unusable { entry: &'static str, why: String },
}

/// A private key as PEM.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key(String);

impl From<String> for Key {
    fn from(pem: String) -> Self {
        Self(pem)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(a private key)")
    }
}

/// A certificate, its key and who signed it, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: Key,
    pub(crate) authority: String,
}

/// A pair that can be served.
#[derive(Clone, Debug)]
pub(crate) struct Usable {
    pub(crate) pair: Pair,
    /// When it was made.
    pub(crate) made: Timestamp,
    /// Until when it is valid.
    pub(crate) until: Timestamp,
    /// The same for the TLS library.
    pub(crate) certified: Arc<CertifiedKey>,
}

/// What the Secret holds.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// What is served.
    pub(crate) current: Usable,
    /// What will be, once the API server knows its authority.
    pub(crate) next: Option<Usable>,
    /// The authority of what was served before: a replica may do so yet.
    pub(crate) former: Option<String>,
}

impl Stored {
    /// Reads the Secret. A next pair that cannot be used is as good as none.
    pub(crate) fn read(secret: &Secret) -> Result<Self, StoredError> {
        let data = secret.data.as_ref();
        let text = |entry: &'static str| {
            let bytes = data
                .and_then(|data| data.get(entry))
                .ok_or(StoredError::Missing(entry))?;
            String::from_utf8(bytes.0.clone()).map_err(|_| unusable(entry, &"not PEM"))
        };
        let pair = |certificate, key, authority| {
            let (certificate, key) = (text(certificate)?, text(key)?.into());
            Usable::of(Pair {
                certificate,
                key,
                authority: text(authority)?,
            })
        };
        Ok(Self {
            current: pair(CERTIFICATE, KEY, AUTHORITY)?,
            next: pair(NEXT_CERTIFICATE, NEXT_KEY, NEXT_AUTHORITY).ok(),
            former: text(FORMER_AUTHORITY).ok(),
        })
    }

    /// Every authority of which a certificate may be served, as PEM.
    pub(crate) fn bundle(&self) -> String {
        let next = self.next.as_ref().map(|next| next.pair.authority.as_str());
        let all = [
            Some(self.current.pair.authority.as_str()),
            next,
            self.former.as_deref(),
        ];
        all.into_iter().flatten().collect()
    }

    /// The first of all, or the one after a pair that can no longer be served.
    pub(crate) fn replaced(old: Option<&Self>, new: &Pair) -> BTreeMap<String, ByteString> {
        entries(new, None, old.map(|old| old.current.pair.authority.as_str()))
    }

    /// With a pair to be served next.
    pub(crate) fn staged(&self, next: &Pair) -> BTreeMap<String, ByteString> {
        entries(&self.current.pair, Some(next), self.former.as_deref())
    }

    /// With the next pair served.
    pub(crate) fn promoted(&self, next: &Usable) -> BTreeMap<String, ByteString> {
        entries(&next.pair, None, Some(&self.current.pair.authority))
    }
}

impl Usable {
    pub(crate) fn of(pair: Pair) -> Result<Self, StoredError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pair.certificate.as_bytes()).collect();
        let chain = chain.map_err(|error| unusable(CERTIFICATE, &error))?;
        let first = chain.first().ok_or(StoredError::Missing(CERTIFICATE))?;
        let facts = read::facts(first).map_err(|error| unusable(CERTIFICATE, &error))?;
        let key =
            PrivateKeyDer::from_pem_slice(pair.key.0.as_bytes()).map_err(|error| unusable(KEY, &error))?;
        let provider = rustls::crypto::ring::default_provider();
        let certified =
            CertifiedKey::from_der(chain, key, &provider).map_err(|error| unusable(KEY, &error))?;
        Ok(Self {
            pair,
            made: facts.from + make::SKEW,
            until: facts.until,
            certified: Arc::new(certified),
        })
    }
}

fn entries(current: &Pair, next: Option<&Pair>, former: Option<&str>) -> BTreeMap<String, ByteString> {
    let mut entries = vec![
        (CERTIFICATE, current.certificate.as_str()),
        (KEY, current.key.0.as_str()),
        (AUTHORITY, current.authority.as_str()),
    ];
    if let Some(next) = next {
        entries.extend([
            (NEXT_CERTIFICATE, next.certificate.as_str()),
            (NEXT_KEY, next.key.0.as_str()),
            (NEXT_AUTHORITY, next.authority.as_str()),
        ]);
    }
    entries.extend(former.map(|former| (FORMER_AUTHORITY, former)));
    let entries = entries.into_iter();
    entries
        .map(|(entry, text)| (entry.to_owned(), ByteString(text.as_bytes().to_vec())))
        .collect()
}

fn unusable(entry: &'static str, why: &impl ToString) -> StoredError {
    StoredError::Unusable {
        entry,
        why: why.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::make::{Profile, pair};

    fn secret(data: BTreeMap<String, ByteString>) -> Secret {
        Secret {
            data: Some(data),
            ..Secret::default()
        }
    }

    #[test]
    fn a_rotation_keeps_every_authority_that_may_be_met() {
        let [first, second, third] = [0; 3].map(|_| pair(&Profile::for_tests()).unwrap());
        let stored = Stored::read(&secret(Stored::replaced(None, &first))).unwrap();
        assert_eq!(stored.current.pair, first);
        assert_eq!(stored.current.made, Profile::for_tests().now);
        assert_eq!(stored.bundle(), first.authority);

        let staged = Stored::read(&secret(stored.staged(&second))).unwrap();
        assert_eq!(staged.current.pair, first);
        assert_eq!(
            staged.bundle(),
            format!("{}{}", first.authority, second.authority)
        );

        let next = staged.next.as_ref().unwrap();
        let promoted = Stored::read(&secret(staged.promoted(next))).unwrap();
        assert_eq!(promoted.current.pair, second);
        assert!(promoted.next.is_none());
        assert_eq!(
            promoted.bundle(),
            format!("{}{}", second.authority, first.authority)
        );

        let replaced = Stored::read(&secret(Stored::replaced(Some(&promoted), &third))).unwrap();
        assert_eq!(
            replaced.bundle(),
            format!("{}{}", third.authority, second.authority)
        );
    }

    #[test]
    fn what_cannot_be_served_is_refused_and_no_key_is_shown() {
        let [first, second] = [0; 2].map(|_| pair(&Profile::for_tests()).unwrap());
        let shown = format!("{first:?}");
        assert!(
            !shown.contains("PRIVATE") && shown.contains("(a private key)"),
            "{shown}"
        );
        let mut data = Stored::replaced(None, &first);
        data.insert(KEY.to_owned(), ByteString(second.key.0.into_bytes()));
        let error = Stored::read(&secret(data.clone())).unwrap_err().to_string();
        assert!(
            error.starts_with("tls.key: ") && !error.contains("PRIVATE"),
            "{error}"
        );
        data.remove(KEY);
        assert!(matches!(
            Stored::read(&secret(data)),
            Err(StoredError::Missing(KEY))
        ));
        assert!(Stored::read(&Secret::default()).is_err());
    }
}
