//! Differences that cost something and are wanted all the same. Each needs a reason, and an entry in the changelog's upgrade notes.

use crate::compare::Difference;

/// A difference that is accepted.
#[derive(Debug)]
pub struct Accepted {
    /// The release that it is about, such as `v0.1.0`.
    pub release: &'static str,
    /// The fixture's name.
    pub fixture: &'static str,
    /// Kind and name of the object.
    pub object: &'static str,
    /// What follows from it.
    pub what: &'static str,
    /// Why it has to be.
    pub reason: &'static str,
}

/// None since the first release.
pub const ACCEPTED: &[Accepted] = &[];

impl Accepted {
    /// Whether this is about that difference.
    pub fn covers(&self, release: &str, fixture: &str, difference: &Difference) -> bool {
        self.release == release
            && self.fixture == fixture
            && self.object == difference.object
            && self.what == difference.what
    }
}
