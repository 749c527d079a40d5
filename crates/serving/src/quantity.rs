//! Kubernetes quantities, exactly.
//!
//! In: text such as `1.5Gi`. Out: a number of billionths, and the canonical text as the API server stores it (so that
//! what we send equals what comes back). Rounding and capping follow apimachinery: finer than a billionth is rounded
//! away from zero, more than 2^63-1 is capped.

use std::{fmt, str::FromStr};

use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;

const NANO: i128 = 1_000_000_000;
const MAX: i128 = i64::MAX as i128 * NANO;

/// How a quantity was written; kept when it is written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Format {
    /// `500m`, `2`, `4G`.
    DecimalSi,
    /// `4Gi`.
    BinarySi,
    /// `4e9`.
    DecimalExponent,
}

/// A parsed quantity.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    nano: i128,
    format: Format,
}

/// Text that is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a quantity: write a number with an optional suffix, such as \"2\", \"500m\", \"4Gi\" or \"80G\""
)]
pub struct ParseError {
    text: String,
}

impl Quantity {
    /// A whole number of units (bytes, CPUs, GPUs).
    pub const fn from_units(units: u32) -> Self {
        Self {
            nano: units as i128 * NANO,
            format: Format::DecimalSi,
        }
    }

    /// A number of mebibytes.
    pub const fn from_mebibytes(mebibytes: u32) -> Self {
        Self {
            nano: mebibytes as i128 * (1 << 20) * NANO,
            format: Format::BinarySi,
        }
    }

    /// A number of bytes, written in powers of two.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self {
            nano: bytes as i128 * NANO,
            format: Format::BinarySi,
        }
    }

    /// Whole units, rounded up. Never more than 2^63-1 in magnitude.
    pub fn ceil_units(self) -> i64 {
        let units = self.nano.div_euclid(NANO) + i128::from(self.nano.rem_euclid(NANO) != 0);
        i64::try_from(units).unwrap_or(i64::MAX)
    }

    /// Whether it is above zero.
    pub const fn is_positive(self) -> bool {
        self.nano > 0
    }

    /// The value as the API's type, as the API server stores it: canonical, rounded up to thousandths.
    pub fn to_api(self) -> ApiQuantity {
        const MILLI: i128 = NANO / 1000;
        let milli = self.nano.div_euclid(MILLI) + i128::from(self.nano.rem_euclid(MILLI) != 0);
        ApiQuantity(
            Self {
                nano: milli * MILLI,
                ..self
            }
            .to_string(),
        )
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nano == other.nano
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.nano.cmp(&other.nano)
    }
}

impl TryFrom<&ApiQuantity> for Quantity {
    type Error = ParseError;

    fn try_from(quantity: &ApiQuantity) -> Result<Self, ParseError> {
        quantity.0.parse()
    }
}

impl FromStr for Quantity {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse(text).ok_or_else(|| ParseError {
            text: text.chars().take(64).collect(),
        })
    }
}

fn parse(text: &str) -> Option<Quantity> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let number_len = unsigned
        .bytes()
        .take_while(|b| b.is_ascii_digit() || *b == b'.')
        .count();
    let (number, suffix) = unsigned.split_at(number_len);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let (scale, format) = scale_of(suffix)?;
    let magnitude = scaled(whole, fraction, scale).min(MAX);
    let nano = if negative { -magnitude } else { magnitude };
    Some(Quantity { nano, format })
}

/// What a suffix multiplies by: two or ten to a power.
#[derive(Clone, Copy)]
enum Scale {
    Two(u32),
    Ten(i32),
}

fn scale_of(suffix: &str) -> Option<(Scale, Format)> {
    let binary = |power| Some((Scale::Two(power), Format::BinarySi));
    let decimal = |power| Some((Scale::Ten(power), Format::DecimalSi));
    match suffix {
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            let valid = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            let power = if exponent.starts_with('-') { -9999 } else { 9999 };
            valid.then(|| {
                (
                    Scale::Ten(exponent.parse().unwrap_or(power)),
                    Format::DecimalExponent,
                )
            })
        }
    }
}

/// `whole.fraction * scale` in billionths, rounded up, capped at [`MAX`].
///
/// The digits are one integer `n` with `decimals` digits behind the point; then `n * 2^b * 10^t` with exact integers.
fn scaled(whole: &str, fraction: &str, scale: Scale) -> i128 {
    let fraction = fraction.trim_end_matches('0');
    let decimals = i32::try_from(fraction.len()).unwrap_or(i32::MAX);
    let (factor, power) = match scale {
        Scale::Two(power) => (1_i128 << power, 0),
        Scale::Ten(power) => (1, power),
    };
    let shift = power.saturating_add(9).saturating_sub(decimals);
    let digits = whole.trim_start_matches('0').bytes().chain(fraction.bytes());
    if shift >= 0 {
        let Some(number) = integer(digits) else { return MAX };
        if number == 0 {
            return 0;
        }
        let ten = u32::try_from(shift).ok().and_then(|s| 10_i128.checked_pow(s));
        return ten
            .and_then(|ten| number.checked_mul(ten))
            .and_then(|number| number.checked_mul(factor))
            .unwrap_or(MAX);
    }
    divided(digits, factor, shift.unsigned_abs() as usize)
}

