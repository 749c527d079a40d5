//! Structured logs on standard error and, if asked for, in a file, as text or JSON.
//!
//! In: the level, the format, the file. Out: the process-wide subscriber, set once.

use std::{
    fmt,
    io::{IsTerminal, stderr},
    path::Path,
};

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer,
    field::RecordFields,
    fmt::{
        FormatFields, MakeWriter,
        format::{DefaultFields, JsonFields, Writer},
        layer,
    },
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use crate::{cli::LogFormat, json_line::JsonLine, log_file::LogFile};

/// Installs the subscriber.
///
/// # Errors
/// The level is not a level or filter, the file cannot be written, or a subscriber is installed already.
pub fn init(level: &str, format: LogFormat, file: Option<&Path>) -> Result<(), String> {
    let filter = EnvFilter::try_new(level).map_err(|error| {
        format!("LOG_LEVEL '{level}' is not understood: {error}; use error, warn, info, debug or trace")
    })?;
    let file = file.map(LogFile::open).transpose()?;
    subscriber(filter, format, stderr, stderr().is_terminal(), file)
        .try_init()
        .map_err(|error| format!("the log could not be set up: {error}"))
}

/// Writes every event to `console`, in colours or not, and to `file` without them.
fn subscriber<W>(
    filter: EnvFilter,
    format: LogFormat,
    console: W,
    colours: bool,
    file: Option<LogFile>,
) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let in_file = file.map(|file| match format {
        LogFormat::Text => text(layer().fmt_fields(Plain::default()), file, false),
        LogFormat::Json => json(file),
    });
    let on_console = match format {
        LogFormat::Text => text(layer(), console, colours),
        LogFormat::Json => json(console),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(on_console)
        .with(in_file)
}

/// A layer of any kind, as it stands in the subscriber.
type Boxed<S> = Box<dyn Layer<S> + Send + Sync>;

/// One readable line per event.
fn text<S, F, W>(base: tracing_subscriber::fmt::Layer<S, F>, writer: W, colours: bool) -> Boxed<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    F: for<'a> FormatFields<'a> + Send + Sync + 'static,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    base.with_writer(writer)
        .with_ansi(colours)
        .log_internal_errors(false)
        .boxed()
}

/// One JSON object per event.
fn json<S, W>(writer: W) -> Boxed<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    layer()
        .fmt_fields(JsonFields::new())
        .event_format(JsonLine)
        .with_writer(writer)
        .log_internal_errors(false)
        .boxed()
}

/// The default words for fields, as a type of its own: layers that share the type share the words of a span, and with
/// them the console's colours.
#[derive(Debug, Default)]
struct Plain(DefaultFields);

impl<'writer> FormatFields<'writer> for Plain {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        self.0.format_fields(writer, fields)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::Arc,
    };

    use parking_lot::Mutex;

    use super::*;

    /// A console that keeps what is written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What console and file have after a few events.
    fn both(name: &str, format: LogFormat, colours: bool) -> (String, String) {
        let path = std::env::temp_dir().join(format!("llm-operator-{}-{name}.log", std::process::id()));
        let console = Kept::default();
        let (writer, file) = (console.clone(), LogFile::open(&path).unwrap());
        let subscriber = subscriber(
            EnvFilter::new("info"),
            format,
            move || writer.clone(),
            colours,
            Some(file),
        );
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::info_span!("request", verb = "PATCH").entered();
            tracing::info!(name = "a", "applied");
            tracing::debug!("not asked for");
            tracing::warn!("two\nlines \u{1b}[31mred");
        });
        let written = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        let seen = String::from_utf8(console.0.lock().clone()).unwrap();
        (seen, written)
    }

    /// Lines without their time, which differs by microseconds.
    fn timeless(text: &str) -> Vec<&str> {
        text.lines()
            .map(|line| line.split_once(' ').map_or(line, |(_, rest)| rest))
            .collect()
    }

    #[test]
    fn the_file_has_the_lines_of_the_console() {
        let (seen, written) = both("plain", LogFormat::Text, false);
        assert_eq!(timeless(&seen), timeless(&written));
        assert!(written.contains(" INFO request{verb=\"PATCH\"}: "), "{written}");
        assert!(written.contains("applied name=\"a\""), "{written}");
        assert!(!written.contains("not asked for"), "{written}");
    }

    #[test]
    fn colours_stay_on_the_console() {
        let (seen, written) = both("coloured", LogFormat::Text, true);
        assert!(seen.contains('\u{1b}'), "{seen}");
        assert!(!written.contains('\u{1b}'), "{written:?}");
        assert!(written.contains("request{verb=\"PATCH\"}"), "{written}");
    }

    #[test]
    fn json_is_one_object_per_line_in_both() {
        let (seen, written) = both("json", LogFormat::Json, true);
        for text in [&seen, &written] {
            assert_eq!(text.lines().count(), 2, "{text}");
            for line in text.lines() {
                let event: serde_json::Value = serde_json::from_str(line).unwrap();
                assert!(event["message"].is_string(), "{event}");
                assert_eq!(
                    event["verb"], "PATCH",
                    "the fields of spans stand beside the event's: {event}"
                );
            }
        }
    }
}
