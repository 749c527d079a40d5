//! LocalAI's log lines: messages in, lines as zerolog's console writer has them out.

use crate::log::LogSink;

/// Writes to standard error; debug lines only when asked for.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    pub(crate) log: LogSink,
    pub(crate) debug: bool,
}

impl Journal {
    pub(crate) fn info(&self, message: &str) {
        self.line("INF", message);
    }

    pub(crate) fn warn(&self, message: &str) {
        self.line("WRN", message);
    }

    /// `error="…"` comes after the message.
    pub(crate) fn error(&self, message: &str, error: &str) {
        self.line("ERR", &format!("{message} error={error:?}"));
    }

    pub(crate) fn debug(&self, message: &str) {
        if self.debug {
            self.line("DBG", message);
        }
    }

    fn line(&self, level: &str, message: &str) {
        let now = jiff::Timestamp::now().strftime("%-I:%M%p");
        self.log.err(format!("{now} {level} {message}"));
    }
}
