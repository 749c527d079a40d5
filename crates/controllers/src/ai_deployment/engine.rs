//! The engine: its name, its image, and the models in its words.
//!
//! In: `engine`, resolved models. Out: a [`PremEngine`] and an image, or what is wrong. Pure.

use std::collections::BTreeMap;

use api::premlabs_io::v1alpha1::{AIDeployment, EngineSpec};
use k8s_openapi::api::core::v1::Container;
use serving::{
    engine::prem::{self, Facts, PremEngine, PremModel, PremSource},
    field_error::FieldError,
    plan::ConfigPlan,
};

use super::models::Resolved;

/// The engines that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EngineName {
    /// `localai`.
    LocalAi,
    /// `vllm`.
    Vllm,
    /// `deepspeed-mii`.
    DeepspeedMii,
    /// `triton`, also `tensorrt`.
    Triton,
    /// `generic`.
    Generic,
}

impl EngineName {
    /// Reads the name.
    ///
    /// # Errors
    /// There is none, or no engine of that name.
    pub(super) fn of(resource: &AIDeployment) -> Result<Self, FieldError> {
        let name = resource
            .spec
            .engine
            .as_ref()
            .map_or("", |engine| engine.name.as_str());
        Ok(match name {
            "localai" => Self::LocalAi,
            "vllm" => Self::Vllm,
            "deepspeed-mii" => Self::DeepspeedMii,
            "triton" | "tensorrt" => Self::Triton,
            "generic" => Self::Generic,
            _ => {
                let unknown = if name.is_empty() {
                    "no engine is named".to_owned()
                } else {
                    format!("unknown engine {name}")
                };
                let message =
                    format!("{unknown}; use localai, vllm, deepspeed-mii, triton (also tensorrt) or generic");
                return Err(FieldError::new("engine.name", message));
            }
        })
    }

    /// As it is written.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::LocalAi => "localai",
            Self::Vllm => "vllm",
            Self::DeepspeedMii => "deepspeed-mii",
            Self::Triton => "triton",
            Self::Generic => "generic",
        }
    }

    /// What its image is called and where it listens; `None`: its template says.
    pub(super) const fn facts(self) -> Option<Facts> {
        match self {
            Self::LocalAi => Some(prem::LOCAL_AI),
            Self::Vllm => Some(prem::VLLM),
            Self::DeepspeedMii => Some(prem::DEEPSPEED_MII),
            Self::Triton => Some(prem::TRITON),
            Self::Generic => None,
        }
    }
}

/// Repository and tag, of which the options may replace either.
pub(super) fn image(facts: Facts, engine: Option<&EngineSpec>) -> String {
    let repository = option(engine, "imageRepository").unwrap_or(facts.repository);
    let tag = option(engine, "imageTag").unwrap_or(facts.tag);
    format!("{repository}:{tag}")
}

fn option<'a>(engine: Option<&'a EngineSpec>, key: &str) -> Option<&'a str> {
    let value = engine?.options.as_ref()?.get(key)?;
    (!value.is_empty()).then_some(value.as_str())
}

/// The container that a template brings, for `generic`.
pub(super) struct Generic {
    /// The container.
    pub container: Container,
    /// Ports that it declares.
    pub ports: Vec<u16>,
}

/// The engine with its models, and the `ConfigMap` that holds what no map's does.
///
/// # Errors
/// Every model that this engine cannot serve.
pub(super) fn engine(
    name: EngineName,
    spec: Option<&EngineSpec>,
    models: &[Resolved],
    config_map: &str,
    generic: Option<Generic>,
) -> Result<(PremEngine, Option<ConfigPlan>), Vec<FieldError>> {
    Ok(match name {
        EngineName::LocalAi => {
            let mut files = Files::new(config_map);
            let models = prem_models(models, |model| files.source(model))?;
            (PremEngine::LocalAi { models }, files.finish())
        }
        EngineName::Triton => {
            let models = prem_models(models, |_| None)?;
            (PremEngine::Triton { models }, None)
        }
        EngineName::Vllm => (vllm(spec, models)?, None),
        EngineName::DeepspeedMii => {
            let uri = only(models)?.uri;
            (PremEngine::DeepspeedMii { uri }, None)
        }
        EngineName::Generic => match generic {
            Some(Generic { container, ports }) => (
                PremEngine::Generic {
                    container: Box::new(container),
                    ports,
                },
                None,
            ),
            None => return Err(Vec::new()),
        },
    })
}

/// The one model of an engine that has one.
struct Only<'a> {
    uri: String,
    model: &'a Resolved,
}

