//! What a resource names beside itself, and what of it matters.
//!
//! In: resources and facts about what they name. Out: names, and what is known by name. Pure.

use std::{borrow::Borrow, collections::BTreeMap};

use api::{
    llm_example_com::v1alpha1::LLMModel,
    shared::{AccessMode, WeightsStorage},
};
use diagnosis::facts::ClaimFacts;

/// Names of the claims that a model expects to exist.
pub fn named_claims(model: &LLMModel) -> Vec<String> {
    let source = model.spec.source.as_ref().map(|source| source.uri.as_str());
    expected_claims(model.spec.storage.as_ref(), source)
}

/// Names of the claims that storage and source expect to exist.
pub fn expected_claims(storage: Option<&WeightsStorage>, source: Option<&str>) -> Vec<String> {
    let existing = storage.and_then(|storage| storage.existing_claim.clone());
    let source = source.and_then(|uri| {
        let path = uri.strip_prefix("pvc://")?;
        path.split('/').next().map(str::to_owned)
    });
    existing.into_iter().chain(source).collect()
}

/// What the volumes of these claims can do; those that do not exist are left out.
pub fn claim_modes<C: Borrow<ClaimFacts>>(
    names: Vec<String>,
    claim: impl Fn(&str) -> Option<C>,
) -> BTreeMap<String, AccessMode> {
    names
        .into_iter()
        .filter_map(|name| {
            let mode = access_mode(claim(&name)?.borrow())?;
            Some((name, mode))
        })
        .collect()
}

/// The widest of a claim's access modes: what its volume can do for several Pods.
fn access_mode(claim: &ClaimFacts) -> Option<AccessMode> {
    let has = |mode: AccessMode| claim.access_modes.iter().any(|one| &**one == mode.as_str());
    [
        AccessMode::ReadWriteMany,
        AccessMode::ReadOnlyMany,
        AccessMode::ReadWriteOnce,
        AccessMode::ReadWriteOncePod,
    ]
    .into_iter()
    .find(|mode| has(*mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(spec: &serde_json::Value) -> LLMModel {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "llm.example.com/v1alpha1", "kind": "LLMModel", "metadata": {"name": "m"}, "spec": spec,
        }))
        .unwrap()
    }

    #[test]
    fn claims_are_named_by_storage_and_by_source() {
        let both = model(&serde_json::json!({
            "modelName": "m", "image": "i",
            "storage": {"existingClaim": "weights"}, "source": {"uri": "pvc://shared/a/b"},
        }));
        assert_eq!(named_claims(&both), ["weights", "shared"]);
        let none = model(&serde_json::json!({"modelName": "m", "image": "i", "source": {"uri": "hf://a/b"}}));
        assert!(named_claims(&none).is_empty());
    }

    #[test]
    fn the_widest_mode_counts_and_what_does_not_exist_is_left_out() {
        let model = model(&serde_json::json!({
            "modelName": "m", "image": "i",
            "storage": {"existingClaim": "weights"}, "source": {"uri": "pvc://missing"},
        }));
        let known = claim_modes(named_claims(&model), |name| {
            (name == "weights").then(|| ClaimFacts {
                access_modes: ["ReadWriteOnce", "ReadOnlyMany"].map(Into::into).into(),
                ..ClaimFacts::default()
            })
        });
        assert_eq!(
            known.into_iter().collect::<Vec<_>>(),
            [("weights".to_owned(), AccessMode::ReadOnlyMany)]
        );
    }
}
