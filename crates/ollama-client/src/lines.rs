//! Lines of a streamed answer: pieces of any size in, whole lines out, none longer than allowed.
//! It must not know what is in a line.

use bytes::{Buf as _, Bytes, BytesMut};

/// A line is longer than allowed; what follows cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineTooLong;

/// Splits at line feeds; empty lines and a carriage return at the end of a line do not count.
/// It holds at most one line and what was pushed since lines were last taken.
#[derive(Debug)]
pub(crate) struct LineSplitter {
    buffer: BytesMut,
    /// Bytes of the buffer that are known to hold no line feed.
    searched: usize,
    limit: usize,
}

impl LineSplitter {
    /// Lines of at most `limit` bytes, without what ends them.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            limit,
        }
    }

    /// Takes the next piece.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The next whole line; `None` when more has to come first.
    pub(crate) fn next_line(&mut self) -> Result<Option<Bytes>, LineTooLong> {
        loop {
            let new = self.buffer.get(self.searched..).unwrap_or_default();
            let Some(end) = new.iter().position(|byte| *byte == b'\n') else {
                self.searched = self.buffer.len();
                return if self.searched > self.limit {
                    Err(LineTooLong)
                } else {
                    Ok(None)
                };
            };
            let end = self.searched + end;
            if end > self.limit {
                return Err(LineTooLong);
            }
            let line = self.buffer.split_to(end).freeze();
            self.buffer.advance(1);
            self.searched = 0;
            let line = trimmed(&line);
            if !line.is_empty() {
                return Ok(Some(line));
            }
        }
    }

    /// The last line, which nothing ended; to be called when no whole line is left.
    pub(crate) fn rest(&mut self) -> Option<Bytes> {
        self.searched = 0;
        let line = trimmed(&self.buffer.split().freeze());
        (!line.is_empty()).then_some(line)
    }
}

fn trimmed(line: &Bytes) -> Bytes {
    let end = line.strip_suffix(b"\r").map_or(line.len(), <[u8]>::len);
    line.slice(..end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lines and verdict when `bytes` come in pieces of the given sizes, the rest as one.
    fn split(bytes: &[u8], sizes: &[usize], limit: usize) -> (Vec<Bytes>, bool) {
        let (mut splitter, mut lines, mut left) = (LineSplitter::new(limit), Vec::new(), bytes);
        for size in sizes.iter().copied().chain([usize::MAX]) {
            let (piece, after) = left.split_at(size.min(left.len()));
            left = after;
            splitter.push(piece);
            loop {
                match splitter.next_line() {
                    Ok(Some(line)) => lines.push(line),
                    Ok(None) => break,
                    Err(LineTooLong) => return (lines, false),
                }
            }
        }
        lines.extend(splitter.rest());
        (lines, true)
    }

    fn all(bytes: &[u8], limit: usize) -> (Vec<String>, bool) {
        let (lines, whole) = split(bytes, &[], limit);
        let text = |line: &Bytes| String::from_utf8_lossy(line).into_owned();
        (lines.iter().map(text).collect(), whole)
    }

    #[test]
    fn lines_end_at_line_feeds_and_have_a_limit() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(all(b"a\nbc\n", 2), (words(&["a", "bc"]), true));
        assert_eq!(all(b"a\r\n\r\n\n\nb", 2), (words(&["a", "b"]), true));
        assert_eq!(all(b"a\nbcd\ne", 2), (words(&["a"]), false));
        assert_eq!(all(b"a\nbcd", 2), (words(&["a"]), false));
        assert_eq!(all(b"", 2), (vec![], true));
        assert_eq!(all(b"a\rb\n", 3), (words(&["a\rb"]), true));
    }

    proptest! {
        #[test]
        fn any_pieces_give_the_same_lines(
            bytes in prop::collection::vec(prop_oneof![3 => Just(b'a'), 1 => Just(b'\n'), 1 => Just(b'\r'), 1 => any::<u8>()], 0..200),
            sizes in prop::collection::vec(0usize..9, 0..80),
            limit in 0usize..40,
        ) {
            prop_assert_eq!(split(&bytes, &sizes, limit), split(&bytes, &[], limit));
        }

        #[test]
        fn within_the_limit_lines_are_those_of_the_text(
            text in "[ab\r\n]{0,80}",
            sizes in prop::collection::vec(0usize..9, 0..40),
        ) {
            let expected: Vec<Bytes> = text
                .split('\n')
                .map(|line| line.strip_suffix('\r').unwrap_or(line))
                .filter(|line| !line.is_empty())
                .map(|line| Bytes::copy_from_slice(line.as_bytes()))
                .collect();
            prop_assert_eq!(split(text.as_bytes(), &sizes, 80), (expected, true));
        }
    }
}
