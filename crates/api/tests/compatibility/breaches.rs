//! What breaks whoever upgrades: where, and in words.

use std::fmt;

/// One thing that an earlier release accepted, or did, and this one does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The definition's name.
    pub definition: String,
    /// Version and field, such as `v1 .spec.port`, or empty for the definition itself.
    pub path: String,
    /// What changed.
    pub what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            definition,
            path,
            what,
        } = self;
        if path.is_empty() {
            write!(f, "{definition}: {what}")
        } else {
            write!(f, "{definition} {path}: {what}")
        }
    }
}

/// The list that is being made, for one definition.
#[derive(Debug)]
pub struct Breaches<'a> {
    definition: &'a str,
    found: Vec<Breach>,
}

impl<'a> Breaches<'a> {
    /// None yet.
    pub fn of(definition: &'a str) -> Self {
        Self {
            definition,
            found: Vec::new(),
        }
    }

    /// One more.
    pub fn add(&mut self, path: &str, what: impl Into<String>) {
        self.found.push(Breach {
            definition: self.definition.to_owned(),
            path: path.to_owned(),
            what: what.into(),
        });
    }

    /// All of them.
    pub fn finish(self) -> Vec<Breach> {
        self.found
    }
}
