//! Helm's encoding of a release: JSON, gzip, base64.
//!
//! In: the bytes of `data.release` (the API's own base64 already taken off). Out: JSON, and back. A payload can come from anybody who
//! may write Secrets: what it unpacks to is bounded.

use std::io::{Read, Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};

/// What is unpacked at most, in bytes. A Secret holds 1 MiB; charts pack to about a tenth of their size.
pub(super) const LIMIT: usize = 64 << 20;

/// Helm's test for gzip; releases of before compression lack it.
const MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];

/// Why there is no JSON in it.
#[derive(Debug, thiserror::Error)]
pub(super) enum PayloadError {
    #[error("it is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    #[error("it cannot be unpacked: {0}")]
    Gzip(#[from] std::io::Error),
    #[error("it is larger than {LIMIT} bytes")]
    TooLarge,
}

/// Takes Helm's base64 off. What comes out is kept: it is packed still.
pub(super) fn packed(data: &[u8]) -> Result<Vec<u8>, PayloadError> {
    Ok(STANDARD.decode(data)?)
}

/// JSON of a packed payload.
pub(super) fn unpack(packed: &[u8]) -> Result<Vec<u8>, PayloadError> {
    if !packed.starts_with(&MAGIC) {
        return Ok(packed.to_vec());
    }
    let mut json = Vec::new();
    let bound = u64::try_from(LIMIT).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(packed).take(bound).read_to_end(&mut json)?;
    if json.len() > LIMIT {
        return Err(PayloadError::TooLarge);
    }
    Ok(json)
}

/// As Helm stores it.
pub(super) fn encode(json: &[u8]) -> Result<Vec<u8>, PayloadError> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(json)?;
    Ok(STANDARD.encode(gzip.finish()?).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_read_again() {
        let json = br#"{"name":"demo"}"#;
        assert_eq!(unpack(&packed(&encode(json).unwrap()).unwrap()).unwrap(), json);
    }

    #[test]
    fn releases_of_before_compression_are_read() {
        let old = STANDARD.encode(br#"{"name":"demo"}"#);
        assert_eq!(
            unpack(&packed(old.as_bytes()).unwrap()).unwrap(),
            br#"{"name":"demo"}"#
        );
    }

    #[test]
    fn what_unpacks_to_too_much_is_not_read() {
        let bomb = encode(&vec![b' '; LIMIT + 1]).unwrap();
        assert!(bomb.len() < 1 << 20, "it would fit into a Secret");
        assert!(matches!(
            unpack(&packed(&bomb).unwrap()),
            Err(PayloadError::TooLarge)
        ));
    }

    #[test]
    fn rubbish_is_told() {
        assert!(matches!(packed(b"%%%"), Err(PayloadError::Base64(_))));
        let torn = packed(&encode(br#"{"name":"demo"}"#).unwrap()).unwrap();
        assert!(matches!(
            unpack(&torn[..torn.len() - 9]),
            Err(PayloadError::Gzip(_))
        ));
    }
}
