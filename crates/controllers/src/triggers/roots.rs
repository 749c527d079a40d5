//! Changes of resources that are reconciled: themselves, and who names them.

use api::{
    llm_example_com::v1alpha1::LLMModel,
    premlabs_io::v1alpha1::{AIDeployment, AIModelMap},
};
use kube::{ResourceExt, core::object::HasStatus};
use reconcile::{Change, ObjectKey};

use super::named;
use crate::{
    caches::roots::ServingRoots,
    kinds::{AI_MODEL_MAP, LLM_MODEL},
    referents::named_claims,
    scaling::wake,
    serving_kind::ServingRoot,
};

/// Index key of resources that wait for GPUs which somebody holds.
pub(crate) const WAITS_FOR_GPUS: &str = "waits:gpus";

/// Index keys of a resource that serves: what it names, and whether others' GPUs are what it waits for.
pub(crate) fn root_keys<K: ServingRoot>(resource: &K) -> Vec<String> {
    let waits = resource.reason() == Some(diagnosis::Reason::GpusTaken.as_str());
    let waits = waits.then(|| WAITS_FOR_GPUS.to_owned());
    resource.names().into_iter().chain(waits).collect()
}

/// Index keys: models by the claims that they name.
pub(crate) fn claim_keys(model: &LLMModel) -> Vec<String> {
    let namespace = model.metadata.namespace.as_deref().unwrap_or_default();
    named_claims(model)
        .iter()
        .map(|claim| named("claim", namespace, claim))
        .collect()
}

/// Itself, when its spec changed, it comes or goes, somebody asks for its replicas, or somebody else wrote its status. The status that we write wakes
/// nobody: the cache knows it before its echo comes.
pub(crate) fn serving_changed<K: ServingRoot>(change: &Change<'_, K>) -> Vec<ObjectKey> {
    root_changed(change, K::KIND).into_iter().collect()
}

/// As [`serving_changed`], and the maps that it no longer or newly names: they count who refers to them.
pub(crate) fn ai_deployment_changed(change: &Change<'_, AIDeployment>) -> Vec<ObjectKey> {
    let mut keys = serving_changed(change);
    let names = |resource: Option<&AIDeployment>| resource.map(ServingRoot::names).unwrap_or_default();
    let (old, new) = (names(change.old), names(change.new));
    let changed = old
        .iter()
        .filter(|name| !new.contains(name))
        .chain(new.iter().filter(|name| !old.contains(name)));
    keys.extend(changed.filter_map(|name| {
        let (namespace, name) = name.strip_prefix("map:")?.split_once('/')?;
        Some(ObjectKey::new(AI_MODEL_MAP, namespace, name))
    }));
    keys
}

/// Itself and every resource that names it.
pub(crate) fn model_changed(change: &Change<'_, LLMModel>, users: &ServingRoots) -> Vec<ObjectKey> {
    named_changed(change, (LLM_MODEL, "model"), users)
}

/// Itself and every resource that names it.
pub(crate) fn model_map_changed(change: &Change<'_, AIModelMap>, users: &ServingRoots) -> Vec<ObjectKey> {
    named_changed(change, (AI_MODEL_MAP, "map"), users)
}

fn named_changed<K>(
    change: &Change<'_, K>,
    (kind, sort): (&'static str, &str),
    users: &ServingRoots,
) -> Vec<ObjectKey>
where
    K: ResourceExt + HasStatus<Status: PartialEq>,
{
    let Some(itself) = root_changed(change, kind) else {
        return Vec::new();
    };
    let mut keys = users.filed_under(&named(sort, change.namespace, change.name));
    keys.push(itself);
    keys
}

fn root_changed<K>(change: &Change<'_, K>, kind: &'static str) -> Option<ObjectKey>
where
    K: ResourceExt + HasStatus<Status: PartialEq>,
{
    if let (Some(old), Some(new)) = (change.old, change.new) {
        let same = old.meta().generation == new.meta().generation
            && old.meta().uid == new.meta().uid
            && old.meta().deletion_timestamp == new.meta().deletion_timestamp
            && wake::word(old.meta()) == wake::word(new.meta())
            && old.status() == new.status();
        if same {
            return None;
        }
    }
    Some(ObjectKey::new(kind, change.namespace, change.name))
}

#[cfg(test)]
mod tests {
    use api::llm_example_com::v1alpha1::LLMDeployment;

    use super::*;

    fn change<'a, T>(old: Option<&'a T>, new: Option<&'a T>) -> Change<'a, T> {
        Change {
            namespace: "n",
            name: "chat",
            old,
            new,
            error: None,
        }
    }

    fn deployment(generation: i64, state: &str) -> LLMDeployment {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "llm.example.com/v1alpha1", "kind": "LLMDeployment",
            "metadata": {"name": "chat", "namespace": "n", "uid": "1", "generation": generation,
                "resourceVersion": format!("{generation}{}", state.len())},
            "spec": {"modelRef": "m", "replicas": 1}, "status": {"state": state, "reason": "GpusTaken"},
        }))
        .unwrap()
    }

    fn with_map(generation: i64, map: &str) -> AIDeployment {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "premlabs.io/v1alpha1", "kind": "AIDeployment",
            "metadata": {"name": "chat", "namespace": "n", "uid": "1", "generation": generation},
            "spec": {"models": [{"modelMapRef": {"name": map, "variant": "v"}}]},
        }))
        .unwrap()
    }

    #[test]
    fn a_resource_wakes_itself_by_its_spec_and_by_a_status_that_somebody_else_wrote() {
        let before = deployment(1, "Ready");
        let mut touched = before.clone();
        touched.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
        assert!(serving_changed(&change(Some(&before), Some(&touched))).is_empty());
        let mut asked = touched.clone();
        asked.metadata.annotations = Some([(wake::ANNOTATION.to_owned(), "1".to_owned())].into());
        assert_eq!(serving_changed(&change(Some(&touched), Some(&asked))).len(), 1);
        for after in [deployment(2, "Ready"), deployment(1, "Blocked")] {
            assert_eq!(serving_changed(&change(Some(&before), Some(&after))).len(), 1);
        }
        assert_eq!(serving_changed(&change(Some(&before), None)).len(), 1);
    }

    #[test]
    fn a_resource_is_filed_under_what_it_names_and_waits_for() {
        assert_eq!(
            root_keys(&deployment(1, "Blocked")),
            ["model:n/m", WAITS_FOR_GPUS]
        );
        assert_eq!(root_keys(&with_map(1, "phi")), ["map:n/phi"]);
    }

    #[test]
    fn maps_learn_who_refers_to_them() {
        let words = |old, new| -> Vec<String> {
            let keys = ai_deployment_changed(&change(old, new));
            keys.iter().map(ToString::to_string).collect()
        };
        let (a, b, edited) = (with_map(1, "a"), with_map(2, "b"), with_map(2, "a"));
        let itself = "AIDeployment n/chat";
        assert_eq!(words(None, Some(&a)), [itself, "AIModelMap n/a"]);
        assert_eq!(
            words(Some(&a), Some(&b)),
            [itself, "AIModelMap n/a", "AIModelMap n/b"]
        );
        assert_eq!(words(Some(&a), Some(&edited)), [itself]);
        assert_eq!(words(Some(&b), None), [itself, "AIModelMap n/b"]);
    }
}
