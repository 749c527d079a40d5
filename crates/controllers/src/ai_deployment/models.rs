//! Models: what a resource says of each, completed by the map that it names.
//!
//! In: `models[]` and what may be looked up. Out: resolved models, or the reason why one cannot be used. Pure.
//!
//! What the resource says wins; what it leaves out the variant supplies. An empty string is as good as nothing.

use api::premlabs_io::v1alpha1::{
    AIDeployment, AIModelMap, ModelEntry, ModelMapRef, ModelParameters, ModelVariant,
};

use super::engine::EngineName;
use crate::{
    ai_model_map::status::Files,
    lookup::{Absent, Lookup},
    reason::Reason,
    serving_kind::rejection::Rejection,
};

/// A model that is complete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Resolved {
    /// Name of the map, or of the resource for an inline model.
    pub name: String,
    /// The variant; `inline` without a map.
    pub variant: String,
    /// Name and variant as a host name.
    pub host_name: String,
    /// Where the model is.
    pub uri: Option<String>,
    /// Type of its numbers.
    pub data_type: Option<String>,
    /// How it is quantized.
    pub quantization: Option<String>,
    /// The engine's configuration file.
    pub config: Option<ConfigFile>,
}

/// An engine's configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConfigFile {
    /// What is in it.
    pub content: String,
    /// Whether the map's own `ConfigMap` has it, in the resource's namespace and with this content.
    pub in_map: bool,
}

/// Resolves every model, in order.
///
/// # Errors
/// The first one that cannot be used.
pub(super) fn resolve(
    resource: &AIDeployment,
    engine: EngineName,
    known: &dyn Lookup,
) -> Result<Vec<Resolved>, Rejection> {
    let entries = resource.spec.models.iter().flatten();
    let models = entries.map(|entry| match &entry.model_map_ref {
        None => Ok(inline(resource, &entry.model)),
        Some(map) => of_map(resource, engine, entry, map, known),
    });
    models.collect()
}

fn inline(resource: &AIDeployment, model: &ModelParameters) -> Resolved {
    let name = resource.metadata.name.clone().unwrap_or_default();
    Resolved {
        host_name: host_name(&format!("{name}-model")),
        name,
        variant: "inline".to_owned(),
        uri: said(model.uri.as_ref()),
        data_type: said(model.data_type.as_ref()),
        quantization: said(model.quantization.as_ref()),
        config: said(model.engine_config_file.as_ref()).map(|content| ConfigFile {
            content,
            in_map: false,
        }),
    }
}

fn of_map(
    resource: &AIDeployment,
    engine: EngineName,
    entry: &ModelEntry,
    reference: &ModelMapRef,
    known: &dyn Lookup,
) -> Result<Resolved, Rejection> {
    let own = resource.metadata.namespace.as_deref().unwrap_or_default();
    let name = resource.metadata.name.as_deref().unwrap_or_default();
    let invalid = |what: &str| {
        let sentence = format!("AIDeployment {own}/{name}: {what}");
        Rejection::referent(Reason::InvalidSpec, sentence)
    };
    if reference.name.is_empty() {
        return Err(invalid(
            "a model has modelMapRef with no name; name an AIModelMap",
        ));
    }
    if reference.variant.is_empty() {
        return Err(invalid(&format!(
            "a model has modelMapRef with no variant; name one of AIModelMap {}",
            reference.name
        )));
    }
    let namespace = said(reference.namespace.as_ref()).unwrap_or_else(|| own.to_owned());
    let map = known
        .model_map(&namespace, &reference.name)
        .map_err(|absent| without_map(own, &namespace, reference, &absent))?;
    if namespace != own && !admits(&map, own) {
        let sentence = format!(
            "AIModelMap {} of namespace {namespace} may not be used from here; ask its owner to add {own} to its spec.allowedNamespaces",
            reference.name
        );
        return Err(Rejection::referent(Reason::NotAllowed, sentence));
    }
    let Some(variants) = variants(&map, engine) else {
        return Err(invalid(
            "Can't specify a model with generic engine; remove modelMapRef",
        ));
    };
    let Some(variant) = variants
        .iter()
        .find(|variant| variant.variant == reference.variant)
    else {
        return Err(no_variant(own, name, engine, reference, &variants));
    };
    let files = if namespace == own {
        known.map_files(&map)
    } else {
        Files::Nowhere
    };
    let model = merged(entry, reference, variant, files != Files::Nowhere);
    let mounts = model.config.as_ref().is_some_and(|config| config.in_map);
    if mounts && files == Files::OnTheirWay {
        // Pods that were replaced now would read the file as it was.
        return Err(Rejection::Pending);
    }
    Ok(model)
}

