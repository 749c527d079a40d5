//! The end of a log file.
//!
//! In: a path. Out: its last lines as text, for error messages. Must not read a whole large file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// How far back from the end lines are looked for, in bytes.
const WINDOW: u64 = 32 * 1024;

/// The last `count` lines of the file; a placeholder when it cannot be read or is empty.
pub fn last_lines(path: &Path, count: usize) -> String {
    let text = match read_end(path) {
        Ok(text) => text,
        Err(error) => return format!("(no log at {}: {error})", path.display()),
    };
    let lines: Vec<&str> = text.lines().collect();
    if lines.is_empty() {
        return "(the log is empty)".to_owned();
    }
    lines[lines.len().saturating_sub(count)..].join("\n")
}

fn read_end(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(WINDOW)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::last_lines;
    use crate::process::TemporaryDirectory;

    #[test]
    fn shows_the_end_and_nothing_else() {
        let directory = TemporaryDirectory::new("tail").unwrap();
        let path = directory.path().join("log");
        std::fs::write(&path, "one\ntwo\nthree\n").unwrap();
        assert_eq!(last_lines(&path, 2), "two\nthree");
        assert_eq!(last_lines(&path, 9), "one\ntwo\nthree");
        assert!(last_lines(&directory.path().join("none"), 1).starts_with("(no log at"));
    }
}
