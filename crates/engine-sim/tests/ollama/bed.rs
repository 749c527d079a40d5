//! A server of these tests, its journal, and answers read line by line.

use std::net::SocketAddr;
use std::path::PathBuf;

use engine_sim::journal::{Entry, Event, Journal, Owner, read};
use engine_sim::{ProcessSpec, Program};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::common::{Folder, Running, mount, spec, start};

pub const PORT: u16 = 11434;

pub fn ollama(line: &str, root: &Folder, volume: &Folder) -> ProcessSpec {
    let mut spec = spec(Program::Ollama, line, root);
    spec.files.mounts.push(mount("/models", &volume.0));
    spec.env.insert("OLLAMA_MODELS".into(), "/models".into());
    spec
}

pub fn parsed(answer: &(u16, String)) -> Value {
    serde_json::from_str(&answer.1).unwrap()
}

/// A server on folders of its own, with a journal.
pub struct Bed {
    pub root: Folder,
    pub volume: Folder,
}

impl Bed {
    pub fn new() -> Self {
        Self {
            root: Folder::new(),
            volume: Folder::new(),
        }
    }

    pub fn spec(&self, env: &[(&str, &str)]) -> ProcessSpec {
        let mut spec = ollama("", &self.root, &self.volume);
        for (name, value) in env {
            spec.env.insert((*name).into(), (*value).into());
        }
        spec.journal = Some(Journal {
            file: self.journal_file(),
            owner: Owner::default(),
        });
        spec
    }

    pub async fn up(&self, env: &[(&str, &str)]) -> Running {
        start(self.spec(env)).up(PORT).await
    }

    fn journal_file(&self) -> PathBuf {
        self.root.0.join("journal")
    }

    pub fn events(&self) -> Vec<Event> {
        let entries = read(&self.journal_file()).unwrap();
        entries.into_iter().map(|entry: Entry| entry.event).collect()
    }

    /// Bytes that were there when each download of weights began.
    pub fn downloads(&self) -> Vec<u64> {
        let present = |event| match event {
            Event::Download { present, .. } => Some(present),
            _ => None,
        };
        self.events().into_iter().filter_map(present).collect()
    }

    /// Names of the files in `blobs`, sorted.
    pub fn blobs(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.volume.0.join("blobs")).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// A streamed answer; dropping it is the client's going away.
pub struct Lines(BufReader<TcpStream>);

impl Lines {
    pub async fn post(server: &Running, path: &str, body: &str) -> Self {
        let to = SocketAddr::new(server.address, PORT);
        let mut socket = TcpStream::connect(to).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        socket
            .write_all(format!("{head}{body}").as_bytes())
            .await
            .unwrap();
        Self(BufReader::new(socket))
    }

    /// The next JSON line; `None` when the stream has ended, properly (`true`) or not.
    pub async fn next(&mut self) -> Result<Value, bool> {
        let mut ended = false;
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).await.unwrap_or(0) == 0 {
                return Err(ended);
            }
            if line.starts_with('{') {
                return Ok(serde_json::from_str(&line).unwrap());
            }
            if line.trim_end() == "0" {
                ended = true;
                return Err(ended);
            }
        }
    }

    /// The first line that fits.
    pub async fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.next().await.unwrap();
            if fits(&line) {
                return line;
            }
        }
    }
}
