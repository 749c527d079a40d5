//! What Helm forgets: the objects of hooks, which it creates and leaves where they are.
//!
//! In: a release as Helm has recorded it. Out: the objects to remove, and their removal. An object goes only while it carries our
//! label: what somebody has taken over stays.

use std::collections::{BTreeMap, BTreeSet};

use helm::{
    manifest::{self, KindId, Object},
    release::{Hook, Release},
};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Preconditions, PropagationPolicy},
};

use super::{PART_OF, kinds::Served};

/// Which hooks are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hooks {
    /// Those that do not belong to an uninstallation.
    OfLife,
    /// All of them.
    All,
}

/// Objects of hooks of these revisions that are in none of these objects, each once. Every revision counts: a hook that a later one lacks
/// has left its object all the same.
pub fn forgotten(revisions: &[Release], hooks: Hooks, kept: &[Object]) -> Vec<Object> {
    let all = revisions.iter().flat_map(|release| &release.hooks);
    let meant = all.filter(|hook| match hooks {
        Hooks::All => true,
        Hooks::OfLife => !is_of_uninstallation(hook),
    });
    let kept: BTreeSet<_> = kept
        .iter()
        .map(|object| (&object.id.kind.kind, &object.id.name))
        .collect();
    let objects = meant
        .filter_map(|hook| manifest::parse(&hook.manifest).ok())
        .flatten();
    once(objects.filter(|object| !kept.contains(&(&object.id.kind.kind, &object.id.name))))
}

/// All objects of these revisions, each once, in the opposite order of their installation.
pub fn objects(revisions: &[Release]) -> Vec<Object> {
    let parsed = |release: &Release| manifest::parse(&release.manifest).unwrap_or_default();
    let mut objects = once(revisions.iter().flat_map(parsed));
    objects.reverse();
    objects
}

fn once(objects: impl Iterator<Item = Object>) -> Vec<Object> {
    let mut seen = BTreeSet::new();
    objects.filter(|object| seen.insert(object.id.clone())).collect()
}

fn is_of_uninstallation(hook: &Hook) -> bool {
    hook.events.iter().any(|event| event.ends_with("-delete"))
}

/// The kinds of objects.
pub fn kinds(objects: &[Object]) -> BTreeSet<KindId> {
    manifest::kinds(objects).into_iter().collect()
}

/// Removes objects that are still ours. Kinds that are not served have no objects.
///
/// # Errors
/// As the API server said.
pub async fn remove(
    client: &Client,
    served: &BTreeMap<KindId, Served>,
    namespace: &str,
    objects: &[Object],
) -> Result<(), kube::Error> {
    for object in objects {
        let Some(kind) = served.get(&object.id.kind) else {
            continue;
        };
        let place = object.id.namespace.as_deref().unwrap_or(namespace);
        let api: Api<DynamicObject> = if kind.namespaced {
            Api::namespaced_with(client.clone(), place, &kind.resource)
        } else {
            Api::all_with(client.clone(), &kind.resource)
        };
        let found = match api.get_metadata(&object.id.name).await {
            // The object is gone, or its whole kind.
            Err(kube::Error::Api(status)) if status.code == 404 => continue,
            found => found?,
        };
        let labels = found.metadata.labels.unwrap_or_default();
        if labels.get(PART_OF.0).map(String::as_str) != Some(PART_OF.1) {
            continue;
        }
        let params = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            preconditions: Some(Preconditions {
                uid: found.metadata.uid,
                ..Preconditions::default()
            }),
            ..DeleteParams::default()
        };
        match api.delete(&object.id.name, &params).await {
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
            deleted => {
                deleted?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(name: &str, events: &[&str]) -> Hook {
        Hook {
            name: name.to_owned(),
            kind: "HTTPRoute".to_owned(),
            manifest: format!(
                "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: {name}, namespace: n}}\n"
            ),
            events: events.iter().map(ToString::to_string).collect(),
            ..Hook::default()
        }
    }

    #[test]
    fn hooks_of_life_go_before_and_all_others_after() {
        let release = Release {
            hooks: vec![
                hook("route", &["post-install", "post-upgrade"]),
                hook("bye", &["pre-delete"]),
            ],
            ..Release::default()
        };
        let names = |objects: Vec<Object>| objects.into_iter().map(|one| one.id.name).collect::<Vec<_>>();
        let kept = manifest::parse(&release.hooks[0].manifest).unwrap();
        // A later revision without any hook does not make the others' objects go away.
        let revisions = [release.clone(), release, Release::default()];
        assert_eq!(names(forgotten(&revisions, Hooks::OfLife, &[])), ["route"]);
        assert_eq!(names(forgotten(&revisions, Hooks::All, &[])), ["route", "bye"]);
        assert_eq!(names(forgotten(&revisions, Hooks::All, &kept)), ["bye"]);
    }
}
