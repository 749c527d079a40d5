//! Something that is shipped.

use std::path::{Path, PathBuf};

/// A crate or a Go module.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Component {
    /// Which of the image's programs it is part of.
    pub program: &'static str,
    /// `cargo` or `golang`, as package URLs have it.
    pub ecosystem: &'static str,
    /// Its name.
    pub name: String,
    /// Its version, as its ecosystem writes it.
    pub version: String,
    /// An SPDX expression.
    pub licence: Option<String>,
    /// SHA-256 of what was downloaded, in hexadecimal digits.
    pub sha256: Option<String>,
    /// Where its sources are on this machine.
    pub directory: PathBuf,
}

impl Component {
    /// Name and version.
    pub fn label(&self) -> String {
        format!("{} {}", self.name, self.version)
    }

    /// The package URL.
    pub fn purl(&self) -> String {
        format!("pkg:{}/{}@{}", self.ecosystem, self.name, self.version)
    }

    /// The texts of its licences: every file at its root that is called like one, by name.
    pub fn texts(&self) -> Vec<(String, String)> {
        texts(&self.directory)
    }
}

/// Files of a directory that are called like a licence.
pub fn texts(directory: &Path) -> Vec<(String, String)> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut found: Vec<(String, String)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let upper = name.to_uppercase();
            let called = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"];
            let is_code = [".RS", ".GO"].iter().any(|end| upper.ends_with(end));
            let is = called.iter().any(|start| upper.starts_with(start)) && !is_code;
            is.then(|| std::fs::read(entry.path()).ok())
                .flatten()
                .map(|bytes| (name, String::from_utf8_lossy(&bytes).into_owned()))
        })
        .collect();
    found.sort();
    found
}
