//! Brings one child to its desired state with the fewest writes: none when it is so already, else exactly one.

use std::{collections::HashMap, fmt, sync::Arc};

use kube::Client;
use parking_lot::Mutex;
use serde_json::Value;

use super::{
    desired::{Bind, DesiredError, DesiredObject, RELEASED, Released},
    diff,
    error::{ApplyError, is_about_uid},
    replace::Images,
    request,
};
use crate::cache::{ChildHead, ChildView, Writing};

/// Field manager that holds a released field's value between us and whoever sets it next.
pub(super) const HANDOVER_MANAGER: &str = "llm-operator-handover";

/// Field manager of lists that had to be replaced as a whole.
pub(super) const REPAIR_MANAGER: &str = "llm-operator-repair";

/// What an apply did.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Whether and how the API was written to.
    pub change: ChangeMade,
    /// The child as it is now.
    pub child: Arc<ChildHead>,
}

impl Applied {
    /// Whether there was a write.
    pub fn written(&self) -> bool {
        self.change != ChangeMade::None
    }
}

/// How the API was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeMade {
    /// It was as desired.
    None,
    /// It did not exist.
    Created,
    /// We want something else than before.
    Updated,
    /// Somebody had changed what we want.
    Repaired,
    /// An earlier operator had made it for our resource; what it had set is ours now.
    TakenOver,
    /// It cannot become what we want; it is being deleted, and made anew when it is gone.
    Replaced,
}

/// Desired hash and observed content that were found to agree.
type Verified = (String, u64);

/// Applies and prunes children. Shared by all controllers; holds no lock across a request.
pub struct Applier {
    pub(super) client: Client,
    pub(super) views: Vec<Arc<dyn ChildView>>,
    verified: Mutex<HashMap<Box<str>, Verified>>,
    /// Of objects that are replaced: their images when we first saw them, by uid.
    pub(super) images: Mutex<HashMap<Box<str>, Images>>,
}

impl fmt::Debug for Applier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Applier")
            .field("kinds", &self.views.len())
            .finish_non_exhaustive()
    }
}

impl Applier {
    /// An applier for the kinds that `views` watch.
    pub fn new(client: Client, views: Vec<Arc<dyn ChildView>>) -> Self {
        Self {
            client,
            views,
            verified: Mutex::new(HashMap::new()),
            images: Mutex::new(HashMap::new()),
        }
    }

    /// Makes the child exist as desired. Reads nothing from the API in the normal case and writes at most once.
    pub async fn apply(&self, desired: &DesiredObject) -> Result<Applied, ApplyError> {
        desired.check()?;
        let view = self.view(desired)?;
        match view.child(desired.namespace(), desired.name()) {
            Some(child) => self.bring_in_line(view, desired, child).await,
            None => self.create(view, desired).await,
        }
    }

    /// Whether the caches know the object, ours or not.
    pub fn has(&self, desired: &DesiredObject) -> bool {
        let view = self.view(desired);
        view.is_ok_and(|view| view.child(desired.namespace(), desired.name()).is_some())
    }

    fn view(&self, desired: &DesiredObject) -> Result<&Arc<dyn ChildView>, ApplyError> {
        self.views
            .iter()
            .find(|view| view.kind() == desired.resource.kind && view.group() == desired.resource.group)
            .ok_or_else(|| ApplyError::NotWatched {
                kind: desired.kind().to_owned(),
            })
    }

    /// Creates, or finds out why that cannot be: the cache does not know objects without our label.
    async fn create(
        &self,
        view: &Arc<dyn ChildView>,
        desired: &DesiredObject,
    ) -> Result<Applied, ApplyError> {
        match self.write(view, desired.initial(), Bind::Create).await {
            Ok(child) => {
                let child = if desired.released().is_empty() {
                    child
                } else {
                    self.bring_in_line(view, desired, child).await?.child
                };
                Ok(Applied {
                    change: ChangeMade::Created,
                    child,
                })
            }
            Err(kube::Error::Api(status)) if status.code == 409 => self.look(view, desired).await,
            Err(error) => Err(failed(desired, error)),
        }
    }

