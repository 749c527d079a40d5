//! What `/readyz` says: is this replica able to do its part, and what stands in its way.
//!
//! In: the role of this replica and the state of its caches. Out: yes or no, and a line per fact. A standby is ready:
//! it would take over at once. A missing custom resource definition is told, and does not make the replica unready,
//! since an operator may be installed before its definitions.

use std::fmt::Write as _;

use parking_lot::RwLock;

/// The part that this replica plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The process has not yet talked to the API server
    Starting,
    /// Another replica leads
    Standby,
    /// This replica leads and writes
    Leader,
}

/// A source of notes: one line per watched resource that is not in order, none when all are.
pub type Notes = Box<dyn Fn() -> CacheReport + Send + Sync>;

/// How the leader's caches are.
#[derive(Debug, Default)]
pub struct CacheReport {
    /// Every cache has seen its first complete list, or its definition is missing
    pub synced: bool,
    /// One line for each resource that cannot be watched, and why
    pub notes: Vec<String>,
}

/// The readiness of this replica; cheap to read.
pub struct Readiness {
    state: RwLock<(Role, Option<Notes>)>,
}

/// The answer of `/readyz`.
pub struct Report {
    /// 200 or 503
    pub ready: bool,
    /// The page
    pub text: String,
}

impl Default for Readiness {
    fn default() -> Self {
        Self {
            state: RwLock::new((Role::Starting, None)),
        }
    }
}

impl Readiness {
    /// Sets the role.
    pub fn set_role(&self, role: Role) {
        self.state.write().0 = role;
    }

    /// Sets where the leader's cache notes come from.
    pub fn set_notes(&self, notes: Notes) {
        self.state.write().1 = Some(notes);
    }

    /// The page and whether it is a yes.
    pub fn report(&self) -> Report {
        let state = self.state.read();
        let caches = state.1.as_ref().map(|notes| notes()).unwrap_or_default();
        let (ready, role) = match state.0 {
            Role::Starting => (false, "starting"),
            Role::Standby => (true, "standby"),
            Role::Leader => (caches.synced, "leader"),
        };
        let mut text = format!("{}\nrole: {role}\n", if ready { "ok" } else { "not ready" });
        for note in caches.notes {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "note: {note}");
        }
        Report { ready, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standby_is_ready_and_a_leader_needs_its_caches() {
        let readiness = Readiness::default();
        assert!(!readiness.report().ready);
        readiness.set_role(Role::Standby);
        assert!(readiness.report().ready);
        readiness.set_role(Role::Leader);
        assert!(!readiness.report().ready);
        readiness.set_notes(Box::new(|| CacheReport {
            synced: true,
            notes: vec!["x is missing".to_owned()],
        }));
        let report = readiness.report();
        assert!(report.ready && report.text.contains("note: x is missing"));
    }
}
