//! What Helm forgets: the objects of hooks, which it creates and leaves where they are.
//!
//! In: a release as Helm has recorded it. Out: the objects to remove, and their removal. An object goes only while it carries our
//! label: what somebody has taken over stays. So does what the chart or somebody wants kept, as Helm has it.

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

/// Annotation of an object that outlives its release.
const RESOURCE_POLICY: &str = "helm.sh/resource-policy";

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
    removable(objects.filter(|object| !kept.contains(&(&object.id.kind.kind, &object.id.name))))
}

/// All objects of these revisions that are not to be kept, each once, in the opposite order of their installation.
pub fn objects(revisions: &[Release]) -> Vec<Object> {
    let parsed = |release: &Release| manifest::parse(&release.manifest).unwrap_or_default();
    let mut objects = removable(revisions.iter().flat_map(parsed));
    objects.reverse();
    objects
}

/// Each once, without those that a revision wants kept.
fn removable(objects: impl Iterator<Item = Object>) -> Vec<Object> {
    let objects: Vec<Object> = objects.collect();
    let is_manifest_kept = |object: &&Object| {
        let annotation = &object.value["metadata"]["annotations"][RESOURCE_POLICY];
        annotation.as_str().is_some_and(keeps)
    };
    let kept = objects.iter().filter(is_manifest_kept);
    let mut seen: BTreeSet<_> = kept.map(|object| object.id.clone()).collect();
    let mut objects = objects;
    objects.retain(|object| seen.insert(object.id.clone()));
    objects
}

/// Whether these annotations say that an object outlives its release.
pub fn is_kept(annotations: Option<&BTreeMap<String, String>>) -> bool {
    let policy = annotations.and_then(|all| all.get(RESOURCE_POLICY));
    policy.is_some_and(|policy| keeps(policy))
}

/// Helm trims the value and takes it in lower case; of several with commas between them, which it does not delete either, one is enough.
fn keeps(policy: &str) -> bool {
    policy
        .split(',')
        .any(|one| one.trim().eq_ignore_ascii_case("keep"))
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
        let is_ours = labels.get(PART_OF.0).map(String::as_str) == Some(PART_OF.1);
        if !is_ours || is_kept(found.metadata.annotations.as_ref()) {
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

    #[test]
    fn what_is_to_be_kept_is_left_out() {
        for (policy, kept) in [
            ("keep", true),
            (" Keep ", true),
            ("delete, keep", true),
            ("keeper", false),
            ("", false),
        ] {
            assert_eq!(keeps(policy), kept, "{policy:?}");
            let annotations = BTreeMap::from([(RESOURCE_POLICY.to_owned(), policy.to_owned())]);
            assert_eq!(is_kept(Some(&annotations)), kept, "{policy:?}");
        }
        let manifest = |name: &str, policy: &str| {
            format!(
                "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, annotations: {{{RESOURCE_POLICY}: {policy}}}}}\n"
            )
        };
        let hooked = |name: &str, policy: &str| Hook {
            manifest: manifest(name, policy),
            ..hook(name, &["post-install"])
        };
        let release = |policy: &str| Release {
            manifest: manifest("key", policy),
            hooks: vec![hooked("lasting", policy), hook("route", &["post-install"])],
            ..Release::default()
        };
        let names = |objects: Vec<Object>| objects.into_iter().map(|one| one.id.name).collect::<Vec<_>>();
        // One revision is enough, whichever it is.
        let revisions = [release("delete"), release("keep")];
        assert_eq!(names(forgotten(&revisions, Hooks::All, &[])), ["route"]);
        assert!(objects(&revisions).is_empty());
        assert_eq!(names(objects(&[release("delete")])), ["key"]);
        assert!(!is_kept(None));
    }
}
