//! The ConfigMap of an `AIModelMap`: the configuration file of every variant that has one.
//!
//! In: a map. Out: the ConfigMap, or what is wrong with the map. Pure.

use std::collections::BTreeMap;

use api::premlabs_io::v1alpha1::{AIModelMap, AIModelMapSpec, ModelVariant};
use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use serving::{build::owned, field_error::FieldError, labels};

use crate::kinds::{AI_MODEL_MAP, PREM_GROUP, PREM_VERSION};

/// Label and annotation of the ConfigMap, with the name of its map.
pub const MAP_LABEL: &str = "mlcontroller.premlabs.io/aimodelmap";

/// A list of variants: its name in the spec, and the prefixes of its keys in the ConfigMap. prem-operator wrote those of
/// DeepSpeed-MII under `generic`, so whoever reads them there still finds them.
struct List<'a> {
    name: &'static str,
    prefixes: &'static [&'static str],
    variants: Option<&'a Vec<ModelVariant>>,
}

fn lists(spec: &AIModelMapSpec) -> [List<'_>; 4] {
    let list = |name, prefixes, variants| List {
        name,
        prefixes,
        variants,
    };
    [
        list("localai", &["localai"], spec.localai.as_ref()),
        list("vllm", &["vllm"], spec.vllm.as_ref()),
        list(
            "deepspeed-mii",
            &["deepspeed-mii", "generic"],
            spec.deepspeed_mii.as_ref(),
        ),
        list("tensor_rt", &["tensor_rt"], spec.tensor_rt.as_ref()),
    ]
}

/// Variants over all engines.
pub fn variants(map: &AIModelMap) -> usize {
    lists(&map.spec)
        .iter()
        .filter_map(|list| list.variants)
        .map(Vec::len)
        .sum()
}

/// Where the configuration file of a variant stands in the ConfigMap; `engine` is the name of the variant's list.
pub fn key(engine: &str, variant: &str) -> String {
    format!("{engine}-{variant}-engineConfigFile")
}

