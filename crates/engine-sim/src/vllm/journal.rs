//! vLLM's log lines: messages in, lines with the real prefixes out.

use crate::log::LogSink;

/// Writes as the API server process or the engine core process.
#[derive(Clone, Debug)]
pub(crate) struct Journal(pub(crate) LogSink);

impl Journal {
    /// `(APIServer pid=1) INFO 11-21 07:12:12 [api_server.py:1] message`
    pub(crate) fn server(&self, file: &str, message: &str) {
        self.0
            .out(format!("(APIServer pid=1) INFO {} [{file}] {message}", now()));
    }

    pub(crate) fn engine(&self, file: &str, message: &str) {
        self.0
            .out(format!("(EngineCore pid=62) INFO {} [{file}] {message}", now()));
    }

    /// uvicorn's own lines.
    pub(crate) fn uvicorn(&self, message: &str) {
        self.0.out(format!("(APIServer pid=1) INFO:     {message}"));
    }

    /// An exception that ends the API server.
    pub(crate) fn server_failed(&self, exception: &str) {
        self.0.err("(APIServer pid=1) Traceback (most recent call last):");
        exception
            .lines()
            .for_each(|line| self.0.err(format!("(APIServer pid=1) {line}")));
    }

    /// An exception in the engine's process, which the API server then reports as its own.
    pub(crate) fn engine_failed(&self, exception: &str) {
        let head = format!("(EngineCore pid=62) ERROR {} [core.py:1140]", now());
        self.0.err(format!("{head} EngineCore failed to start."));
        self.0.err(format!("{head} Traceback (most recent call last):"));
        exception
            .lines()
            .for_each(|line| self.0.err(format!("{head} {line}")));
        self.server_failed(
            "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
        );
    }
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%m-%d %H:%M:%S").to_string()
}