fn merged(entry: &ModelEntry, reference: &ModelMapRef, variant: &ModelVariant, in_map: bool) -> Resolved {
    let (first, second) = (&entry.model, &variant.model);
    let config = match said(first.engine_config_file.as_ref()) {
        Some(content) => Some(ConfigFile {
            content,
            in_map: false,
        }),
        None => said(second.engine_config_file.as_ref()).map(|content| ConfigFile { content, in_map }),
    };
    Resolved {
        name: reference.name.clone(),
        variant: reference.variant.clone(),
        host_name: host_name(&format!("{}-{}", reference.name, reference.variant)),
        uri: said(first.uri.as_ref()).or_else(|| said(second.uri.as_ref())),
        data_type: said(first.data_type.as_ref()).or_else(|| said(second.data_type.as_ref())),
        quantization: said(first.quantization.as_ref()).or_else(|| said(second.quantization.as_ref())),
        config,
    }
}

/// A map that says nothing is open to every namespace, as it always was.
fn admits(map: &AIModelMap, namespace: &str) -> bool {
    let allowed = map.spec.allowed_namespaces.as_ref();
    allowed.is_none_or(|allowed| allowed.iter().any(|one| one == namespace))
}

/// The variants for an engine; `None`: it has no models.
fn variants(map: &AIModelMap, engine: EngineName) -> Option<Vec<&ModelVariant>> {
    let spec = &map.spec;
    let list = match engine {
        EngineName::LocalAi => &spec.localai,
        EngineName::Vllm => &spec.vllm,
        EngineName::DeepspeedMii => &spec.deepspeed_mii,
        EngineName::Triton => &spec.tensor_rt,
        EngineName::Generic => return None,
    };
    Some(list.iter().flatten().collect())
}

fn without_map(own: &str, namespace: &str, reference: &ModelMapRef, absent: &Absent) -> Rejection {
    let name = &reference.name;
    let place = if namespace == own {
        "in this namespace".to_owned()
    } else {
        format!("in namespace {namespace}, or the operator does not watch that")
    };
    match absent {
        Absent::Missing => Rejection::referent(
            Reason::ModelMapNotFound,
            format!(
                "AIModelMap {name} does not exist {place}; create it, or correct spec.models[].modelMapRef"
            ),
        ),
        Absent::Unreadable(error) => Rejection::referent(
            Reason::InvalidSpec,
            format!(
                "AIModelMap {name} cannot be read by this version of the operator: {error}; correct it, or update the operator"
            ),
        ),
    }
}

fn no_variant(
    own: &str,
    name: &str,
    engine: EngineName,
    reference: &ModelMapRef,
    variants: &[&ModelVariant],
) -> Rejection {
    let names: Vec<&str> = variants.iter().map(|one| one.variant.as_str()).collect();
    let has = if names.is_empty() {
        "no variants for it".to_owned()
    } else {
        format!("only {}", names.join(", "))
    };
    Rejection::referent(
        Reason::VariantNotFound,
        format!(
            "AIDeployment {own}/{name} has no model variant {} for {}: AIModelMap {} has {has}",
            reference.variant,
            engine.as_str(),
            reference.name
        ),
    )
}

