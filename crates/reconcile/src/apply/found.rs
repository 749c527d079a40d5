//! What becomes of a child that exists though no cache of ours knows it.
//!
//! In: the object as the API server has it. Out: an object of somebody else is left alone and named; one that we applied
//! and that lost our label is put right; one that an earlier operator made for our very resource is taken over.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    applier::{
        Applied, Applier, ChangeMade, HANDOVER_MANAGER, check_ours, failed, unserialisable, value_to_leave,
    },
    desired::DesiredObject,
    error::ApplyError,
    managed::Managers,
    request::{self, Found},
};
use crate::{
    MANAGED_BY,
    cache::{ChildHead, ChildView},
};

impl Applier {
    /// Reads the object that has the name of `desired`, and makes it as desired if it is ours.
    pub(super) async fn look(
        &self,
        view: &Arc<dyn ChildView>,
        desired: &DesiredObject,
    ) -> Result<Applied, ApplyError> {
        let name = (desired.namespace(), desired.name());
        let found = request::get(&self.client, &desired.resource, name.0, name.1)
            .await
            .map_err(|error| failed(desired, error))?;
        let child = found
            .object
            .head()
            .map_err(|source| unserialisable(desired, source))?;
        if !never_applied(&child) {
            return self.bring_in_line(view, desired, child).await;
        }
        check_ours(desired, &child)?;
        let desired = desired.found();
        if !self.take_over(desired, &found).await? {
            self.hand_over(view, desired, &child).await?;
        }
        Ok(Applied {
            change: ChangeMade::TakenOver,
            child: self.update(view, desired, &child).await?,
        })
    }

    /// Makes our apply the owner of what the maker of the object has set, so that the apply which follows removes what
    /// it does not name. Returns whether there was anything to own. What the object holds does not change, but for a
    /// released number that is below its floor.
    async fn take_over(&self, desired: &DesiredObject, found: &Found) -> Result<bool, ApplyError> {
        let unreadable = |source| unserialisable(desired, source);
        let resource = &desired.resource;
        let released: Vec<&str> = desired.released().iter().map(|field| field.pointer).collect();
        let taken = Managers::of(&found.text).map_err(unreadable)?.taken_over(
            (&resource.api_version, &resource.kind),
            desired.owner_uid(),
            &released,
        );
        let Some(taken) = taken else { return Ok(false) };
        let version = found.object.version().to_string();
        let mut operations = vec![
            json!({"op": "replace", "path": "/metadata/managedFields", "value": taken.entries}),
            // Binds the write to what we have looked at: else the server answers 409.
            json!({"op": "replace", "path": "/metadata/resourceVersion", "value": version}),
        ];
        let tree: Value = serde_json::from_str(found.object.json()).map_err(unreadable)?;
        for field in desired.released() {
            if let Some(value) = tree.pointer(field.pointer)
                && let Some(floor) = value_to_leave(field, value, &[])
                && floor != *value
            {
                operations.push(json!({"op": "replace", "path": field.pointer, "value": floor}));
            }
        }
        let body = serde_json::to_vec(&operations).map_err(unreadable)?;
        let name = (desired.namespace(), desired.name());
        // Not entered into the cache: without our label it would never leave it again.
        request::operate_as(&self.client, HANDOVER_MANAGER, resource, name, body)
            .await
            .map_err(|error| failed(desired, error))?;
        tracing::info!(
            child_kind = desired.kind(),
            child = desired.name(),
            "taking over from {}",
            taken.from
        );
        Ok(true)
    }
}

/// Whether no apply of ours has ever reached this object: each leaves its hash and our label.
pub(super) fn never_applied(child: &ChildHead) -> bool {
    #[derive(serde::Deserialize)]
    struct Content {
        #[serde(default)]
        metadata: Metadata,
    }
    #[derive(Default, serde::Deserialize)]
    struct Metadata {
        #[serde(default)]
        labels: std::collections::BTreeMap<String, String>,
    }
    let labelled = || {
        serde_json::from_slice::<Content>(&child.content).is_ok_and(|content| {
            let value = content.metadata.labels.get(MANAGED_BY.0);
            value.is_some_and(|value| value == MANAGED_BY.1)
        })
    };
    child.applied.is_none() && !labelled()
}