fn only(models: &[Resolved]) -> Result<Only<'_>, Vec<FieldError>> {
    let wrong = |path: &str, message: &str| Err(vec![FieldError::new(path, message)]);
    match models {
        [] => wrong("models", "models not specified; this engine serves exactly one"),
        [model] => match &model.uri {
            Some(uri) => Ok(Only {
                uri: uri.clone(),
                model,
            }),
            None => wrong("models[0].uri", "is empty; say which model the engine loads"),
        },
        _ => wrong(
            "models",
            "only one model can be specified with this engine; keep one",
        ),
    }
}

fn vllm(spec: Option<&EngineSpec>, models: &[Resolved]) -> Result<PremEngine, Vec<FieldError>> {
    let Only { uri, model } = only(models)?;
    let mut errors = Vec::new();
    let mut word = |key: &str, of_model: &Option<String>| {
        let given = spec.and_then(|spec| spec.options.as_ref()?.get(key));
        let word = given.or(of_model.as_ref()).cloned();
        if word
            .as_deref()
            .is_some_and(|word| !word.chars().all(char::is_alphanumeric))
        {
            let message = format!(
                "{key} must be alphanumeric, not {:?}",
                word.as_deref().unwrap_or_default()
            );
            errors.push(FieldError::new(format!("engine.options.{key}"), message));
        }
        word
    };
    let dtype = word("dtype", &model.data_type);
    let quantization = word("quantization", &model.quantization);
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(PremEngine::Vllm {
        uri,
        dtype,
        quantization,
    })
}

fn prem_models(
    models: &[Resolved],
    mut file: impl FnMut(&Resolved) -> Option<PremSource>,
) -> Result<Vec<PremModel>, Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut all = Vec::with_capacity(models.len());
    for (index, model) in models.iter().enumerate() {
        let source = file(model).or_else(|| model.uri.clone().map(PremSource::Uri));
        let problem = match &source {
            None => Some("is empty; say where the model is".to_owned()),
            Some(PremSource::Uri(uri)) => uri_problem(uri),
            Some(PremSource::File { .. }) => None,
        };
        errors.extend(problem.map(|problem| FieldError::new(format!("models[{index}].uri"), problem)));
        all.extend(source.map(|source| PremModel {
            name: model.name.clone(),
            host_name: model.host_name.clone(),
            source,
        }));
    }
    if errors.is_empty() { Ok(all) } else { Err(errors) }
}

/// The URL stands unquoted in a script: what no URL may hold (RFC 3986) would take it apart there, or mean several to curl.
fn uri_problem(uri: &str) -> Option<String> {
    // Brackets are around an IPv6 address and nowhere else.
    let rest = match uri.split_once("://[") {
        Some((_, rest)) => rest.replacen(']', "", 1),
        None => uri.to_owned(),
    };
    let odd = |c: char| c.is_whitespace() || c.is_control() || "\"`\\<>{}|^[]".contains(c);
    let bad = uri.starts_with("http") && rest.chars().any(odd);
    bad.then(|| format!("{uri:?} is no URL: blanks and \" ` \\ < > {{ }} | ^ [ ] must be written as %XX"))
}

/// Configuration files that a `ConfigMap` of the resource itself has to hold.
struct Files<'a> {
    config_map: &'a str,
    data: BTreeMap<String, String>,
}

impl<'a> Files<'a> {
    const fn new(config_map: &'a str) -> Self {
        Self {
            config_map,
            data: BTreeMap::new(),
        }
    }

    fn source(&mut self, model: &Resolved) -> Option<PremSource> {
        let config = model.config.as_ref()?;
        let content = config.content.clone();
        if config.in_map {
            return Some(PremSource::File {
                config_map: model.name.clone(),
                key: format!("localai-{}-engineConfigFile", model.variant),
                content,
            });
        }
        let mut key = format!("{}.yaml", model.host_name);
        while self.data.contains_key(&key) {
            key = format!("{}-{}.yaml", model.host_name, self.data.len() + 1);
        }
        self.data.insert(key.clone(), content.clone());
        Some(PremSource::File {
            config_map: self.config_map.to_owned(),
            key,
            content,
        })
    }

    fn finish(self) -> Option<ConfigPlan> {
        (!self.data.is_empty()).then(|| ConfigPlan {
            name: self.config_map.to_owned(),
            data: self.data,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_one_word() {
        for good in [
            "phi-2",
            "any thing",
            "http://h/it's$5*.gguf?a=b&c=(d)",
            "http://[fd00::1]:8080/m.gguf",
        ] {
            assert_eq!(uri_problem(good), None, "{good}");
        }
        for bad in [
            "http://h/a b",
            "http://h/{a,b}",
            "http://h/[1-3].gguf",
            "http://h/a\nb",
            "http://[::1]/[1-3]",
        ] {
            assert!(uri_problem(bad).is_some(), "{bad}");
        }
    }
}
