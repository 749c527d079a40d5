//! What a test wants counted of engines: prompts, loads and downloads in, lines of one file out, over restarts and over
//! processes. It must not be read by engines: nothing that they do depends on it.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where one container's entries go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// The file, shared by all containers.
    pub file: PathBuf,
    /// Whose entries these are.
    pub owner: Owner,
}

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Namespace of the Pod.
    pub namespace: String,
    /// Name of the Pod.
    pub pod: String,
    /// Uid of the Pod.
    pub uid: String,
    /// Name of the container.
    pub container: String,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Event {
    /// A model was asked. Written when the request has been read, before anything is done for it.
    Prompt {
        /// Path of the request, e.g. `/api/generate`.
        path: String,
        /// The model as the request names it.
        model: String,
        /// The prompt; of a chat, its last message.
        prompt: String,
    },
    /// A model was put into memory.
    Load {
        /// Its name.
        model: String,
    },
    /// A download of weights began.
    Download {
        /// The model's name.
        model: String,
        /// Bytes that an earlier download had left.
        present: u64,
    },
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in RFC 3339.
    pub at: String,
    /// Where.
    #[serde(flatten)]
    pub owner: Owner,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

impl Journal {
    /// Adds an entry; it can be read when this returns.
    pub fn write(&self, event: Event) {
        let entry = Entry {
            at: jiff::Timestamp::now().to_string(),
            owner: self.owner.clone(),
            event,
        };
        // Plain data always has a JSON form. One write per line: lines of several processes do not mix.
        let line = serde_json::to_string(&entry).unwrap_or_default() + "\n";
        let file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.file);
        // The directory goes when the nodes go; an engine that is left over must not fail because of that.
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

/// All entries of a file, the oldest first; none when nothing has been written.
pub fn read(file: &Path) -> io::Result<Vec<Entry>> {
    let text = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let entry = |line| serde_json::from_str(line).map_err(io::Error::other);
    text.lines().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_in_order() {
        let file = std::env::temp_dir().join(format!("engine-sim-journal-{}", std::process::id()));
        let _ = std::fs::remove_file(&file);
        assert_eq!(read(&file).unwrap(), []);
        let journal = |pod: &str| Journal {
            file: file.clone(),
            owner: Owner {
                namespace: "ns".into(),
                pod: pod.into(),
                ..Owner::default()
            },
        };
        let prompt = Event::Prompt {
            path: "/api/generate".into(),
            model: "m".into(),
            prompt: "two\nlines \"quoted\"".into(),
        };
        journal("a").write(prompt.clone());
        journal("b").write(Event::Load { model: "m".into() });
        let entries = read(&file).unwrap();
        assert_eq!((entries[0].owner.pod.as_str(), &entries[0].event), ("a", &prompt));
        assert_eq!((entries[1].owner.pod.as_str(), entries.len()), ("b", 2));
        std::fs::remove_file(&file).unwrap();
    }
}
