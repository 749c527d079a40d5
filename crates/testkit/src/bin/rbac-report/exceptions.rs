//! What the comparison lets pass, each with its reason: `exceptions.yaml`.
//!
//! In: that file. Out: which of its entries a refusal or an unused right falls under.

use serde::Deserialize;
use testkit::plane::asked::Asked;

use crate::roles::Grant;

const FILE: &str = include_str!("exceptions.yaml");

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    /// Rights that no test uses.
    pub unused: Vec<Unused>,
    /// Requests that a test wants refused.
    pub refused: Vec<Refused>,
}

/// Rights that may be unused. An empty list takes everything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unused {
    pub role: String,
    #[serde(default)]
    pub verbs: Vec<String>,
    #[serde(default)]
    pub groups: Vec<String>,
    /// `*/x` takes every subresource `x`.
    #[serde(default)]
    pub resources: Vec<String>,
    pub reason: String,
}

/// Requests that may be refused. An empty list takes everything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// The test program.
    pub program: String,
    #[serde(default)]
    pub verbs: Vec<String>,
    #[serde(default)]
    pub resources: Vec<String>,
    pub reason: String,
}

impl Exceptions {
    /// Reads the file. An entry without a reason is none.
    pub fn read() -> Result<Self, String> {
        let read: Self = serde_saphyr::from_str(FILE).map_err(|error| format!("exceptions.yaml: {error}"))?;
        let reasons = read.unused.iter().map(|entry| &entry.reason);
        let mut reasons = reasons.chain(read.refused.iter().map(|entry| &entry.reason));
        if reasons.any(|reason| reason.trim().is_empty()) {
            return Err("exceptions.yaml: an entry has no reason".to_owned());
        }
        Ok(read)
    }
}

impl Unused {
    pub fn takes(&self, grant: &Grant) -> bool {
        self.role == grant.role
            && any(&self.verbs, &grant.verb)
            && any(&self.groups, &grant.group)
            && any(&self.resources, &grant.resource)
    }
}

impl Refused {
    pub fn takes(&self, asked: &Asked) -> bool {
        self.program == asked.program
            && any(&self.verbs, &asked.verb)
            && any(&self.resources, &asked.resource)
    }
}

fn any(wanted: &[String], found: &str) -> bool {
    wanted.is_empty()
        || wanted.iter().any(|wanted| match wanted.strip_prefix('*') {
            Some(end) if !end.is_empty() => found.ends_with(end),
            _ => wanted == found,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read() {
        assert!(!Exceptions::read().unwrap().unused.is_empty());
    }

    #[test]
    fn subresources_are_taken_by_their_end() {
        let list = ["*/finalizers".to_owned(), "*".to_owned()];
        assert!(any(&list, "llmmodels/finalizers") && any(&list, "*"));
        assert!(!any(&list, "llmmodels") && any(&[], "anything"));
    }
}
