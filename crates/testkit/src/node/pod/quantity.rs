//! Kubernetes quantities as numbers. Pure; what the API server has accepted is not checked again.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

const SUFFIXES: [(&str, f64); 15] = [
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
];

/// The value, fractions included: `500m` is 0.5, `1Ki` is 1024.
pub(crate) fn value(quantity: &Quantity) -> f64 {
    let text = quantity.0.trim();
    if let Ok(plain) = text.parse() {
        return plain;
    }
    let parsed = SUFFIXES.iter().find_map(|(suffix, factor)| {
        let number: f64 = text.strip_suffix(suffix)?.parse().ok()?;
        Some(number * factor)
    });
    parsed.unwrap_or(0.0)
}

/// The value in whole bytes, rounded up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates; sizes are positive"
)]
pub(crate) fn bytes(quantity: &Quantity) -> u64 {
    value(quantity).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_count() {
        for (text, expected) in [
            ("4Gi", 4_294_967_296),
            ("100M", 100_000_000),
            ("1500m", 2),
            ("1e3", 1000),
            ("7", 7),
        ] {
            assert_eq!(bytes(&Quantity(text.into())), expected, "{text}");
        }
    }
}
