//! Kubernetes quantities (`500m`, `4Gi`, `1e3`) as whole numbers of 10⁻⁹. In: a JSON scalar; out: a number, or `None`
//! for what is not a quantity. Pure.

use serde_json::Value;

/// Decimal exponent of a suffix.
fn decimal_exponent(suffix: &str) -> Option<i32> {
    Some(match suffix {
        "n" => -9,
        "u" => -6,
        "m" => -3,
        "" => 0,
        "k" => 3,
        "M" => 6,
        "G" => 9,
        "T" => 12,
        "P" => 15,
        "E" => 18,
        _ => return suffix.strip_prefix(['e', 'E'])?.parse().ok(),
    })
}

/// Binary exponent of a suffix.
fn binary_exponent(suffix: &str) -> Option<u32> {
    let power = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]
        .iter()
        .position(|known| *known == suffix)?;
    u32::try_from(power + 1).ok().map(|power| power * 10)
}

/// The quantity in units of 10⁻⁹, rounded up like the API server does; `None` when it is none or is too large.
pub(super) fn nano(value: &Value) -> Option<i128> {
    match value {
        Value::String(text) => parse(text),
        Value::Number(number) => parse(&number.to_string()),
        _ => None,
    }
}

/// [`nano`] of a text.
pub(super) fn parse(text: &str) -> Option<i128> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let fraction_digits = i32::try_from(fraction.len()).ok()?;
    let (multiplied, exponent) = match binary_exponent(suffix) {
        Some(bits) => (
            digits.checked_mul(1_i128.checked_shl(bits)?)?,
            9 - fraction_digits,
        ),
        None => (
            digits,
            decimal_exponent(suffix)?.checked_add(9 - fraction_digits)?,
        ),
    };
    let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
    let nano = if exponent >= 0 {
        multiplied.checked_mul(power)?
    } else {
        multiplied.checked_add(power - 1)? / power
    };
    Some(if negative { -nano } else { nano })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_amount_are_one_number() {
        for group in [
            &["1", "1000m", "1.0", "1e0", "0.001k", "1000000u"][..],
            &["4Gi", "4096Mi", "4294967296"],
            &["1.5Gi", "1536Mi"],
            &["500m", "0.5", ".5"],
            &["1E", "1e18", "1000P"],
            &["0", "0m", "0Gi"],
            &["-1", "-1000m"],
        ] {
            let numbers: Vec<_> = group.iter().map(|text| parse(text).unwrap()).collect();
            assert!(
                numbers.windows(2).all(|pair| pair[0] == pair[1]),
                "{group:?} {numbers:?}"
            );
        }
        assert_ne!(parse("1G"), parse("1Gi"));
        assert_eq!(nano(&serde_json::json!(8)), parse("8"));
    }

    #[test]
    fn what_is_no_quantity_is_none() {
        for text in [
            "",
            "Gi",
            "1Qi",
            "abc",
            "1 Gi",
            "1ee3",
            "99999999999999999999999999999999999999E",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
