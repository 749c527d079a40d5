//! Objects that Kubernetes hardly lets change, such as a Pod: changed in place where that is allowed, else deleted, so that
//! they are made anew when they are gone.
//!
//! In: such an object as desired, and as it is. Out: one write, or a deletion; never a deletion when its successor would be
//! refused, and never one because of what somebody else has changed: that is mended in place or left.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{
    applier::{Applied, Applier, ChangeMade, REPAIR_MANAGER, failed, unserialisable},
    desired::{Bind, DesiredObject},
    error::ApplyError,
    request,
};
use crate::cache::{ChildHead, ChildView, Writing};

/// End of the name under which the successor is tried out; no object of it is ever stored.
const TRIAL: &str = "-trial";
/// Longest name of an object without that end.
const LONGEST_NAME: usize = 253 - TRIAL.len();

impl Applier {
    /// Makes the object as desired, or deletes it when that cannot be.
    pub(super) async fn change_or_replace(
        &self,
        view: &Arc<dyn ChildView>,
        desired: &DesiredObject,
        child: Arc<ChildHead>,
    ) -> Result<Applied, ApplyError> {
        let refusal = match self.write(view, desired, Bind::Uid(&child.uid)).await {
            Ok(child) => {
                return Ok(Applied {
                    change: ChangeMade::Updated,
                    child,
                });
            }
            Err(error) => failed(desired, error),
        };
        if !matches!(refusal, ApplyError::Immutable { .. }) {
            return Err(refusal);
        }
        self.try_out(desired).await?;
        tracing::info!(
            kind = desired.kind(),
            name = desired.name(),
            namespace = desired.namespace(),
            "replacing it: what is asked for cannot be changed in place"
        );
        self.delete(view.resource(), &child).await?;
        Ok(Applied {
            change: ChangeMade::Replaced,
            child,
        })
    }

    /// Whether the API server would take the object. A full quota says nothing: the old one counts until it is gone.
    async fn try_out(&self, desired: &DesiredObject) -> Result<(), ApplyError> {
        let mut trial = desired.clone();
        let name: String = desired.name().chars().take(LONGEST_NAME).collect();
        trial.meta.name = Some(name.clone() + TRIAL);
        let body = trial
            .body(Bind::Create)
            .map_err(|source| unserialisable(desired, source))?;
        let place = (trial.namespace(), trial.name());
        match request::try_apply(&self.client, &desired.resource, place, body).await {
            Ok(_) => Ok(()),
            Err(error) => match failed(desired, error) {
                ApplyError::QuotaExceeded { .. } => Ok(()),
                refusal => Err(refusal),
            },
        }
    }

    /// Puts right what somebody has changed, as far as it can be changed: labels, annotations, owner, images. Others' entries
    /// in lists stay: an admission plugin may have put them there, and would again.
    pub(super) async fn mend(
        &self,
        view: &Arc<dyn ChildView>,
        desired: &DesiredObject,
        child: &ChildHead,
    ) -> Result<Applied, ApplyError> {
        let unreadable = |source| unserialisable(desired, source);
        let mut body = changeable(&desired.tree().map_err(unreadable)?);
        body["metadata"]["uid"] = json!(child.uid);
        let body = serde_json::to_vec(&body).map_err(unreadable)?;
        let place = (desired.namespace(), desired.name());
        let writing = Writing::begin(view.as_ref(), place.0, place.1);
        let raw = request::strategic_merge_as(&self.client, REPAIR_MANAGER, &desired.resource, place, body)
            .await
            .map_err(|error| failed(desired, error))?;
        let child = raw.head().map_err(unreadable)?;
        writing.succeeded(&raw);
        self.remember(desired, &child);
        Ok(Applied {
            change: ChangeMade::Repaired,
            child,
        })
    }
}

/// The part of an object that can be changed, and is looked at for changes that somebody made: metadata and images.
pub(super) fn changeable(tree: &Value) -> Value {
    let mut spec = Map::new();
    for list in ["containers", "initContainers"] {
        let containers = tree["spec"][list].as_array();
        let images: Vec<Value> = containers
            .into_iter()
            .flatten()
            .map(|container| json!({"name": container["name"], "image": container["image"]}))
            .collect();
        if !images.is_empty() {
            spec.insert(list.to_owned(), images.into());
        }
    }
    json!({"metadata": tree["metadata"], "spec": spec})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_metadata_and_images_are_looked_at() {
        let pod = json!({
            "metadata": {"labels": {"a": "b"}},
            "spec": {
                "tolerations": [{"key": "x"}],
                "containers": [{"name": "c", "image": "i", "args": ["--x"]}],
                "initContainers": [{"name": "d", "image": "j", "env": []}],
            },
        });
        assert_eq!(
            changeable(&pod),
            json!({
                "metadata": {"labels": {"a": "b"}},
                "spec": {
                    "containers": [{"name": "c", "image": "i"}],
                    "initContainers": [{"name": "d", "image": "j"}],
                },
            })
        );
    }
}
