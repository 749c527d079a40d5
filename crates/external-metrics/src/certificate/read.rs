//! What a certificate says of itself.
//!
//! In: a certificate as DER. Out: its common name and validity. Proves nothing: signatures are verified elsewhere.

use jiff::Timestamp;
use yasna::models::{ObjectIdentifier, TaggedDerValue};
use yasna::tags::{TAG_GENERALIZEDTIME, TAG_UTCTIME};
use yasna::{ASN1Error, ASN1ErrorKind, ASN1Result, BERReader, BERReaderSeq, Tag};

/// `id-at-commonName`.
const COMMON_NAME: [u64; 4] = [2, 5, 4, 3];

/// The certificate cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the certificate cannot be read: {0}")]
pub(crate) struct Unreadable(String);

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The last common name of the subject, as Go takes it.
    pub(crate) common_name: Option<String>,
    /// Valid from then.
    pub(crate) from: Timestamp,
    /// Valid until then.
    pub(crate) until: Timestamp,
}

/// Reads a certificate (RFC 5280, section 4.1).
pub(crate) fn facts(certificate: &[u8]) -> Result<Facts, Unreadable> {
    let parsed = yasna::parse_der(certificate, |reader| {
        reader.read_sequence(|reader| {
            let facts = reader.next().read_sequence(to_be_signed)?;
            skip_all(reader)?;
            Ok(facts)
        })
    });
    parsed.map_err(|error| Unreadable(error.to_string()))
}

fn to_be_signed(reader: &mut BERReaderSeq<'_, '_>) -> ASN1Result<Facts> {
    reader.read_optional(|reader| reader.read_tagged(Tag::context(0), skip))?;
    // Serial number, algorithm, issuer.
    for _ in 0..3 {
        reader.next().read_der()?;
    }
    let (from, until) = reader.next().read_sequence(|reader| {
        let from = time(reader.next())?;
        Ok((from, time(reader.next())?))
    })?;
    let common_name = common_name(reader.next())?;
    skip_all(reader)?;
    Ok(Facts {
        common_name,
        from,
        until,
    })
}

fn common_name(reader: BERReader<'_, '_>) -> ASN1Result<Option<String>> {
    let wanted = ObjectIdentifier::from_slice(&COMMON_NAME);
    let mut name = None;
    reader.read_sequence_of(|reader| {
        reader.read_set_of(|reader| {
            let (kind, value) = reader.read_sequence(|reader| {
                let kind = reader.next().read_oid()?;
                Ok((kind, reader.next().read_tagged_der()?))
            })?;
            if kind == wanted {
                name = Some(text(&value)?);
            }
            Ok(())
        })
    })?;
    Ok(name)
}

/// Every kind of string that certificates are made with today is UTF-8 or a part of it.
fn text(value: &TaggedDerValue) -> ASN1Result<String> {
    String::from_utf8(value.value().to_vec()).map_err(|_| ASN1Error::new(ASN1ErrorKind::Invalid))
}

fn time(reader: BERReader<'_, '_>) -> ASN1Result<Timestamp> {
    let seconds = match reader.lookahead_tag()? {
        TAG_UTCTIME => reader.read_utctime()?.datetime().unix_timestamp(),
        TAG_GENERALIZEDTIME => reader.read_generalized_time()?.datetime().unix_timestamp(),
        _ => return Err(ASN1Error::new(ASN1ErrorKind::Invalid)),
    };
    Timestamp::from_second(seconds).map_err(|_| ASN1Error::new(ASN1ErrorKind::Invalid))
}

fn skip(reader: BERReader<'_, '_>) -> ASN1Result<Vec<u8>> {
    reader.read_der()
}

fn skip_all(reader: &mut BERReaderSeq<'_, '_>) -> ASN1Result<()> {
    while reader.read_optional(skip)?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::make::{self, Profile};
    use proptest::prelude::*;
    use rustls::pki_types::{CertificateDer, pem::PemObject};

    #[test]
    fn what_was_made_is_read() {
        for (now, years) in [("2026-01-01T00:00:00Z", 1), ("2049-12-31T12:00:00Z", 30)] {
            let profile = Profile {
                now: now.parse().unwrap(),
                valid: jiff::SignedDuration::from_hours(years * 24 * 365),
                ..Profile::for_tests()
            };
            let pair = make::pair(&profile).unwrap();
            let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
            let expected = Facts {
                common_name: Some("localhost".to_owned()),
                from: profile.now - make::SKEW,
                until: profile.now + profile.valid,
            };
            assert_eq!(facts(&certificate).unwrap(), expected);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(at in 0..400_usize, byte in any::<u8>()) {
            let pair = make::pair(&Profile::for_tests()).unwrap();
            let mut bytes = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap().to_vec();
            if let Some(slot) = bytes.get_mut(at) {
                *slot = byte;
            }
            let _ = facts(&bytes);
        }
    }
}
