//! Changes that break somebody and are wanted all the same. Each needs a reason, and an entry in the changelog's upgrade notes.

use crate::breaches::Breach;

/// A breach that is accepted.
#[derive(Debug)]
pub struct Accepted {
    /// The release that it breaks, such as `v0.1.0`.
    pub release: &'static str,
    /// The definition's name.
    pub definition: &'static str,
    /// Version and field.
    pub path: &'static str,
    /// How the breach's text begins.
    pub what: &'static str,
    /// Why it has to be, and what people do about it.
    pub reason: &'static str,
}

/// None since the first release.
pub const ACCEPTED: &[Accepted] = &[];

impl Accepted {
    /// Whether this is about that breach.
    pub fn covers(&self, release: &str, breach: &Breach) -> bool {
        self.release == release
            && self.definition == breach.definition
            && self.path == breach.path
            && breach.what.starts_with(self.what)
    }
}