    /// Makes a child that we have applied before as desired.
    pub(super) async fn bring_in_line(
        &self,
        view: &Arc<dyn ChildView>,
        desired: &DesiredObject,
        child: Arc<ChildHead>,
    ) -> Result<Applied, ApplyError> {
        check_ours(desired, &child)?;
        let desired = if child.adopted.is_some() {
            desired.found()
        } else {
            desired
        };
        if desired.is_replaceable() {
            return self.bring_replaceable_in_line(view, desired, child).await;
        }
        if self.is_verified(desired, &child) {
            return Ok(Applied {
                change: ChangeMade::None,
                child,
            });
        }
        let same_wish = child.applied.as_deref() == Some(desired.hash());
        if same_wish {
            match difference(desired, &child).map_err(|source| unserialisable(desired, source))? {
                None => {
                    self.remember(desired, &child);
                    return Ok(Applied {
                        change: ChangeMade::None,
                        child,
                    });
                }
                Some(path) => {
                    tracing::info!(
                        child_kind = desired.kind(),
                        child = desired.name(),
                        "repairing drift at {path}"
                    );
                }
            }
        }
        self.hand_over(view, desired, &child).await?;
        Ok(Applied {
            change: if same_wish {
                ChangeMade::Repaired
            } else {
                ChangeMade::Updated
            },
            child: self.update(view, desired, &child).await?,
        })
    }

    /// Writes to the very child that we looked at.
    pub(super) async fn update(
        &self,
        view: &Arc<dyn ChildView>,
        desired: &DesiredObject,
        child: &ChildHead,
    ) -> Result<Arc<ChildHead>, ApplyError> {
        match self.write(view, desired, Bind::Uid(&child.uid)).await {
            Err(error) if is_refused(&error) => {
                // Merged with what others put into our lists it may be refused where it would not be alone.
                let replaced = self.replace(view, desired, child).await;
                replaced.map_err(|_| failed(desired, error))
            }
            written => written.map_err(|error| failed(desired, error)),
        }
    }

    pub(super) async fn write(
        &self,
        view: &Arc<dyn ChildView>,
        desired: &DesiredObject,
        bind: Bind<'_>,
    ) -> Result<Arc<ChildHead>, kube::Error> {
        let done = if matches!(bind, Bind::Create) {
            "created"
        } else {
            "updated"
        };
        let body = desired.body(bind).map_err(kube::Error::SerdeError)?;
        let name = (desired.namespace(), desired.name());
        let writing = Writing::begin(view.as_ref(), name.0, name.1);
        let raw = request::server_side_apply(&self.client, &desired.resource, name, None, body).await?;
        let child = raw.head().map_err(kube::Error::SerdeError)?;
        writing.succeeded(&raw);
        tracing::info!(child_kind = desired.kind(), child = name.1, "{done}");
        // What the server made of our wish is what we wished for, however it spells it.
        self.remember(desired, &child);
        Ok(child)
    }

    /// Writes our lists as a whole, in place of merging them: two ports of one name, say, when somebody has edited the
    /// number of ours.
    async fn replace(
        &self,
        view: &Arc<dyn ChildView>,
        desired: &DesiredObject,
        child: &ChildHead,
    ) -> Result<Arc<ChildHead>, kube::Error> {
        let body = desired
            .body(Bind::Uid(&child.uid))
            .map_err(kube::Error::SerdeError)?;
        let name = (desired.namespace(), desired.name());
        let writing = Writing::begin(view.as_ref(), name.0, name.1);
        let raw = request::merge_as(&self.client, REPAIR_MANAGER, &desired.resource, name, body).await?;
        let child = raw.head().map_err(kube::Error::SerdeError)?;
        writing.succeeded(&raw);
        self.remember(desired, &child);
        Ok(child)
    }