/// The map's ConfigMap; `None`: no variant has a configuration file.
///
/// # Errors
/// Every field that cannot be used, with its path below `spec`.
pub fn config_map(map: &AIModelMap) -> Result<Option<ConfigMap>, Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut data = BTreeMap::new();
    for List {
        name,
        prefixes,
        variants,
    } in lists(&map.spec)
    {
        let variants = variants.map(Vec::as_slice).unwrap_or_default();
        for (place, variant) in variants.iter().enumerate() {
            let Some(file) = variant
                .model
                .engine_config_file
                .as_ref()
                .filter(|file| !file.is_empty())
            else {
                continue;
            };
            for prefix in prefixes {
                let key = key(prefix, &variant.variant);
                if key.len() > LONGEST_KEY {
                    let path = format!("{name}[{place}].variant");
                    errors.push(FieldError::new(
                        path,
                        format!(
                            "{} is too long to name a key of a ConfigMap; shorten it",
                            variant.variant
                        ),
                    ));
                    break;
                }
                // Of two variants of one name the first counts, as for whoever refers to it.
                data.entry(key).or_insert_with(|| file.clone());
            }
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok((!data.is_empty()).then(|| ConfigMap {
        metadata: metadata(map),
        data: Some(data),
        ..ConfigMap::default()
    }))
}

/// Longest key of a ConfigMap, by Kubernetes' rule.
const LONGEST_KEY: usize = 253;

/// What a person should know about a map that can be used.
pub fn remarks(map: &AIModelMap) -> Vec<FieldError> {
    let lists = lists(&map.spec).into_iter();
    let doubles =
        lists.flat_map(|list| doubles(list.name, list.variants.map(Vec::as_slice).unwrap_or_default()));
    doubles.collect()
}

/// One remark per variant whose name an earlier one of the list has.
fn doubles<'a>(list: &'static str, variants: &'a [ModelVariant]) -> impl Iterator<Item = FieldError> + 'a {
    let later = variants.iter().enumerate();
    later.filter_map(move |(place, variant)| {
        let first = variants[..place]
            .iter()
            .position(|one| one.variant == variant.variant)?;
        Some(FieldError::new(
            format!("{list}[{place}].variant"),
            format!(
                "{} is the name of {list}[{first}] too, which counts; rename or remove one of them",
                variant.variant
            ),
        ))
    })
}

fn metadata(map: &AIModelMap) -> ObjectMeta {
    let identity = crate::parsing::identity(&map.metadata, AI_MODEL_MAP, (PREM_GROUP, PREM_VERSION));
    let mut labels = labels::children(&identity, "model-map");
    labels.insert("app.kubernetes.io/component".to_owned(), "model-map".to_owned());
    labels.insert(MAP_LABEL.to_owned(), identity.name.clone());
    ObjectMeta {
        annotations: Some([(MAP_LABEL.to_owned(), identity.name.clone())].into()),
        ..owned(&identity, labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(spec: &serde_json::Value) -> AIModelMap {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "premlabs.io/v1alpha1", "kind": "AIModelMap",
            "metadata": {"name": "phi-2.gguf", "namespace": "n", "uid": "1"}, "spec": spec,
        }))
        .unwrap()
    }

    fn with_files() -> AIModelMap {
        let variant = |name: &str, file: &str| serde_json::json!({"variant": name, "engineConfigFile": file});
        map(&serde_json::json!({
            "localai": [variant("v1", "a: 1\n"), variant("v2", "b"), {"variant": "v3", "uri": "phi"}],
            "vllm": [variant("v1", "c"), variant("v2", "")],
            "deepspeed-mii": [variant("v1", "d")],
            "tensor_rt": [variant("v1", "e")],
        }))
    }

    #[test]
    fn every_file_stands_under_its_engine_and_variant() {
        let made = config_map(&with_files()).unwrap().unwrap();
        let data: Vec<_> = made.data.into_iter().flatten().collect();
        let pairs = [
            ("deepspeed-mii-v1-engineConfigFile", "d"),
            ("generic-v1-engineConfigFile", "d"),
            ("localai-v1-engineConfigFile", "a: 1\n"),
            ("localai-v2-engineConfigFile", "b"),
            ("tensor_rt-v1-engineConfigFile", "e"),
            ("vllm-v1-engineConfigFile", "c"),
        ];
        assert_eq!(data, pairs.map(|(key, file)| (key.to_owned(), file.to_owned())));
        assert_eq!(variants(&with_files()), 7);
    }

    #[test]
    fn it_is_named_and_marked_as_the_map_and_belongs_to_it() {
        let meta = config_map(&with_files()).unwrap().unwrap().metadata;
        assert_eq!(
            (meta.name.as_deref(), meta.namespace.as_deref()),
            (Some("phi-2.gguf"), Some("n"))
        );
        assert_eq!(meta.labels.unwrap()[MAP_LABEL], "phi-2.gguf");
        assert_eq!(meta.annotations.unwrap()[MAP_LABEL], "phi-2.gguf");
        let owner = meta.owner_references.unwrap().remove(0);
        assert_eq!(
            (
                owner.api_version.as_str(),
                owner.kind.as_str(),
                owner.uid.as_str()
            ),
            ("premlabs.io/v1alpha1", "AIModelMap", "1")
        );
        assert_eq!(owner.controller, Some(true));
    }

    #[test]
    fn without_files_there_is_none() {
        for spec in [
            serde_json::json!({}),
            serde_json::json!({"localai": null, "vllm": []}),
            serde_json::json!({"localai": [{"variant": "v1", "uri": "phi", "engineConfigFile": null}]}),
        ] {
            assert_eq!(config_map(&map(&spec)).unwrap(), None);
        }
    }

    #[test]
    fn a_name_that_stands_twice_in_a_list_is_told() {
        let variant = |name: &str| serde_json::json!({"variant": name});
        let errors = remarks(&map(&serde_json::json!({
            "localai": [variant("a"), variant("b"), variant("a"), variant("a")], "vllm": [variant("a")],
        })));
        let paths: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
        assert_eq!(paths, ["localai[2].variant", "localai[3].variant"]);
        assert!(errors[0].message.contains("localai[0]"), "{}", errors[0]);
    }

    #[test]
    fn a_name_that_is_too_long_for_a_key_is_told_once() {
        let long = serde_json::json!({"variant": "a".repeat(240), "engineConfigFile": "f"});
        let errors = config_map(&map(&serde_json::json!({"deepspeed-mii": [long]}))).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0].path, "deepspeed-mii[0].variant");
    }
}
