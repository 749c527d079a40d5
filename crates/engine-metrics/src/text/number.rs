//! Numbers as expositions write them: decimal, with or without an exponent, `+Inf`, `-Inf`, `NaN`.

/// The longest number that is read. Exporters that never write exponents need 309 digits for the largest.
const MAX_DIGITS: usize = 400;

/// The number that `token` is.
pub(crate) fn number(token: &[u8]) -> Option<f64> {
    if let Some(whole) = small_whole(token) {
        return Some(whole);
    }
    if token.len() > MAX_DIGITS {
        return None;
    }
    std::str::from_utf8(token).ok()?.parse().ok()
}

/// Up to nine digits and perhaps `.0`: most values and many bounds are that.
fn small_whole(token: &[u8]) -> Option<f64> {
    let digits = token.strip_suffix(b".0").unwrap_or(token);
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    digits
        .iter()
        .try_fold(0_u32, |whole, digit| {
            digit
                .is_ascii_digit()
                .then(|| whole * 10 + u32::from(digit - b'0'))
        })
        .map(f64::from)
}