    /// Before a field is dropped from what we apply, somebody else must own its value, or the server resets it.
    pub(super) async fn hand_over(
        &self,
        view: &Arc<dyn ChildView>,
        desired: &DesiredObject,
        child: &ChildHead,
    ) -> Result<(), ApplyError> {
        if desired.released().is_empty() {
            return Ok(());
        }
        let tree: Value =
            serde_json::from_slice(&child.content).map_err(|source| unserialisable(desired, source))?;
        let before: Vec<&str> = tree["metadata"]["annotations"][RELEASED]
            .as_str()
            .map(|entries| entries.split(',').collect())
            .unwrap_or_default();
        let mut body = serde_json::json!({
            "apiVersion": desired.resource.api_version,
            "kind": desired.resource.kind,
            "metadata": {"name": desired.name(), "uid": &*child.uid},
        });
        let mut handing_over = false;
        for field in desired.released() {
            if let Some(value) = tree.pointer(field.pointer)
                && let Some(value) = value_to_leave(field, value, &before)
            {
                insert_pointer(&mut body, field.pointer, value);
                handing_over = true;
            }
        }
        if !handing_over {
            return Ok(());
        }
        let body = serde_json::to_vec(&body).map_err(|source| unserialisable(desired, source))?;
        let name = (desired.namespace(), desired.name());
        // An object without our label is none that the cache would ever lose again.
        let known = view.child(name.0, name.1).is_some();
        let writing = known.then(|| Writing::begin(view.as_ref(), name.0, name.1));
        let raw = request::apply_as(
            &self.client,
            HANDOVER_MANAGER,
            &desired.resource,
            name,
            None,
            body,
        )
        .await
        .map_err(|error| failed(desired, error))?;
        if let Some(writing) = writing {
            writing.succeeded(&raw);
        }
        Ok(())
    }

    fn is_verified(&self, desired: &DesiredObject, child: &ChildHead) -> bool {
        self.verified
            .lock()
            .get(&child.uid)
            .is_some_and(|(hash, content)| hash == desired.hash() && *content == child.content_hash)
    }

    pub(super) fn remember(&self, desired: &DesiredObject, child: &ChildHead) {
        let known: usize = self.views.iter().map(|view| view.count()).sum();
        let mut verified = self.verified.lock();
        // Deleted children leave their entry behind; verifying everything again once in a while is cheap.
        if verified.len() > 2 * known + 1024 {
            verified.clear();
        }
        verified.insert(child.uid.clone(), (desired.hash().to_owned(), child.content_hash));
    }
}

fn difference(desired: &DesiredObject, child: &ChildHead) -> Result<Option<String>, serde_json::Error> {
    let observed: Value = serde_json::from_slice(&child.content)?;
    Ok(diff::first_difference(&desired.tree()?, &observed))
}

/// Whether the server refuses the content, and not the incarnation that it was meant for.
fn is_refused(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 422 && !is_about_uid(status))
}

fn owner_words(child: &ChildHead) -> String {
    match &child.owner {
        Some(owner) => format!("{} {}", owner.kind, owner.name),
        None => "nobody (created by hand)".to_owned(),
    }
}

/// Whether the child may be written to: it is our resource's, and stays.
pub(super) fn check_ours(desired: &DesiredObject, child: &ChildHead) -> Result<(), ApplyError> {
    let (kind, name) = (desired.kind().to_owned(), desired.name().to_owned());
    let owner = child.owner.as_ref();
    let ours = owner.is_some_and(|owner| &*owner.uid == desired.owner_uid());
    // What an earlier resource of the same name has left behind is collected by Kubernetes, a moment or half a minute later.
    let left_behind = !ours && owner.is_some_and(|owner| desired.is_owners_namesake(owner));
    // First: what is on its way out makes room, whosever it is.
    if child.deleting || left_behind {
        return Err(ApplyError::Terminating { kind, name });
    }
    if !ours {
        return Err(ApplyError::NameTaken {
            kind,
            name,
            owner: owner_words(child),
        });
    }
    Ok(())
}

