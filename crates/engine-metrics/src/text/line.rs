//! One line of an exposition.
//!
//! In: a line without its newline. Out: its sample, nothing for a comment or a blank line, or what is wrong with it.

use super::{Labels, MAX_LINE, Malformed, Sample, number};

pub(super) fn parse(line: &[u8]) -> Result<Option<Sample<'_>>, Malformed> {
    let line = line.trim_ascii();
    if line.is_empty() || line.starts_with(b"#") {
        return Ok(None);
    }
    if line.len() > MAX_LINE {
        return Err(Malformed::Long);
    }
    let (name, rest) = name(line).ok_or(Malformed::Name)?;
    if !rest.starts_with(b"{") && !rest.first().is_none_or(u8::is_ascii_whitespace) {
        return Err(Malformed::Name);
    }
    let (labels, rest) = Labels::parse(rest.trim_ascii_start()).ok_or(Malformed::Labels)?;
    let (value, rest) = token(rest);
    let value = number(value).ok_or(Malformed::Value)?;
    let (stamp, exemplar) = match rest.iter().position(|byte| *byte == b'#') {
        Some(at) => rest.split_at(at),
        None => (rest, &[][..]),
    };
    let stamp = stamp.trim_ascii();
    let timestamp = match (stamp, exemplar) {
        ([], []) => None,
        ([], exemplar) if is_exemplar(exemplar) => None,
        (stamp, exemplar) if exemplar.is_empty() || is_exemplar(exemplar) => {
            Some(number(stamp).ok_or(Malformed::Trailing)?)
        }
        _ => return Err(Malformed::Trailing),
    };
    Ok(Some(Sample {
        name,
        labels,
        value,
        timestamp,
    }))
}

/// A metric's or label's name at the start of `text`, and what follows it.
pub(super) fn name(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    let end = text.iter().position(|byte| !is_part(byte)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    name.first()
        .is_some_and(|first| !first.is_ascii_digit())
        .then_some((name, rest))
}

/// What stands before the next blank, and the blank with all that follows.
fn token(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.trim_ascii_start();
    let end = text.iter().position(u8::is_ascii_whitespace);
    text.split_at(end.unwrap_or(text.len()))
}

/// `# {labels} value`, with or without a timestamp.
fn is_exemplar(text: &[u8]) -> bool {
    let labels = text.get(1..).unwrap_or_default().trim_ascii_start();
    labels.starts_with(b"{")
        && Labels::parse(labels).is_some_and(|(_, rest)| {
            let (value, stamp) = token(rest);
            let stamp = stamp.trim_ascii();
            number(value).is_some() && (stamp.is_empty() || number(stamp).is_some())
        })
}
