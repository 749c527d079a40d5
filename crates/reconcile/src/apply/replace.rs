//! Objects that Kubernetes hardly lets change, such as a Pod: changed in place where that restarts nothing, else deleted, so that
//! they are made anew when they are gone.
//!
//! In: such an object as desired, and as it is. Out: at most one write or deletion. There is never a deletion when the successor
//! would be refused, and never one because of what an admission plugin has put into the object when it was made.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    applier::{Applied, Applier, ChangeMade, failed, unserialisable},
    desired::{Bind, DesiredObject},
    diff,
    error::ApplyError,
    quota, request,
};
use crate::{
    FIELD_MANAGER,
    cache::{ChildHead, ChildView, Writing},
};

/// Longest name of an object without the end under which its successor is tried out.
const LONGEST_NAME: usize = 200;

/// Images of an object's containers, in its order.
pub(super) type Images = Vec<Box<str>>;

impl Applier {
    pub(super) async fn bring_replaceable_in_line(
        &self,
        view: &Arc<dyn ChildView>,
        desired: &DesiredObject,
        child: Arc<ChildHead>,
    ) -> Result<Applied, ApplyError> {
        let unreadable = |source| unserialisable(desired, source);
        let observed: Value = serde_json::from_slice(&child.content).map_err(unreadable)?;
        let wanted = desired.tree().map_err(unreadable)?;
        if child.applied.as_deref() != Some(desired.hash()) {
            return if images(&wanted) == images(&observed) {
                self.change_or_replace(view, desired, child).await
            } else {
                // In place, the old container would serve on for a while under the new name.
                self.retire(view, desired, child).await
            };
        }
        if self.images_changed(&child, &observed) {
            return self.retire(view, desired, child).await;
        }
        let metadata = json!({"metadata": wanted["metadata"]});
        match diff::first_difference(&metadata, &observed) {
            None => Ok(Applied {
                change: ChangeMade::None,
                child,
            }),
            Some(path) => {
                tracing::info!(
                    child_kind = desired.kind(),
                    child = desired.name(),
                    "repairing drift at {path}"
                );
                self.mend(view, desired, metadata, &child).await
            }
        }
    }

    /// Whether somebody has changed an image since this process first saw the object. What an admission plugin makes of our
    /// images when the object is made is no change.
    fn images_changed(&self, child: &ChildHead, observed: &Value) -> bool {
        let now = images(observed);
        let mut known = self.images.lock();
        let count: usize = self.views.iter().map(|view| view.count()).sum();
        // Those that are gone leave their entry behind.
        if known.len() > count + 1024 {
            known.clear();
        }
        *known.entry(child.uid.clone()).or_insert_with(|| now.clone()) != now
    }

    /// Makes the object as desired, or deletes it when that cannot be.
    async fn change_or_replace(
        &self,
        view: &Arc<dyn ChildView>,
        desired: &DesiredObject,
        child: Arc<ChildHead>,
    ) -> Result<Applied, ApplyError> {
        match self.write(view, desired, Bind::Uid(&child.uid)).await {
            Ok(child) => Ok(Applied {
                change: ChangeMade::Updated,
                child,
            }),
            Err(error) => match failed(desired, error) {
                ApplyError::Immutable { .. } => self.retire(view, desired, child).await,
                refusal => Err(refusal),
            },
        }
    }

    async fn retire(
        &self,
        view: &Arc<dyn ChildView>,
        desired: &DesiredObject,
        child: Arc<ChildHead>,
    ) -> Result<Applied, ApplyError> {
        self.try_out(desired, &child).await?;
        tracing::info!(
            child_kind = desired.kind(),
            child = desired.name(),
            "replacing it: what is asked for cannot be had by a change in place"
        );
        self.delete(view.resource(), &child).await?;
        Ok(Applied {
            change: ChangeMade::Replaced,
            child,
        })
    }

    /// Whether the API server would take the object once `child` is gone.
    async fn try_out(&self, desired: &DesiredObject, child: &ChildHead) -> Result<(), ApplyError> {
        let mut trial = desired.clone();
        let name: String = desired.name().chars().take(LONGEST_NAME).collect();
        // A name that nobody has; no object of it is ever stored.
        trial.meta.name = Some(format!("{name}-trial-{}", child.uid));
        let body = trial
            .body(Bind::Create)
            .map_err(|source| unserialisable(desired, source))?;
        let place = (trial.namespace(), trial.name());
        match request::try_apply(&self.client, &desired.resource, place, body).await {
            Ok(_) => Ok(()),
            Err(error) => match failed(desired, error) {
                ApplyError::QuotaExceeded { message, .. } if quota::has_room_without(&message, child) => {
                    Ok(())
                }
                refusal => Err(refusal),
            },
        }
    }

    /// Puts right what somebody has changed in the metadata.
    async fn mend(
        &self,
        view: &Arc<dyn ChildView>,
        desired: &DesiredObject,
        mut body: Value,
        child: &ChildHead,
    ) -> Result<Applied, ApplyError> {
        let unreadable = |source| unserialisable(desired, source);
        body["metadata"]["uid"] = json!(child.uid);
        let body = serde_json::to_vec(&body).map_err(unreadable)?;
        let place = (desired.namespace(), desired.name());
        let writing = Writing::begin(view.as_ref(), place.0, place.1);
        let raw = request::strategic_merge_as(&self.client, FIELD_MANAGER, &desired.resource, place, body)
            .await
            .map_err(|error| failed(desired, error))?;
        let child = raw.head().map_err(unreadable)?;
        writing.succeeded(&raw);
        Ok(Applied {
            change: ChangeMade::Repaired,
            child,
        })
    }
}

fn images(tree: &Value) -> Images {
    ["initContainers", "containers"]
        .iter()
        .filter_map(|list| tree["spec"][list].as_array())
        .flatten()
        .filter_map(|container| container["image"].as_str())
        .map(Into::into)
        .collect()
}
