//! The labels of a sample.
//!
//! In: the text from the opening brace on. Out: the labels, still as they are written, and what follows the closing brace.
//! Values are unescaped only when someone looks at them.

use super::line::name;

/// The labels of one sample, known to be well-formed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Labels<'a> {
    inside: &'a [u8],
}

/// One label.
#[derive(Clone, Copy, Debug)]
pub struct Label<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its value.
    pub value: LabelValue<'a>,
}

/// A label's value, escapes not resolved yet.
#[derive(Clone, Copy, Debug)]
pub struct LabelValue<'a> {
    raw: &'a [u8],
}

impl<'a> Labels<'a> {
    /// The labels at the start of `text` (none, if it does not begin with a brace) and what follows them.
    pub(super) fn parse(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let Some(inside) = text.strip_prefix(b"{") else {
            return Some((Self::default(), text));
        };
        let mut rest = inside.trim_ascii_start();
        loop {
            if let Some(after) = rest.strip_prefix(b"}") {
                let inside = inside.get(..inside.len() - rest.len())?;
                return Some((Self { inside }, after));
            }
            let (_, after) = label(rest)?;
            let after = after.trim_ascii_start();
            rest = match after.strip_prefix(b",") {
                Some(next) => next.trim_ascii_start(),
                None if after.starts_with(b"}") => after,
                None => return None,
            };
        }
    }

    /// The labels one by one.
    pub fn iter(self) -> impl Iterator<Item = Label<'a>> {
        let mut rest = self.inside.trim_ascii_start();
        std::iter::from_fn(move || {
            let (label, after) = label(rest)?;
            let after = after.trim_ascii_start();
            rest = after.strip_prefix(b",").unwrap_or(after).trim_ascii_start();
            Some(label)
        })
    }

    /// The value of the label with this name.
    pub fn get(self, name: &str) -> Option<LabelValue<'a>> {
        self.iter()
            .find(|label| label.name == name.as_bytes())
            .map(|label| label.value)
    }
}

impl<'a> LabelValue<'a> {
    /// The value as it is written, with its escapes.
    pub fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// The value's bytes, escapes (`\\`, `\"`, `\n`) resolved. Other escapes stay as they are.
    pub fn bytes(self) -> impl Iterator<Item = u8> {
        let mut rest = self.raw.iter().copied().peekable();
        std::iter::from_fn(move || {
            let byte = rest.next()?;
            if byte != b'\\' {
                return Some(byte);
            }
            let meant = match rest.peek() {
                Some(b'n') => b'\n',
                Some(escaped @ (b'\\' | b'"')) => *escaped,
                _ => return Some(byte),
            };
            rest.next();
            Some(meant)
        })
    }

    /// Whether it is this text.
    pub fn is(self, text: &str) -> bool {
        self.bytes().eq(text.bytes())
    }
}

/// One `name="value"` and what follows it.
fn label(text: &[u8]) -> Option<(Label<'_>, &[u8])> {
    let (name, rest) = name(text)?;
    let rest = rest.trim_ascii_start().strip_prefix(b"=")?;
    let value = rest.trim_ascii_start().strip_prefix(b"\"")?;
    let mut escaped = false;
    let end = value.iter().position(|byte| {
        let closes = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        closes
    })?;
    let (raw, rest) = value.split_at(end);
    let label = Label {
        name,
        value: LabelValue { raw },
    };
    Some((label, rest.get(1..)?))
}
