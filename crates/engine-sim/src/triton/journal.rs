//! Triton's log lines: messages in, lines with glog's prefix out.

use crate::log::LogSink;

/// Writes to standard error, as far as the three switches allow.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    pub(crate) log: LogSink,
    pub(crate) info: bool,
    pub(crate) warning: bool,
    pub(crate) error: bool,
}

impl Journal {
    /// `I1121 07:12:12.000000 1 model_lifecycle.cc:461] message`
    pub(crate) fn info(&self, place: &str, message: &str) {
        if self.info {
            self.line('I', place, message);
        }
    }

    pub(crate) fn warning(&self, place: &str, message: &str) {
        if self.warning {
            self.line('W', place, message);
        }
    }

    pub(crate) fn error(&self, place: &str, message: &str) {
        if self.error {
            self.line('E', place, message);
        }
    }

    fn line(&self, level: char, place: &str, message: &str) {
        let now = jiff::Timestamp::now().strftime("%m%d %H:%M:%S%.6f");
        self.log.err(format!("{level}{now} 1 {place}] {message}"));
    }
}
