//! Makes a serving certificate with an authority of its own.
//!
//! In: names, a lifetime, the time. Out: a [`Pair`]. The authority's key is forgotten as soon as it has signed: nobody can
//! ever sign another certificate with it, and a new certificate brings a new authority.

use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

use super::stored::Pair;

/// A certificate is valid from so long before it is made: clocks differ.
pub(super) const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// What a certificate shall say.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    /// Host names, the first of which becomes the common name.
    pub(crate) hosts: Vec<String>,
    /// How long it is valid, from now on.
    pub(crate) valid: SignedDuration,
    /// Now.
    pub(crate) now: Timestamp,
}

#[cfg(test)]
impl Profile {
    pub(crate) fn for_tests() -> Self {
        Self {
            hosts: vec!["localhost".to_owned()],
            valid: SignedDuration::from_hours(24 * 90),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
        }
    }
}

/// A serving certificate, its key and its authority.
pub(crate) fn pair(profile: &Profile) -> Result<Pair, rcgen::Error> {
    signed(profile, ExtendedKeyUsagePurpose::ServerAuth)
}

/// The same for a client, to test what is said of one.
#[cfg(test)]
pub(crate) fn client_pair(profile: &Profile) -> Result<Pair, rcgen::Error> {
    signed(profile, ExtendedKeyUsagePurpose::ClientAuth)
}

fn signed(profile: &Profile, purpose: ExtendedKeyUsagePurpose) -> Result<Pair, rcgen::Error> {
    let (from, until) = (profile.now - SKEW, profile.now + profile.valid);
    let authority = authority(from, until)?;
    let mut params = CertificateParams::new(profile.hosts.clone())?;
    let name = profile.hosts.first().cloned().unwrap_or_default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    params.use_authority_key_identifier_extension = true;
    params.not_before = SystemTime::from(from).into();
    params.not_after = SystemTime::from(until).into();
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &authority)?;
    Ok(Pair {
        certificate: certificate.pem(),
        key: key.serialize_pem().into(),
        authority: authority.pem(),
    })
}

/// Its name has the time in it: verifiers find an authority by name first, and the bundle holds several.
fn authority(from: Timestamp, until: Timestamp) -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    let name = format!("llm-operator external metrics {}", from.as_millisecond());
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params.not_before = SystemTime::from(from).into();
    params.not_after = SystemTime::from(until).into();
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}
