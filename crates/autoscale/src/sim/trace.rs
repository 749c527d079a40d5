//! Request traces from files.
//!
//! In: the text of a CSV file (with a header) or of a JSONL file. Out: requests in order of arrival, the first at 0 s.
//! It must not guess: a line that it does not understand is an error that names the line.
//!
//! CSV columns are found by name, whichever of the usual data sets they come from: the Azure traces
//! (`TIMESTAMP,ContextTokens,GeneratedTokens`), Vidur's form of them (`arrived_at,num_prefill_tokens,num_decode_tokens`),
//! `BurstGPT` (`Timestamp,...,Request tokens,Response tokens`), or plain `seconds,prompt_tokens,output_tokens`. JSONL lines
//! are Mooncake's (`timestamp` in milliseconds, `input_length`, `output_length`) or `AIBrix`'s (`timestamp`, `requests`
//! with `prompt_length` and `output_length`).

use std::{fs, io, path::Path};

use serde::Deserialize;

/// One request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request {
    /// Arrival in seconds since the trace's first request.
    pub at: f64,
    /// Prompt tokens; at least 1.
    pub prompt: u32,
    /// Output tokens; at least 1.
    pub output: u32,
}

/// Why a trace cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be read.
    #[error("trace {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// No such form.
    #[error("trace {path}: its name must end in .csv or .jsonl")]
    Form {
        /// The file.
        path: String,
    },
    /// The header of a CSV file lacks a column.
    #[error("the CSV header {header:?} has no column for the {wanted}; name it one of {names:?}")]
    Column {
        /// The header as it stands.
        header: String,
        /// What is missing.
        wanted: &'static str,
        /// Names that are understood.
        names: &'static [&'static str],
    },
    /// A line is not understood.
    #[error("line {line} is not a request: {why}")]
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing to replay.
    #[error("the trace holds no request")]
    Empty,
}

/// Reads a trace; the form comes from the file's ending.
pub fn read(path: &Path) -> Result<Vec<Request>, TraceError> {
    let name = || path.display().to_string();
    let parse = match path.extension().and_then(|e| e.to_str()) {
        Some("csv") => csv,
        Some("jsonl" | "json") => jsonl,
        _ => return Err(TraceError::Form { path: name() }),
    };
    let text = fs::read_to_string(path).map_err(|source| TraceError::Read { path: name(), source })?;
    parse(&text)
}

const TIME: &[&str] = &["timestamp", "arrived_at", "arrival_time", "seconds", "time"];
const PROMPT: &[&str] = &[
    "contexttokens",
    "num_prefill_tokens",
    "request tokens",
    "prompt_tokens",
    "input_length",
    "prompt",
];
const OUTPUT: &[&str] = &[
    "generatedtokens",
    "num_decode_tokens",
    "response tokens",
    "output_tokens",
    "output_length",
    "output",
];

/// Parses CSV text with a header.
pub fn csv(text: &str) -> Result<Vec<Request>, TraceError> {
    let mut lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let header = lines.next().map_or("", |(_, line)| line);
    let names: Vec<String> = header.split(',').map(|name| name.trim().to_lowercase()).collect();
    let column = |wanted, known: &'static [&'static str]| {
        names
            .iter()
            .position(|name| known.contains(&name.as_str()))
            .ok_or_else(|| TraceError::Column {
                header: header.to_owned(),
                wanted,
                names: known,
            })
    };
    let (time, prompt, output) = (
        column("arrival time", TIME)?,
        column("prompt tokens", PROMPT)?,
        column("output tokens", OUTPUT)?,
    );
    let requests = lines.map(|(index, line)| {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let cell = |at: usize| cells.get(at).copied().unwrap_or("");
        let parsed = seconds(cell(time))
            .zip(tokens(cell(prompt)))
            .zip(tokens(cell(output)));
        parsed
            .map(|((at, prompt), output)| Request { at, prompt, output })
            .ok_or_else(|| TraceError::Line {
                line: index + 1,
                why: format!("{line:?} needs a time and two token counts"),
            })
    });
    in_order(requests.collect::<Result<_, _>>()?)
}

#[derive(Deserialize)]
struct JsonLine {
    timestamp: f64,
    #[serde(flatten)]
    lengths: Option<JsonLengths>,
    #[serde(default)]
    requests: Vec<JsonLengths>,
}

#[derive(Deserialize)]
struct JsonLengths {
    #[serde(alias = "prompt_length")]
    input_length: Option<u32>,
    output_length: u32,
}

