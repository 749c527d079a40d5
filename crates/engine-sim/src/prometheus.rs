//! Prometheus' text format: names and numbers in, text out.
//! It must not know which metrics exist.

use std::fmt::Write as _;

use crate::stats::Histogram;

/// Text being written; `labels` go on every sample.
pub(crate) struct Exposition {
    labels: String,
    text: String,
}

impl Exposition {
    /// `labels` without braces, e.g. `model_name="m"`; may be empty.
    pub(crate) fn new(labels: impl Into<String>) -> Self {
        Self {
            labels: labels.into(),
            text: String::new(),
        }
    }

    pub(crate) fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.head(name, help, "gauge");
        self.sample(name, "", value);
    }

    pub(crate) fn counter(&mut self, name: &str, help: &str, value: u64) {
        #[allow(clippy::cast_precision_loss)]
        self.family(name, help, "counter", &[(String::new(), value as f64)]);
    }

    /// One family with a sample per set of extra labels.
    pub(crate) fn family(&mut self, name: &str, help: &str, kind: &str, samples: &[(String, f64)]) {
        self.head(name, help, kind);
        for (labels, value) in samples {
            self.sample(name, labels, *value);
        }
    }

    pub(crate) fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.histograms(name, help, [(String::new(), histogram)]);
    }

    /// One family with a histogram per set of extra labels.
    pub(crate) fn histograms<'a>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (String, &'a Histogram)>,
    ) {
        self.head(name, help, "histogram");
        for (labels, histogram) in series {
            let comma = if labels.is_empty() { "" } else { "," };
            for (bound, count) in histogram.cumulative() {
                #[allow(clippy::cast_precision_loss)]
                self.sample(
                    &format!("{name}_bucket"),
                    &format!("{labels}{comma}le=\"{bound:?}\""),
                    count as f64,
                );
            }
            #[allow(clippy::cast_precision_loss)]
            let count = histogram.count as f64;
            self.sample(
                &format!("{name}_bucket"),
                &format!("{labels}{comma}le=\"+Inf\""),
                count,
            );
            self.sample(&format!("{name}_count"), &labels, count);
            self.sample(&format!("{name}_sum"), &labels, histogram.sum);
        }
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, extra: &str, value: f64) {
        let comma = if self.labels.is_empty() || extra.is_empty() {
            ""
        } else {
            ","
        };
        let labels = format!("{}{comma}{extra}", self.labels);
        let labels = if labels.is_empty() {
            labels
        } else {
            format!("{{{labels}}}")
        };
        let _ = writeln!(self.text, "{name}{labels} {value:?}");
    }
}

/// A label's value, escaped.
pub(crate) fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