fn said(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

fn host_name(text: &str) -> String {
    text.replace(['_', '.'], "-").to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use api::llm_example_com::v1alpha1::LLMModel;
    use diagnosis::facts::ClaimFacts;
    use serde_json::json;
    use serving::{catalogue::Catalogue, sizing::NodeGpus};

    use super::*;
    use crate::catalogued::token::Token;

    struct Maps(Vec<AIModelMap>);

    impl Lookup for Maps {
        fn model(&self, _: &str, _: &str) -> Result<Arc<LLMModel>, Absent> {
            Err(Absent::Missing)
        }

        fn model_map(&self, namespace: &str, name: &str) -> Result<Arc<AIModelMap>, Absent> {
            let found = self.0.iter().find(|map| {
                map.metadata.namespace.as_deref() == Some(namespace)
                    && map.metadata.name.as_deref() == Some(name)
            });
            found.cloned().map(Arc::new).ok_or(Absent::Missing)
        }

        fn claim(&self, _: &str, _: &str) -> Option<Arc<ClaimFacts>> {
            None
        }

        fn map_files(&self, map: &AIModelMap) -> Files {
            match map.metadata.generation {
                None => Files::InConfigMap,
                Some(_) => Files::OnTheirWay,
            }
        }

        fn catalogue(&self) -> Arc<Catalogue> {
            Arc::new(Catalogue::builtin().clone())
        }

        fn serves(&self, _: &str, _: &str, _: &str) -> bool {
            false
        }

        fn token(&self, _: &str) -> Token {
            Token::Unknown
        }

        fn gpu_nodes(&self) -> Option<Vec<NodeGpus>> {
            None
        }

        fn operator_namespace(&self) -> &'static str {
            "llm-system"
        }
    }

    fn map(namespace: &str, spec: &serde_json::Value) -> AIModelMap {
        serde_json::from_value(json!({
            "apiVersion": "premlabs.io/v1alpha1", "kind": "AIModelMap",
            "metadata": {"name": "tiny-v0.1", "namespace": namespace}, "spec": spec,
        }))
        .unwrap()
    }

    fn resolved(
        models: &serde_json::Value,
        engine: EngineName,
        maps: Vec<AIModelMap>,
    ) -> Result<Vec<Resolved>, Rejection> {
        let resource = serde_json::from_value(json!({
            "apiVersion": "premlabs.io/v1alpha1", "kind": "AIDeployment",
            "metadata": {"name": "chat", "namespace": "team"}, "spec": {"models": models},
        }))
        .unwrap();
        resolve(&resource, engine, &Maps(maps))
    }

    fn variants() -> serde_json::Value {
        json!({
            "vllm": [{"variant": "awq", "uri": "org/tiny", "dataType": "float16", "quantization": "awq"}],
            "localai": [{"variant": "q4", "uri": "u", "engineConfigFile": "name: tiny"}],
            "tensor_rt": [{"variant": "trt", "uri": "http://h/m.tar.gz"}],
        })
    }

    #[test]
    fn an_inline_model_is_named_after_the_resource() {
        let models = resolved(&json!([{"uri": "phi-2"}]), EngineName::LocalAi, Vec::new()).unwrap();
        let expected = Resolved {
            name: "chat".into(),
            variant: "inline".into(),
            host_name: "chat-model".into(),
            uri: Some("phi-2".into()),
            ..Resolved::default()
        };
        assert_eq!(models, [expected]);
    }

    #[test]
    fn what_the_resource_says_wins_over_the_map() {
        let models = json!([{"modelMapRef": {"name": "tiny-v0.1", "variant": "awq"}, "dataType": "bfloat16", "uri": ""}]);
        let models = resolved(&models, EngineName::Vllm, vec![map("team", &variants())]).unwrap();
        let expected = Resolved {
            name: "tiny-v0.1".into(),
            variant: "awq".into(),
            host_name: "tiny-v0-1-awq".into(),
            uri: Some("org/tiny".into()),
            data_type: Some("bfloat16".into()),
            quantization: Some("awq".into()),
            config: None,
        };
        assert_eq!(models, [expected]);
    }

    #[test]
    fn triton_looks_into_tensor_rt() {
        let models = json!([{"modelMapRef": {"name": "tiny-v0.1", "variant": "trt"}}]);
        let models = resolved(&models, EngineName::Triton, vec![map("team", &variants())]).unwrap();
        assert_eq!(models[0].uri.as_deref(), Some("http://h/m.tar.gz"));
    }

    /// Regression of prem-operator's bug 5: configuration files that no `ConfigMap` of the namespace holds.
    #[test]
    fn a_configuration_file_is_the_maps_only_where_its_config_map_can_be_mounted() {
        let here = json!([{"modelMapRef": {"name": "tiny-v0.1", "variant": "q4"}}]);
        let there = json!([{"modelMapRef": {"name": "tiny-v0.1", "variant": "q4", "namespace": "other"}}]);
        let own = json!([{"modelMapRef": {"name": "tiny-v0.1", "variant": "q4"}, "engineConfigFile": "name: mine"}]);
        for (models, content, in_map) in [
            (&here, "name: tiny", true),
            (&there, "name: tiny", false),
            (&own, "name: mine", false),
        ] {
            let maps = vec![map("team", &variants()), map("other", &variants())];
            let models = resolved(models, EngineName::LocalAi, maps).unwrap();
            let content = content.to_owned();
            assert_eq!(models[0].config, Some(ConfigFile { content, in_map }));
        }
    }

    #[test]
    fn an_edited_map_is_waited_for_where_its_file_is_mounted() {
        let mut edited = map("team", &variants());
        edited.metadata.generation = Some(2);
        let mounted = json!([{"modelMapRef": {"name": "tiny-v0.1", "variant": "q4"}}]);
        let waits = resolved(&mounted, EngineName::LocalAi, vec![edited.clone()]);
        assert_eq!(waits.unwrap_err(), Rejection::Pending);
        let other = json!([{"modelMapRef": {"name": "tiny-v0.1", "variant": "awq"}}]);
        assert!(resolved(&other, EngineName::Vllm, vec![edited]).is_ok());
    }

    #[test]
    fn another_namespace_must_have_agreed_once_it_says_who_may() {
        let models = json!([{"modelMapRef": {"name": "tiny-v0.1", "variant": "awq", "namespace": "other"}}]);
        let with = |allowed: serde_json::Value| {
            let mut spec = variants();
            spec["allowedNamespaces"] = allowed;
            resolved(&models, EngineName::Vllm, vec![map("other", &spec)]).map(|_| ())
        };
        assert_eq!(with(json!(null)), Ok(()));
        assert_eq!(with(json!(["x", "team"])), Ok(()));
        for refused in [json!([]), json!(["x"])] {
            assert_eq!(with(refused).unwrap_err().reason(), Reason::NotAllowed);
        }
    }

    #[test]
    fn every_way_to_miss_is_told() {
        for (models, engine, reason, words) in [
            (
                json!([{"modelMapRef": {"name": "", "variant": "a"}}]),
                EngineName::Vllm,
                Reason::InvalidSpec,
                "modelMapRef with no name",
            ),
            (
                json!([{"modelMapRef": {"name": "a", "variant": ""}}]),
                EngineName::Vllm,
                Reason::InvalidSpec,
                "modelMapRef with no variant",
            ),
            (
                json!([{"modelMapRef": {"name": "a", "variant": "b"}}]),
                EngineName::Vllm,
                Reason::ModelMapNotFound,
                "AIModelMap a does not exist in this namespace",
            ),
            (
                json!([{"modelMapRef": {"name": "tiny-v0.1", "variant": "awq"}}]),
                EngineName::Generic,
                Reason::InvalidSpec,
                "Can't specify a model with generic engine",
            ),
            (
                json!([{"modelMapRef": {"name": "tiny-v0.1", "variant": "gptq"}}]),
                EngineName::Vllm,
                Reason::VariantNotFound,
                "has no model variant gptq for vllm: AIModelMap tiny-v0.1 has only awq",
            ),
            (
                json!([{"modelMapRef": {"name": "tiny-v0.1", "variant": "awq"}}]),
                EngineName::DeepspeedMii,
                Reason::VariantNotFound,
                "for deepspeed-mii: AIModelMap tiny-v0.1 has no variants for it",
            ),
        ] {
            let error = resolved(&models, engine, vec![map("team", &variants())]).unwrap_err();
            assert_eq!(error.reason(), reason, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
