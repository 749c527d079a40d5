//! The pure pipeline, without a cluster: no spec makes it panic, and every rejection names its field.

use std::{collections::BTreeSet, sync::LazyLock};

use api::llm_example_com::v1alpha1::{LLMDeployment, LLMModel};
use controllers::{
    reason::Reason,
    render::{Input, RenderError, render},
    serving_kind::rejection::Rejection,
};
use diagnosis::facts::ClaimFacts;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use serving::FieldError;

use crate::generate::{pairs, schema};

/// What became of a pair.
pub enum Outcome {
    /// The objects that would be applied.
    Objects(Vec<Value>),
    /// The fields that are wrong.
    Rejected(Vec<FieldError>),
}

/// Model and deployment through dereference, validate, plan, build and serialise.
pub fn outcome(model: LLMModel, deployment: LLMDeployment) -> Outcome {
    let claim = |name: &str, mode: &str| {
        let claim: PersistentVolumeClaim = serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": "default"}, "spec": {"accessModes": [mode]},
        }))
        .unwrap();
        (
            ("default".to_owned(), name.to_owned()),
            ClaimFacts::from(&claim).into(),
        )
    };
    let input = Input {
        models: [(("default".to_owned(), "small".to_owned()), model.into())].into(),
        deployments: vec![deployment],
        claims: [
            claim("weights", "ReadWriteOnce"),
            claim("secret", "ReadWriteOncePod"),
        ]
        .into(),
        operator_namespace: "llm-system".to_owned(),
        ..Input::default()
    };
    match render(&input).remove(0) {
        Ok(rendered) => Outcome::Objects(rendered.objects),
        Err(RenderError::Rejected {
            rejection: Rejection::Invalid(wrong),
            ..
        }) => Outcome::Rejected(wrong.into_iter().map(|wrong| wrong.error).collect()),
        Err(RenderError::Rejected {
            rejection:
                Rejection::Referent {
                    reason: Reason::ModelNotFound,
                    sentence,
                },
            ..
        }) => Outcome::Rejected(vec![FieldError::new("modelRef", sentence)]),
        // Unreadable is what only a cache of stored objects can find; these are typed already.
        Err(error) => panic!("{error}"),
    }
}

/// A resource with this spec, if its types are right.
pub fn typed<K: DeserializeOwned>(kind: &str, name: &str, spec: &Value) -> Option<K> {
    serde_json::from_value(json!({
        "apiVersion": "llm.example.com/v1alpha1", "kind": kind,
        "metadata": {"name": name, "namespace": "default"}, "spec": spec,
    }))
    .ok()
}

/// The fields of both specs.
static FIELDS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    ["LLMModel", "LLMDeployment"]
        .iter()
        .flat_map(|kind| schema(kind)["properties"].as_object().unwrap().clone())
        .map(|(field, _)| field)
        .collect()
});

/// Every error is at a field that one of the two kinds has, and says something.
pub fn check_errors(errors: &[FieldError]) {
    assert!(!errors.is_empty(), "a rejection without a reason");
    for error in errors {
        assert!(FIELDS.contains(error.root()), "{error} names no field");
        assert!(error.message.len() > 8, "{error} says nothing");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the types allow comes out as objects or as named fields, never as a panic, and twice the same.
    #[test]
    fn no_spec_makes_it_panic((model, deployment) in pairs()) {
        let model = typed::<LLMModel>("LLMModel", "small", &model);
        let deployment = typed::<LLMDeployment>("LLMDeployment", "chat", &deployment);
        if let (Some(model), Some(mut deployment)) = (model, deployment) {
            deployment.spec.model_ref = "small".to_owned();
            match outcome(model.clone(), deployment.clone()) {
                Outcome::Rejected(errors) => check_errors(&errors),
                Outcome::Objects(objects) => {
                    prop_assert!(objects.len() >= 3);
                    let Outcome::Objects(again) = outcome(model, deployment) else { panic!("not the same twice") };
                    prop_assert_eq!(objects, again);
                }
            }
        }
    }
}
