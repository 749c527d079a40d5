//! Hashes of charts.
//!
//! In: a file or directory. Out: SHA-256 over its content, in hexadecimal: of a directory over names and contents, in order
//! of the names.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

/// Of a file or directory.
pub(super) fn of_path(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    if !path.is_dir() {
        hash.update(fs::read(path)?);
        return Ok(text(hash));
    }
    for file in files(path)? {
        let content = fs::read(path.join(&file))?;
        let name = file.display().to_string();
        for part in [name.as_bytes(), &content] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
    }
    Ok(text(hash))
}

/// Of texts.
pub(super) fn of_texts(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in texts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    text(hash)
}

/// Paths of all files below, relative to it, in order.
pub(super) fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(relative) = open.pop() {
        for entry in fs::read_dir(directory.join(&relative))? {
            let path = relative.join(entry?.file_name());
            if directory.join(&path).is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn text(hash: Sha256) -> String {
    use std::fmt::Write;
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
