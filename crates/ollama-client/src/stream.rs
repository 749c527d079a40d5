//! A streamed answer: an exchange in, one typed JSON line after the other out.
//! It must not interpret a line, or wait without its caller's limit.

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::error::{Cause, Part};
use crate::exchange::Exchange;
use crate::lines::{LineSplitter, LineTooLong};
use crate::text::{cut, shown};

/// The lines of an answer.
pub(crate) struct JsonLines {
    exchange: Exchange,
    lines: LineSplitter,
    limit: usize,
    ended: bool,
}

impl JsonLines {
    /// Lines of at most `limit` bytes each.
    pub(crate) fn new(exchange: Exchange, limit: usize) -> Self {
        Self {
            exchange,
            lines: LineSplitter::new(limit),
            limit,
            ended: false,
        }
    }

    /// The next line; `None` when the server has said all.
    pub(crate) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Cause> {
        self.line().await?.map(|line| json(&line)).transpose()
    }

    async fn line(&mut self) -> Result<Option<Bytes>, Cause> {
        loop {
            let too_large = |LineTooLong| Cause::TooLarge {
                part: Part::Line,
                limit: self.limit,
            };
            if let Some(line) = self.lines.next_line().map_err(too_large)? {
                return Ok(Some(line));
            }
            if self.ended {
                return Ok(self.lines.rest());
            }
            match self.exchange.piece().await? {
                Some(piece) => self.lines.push(&piece),
                None => self.ended = true,
            }
        }
    }
}

/// A JSON object of the expected shape.
pub(crate) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Cause> {
    let text = || String::from_utf8_lossy(bytes.get(..200).unwrap_or(bytes)).into_owned();
    let malformed = |what: &str| Cause::Malformed {
        reason: format!("{what} in {:?}", cut(&shown(&text()), 80)),
    };
    // serde would also take a list of the fields' values.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(malformed("no JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| malformed(&error.to_string()))
}
