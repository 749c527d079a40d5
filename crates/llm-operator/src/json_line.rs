//! One event of the log as one JSON object.
//!
//! In: an event and the spans around it. Out: a line with `timestamp`, `level`, the event's own fields and `target`, and beside them
//! the fields of the spans: of a reconcile `kind`, `namespace`, `name` and `generation`, by which lines are found.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

/// See the module. The fields of spans have to be formatted as JSON.
#[derive(Debug, Default)]
pub struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Line::default();
        let mut timestamp = String::new();
        if SystemTime.format_time(&mut Writer::new(&mut timestamp)).is_ok() {
            line.add("timestamp", json!(timestamp));
        }
        line.add("level", json!(event.metadata().level().as_str()));
        event.record(&mut line);
        // From the innermost span on: what is said closer counts.
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>();
            let fields =
                fields.and_then(|fields| serde_json::from_str::<Map<String, Value>>(&fields.fields).ok());
            for (name, value) in fields.into_iter().flatten() {
                line.add(&name, value);
            }
        }
        line.add("target", json!(event.metadata().target()));
        let text = serde_json::to_string(&line).map_err(|_| fmt::Error)?;
        writeln!(writer, "{text}")
    }
}

/// Fields in the order in which they came; the first of a name counts.
#[derive(Default)]
struct Line(Vec<(String, Value)>);

impl Line {
    fn add(&mut self, name: &str, value: Value) {
        if !self.0.iter().any(|(known, _)| known == name) {
            self.0.push((name.to_owned(), value));
        }
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field.name(), json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field.name(), json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field.name(), json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field.name(), json!(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field.name(), json!(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field.name(), json!(format!("{value:?}")));
    }
}
