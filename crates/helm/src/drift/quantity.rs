//! Whether two quantities are the same number, as in `1` and `1000m`, `1Gi` and `1024Mi`.

use serde_json::Value;

/// Whether both are quantities of the same size.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (read(one), read(other)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

/// Billionths.
fn read(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => parse(&number.to_string()),
        Value::String(text) => parse(text.trim()),
        _ => None,
    }
}

fn parse(text: &str) -> Option<i128> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-')));
    let (number, suffix) = text.split_at(end.unwrap_or(text.len()));
    let (base, exponent) = scale(suffix)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let negative = whole.starts_with('-');
    let whole = whole.trim_start_matches(['+', '-']);
    if (whole.is_empty() && fraction.is_empty()) || fraction.len() > 18 || whole.len() > 19 {
        return None;
    }
    // In 10^-18, so that the fraction is a whole number; then to billionths.
    let digits: i128 = format!("{whole}{fraction:0<18}").parse().ok()?;
    let billionths = if base == 2 {
        digits.checked_mul(1_i128.checked_shl(exponent.unsigned_abs())?)? / 1_000_000_000
    } else {
        let power = exponent - 9;
        let factor = 10_i128.checked_pow(power.unsigned_abs())?;
        if power < 0 {
            digits / factor
        } else {
            digits.checked_mul(factor)?
        }
    };
    Some(if negative { -billionths } else { billionths })
}

/// Base and exponent of a suffix.
fn scale(suffix: &str) -> Option<(u32, i32)> {
    let exponent = suffix.strip_prefix(['e', 'E']).and_then(|rest| rest.parse().ok());
    if let Some(exponent) = exponent {
        return Some((10, exponent));
    }
    Some(match suffix {
        "" => (10, 0),
        "n" => (10, -9),
        "u" => (10, -6),
        "m" => (10, -3),
        "k" => (10, 3),
        "M" => (10, 6),
        "G" => (10, 9),
        "T" => (10, 12),
        "P" => (10, 15),
        "E" => (10, 18),
        "Ki" => (2, 10),
        "Mi" => (2, 20),
        "Gi" => (2, 30),
        "Ti" => (2, 40),
        "Pi" => (2, 50),
        "Ei" => (2, 60),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_compared_by_size() {
        let same_ones = [
            (json!("1"), json!("1000m")),
            (json!(1), json!("1")),
            (json!(0.5), json!("500m")),
            (json!(".5"), json!("0.5")),
            (json!("1Gi"), json!("1024Mi")),
            (json!("1.5Gi"), json!("1536Mi")),
            (json!("4e9"), json!("4G")),
            (json!("4E+9"), json!("4000M")),
            (json!("-1"), json!("-1000m")),
            (json!("8Ei"), json!("8192Pi")),
            (json!("5M"), json!("5000k")),
        ];
        for (one, other) in same_ones {
            assert!(same(&one, &other), "{one} {other}");
        }
        let others = [
            (json!("1"), json!("1001m")),
            (json!("1G"), json!("1Gi")),
            (json!("x"), json!("x")),
            (json!("1"), json!("-1")),
            (json!(""), json!("0")),
            (json!("1 Gi"), json!("1Gi")),
            (json!(null), json!(0)),
        ];
        for (one, other) in others {
            assert!(!same(&one, &other), "{one} {other}");
        }
    }
}
