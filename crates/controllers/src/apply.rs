//! Apply and prune: what a resource owns, in the cluster.
//!
//! In: desired objects in the order in which they are applied. Out: what was written, or the first error; nothing is
//! touched after an error, since what comes later needs what comes before.

use kube::Resource;
use reconcile::{Applier, ApplyError, DesiredObject, EventKind, PrunePolicy, apply::ChangeMade};

use crate::{context::Context, scaling::tolerance};

/// What the apply step did.
#[derive(Debug, Default)]
pub struct Done {
    /// Children that somebody had changed and that are as they were, as `Kind name`.
    pub repaired: Vec<String>,
    /// Children that another operator had made for the owner and that are ours from now on, as `Kind name`.
    pub taken_over: Vec<String>,
    /// Children that cannot be changed to what is asked for, and make room for their successor, as `Kind name`.
    pub replaced: Vec<String>,
    /// Children that had ended and are made anew, as `Kind name`.
    pub ended: Vec<String>,
    /// Children that were no longer asked for and are deleted, as `Kind name`.
    pub pruned: Vec<String>,
    /// An autoscaler was written, and stored without its tolerance.
    pub tolerance_dropped: bool,
}

pub(crate) const CLAIM: &str = "PersistentVolumeClaim";

/// Makes the owner with this uid have exactly these children, and those of `kept` (kind and name) that it has; claims with
/// weights stay.
///
/// # Errors
/// The first child that could not be applied or pruned; what follows it was left alone.
pub async fn apply(
    applier: &Applier,
    owner_uid: &str,
    objects: &[DesiredObject],
    kept: &[(&str, &str)],
) -> Result<Done, ApplyError> {
    let mut done = Done::default();
    let mut refused = None;
    for object in objects {
        let now = match applier.apply(object).await {
            Err(error) if applier.has(object) && goes_on_without(object, &error) => {
                refused = Some(error);
                continue;
            }
            outcome => outcome?,
        };
        done.tolerance_dropped |= now.written() && tolerance::is_dropped(object.kind(), &now.child);
        let name = || format!("{} {}", object.kind(), object.name());
        match now.change {
            ChangeMade::Repaired => done.repaired.push(name()),
            ChangeMade::TakenOver => done.taken_over.push(name()),
            ChangeMade::Replaced => done.replaced.push(name()),
            ChangeMade::None | ChangeMade::Created | ChangeMade::Updated => {}
        }
    }
    let wanted = objects.iter().map(DesiredObject::wanted);
    let wanted: Vec<_> = wanted.chain(kept.iter().copied()).collect();
    let pruned = applier.prune(owner_uid, &wanted, PrunePolicy::KeepClaims).await?;
    done.add_pruned(pruned);
    match refused {
        Some(error) => Err(error),
        None => Ok(done),
    }
}

/// A claim of ours that stays serves as it is; that it cannot be changed must not hold up what comes after it.
fn goes_on_without(object: &DesiredObject, error: &ApplyError) -> bool {
    let of_no_use = matches!(
        error,
        ApplyError::Terminating { .. } | ApplyError::NameTaken { .. }
    );
    object.kind() == CLAIM && !error.passes() && !of_no_use
}

impl Done {
    /// Notes what was deleted, as kind and name.
    pub fn add_pruned(&mut self, pruned: Vec<(String, String)>) {
        let names = pruned.into_iter().map(|(kind, name)| format!("{kind} {name}"));
        self.pruned.extend(names);
    }

    /// One Event for what was repaired, one for what was pruned.
    pub fn tell<K: Resource<DynamicType = ()>>(&self, context: &Context, owner: &K) {
        let tell = |reason: &str, action: &str, objects: &[String], what: &str| {
            if !objects.is_empty() {
                let note = format!("{} {what}", objects.join(", "));
                context.tell(owner, EventKind::Normal, reason, action, note);
            }
        };
        tell(
            "Repaired",
            "Apply",
            &self.repaired,
            "had been changed and is as asked for again",
        );
        tell(
            "TakenOver",
            "Apply",
            &self.taken_over,
            "was made by another operator and is managed by this one from now on",
        );
        tell(
            "Replaced",
            "Apply",
            &self.replaced,
            "cannot be changed to what is asked for; it is deleted and made anew",
        );
        tell("Restored", "Apply", &self.ended, "had ended, and is made anew");
        tell(
            "Pruned",
            "Prune",
            &self.pruned,
            "is no longer asked for and was deleted",
        );
    }
}
