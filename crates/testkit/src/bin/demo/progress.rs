//! Lines that tell a person how far the demo is.
//!
//! In: words. Out: the terminal. It decides nothing.

use std::time::Instant;

/// The demo's clock and voice.
pub struct Progress {
    start: Instant,
}

impl Progress {
    /// The clock starts now.
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// One line with the time since the start.
    pub fn say(&self, words: &str) {
        println!("[{:5.1} s] {words}", self.start.elapsed().as_secs_f64());
    }
}
