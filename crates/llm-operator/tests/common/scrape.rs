//! The operator's `/metrics` page, taken apart.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::collections::{BTreeMap, BTreeSet};

use super::{Operator, page};

/// One scrape.
#[derive(Debug, Default)]
pub struct Scrape {
    /// Type by family, as in the `# TYPE` lines.
    pub types: BTreeMap<String, String>,
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// Asks the operator for its metrics.
pub async fn scrape(operator: &Operator) -> Scrape {
    let (code, text) = page(&format!("{}/metrics", operator.url)).await;
    assert_eq!(code, 200, "{text}");
    Scrape::parse(&text)
}

impl Scrape {
    /// Reads `OpenMetrics` text; panics at a line that is none.
    pub fn parse(text: &str) -> Self {
        let mut found = Self::default();
        assert!(
            text.ends_with("# EOF\n"),
            "OpenMetrics text ends with # EOF:\n{text}"
        );
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (family, kind) = rest.split_once(' ').unwrap();
                found.types.insert(family.to_owned(), kind.to_owned());
            } else if !line.starts_with('#') {
                found.samples.push(sample(line));
            }
        }
        found
    }

    /// Sum of all samples of this name that carry these labels, whatever else they carry.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.matching(name, labels).map(|sample| sample.value).sum()
    }

    /// Whether there is such a sample.
    pub fn has(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.matching(name, labels).next().is_some()
    }

    /// The values that one label takes.
    pub fn values(&self, name: &str, label: &str) -> BTreeSet<&str> {
        self.samples
            .iter()
            .filter(|sample| sample.name == name)
            .filter_map(|sample| sample.labels.get(label).map(String::as_str))
            .collect()
    }

    /// Names of the labels of a family's samples; `le` belongs to every histogram and is left out.
    pub fn label_names(&self, family: &str) -> BTreeSet<&str> {
        let ours = |name: &str| {
            name.strip_prefix(family)
                .is_some_and(|rest| ["", "_total", "_count", "_sum", "_bucket"].contains(&rest))
        };
        let samples = self.samples.iter().filter(|sample| ours(&sample.name));
        samples
            .flat_map(|sample| sample.labels.keys())
            .map(String::as_str)
            .filter(|label| *label != "le")
            .collect()
    }

    fn matching<'a>(&'a self, name: &'a str, labels: &'a [(&str, &str)]) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| {
            let carries =
                |(key, value): &(&str, &str)| sample.labels.get(*key).is_some_and(|found| found == value);
            sample.name == name && labels.iter().all(carries)
        })
    }
}

/// `name{label="value",...} number`; our label values hold no quotes, commas or braces.
fn sample(line: &str) -> Sample {
    let (left, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
    let (name, labels) = match left.split_once('{') {
        Some((name, labels)) => (name, labels.trim_end_matches('}')),
        None => (left, ""),
    };
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or_else(|| panic!("{line}"));
        (key.to_owned(), value.trim_matches('"').to_owned())
    };
    Sample {
        name: name.to_owned(),
        labels: labels
            .split(',')
            .filter(|text| !text.is_empty())
            .map(pair)
            .collect(),
        value: value.parse().unwrap_or_else(|_| panic!("{line}")),
    }
}
