//! Apply and prune: what a resource owns, in the cluster.
//!
//! In: desired objects in the order in which they are applied. Out: what was written, or the first error; nothing is
//! touched after an error, since what comes later needs what comes before.

use kube::Resource;
use reconcile::{Applied, Applier, ApplyError, DesiredObject, EventKind, PrunePolicy, apply::ChangeMade};

use crate::context::Context;

/// What the apply step did.
#[derive(Debug, Default)]
pub struct Done {
    /// Children that somebody had changed and that are as they were, as `Kind name`.
    pub repaired: Vec<String>,
    /// Children that were no longer asked for and are deleted, as `Kind name`.
    pub pruned: Vec<String>,
}

/// Makes the owner with this uid have exactly these children; claims with weights stay.
///
/// # Errors
/// The first child that could not be applied or pruned; what follows it was left alone.
pub async fn apply(
    applier: &Applier,
    owner_uid: &str,
    objects: &[DesiredObject],
) -> Result<Done, ApplyError> {
    let mut done = Done::default();
    for object in objects {
        let Applied { change, .. } = applier.apply(object).await?;
        if change == ChangeMade::Repaired {
            done.repaired.push(format!("{} {}", object.kind(), object.name()));
        }
    }
    let wanted: Vec<_> = objects.iter().map(DesiredObject::wanted).collect();
    let pruned = applier.prune(owner_uid, &wanted, PrunePolicy::KeepClaims).await?;
    done.pruned = pruned
        .into_iter()
        .map(|(kind, name)| format!("{kind} {name}"))
        .collect();
    Ok(done)
}

impl Done {
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
            "Pruned",
            "Prune",
            &self.pruned,
            "is no longer asked for and was deleted",
        );
    }
}