pub(super) fn failed(desired: &DesiredObject, error: kube::Error) -> ApplyError {
    ApplyError::classify(desired.kind(), desired.namespace(), desired.name(), error)
}

pub(super) fn unserialisable(desired: &DesiredObject, source: serde_json::Error) -> ApplyError {
    ApplyError::Desired(DesiredError::Serialise {
        kind: desired.kind().to_owned(),
        source,
    })
}

/// What a released field is set to before we let go of it, if it has to be set: its value, or the floor when that is
/// new and higher.
pub(super) fn value_to_leave(field: &Released, value: &Value, before: &[&str]) -> Option<Value> {
    let entry = field.entry();
    if before.contains(&entry.as_str()) {
        return None;
    }
    if let (Some(floor), Some(number)) = (field.floor, value.as_i64())
        && number < floor
    {
        return Some(floor.into());
    }
    let pointer =
        |entry: &&str| entry.split_once('=').map_or(*entry, |(pointer, _)| pointer) == field.pointer;
    let ours = !before.iter().any(pointer);
    ours.then(|| value.clone())
}

fn insert_pointer(tree: &mut Value, pointer: &str, value: Value) {
    let mut place = tree;
    for field in pointer.split('/').skip(1) {
        place = &mut place[field];
    }
    *place = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_resource_of_the_name_left_behind_makes_room() {
        let desired: k8s_openapi::api::core::v1::ConfigMap = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "a", "namespace": "n", "ownerReferences": [
                {"apiVersion": "g/v2", "kind": "Thing", "name": "t", "uid": "new", "controller": true}]},
        }))
        .unwrap();
        let desired = DesiredObject::new(desired).unwrap();
        let check = |owner: Value| {
            let text = serde_json::json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "a", "namespace": "n", "uid": "u", "resourceVersion": "1", "ownerReferences": [owner]},
            })
            .to_string();
            let child = crate::cache::RawObject::from_text(&text).unwrap().head().unwrap();
            check_ours(&desired, &child).map_err(|error| error.reason())
        };
        let owner = |api_version: &str, name: &str, uid: &str| {
            check(serde_json::json!(
                {"apiVersion": api_version, "kind": "Thing", "name": name, "uid": uid, "controller": true}
            ))
        };
        assert_eq!(owner("g/v2", "t", "new"), Ok(()));
        assert_eq!(
            owner("g/v1", "t", "old"),
            Err("Terminating"),
            "of an older version, too"
        );
        assert_eq!(
            owner("other/v2", "t", "old"),
            Err("NameTaken"),
            "another group's kind"
        );
        assert_eq!(owner("g/v2", "s", "old"), Err("NameTaken"), "a neighbour's");
    }

    #[test]
    fn a_released_number_is_raised_once_per_floor_and_else_left_alone() {
        let replicas = |floor| Released {
            pointer: "/spec/replicas",
            floor: Some(floor),
        };
        let leave =
            |floor, value: i64, before: &[&str]| value_to_leave(&replicas(floor), &value.into(), before);
        assert_eq!(leave(2, 2, &[]), Some(2.into()), "the value needs another owner");
        assert_eq!(leave(2, 5, &[]), Some(5.into()), "what somebody has scaled stays");
        assert_eq!(leave(4, 2, &[]), Some(4.into()));
        assert_eq!(leave(2, 1, &["/spec/replicas=2"]), None, "not fought over");
        assert_eq!(leave(4, 2, &["/spec/replicas=2"]), Some(4.into()), "a new floor");
        assert_eq!(leave(4, 6, &["/spec/replicas=2"]), None);
        assert_eq!(leave(1, 6, &["/spec/x", "/spec/replicas=2"]), None);
    }
}
