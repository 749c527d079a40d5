//! Durations as Go's programs read and write them: words in, durations or Go's error out, and back. Pure.

use std::fmt::Write as _;
use std::time::Duration;

/// How long something stays; `None` is for ever.
pub(crate) type Lifetime = Option<Duration>;

/// The longest duration that Go has, and what "for ever" is written as.
const LONGEST: &str = "2562047h47m16.854775807s";

/// Units, longest names first where one begins with another.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1e-9),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("μs", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3600.0),
];

/// Reads `1h30m`, `-1s`, `0`: the sign (`true` is minus) and the length; the error is Go's.
pub(crate) fn parse(word: &str) -> Result<(bool, Duration), String> {
    let invalid = || format!("time: invalid duration {word:?}");
    let (negative, mut rest) = match word.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    if rest == "0" {
        return Ok((false, Duration::ZERO));
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let number: f64 = rest[..end].parse().map_err(|_| invalid())?;
        rest = &rest[end..];
        let length = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let unit = &rest[..length];
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {word:?}"));
        }
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("time: unknown unit {unit:?} in duration {word:?}"));
        };
        seconds += number * scale;
        rest = &rest[length..];
    }
    Duration::try_from_secs_f64(seconds)
        .map(|length| (negative, length))
        .map_err(|_| invalid())
}

/// A variable's duration: Go's words, or whole seconds; nonsense is `None`.
pub(crate) fn from_env(word: &str) -> Option<(bool, Duration)> {
    parse(word).ok().or_else(|| {
        let seconds: i64 = word.parse().ok()?;
        Some((seconds < 0, Duration::from_secs(seconds.unsigned_abs())))
    })
}

/// As Go prints it.
pub(crate) fn written(lifetime: Lifetime) -> String {
    let Some(length) = lifetime else {
        return LONGEST.to_owned();
    };
    if length.is_zero() {
        return "0s".to_owned();
    }
    if length < Duration::from_secs(1) {
        return format!("{}ms", length.as_secs_f64() * 1e3);
    }
    let whole = length.as_secs();
    let mut text = String::new();
    // Writing to a String cannot fail.
    if whole >= 3600 {
        let _ = write!(text, "{}h", whole / 3600);
    }
    if whole >= 60 {
        let _ = write!(text, "{}m", whole / 60 % 60);
    }
    let fraction = f64::from(length.subsec_nanos()) / 1e9;
    #[allow(clippy::cast_precision_loss)]
    let _ = write!(text, "{}s", (whole % 60) as f64 + fraction);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_as_go_does() {
        let cases = [
            ("5m", Ok((false, 300.0))),
            ("1h30m", Ok((false, 5400.0))),
            ("1.5h", Ok((false, 5400.0))),
            ("-1s", Ok((true, 1.0))),
            ("250ms", Ok((false, 0.25))),
            ("0", Ok((false, 0.0))),
            ("5", Err("time: missing unit in duration \"5\"")),
            ("xx", Err("time: invalid duration \"xx\"")),
            ("5 m", Err("time: unknown unit \" m\" in duration \"5 m\"")),
            ("", Err("time: invalid duration \"\"")),
        ];
        for (word, expected) in cases {
            let got = parse(word).map(|(minus, length)| (minus, length.as_secs_f64()));
            assert_eq!(got, expected.map_err(str::to_owned), "{word:?}");
        }
        assert_eq!(from_env("300"), Some((false, Duration::from_mins(5))));
        assert_eq!(from_env("-1"), Some((true, Duration::from_secs(1))));
        assert_eq!(from_env("soon"), None);
        assert_eq!(written(Some(Duration::from_mins(5))), "5m0s");
        assert_eq!(written(Some(Duration::from_secs(90_061))), "25h1m1s");
        assert_eq!(written(Some(Duration::from_millis(1500))), "1.5s");
        assert_eq!(written(None), LONGEST);
    }
}