/// Parses JSONL text; times are milliseconds.
pub fn jsonl(text: &str) -> Result<Vec<Request>, TraceError> {
    let mut requests = Vec::new();
    for (index, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let bad = |why: String| TraceError::Line { line: index + 1, why };
        let parsed: JsonLine = serde_json::from_str(line).map_err(|error| bad(error.to_string()))?;
        for lengths in parsed.lengths.iter().chain(&parsed.requests) {
            let prompt = lengths
                .input_length
                .ok_or_else(|| bad("it has no input_length".to_owned()))?;
            requests.push(Request {
                at: parsed.timestamp / 1000.0,
                prompt: prompt.max(1),
                output: lengths.output_length.max(1),
            });
        }
    }
    in_order(requests)
}

/// Sorts by arrival and makes the first arrival 0.
fn in_order(mut requests: Vec<Request>) -> Result<Vec<Request>, TraceError> {
    requests.sort_by(|a, b| a.at.total_cmp(&b.at));
    let first = requests.first().ok_or(TraceError::Empty)?.at;
    for request in &mut requests {
        request.at -= first;
    }
    Ok(requests)
}

/// Token counts; a trace's zero is one token, because every request is answered with at least one.
fn tokens(cell: &str) -> Option<u32> {
    cell.parse::<u32>().ok().map(|n| n.max(1))
}

/// Seconds from a plain number, or from `2023-11-16 18:15:46.6805900` (also with `T` and `Z`).
fn seconds(cell: &str) -> Option<f64> {
    if let Ok(number) = cell.parse::<f64>() {
        return number.is_finite().then_some(number);
    }
    let (date, time) = cell.trim_end_matches('Z').split_once([' ', 'T'])?;
    let date: Vec<i64> = date
        .split('-')
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let time: Vec<f64> = time
        .split(':')
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let ([year, month, day], [hours, minutes, seconds]) = (date.as_slice(), time.as_slice()) else {
        return None;
    };
    let days = i32::try_from(days_since_epoch(*year, *month, *day)?).ok()?;
    Some(f64::from(days) * 86_400.0 + hours * 3600.0 + minutes * 60.0 + seconds)
}

/// Days since 1970-01-01 of a date of the Gregorian calendar, counted in years that begin in March.
fn days_since_epoch(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(0..=9999).contains(&year) {
        return None;
    }
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(365 * year + leap_days + (153 * month + 2) / 5 + day - 719_469)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(at: f64, prompt: u32, output: u32) -> Request {
        Request { at, prompt, output }
    }

    #[test]
    fn every_known_form_is_read() {
        let wanted = vec![request(0.0, 374, 44), request(1.5, 396, 109)];
        for (name, text) in [
            (
                "azure",
                "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.5000000,374,44\n2023-11-16 18:15:48.0,396,109\n",
            ),
            (
                "order",
                "seconds,prompt_tokens,output_tokens\n11.5,396,109\n10,374,44\n",
            ),
            (
                "vidur",
                "arrived_at,num_prefill_tokens,num_decode_tokens\n0,374,44\n1.5,396,109\n",
            ),
            (
                "burst",
                "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,x,374,44,0,y\n6.5,x,396,109,0,y\n",
            ),
        ] {
            assert_eq!(csv(text).unwrap(), wanted, "{name}");
        }
        for (name, text) in [
            (
                "mooncake",
                "{\"timestamp\": 0, \"input_length\": 374, \"output_length\": 44, \"hash_ids\": [1]}\n{\"timestamp\": 1500, \"input_length\": 396, \"output_length\": 109}\n",
            ),
            (
                "aibrix",
                "{\"timestamp\": 0, \"requests\": [{\"prompt_length\": 374, \"output_length\": 44}]}\n{\"timestamp\": 1500, \"requests\": [{\"prompt_length\": 396, \"output_length\": 109}]}\n",
            ),
        ] {
            assert_eq!(jsonl(text).unwrap(), wanted, "{name}");
        }
    }

    #[test]
    fn what_is_not_a_trace_is_named() {
        for (text, says) in [
            ("a,b,c\n1,2,3\n", "no column for the arrival time"),
            ("seconds,prompt,output\n1,2\n", "line 2"),
            ("seconds,prompt,output\nnan,2,3\n", "line 2"),
            ("seconds,prompt,output\n", "no request"),
            ("", "no column"),
        ] {
            let error = csv(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text:?}: {error}");
        }
        assert!(
            jsonl("{\"timestamp\": 1}\n")
                .unwrap_err()
                .to_string()
                .contains("no request")
        );
        assert!(jsonl("[]\n").unwrap_err().to_string().contains("line 1"));
        assert!(
            read(Path::new("x.txt"))
                .unwrap_err()
                .to_string()
                .contains(".jsonl")
        );
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(days_since_epoch(1970, 1, 1), Some(0));
        assert_eq!(days_since_epoch(2000, 3, 1), Some(11_017));
        assert_eq!(days_since_epoch(2023, 11, 16), Some(19_677));
    }
}