/// `digits * factor / 10^places`, rounded up, capped: long division, because the digits may be many.
fn divided(digits: impl Iterator<Item = u8>, factor: i128, places: usize) -> i128 {
    // Little-endian decimal digits of digits * factor.
    let mut product: Vec<u8> = Vec::new();
    for digit in digits.collect::<Vec<_>>().into_iter().rev() {
        product.push(digit - b'0');
    }
    let mut carry = 0_i128;
    for digit in &mut product {
        let value = i128::from(*digit) * factor + carry;
        *digit = u8::try_from(value % 10).unwrap_or_default();
        carry = value / 10;
    }
    while carry > 0 {
        product.push(u8::try_from(carry % 10).unwrap_or_default());
        carry /= 10;
    }
    let places = places.min(product.len());
    let (lost, kept) = product.split_at(places);
    let Some(quotient) = integer(kept.iter().rev().map(|d| d + b'0')) else {
        return MAX;
    };
    quotient + i128::from(lost.iter().any(|digit| *digit != 0))
}

/// The integer of ASCII digits; `None` when it is beyond any quantity.
fn integer(digits: impl Iterator<Item = u8>) -> Option<i128> {
    let mut digits = digits;
    digits.try_fold(0_i128, |sum, digit| {
        sum.checked_mul(10)?.checked_add(i128::from(digit - b'0'))
    })
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nano == 0 {
            return f.write_str("0");
        }
        let small = self.nano.abs() < 1024 * NANO;
        let whole = self.nano % NANO == 0;
        match self.format {
            Format::BinarySi if !small && whole => write_binary(f, self.nano / NANO),
            Format::DecimalExponent => write_decimal(f, self.nano, true),
            Format::DecimalSi | Format::BinarySi => write_decimal(f, self.nano, false),
        }
    }
}

fn write_binary(f: &mut fmt::Formatter<'_>, mut units: i128) -> fmt::Result {
    let mut suffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].into_iter();
    let mut suffix = suffixes.next().unwrap_or_default();
    while units % 1024 == 0
        && let Some(next) = suffixes.next()
    {
        units /= 1024;
        suffix = next;
    }
    write!(f, "{units}{suffix}")
}

fn write_decimal(f: &mut fmt::Formatter<'_>, nano: i128, exponent: bool) -> fmt::Result {
    let mut mantissa = nano;
    let mut power = -9_i32;
    while mantissa % 1000 == 0 && power < 18 {
        mantissa /= 1000;
        power += 3;
    }
    if exponent && power != 0 {
        return write!(f, "{mantissa}e{power}");
    }
    let suffix = match power {
        -9 => "n",
        -6 => "u",
        -3 => "m",
        3 => "k",
        6 => "M",
        9 => "G",
        12 => "T",
        15 => "P",
        18 => "E",
        _ => "",
    };
    write!(f, "{mantissa}{suffix}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Quantity;

    /// Text, canonical text as `kubectl get -o json` shows it after an apply (apimachinery's rules), units rounded up.
    const VECTORS: [(&str, &str, i64); 27] = [
        ("0", "0", 0),
        ("0Gi", "0", 0),
        ("2", "2", 2),
        ("+2", "2", 2),
        ("2000m", "2", 2),
        ("0.5", "500m", 1),
        (".5", "500m", 1),
        ("5.", "5", 5),
        ("100m", "100m", 1),
        ("1n", "1n", 1),
        ("0.1n", "1n", 1),
        ("1E", "1E", 1_000_000_000_000_000_000),
        ("1Ei", "1Ei", 1 << 60),
        ("8Ei", "9223372036854775807", i64::MAX),
        ("1024Mi", "1Gi", 1 << 30),
        ("1.5Gi", "1536Mi", 1536 << 20),
        ("512", "512", 512),
        ("0.5Ki", "512", 512),
        ("1000", "1k", 1000),
        ("1500", "1500", 1500),
        ("4e3", "4e3", 4000),
        ("12e-3", "12e-3", 1),
        ("1e99", "9223372036854775807", i64::MAX),
        ("1e-99", "1e-9", 1),
        ("80G", "80G", 80_000_000_000),
        ("0.001Ki", "1024m", 2),
        ("-1.5Gi", "-1536Mi", -(1536 << 20)),
    ];

    #[test]
    fn canonical_text_and_value_follow_apimachinery() {
        for (text, canonical, units) in VECTORS {
            let quantity: Quantity = text.parse().unwrap();
            assert_eq!(quantity.to_string(), canonical, "{text}");
            assert_eq!(quantity.ceil_units(), units, "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in [
            "", "-", "+", ".", "Gi", "4Gib", "4 Gi", "1.2.3", "1e", "1e+", "1ee3", "0x10", "1K", "--1", "٣",
            "4Gi ",
        ] {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn canonical_text_is_a_fixed_point_of_the_same_value(
            number in 0_u64..=9_000_000_000_000_000_000,
            decimals in prop::option::of(0_u32..=999_999_999),
            suffix in prop::sample::select(vec!["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "e-3", "E2"]),
        ) {
            let text = decimals.map_or_else(|| format!("{number}{suffix}"), |d| format!("{number}.{d}{suffix}"));
            let quantity: Quantity = text.parse().unwrap();
            let canonical = quantity.to_string();
            let again: Quantity = canonical.parse().unwrap();
            prop_assert_eq!(again, quantity);
            prop_assert_eq!(again.to_string(), canonical);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}") {
            let _ = text.parse::<Quantity>();
        }

        #[test]
        fn long_numbers_do_not_make_it_panic(text in "[0-9]{0,90}[.]?[0-9]{0,90}(Ei|E|n|e-?[0-9]{0,12})?") {
            let _ = text.parse::<Quantity>().map(|q| q.to_string());
        }

        #[test]
        fn order_is_that_of_the_numbers(a in any::<u32>(), b in any::<u32>()) {
            let (x, y): (Quantity, Quantity) = (format!("{a}Ki").parse().unwrap(), format!("{b}Ki").parse().unwrap());
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        }
    }
}
