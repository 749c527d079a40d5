//! Deletes the children that a plan no longer names. In: the owner and what it still wants. Out: deletions, each bound
//! to exactly the object we looked at. Never a claim with weights on it unless told.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, Preconditions};

use super::{applier::Applier, desired::DesiredObject, error::ApplyError, found::never_applied, request};
use crate::cache::ChildHead;

/// What prune may delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PrunePolicy {
    /// Everything but `PersistentVolumeClaim`s.
    #[default]
    KeepClaims,
    /// `PersistentVolumeClaim`s too.
    All,
}

/// Kind and name of a child that stays.
pub type Wanted<'a> = (&'a str, &'a str);

impl DesiredObject {
    /// What keeps this object from being pruned.
    pub fn wanted(&self) -> Wanted<'_> {
        (self.kind(), self.name())
    }
}

impl Applier {
    /// Deletes every child in the caches whose controller is `owner_uid` and which is not in `wanted`, in the
    /// background. Returns `(kind, name)` of what was deleted. Does nothing and asks nothing when all is wanted.
    pub async fn prune(
        &self,
        owner_uid: &str,
        wanted: &[Wanted<'_>],
        policy: PrunePolicy,
    ) -> Result<Vec<(String, String)>, ApplyError> {
        let mut deleted = Vec::new();
        for view in &self.views {
            let kind = view.kind();
            if kind == "PersistentVolumeClaim" && policy == PrunePolicy::KeepClaims {
                continue;
            }
            for child in view.owned_by(owner_uid) {
                if child.deleting || wanted.contains(&(kind, &child.name)) {
                    continue;
                }
                if self.delete(view.resource(), &child).await? {
                    deleted.push((kind.to_owned(), child.name.to_string()));
                }
            }
        }
        Ok(deleted)
    }

    /// The children in the caches whose controller is `owner_uid`, with their kinds; those that are on their way out as well.
    pub fn owned(&self, owner_uid: &str) -> Vec<(String, Arc<ChildHead>)> {
        let views = self.views.iter();
        views
            .flat_map(|view| {
                let children = view.owned_by(owner_uid).into_iter();
                children.map(|child| (view.kind().to_owned(), child))
            })
            .collect()
    }

    /// Deletes one child in the caches, so that it is made anew. Returns whether there was anything to delete.
    pub async fn remove(&self, kind: &str, namespace: &str, name: &str) -> Result<bool, ApplyError> {
        let view = self.views.iter().find(|view| view.kind() == kind);
        let view = view.ok_or_else(|| ApplyError::NotWatched {
            kind: kind.to_owned(),
        })?;
        match view.child(namespace, name).filter(|child| !child.deleting) {
            Some(child) => self.delete(view.resource(), &child).await,
            None => Ok(false),
        }
    }

    /// Deletes those of the named objects, `(kind, namespace, name)`, that an earlier operator made for `owner_uid` and
    /// we never applied, so that no cache knows them: one read each. For names that the plan could have and does not;
    /// claims always stay. Returns `(kind, name)` of what was deleted.
    pub async fn prune_unlabelled(
        &self,
        owner_uid: &str,
        names: &[(&str, &str, &str)],
    ) -> Result<Vec<(String, String)>, ApplyError> {
        let mut deleted = Vec::new();
        for &(kind, namespace, name) in names {
            let view = self.views.iter().find(|view| view.kind() == kind);
            let view = view.ok_or_else(|| ApplyError::NotWatched {
                kind: kind.to_owned(),
            })?;
            if kind == "PersistentVolumeClaim" || view.child(namespace, name).is_some() {
                continue;
            }
            let failed = |error| ApplyError::classify(kind, namespace, name, error);
            let child = match request::get(&self.client, view.resource(), namespace, name).await {
                Ok(found) => found
                    .object
                    .head()
                    .map_err(|e| failed(kube::Error::SerdeError(e)))?,
                Err(kube::Error::Api(status)) if status.code == 404 => continue,
                Err(error) => return Err(failed(error)),
            };
            let of_owner = child.owner.as_ref().is_some_and(|owner| &*owner.uid == owner_uid);
            if of_owner
                && !child.deleting
                && never_applied(&child)
                && self.delete(view.resource(), &child).await?
            {
                deleted.push((kind.to_owned(), name.to_owned()));
            }
        }
        Ok(deleted)
    }

    pub(super) async fn delete(
        &self,
        resource: &kube::core::ApiResource,
        child: &ChildHead,
    ) -> Result<bool, ApplyError> {
        let failed = |error| ApplyError::classify(&resource.kind, &child.namespace, &child.name, error);
        // Only the uid: a status update between our look and the request must not fail the deletion.
        let options = DeleteOptions {
            preconditions: Some(Preconditions {
                uid: Some(child.uid.to_string()),
                resource_version: None,
            }),
            propagation_policy: Some("Background".to_owned()),
            ..DeleteOptions::default()
        };
        let body = serde_json::to_vec(&options).map_err(|source| failed(kube::Error::SerdeError(source)))?;
        let request = http::Request::delete(request::object_path(resource, &child.namespace, &child.name))
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|source| failed(kube::Error::HttpError(source)))?;
        match self.client.request_text(request).await {
            Ok(_) => {
                tracing::info!(child_kind = resource.kind, child = &*child.name, "deleted");
                Ok(true)
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}
