//! Who has an `llmName`. Pure.
//!
//! In: a resource, and all resources of its namespace that name the same `llmName`. Out: where the resource stands among
//! them. It depends on nothing else: not on the order in which they are listed, nor on what runs.
//!
//! * The newest `uninstall` that is not being deleted counts: an `install` that is not newer is held down. On a tie of
//!   creation times `uninstall` wins.
//! * Of the other installs the oldest has the name (creation time, then name), also while it is being deleted: its Pod
//!   goes first.
//! * An older `uninstall` beside a newer one holds down nothing that the newer does not hold down as well. It still names
//!   the installs that are not newer than itself, since they stay down when the newer one goes. A held install names the
//!   newest `uninstall`: without deleting that one it cannot come back.
//! * What has no creation time was not created yet (offline rendering), and is newer than all that have one.

use api::infra_example_com::v1::Action;
use jiff::Timestamp;

/// A resource, as far as it matters for who has the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// Name, unique in the namespace.
    pub name: String,
    /// Creation time.
    pub created: Option<Timestamp>,
    /// What it asks for.
    pub action: Action,
    /// It has a deletion time.
    pub deleting: bool,
}

/// Where a resource stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// An install that has the name.
    Has,
    /// An install that is held down.
    HeldDown {
        /// The newest uninstall.
        by: String,
    },
    /// An install that came later than another.
    Taken {
        /// The install that has the name.
        by: String,
    },
    /// An uninstall.
    Removes {
        /// Installs that it holds down, the oldest first; none when it is being deleted itself.
        held: Vec<String>,
        /// An install newer than it, which has the name.
        superseded_by: Option<String>,
    },
    /// A status.
    Reports {
        /// The install that has the name.
        of: Option<String>,
    },
}

/// Where `this` stands among `all`; whether `all` contains it too does not matter.
pub fn standing(this: &Claimant, all: &[Claimant]) -> Standing {
    let others = all.iter().filter(|other| other.name != this.name);
    let mut claimants: Vec<&Claimant> = others.chain([this]).collect();
    claimants.sort_by_key(|claimant| claimant.rank());
    let uninstall = claimants
        .iter()
        .rfind(|claimant| claimant.action == Action::Uninstall && !claimant.deleting);
    let installs = || {
        claimants
            .iter()
            .filter(|claimant| claimant.action == Action::Install)
    };
    let holder =
        installs().find(|install| uninstall.is_none_or(|uninstall| install.is_newer_than(uninstall)));
    let name = |claimant: &Claimant| claimant.name.clone();

    match this.action {
        Action::Install => match (uninstall, holder) {
            (Some(uninstall), _) if !this.is_newer_than(uninstall) => {
                Standing::HeldDown { by: name(uninstall) }
            }
            (_, Some(holder)) if holder.name != this.name => Standing::Taken { by: name(holder) },
            _ => Standing::Has,
        },
        Action::Uninstall => Standing::Removes {
            held: installs()
                .filter(|install| !this.deleting && !install.is_newer_than(this))
                .map(|install| name(install))
                .collect(),
            superseded_by: holder
                .filter(|holder| holder.is_newer_than(this))
                .map(|holder| name(holder)),
        },
        Action::Status => Standing::Reports {
            of: holder.map(|holder| name(holder)),
        },
    }
}

impl Claimant {
    /// Later is greater; what was not created yet is the latest.
    fn age(&self) -> (bool, Option<Timestamp>) {
        (self.created.is_none(), self.created)
    }

    /// The oldest first.
    fn rank(&self) -> (bool, Option<Timestamp>, &str) {
        let (uncreated, created) = self.age();
        (uncreated, created, &self.name)
    }

    fn is_newer_than(&self, other: &Self) -> bool {
        self.age() > other.age()
    }
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;
