//! The Prometheus text format and `OpenMetrics`, sample by sample.
//!
//! In: the bytes of a whole answer. Out: an iterator of [`Sample`]s that borrow from them, and a [`Malformed`] for each line
//! that is none. It must not allocate, must not panic for any bytes, and must not judge what a metric means.
//!
//! Comments (`# HELP`, `# TYPE`, `# EOF`) are skipped, exemplars too. Metric names in quotes (UTF-8 names, which no engine has)
//! are malformed here.

mod labels;
mod line;
mod number;
#[cfg(test)]
mod tests;

pub use labels::{Label, LabelValue, Labels};
pub(crate) use number::number;

/// The longest line that is read, in bytes. Engines' lines have hundreds.
pub const MAX_LINE: usize = 16 * 1024;

/// One line with a value.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// The metric's name, suffix included (`_bucket`, `_sum`, `_total`).
    pub name: &'a [u8],
    /// Its labels, in the order of the line.
    pub labels: Labels<'a>,
    /// Its value; may be infinite or NaN.
    pub value: f64,
    /// When it was taken, if the line says so: milliseconds in the Prometheus format, seconds in `OpenMetrics`.
    pub timestamp: Option<f64>,
}

/// Why a line is no sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Longer than [`MAX_LINE`].
    #[error("the line is longer than {MAX_LINE} bytes")]
    Long,
    /// It does not begin with a metric's name.
    #[error("the line does not begin with a metric's name")]
    Name,
    /// What stands in braces are no labels, or the brace is not closed.
    #[error("the labels are not a list of name=\"value\" in braces")]
    Labels,
    /// There is no number where the value belongs.
    #[error("the value is not a number")]
    Value,
    /// Something that is neither a timestamp nor an exemplar follows the value.
    #[error("something that is neither a timestamp nor an exemplar follows the value")]
    Trailing,
}

/// All samples of an exposition. The text must be whole: a last line that was cut off may read as a smaller number.
pub fn samples(text: &[u8]) -> Samples<'_> {
    Samples { rest: text }
}

/// Iterator of [`samples`].
#[derive(Clone, Debug)]
pub struct Samples<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Samples<'a> {
    type Item = Result<Sample<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let end = self.rest.iter().position(|byte| *byte == b'\n');
            let (line, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
            self.rest = rest.get(1..).unwrap_or_default();
            if let Some(sample) = line::parse(line).transpose() {
                return Some(sample);
            }
        }
        None
    }
}
