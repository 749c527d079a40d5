//! A file that log lines are appended to.
//!
//! In: a path, and whole lines. Out: the lines at its end. A file that was moved away or deleted (logrotate) is made anew
//! with the next line. It must not fail the program once it runs: the same lines go to standard error.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use parking_lot::{Mutex, MutexGuard};
use tracing_subscriber::fmt::MakeWriter;

/// Made with this mode: a log may name what only its owner should know.
const MODE: u32 = 0o600;

/// An open log file.
#[derive(Debug)]
pub struct LogFile(Mutex<Appended>);

impl LogFile {
    /// Opens the file for appending; a missing one is made.
    ///
    /// # Errors
    /// It cannot be opened, or is no regular file.
    pub fn open(path: &Path) -> Result<Self, String> {
        let opened = append_to(path).map_err(|error| {
            format!(
                "the log cannot be written to {}: {error}; --log-file (LOG_FILE) names a file in a directory that may be written",
                path.display()
            )
        })?;
        Ok(Self(Mutex::new(opened)))
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self.0.lock())
    }
}

/// Writes one line; others wait, so that lines stay whole.
pub struct Line<'a>(MutexGuard<'a, Appended>);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.follow();
        self.0.file.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.file.flush()
    }
}

/// The file that is written, and where it was.
#[derive(Debug)]
struct Appended {
    path: PathBuf,
    file: File,
    identity: Identity,
}

impl Appended {
    /// Opens the path again when another file is there now, or none. While that fails, the old file is written.
    fn follow(&mut self) {
        let current = fs::metadata(&self.path).map(|metadata| Identity::of(&metadata));
        if current.is_ok_and(|current| current == self.identity) {
            return;
        }
        if let Ok(opened) = append_to(&self.path) {
            *self = opened;
        }
    }
}

/// What tells one file from another of the same name.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

fn append_to(path: &Path) -> io::Result<Appended> {
    // To open a pipe would wait for its reader.
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(io::Error::other("it is no regular file"));
    }
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(MODE)
        .open(path)?;
    let identity = Identity::of(&file.metadata()?);
    Ok(Appended {
        path: path.to_owned(),
        file,
        identity,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory that goes with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("llm-operator-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn file(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn write(log: &LogFile, line: &str) {
        log.make_writer().write_all(line.as_bytes()).unwrap();
    }

    fn text(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn lines_are_appended_and_a_new_file_is_its_owners() {
        let folder = Folder::new("append");
        let path = folder.file("operator.log");
        write(&LogFile::open(&path).unwrap(), "first\n");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        write(&LogFile::open(&path).unwrap(), "second\n");
        assert_eq!(text(&path), "first\nsecond\n");
    }

    #[test]
    fn a_file_that_is_there_keeps_its_mode() {
        let folder = Folder::new("mode");
        let path = folder.file("operator.log");
        fs::write(&path, "").unwrap();
        let mode = fs::metadata(&path).unwrap().mode();
        write(&LogFile::open(&path).unwrap(), "line\n");
        assert_eq!(fs::metadata(&path).unwrap().mode(), mode);
    }

    #[test]
    fn a_file_that_is_moved_away_is_made_anew() {
        let folder = Folder::new("rotate");
        let (path, moved) = (folder.file("operator.log"), folder.file("operator.log.1"));
        let log = LogFile::open(&path).unwrap();
        write(&log, "before\n");
        fs::rename(&path, &moved).unwrap();
        write(&log, "after\n");
        assert_eq!((text(&moved), text(&path)), ("before\n".into(), "after\n".into()));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);

        // As logrotate's `create` does it.
        fs::rename(&path, &moved).unwrap();
        fs::write(&path, "made by another\n").unwrap();
        write(&log, "third\n");
        assert_eq!(text(&path), "made by another\nthird\n");

        // As its `copytruncate` does it.
        fs::write(&path, "").unwrap();
        write(&log, "fourth\n");
        assert_eq!(text(&path), "fourth\n");
    }

    #[test]
    fn while_its_directory_is_gone_the_program_goes_on() {
        let folder = Folder::new("gone");
        let path = folder.file("logs/operator.log");
        fs::create_dir(folder.file("logs")).unwrap();
        let log = LogFile::open(&path).unwrap();
        fs::remove_dir_all(folder.file("logs")).unwrap();
        write(&log, "lost\n");
        fs::create_dir(folder.file("logs")).unwrap();
        write(&log, "kept\n");
        assert_eq!(text(&path), "kept\n");
    }

    #[test]
    fn what_cannot_be_a_log_is_refused_by_name() {
        let folder = Folder::new("refused");
        fs::write(folder.file("file"), "").unwrap();
        for path in [
            folder.0.clone(),
            folder.file("missing/operator.log"),
            folder.file("file/operator.log"),
            PathBuf::from("/dev/null"),
        ] {
            let message = LogFile::open(&path).unwrap_err();
            for word in [path.to_str().unwrap(), "--log-file", "LOG_FILE"] {
                assert!(message.contains(word), "{word}: {message}");
            }
        }
    }
}
