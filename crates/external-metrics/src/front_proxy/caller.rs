//! The caller of a request.
//!
//! In: the certificates of the connection and the request's headers. Out: the [`Caller`] that the front proxy names, or why
//! nobody is. A header is believed only from a connection whose certificate the front proxy's authority has signed.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderValue};
use percent_encoding::percent_decode_str;
use rustls::pki_types::{CertificateDer, UnixTime};

use super::settings::Settings;
use crate::certificate::read;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Caller {
    pub(crate) user: String,
    pub(crate) uid: Option<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) extra: BTreeMap<String, Vec<String>>,
}

/// Nobody is authenticated.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Unauthenticated {
    /// The connection has no certificate.
    #[error("no client certificate: this API is asked through the API server, not directly")]
    NoCertificate,
    /// Its certificate is not the front proxy's.
    #[error("the client certificate is not one of the API server's front proxy: {0}")]
    WrongCertificate(String),
    /// Its certificate is of the right authority, but for another purpose.
    #[error("the client certificate's common name {0:?} is not among those of the API server's front proxy")]
    WrongName(String),
    /// The proxy names no user.
    #[error("the front proxy names no user")]
    NoUser,
}

/// The caller whom the front proxy names.
pub(crate) fn authenticate(
    settings: &Settings,
    chain: &[CertificateDer<'_>],
    headers: &HeaderMap,
    now: UnixTime,
) -> Result<Caller, Unauthenticated> {
    vouched(settings, chain, now)?;
    let user = first(headers, &settings.user_headers).ok_or(Unauthenticated::NoUser)?;
    Ok(Caller {
        user,
        uid: first(headers, &settings.uid_headers),
        groups: every(headers, &settings.group_headers),
        extra: extra(headers, &settings.extra_prefixes),
    })
}

/// Whether the other end of a connection is the front proxy.
pub(crate) fn vouched(
    settings: &Settings,
    chain: &[CertificateDer<'_>],
    now: UnixTime,
) -> Result<(), Unauthenticated> {
    let (own, intermediates) = chain.split_first().ok_or(Unauthenticated::NoCertificate)?;
    let verified = settings.verifier.verify_client_cert(own, intermediates, now);
    verified.map_err(|error| Unauthenticated::WrongCertificate(error.to_string()))?;
    if settings.names.is_empty() {
        return Ok(());
    }
    let facts = read::facts(own).map_err(|error| Unauthenticated::WrongCertificate(error.to_string()))?;
    let name = facts.common_name.unwrap_or_default();
    if settings.names.contains(&name) {
        Ok(())
    } else {
        Err(Unauthenticated::WrongName(name))
    }
}

fn first(headers: &HeaderMap, names: &[String]) -> Option<String> {
    names
        .iter()
        .filter_map(|name| headers.get(name))
        .filter_map(text)
        .find(|value| !value.is_empty())
}

fn every(headers: &HeaderMap, names: &[String]) -> Vec<String> {
    names
        .iter()
        .flat_map(|name| headers.get_all(name))
        .filter_map(text)
        .filter(|value| !value.is_empty())
        .collect()
}

/// Keys are what follows the prefix, percent-decoded; headers come in lower case.
fn extra(headers: &HeaderMap, prefixes: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for prefix in prefixes {
        for (name, value) in headers {
            let Some(key) = name.as_str().strip_prefix(prefix.as_str()) else {
                continue;
            };
            let key = percent_decode_str(key).decode_utf8_lossy().into_owned();
            extra.entry(key).or_default().extend(text(value));
        }
    }
    extra
}

/// Names of users may have letters that are not ASCII.
fn text(value: &HeaderValue) -> Option<String> {
    std::str::from_utf8(value.as_bytes()).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::make::{self, Profile};
    use http::HeaderName;
    use rustls::pki_types::pem::PemObject;
    use std::time::Duration;

    struct Proxy {
        chain: Vec<CertificateDer<'static>>,
        settings: Settings,
        now: UnixTime,
    }

    /// A proxy with the common name `localhost`, of an authority of its own.
    fn proxy(names: &str) -> Proxy {
        let profile = Profile::for_tests();
        let pair = make::client_pair(&profile).unwrap();
        let data = [
            ("requestheader-client-ca-file", pair.authority.as_str()),
            ("requestheader-allowed-names", names),
            (
                "requestheader-username-headers",
                "[\"X-Remote-User\",\"X-Other-User\"]",
            ),
            ("requestheader-uid-headers", "[\"X-Remote-Uid\"]"),
            ("requestheader-group-headers", "[\"X-Remote-Group\"]"),
            ("requestheader-extra-headers-prefix", "[\"X-Remote-Extra-\"]"),
        ];
        let data = data.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let seconds = u64::try_from(profile.now.as_second()).unwrap();
        Proxy {
            chain: vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()],
            settings: Settings::read(&data.into()).unwrap(),
            now: UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
        }
    }

    fn headers(entries: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in entries {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn the_proxy_names_the_caller() {
        let Proxy { chain, settings, now } = proxy("[]");
        let headers = headers(&[
            ("X-Remote-User", "jürgen"),
            ("X-Other-User", "nobody"),
            ("X-Remote-Uid", "7"),
            ("X-Remote-Group", "a"),
            ("X-Remote-Group", "b"),
            ("X-Remote-Extra-Scopes", "s"),
            ("X-Remote-Extra-Scopes", "t"),
            ("X-Remote-Extra-example.com%2fteam", "u"),
        ]);
        let caller = authenticate(&settings, &chain, &headers, now).unwrap();
        let of = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        let expected = Caller {
            user: "jürgen".to_owned(),
            uid: Some("7".to_owned()),
            groups: of(&["a", "b"]),
            extra: [
                ("scopes".to_owned(), of(&["s", "t"])),
                ("example.com/team".to_owned(), of(&["u"])),
            ]
            .into(),
        };
        assert_eq!(caller, expected);
    }

    #[test]
    fn nobody_else_is_believed() {
        let Proxy { chain, settings, now } = proxy("[\"other\",\"localhost\"]");
        let named = headers(&[("X-Remote-User", "admin")]);
        authenticate(&settings, &chain, &named, now).unwrap();
        let refused = |settings: &Settings, chain: &[CertificateDer<'_>], headers: &HeaderMap, now| {
            authenticate(settings, chain, headers, now).unwrap_err()
        };
        assert_eq!(
            refused(&settings, &[], &named, now),
            Unauthenticated::NoCertificate
        );
        assert_eq!(
            refused(&settings, &chain, &HeaderMap::new(), now),
            Unauthenticated::NoUser
        );
        let empty = headers(&[("X-Remote-User", "")]);
        assert_eq!(refused(&settings, &chain, &empty, now), Unauthenticated::NoUser);
        let strange = proxy("[]").settings;
        assert!(matches!(
            refused(&strange, &chain, &named, now),
            Unauthenticated::WrongCertificate(_)
        ));
        let years = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs() + 400 * 86_400));
        assert!(matches!(
            refused(&settings, &chain, &named, years),
            Unauthenticated::WrongCertificate(_)
        ));
        let own = Settings {
            names: vec!["front-proxy-client".to_owned()],
            ..settings
        };
        let wrong = Unauthenticated::WrongName("localhost".to_owned());
        assert_eq!(refused(&own, &chain, &named, now), wrong);
    }

    #[test]
    fn a_server_s_certificate_is_no_proxy_s() {
        let profile = Profile::for_tests();
        let pair = make::pair(&profile).unwrap();
        let Proxy {
            mut settings, now, ..
        } = proxy("[]");
        let data = [
            ("requestheader-client-ca-file", pair.authority.as_str()),
            ("requestheader-username-headers", "[\"X-Remote-User\"]"),
        ];
        let data = data.map(|(key, value)| (key.to_owned(), value.to_owned()));
        settings.verifier = Settings::read(&data.into()).unwrap().verifier;
        let chain = [CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()];
        assert!(matches!(
            vouched(&settings, &chain, now),
            Err(Unauthenticated::WrongCertificate(_))
        ));
    }
}
