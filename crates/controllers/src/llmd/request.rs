//! What an `Llmd` asks for, parsed. Pure.
//!
//! In: the spec, and what its references hold. Out: the charts with their values, or every error with its field.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component as Part, Path, PathBuf},
    time::Duration,
};

use api::opendatahub_io::components::v1alpha1::{ChartBlock, LlmdSpec, Repository, ValuesFrom};
use helm::{Access, Chart, InstallRemedy, Remediation, Secret, Source, UpgradeRemedy, Version};
use serde_json::Value;
use serving::field_error::FieldError;

use super::{component::Component, values::merged};
use crate::{parsing::Errors, promise::duration};

/// Namespace of the releases unless the spec names one.
const NAMESPACE: &str = "llm-d";
/// How long a step may take unless the spec says.
pub const TIMEOUT: Duration = Duration::from_mins(10);
/// Key of the values in a ConfigMap or Secret unless the spec says.
const VALUES_KEY: &str = "values.yaml";

/// A ConfigMap or Secret of the releases' namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// A ConfigMap by name.
    ConfigMap(String),
    /// A Secret by name.
    Secret(String),
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ConfigMap(name) => write!(f, "ConfigMap {name}"),
            Self::Secret(name) => write!(f, "Secret {name}"),
        }
    }
}

/// What references hold: each one's data, or that it does not exist.
pub type Referents = BTreeMap<Reference, Option<BTreeMap<String, String>>>;

/// What is asked for, as far as the spec alone says it.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Namespace of the releases.
    pub namespace: String,
    /// How long one step may take.
    pub timeout: Duration,
    /// What follows on failures.
    pub remediation: Remediation,
    charts: BTreeMap<Component, ChartBlock>,
    sources: BTreeMap<Component, Source>,
}

/// One chart that is to be deployed, before it is wired to the others.
#[derive(Clone, Debug, PartialEq)]
pub struct AskedChart {
    /// The chart.
    pub chart: Chart,
    /// The user's values.
    pub values: Value,
    /// Texts of the values that came from Secrets.
    pub secrets: Vec<Secret>,
}

impl Asked {
    /// From the spec. `charts_dir` is where charts on this machine's disk may lie.
    ///
    /// # Errors
    /// Every field that cannot be used.
    pub fn parse(spec: &LlmdSpec, charts_dir: Option<&Path>) -> Result<Self, Vec<FieldError>> {
        let mut errors = Errors::default();
        let timeout = spec.timeout.as_deref().map(|text| duration("spec.timeout", text));
        let timeout = timeout
            .and_then(|timeout| errors.keep(timeout))
            .unwrap_or(TIMEOUT);
        let remediation = errors.keep(remediation(spec)).unwrap_or_default();
        let mut asked = Self {
            namespace: spec.namespace.clone().unwrap_or_else(|| NAMESPACE.to_owned()),
            timeout,
            remediation,
            charts: BTreeMap::new(),
            sources: BTreeMap::new(),
        };
        for component in Component::ALL {
            let Some(block) = block(spec, component) else {
                continue;
            };
            match block.enabled {
                Some(true) => {}
                Some(false) => continue,
                None => {
                    let field = format!("{}.enabled", component.field());
                    errors.0.push(FieldError::new(
                        field,
                        "say whether the chart is deployed: true or false",
                    ));
                    continue;
                }
            }
            if let Some(source) = errors.keep(source(component, block.repository.as_ref(), charts_dir)) {
                asked.sources.insert(component, source);
            }
            asked.charts.insert(component, block.clone());
        }
        errors.finish(asked)
    }

    /// Nothing, in the default namespace unless there is another.
    pub fn nothing(namespace: Option<String>) -> Self {
        Self {
            namespace: namespace.unwrap_or_else(|| NAMESPACE.to_owned()),
            timeout: TIMEOUT,
            remediation: Remediation::default(),
            charts: BTreeMap::new(),
            sources: BTreeMap::new(),
        }
    }

    /// The same, with no chart any more.
    #[must_use]
    pub fn without_charts(self) -> Self {
        Self {
            charts: BTreeMap::new(),
            sources: BTreeMap::new(),
            ..self
        }
    }

    /// Whether no chart is to be deployed.
    pub fn is_empty(&self) -> bool {
        self.charts.is_empty()
    }

    /// Where a chart is had from.
    pub fn source(&self, component: Component) -> Option<&Source> {
        self.sources.get(&component)
    }

    /// Whether the chart is to be deployed.
    pub fn has(&self, component: Component) -> bool {
        self.charts.contains_key(&component)
    }

    /// Everything that is referred to.
    pub fn references(&self) -> BTreeSet<Reference> {
        let of_block = |block: &ChartBlock| {
            let values = block.values_from.iter().flatten().map(reference);
            let login = block
                .repository
                .iter()
                .filter_map(|repository| repository.secret_ref.as_ref());
            let login = login.map(|secret| Reference::Secret(secret.name.clone()));
            values.chain(login).collect::<Vec<_>>()
        };
        self.charts.values().flat_map(of_block).collect()
    }

    /// The charts with the user's values.
    ///
    /// # Errors
    /// Every reference that cannot be used.
    pub fn charts(&self, referents: &Referents) -> Result<BTreeMap<Component, AskedChart>, Vec<FieldError>> {
        let mut errors = Errors::default();
        let mut charts = BTreeMap::new();
        for (component, block) in &self.charts {
            let field = component.field();
            let values = errors.keep_all(values(field, block, referents));
            let access = errors.keep(access(field, block.repository.as_ref(), referents));
            if let (Some((values, secrets)), Some(access), Some(source)) =
                (values, access, self.sources.get(component))
            {
                let version = block.version.as_deref().map(Version::new);
                let chart = Chart {
                    source: source.clone(),
                    version: version.unwrap_or_else(|| component.default_version()),
                    access,
                };
                charts.insert(
                    *component,
                    AskedChart {
                        chart,
                        values,
                        secrets,
                    },
                );
            }
        }
        errors.finish(charts)
    }
}

fn block(spec: &LlmdSpec, component: Component) -> Option<&ChartBlock> {
    match component {
        Component::Infra => spec.infra.as_ref(),
        Component::GatewayApi => spec.gateway_api.as_ref(),
        Component::ModelService => spec.model_service.as_ref(),
    }
}

fn reference(from: &ValuesFrom) -> Reference {
    if from.kind == "Secret" {
        Reference::Secret(from.name.clone())
    } else {
        Reference::ConfigMap(from.name.clone())
    }
}

fn remediation(spec: &LlmdSpec) -> Result<Remediation, FieldError> {
    let asked = spec.remediation.clone().unwrap_or_default();
    let unless = Remediation::default();
    let retries = match asked.retries {
        None => unless.retries,
        Some(retries) => u32::try_from(retries)
            .map_err(|_| FieldError::new("spec.remediation.retries", "must not be negative".to_owned()))?,
    };
    let install = match asked.install.as_deref() {
        Some("keep") => InstallRemedy::Keep,
        _ => InstallRemedy::Uninstall,
    };
    let upgrade = match asked.upgrade.as_deref() {
        Some("keep") => UpgradeRemedy::Keep,
        Some("uninstall") => UpgradeRemedy::Uninstall,
        _ => UpgradeRemedy::Rollback,
    };
    Ok(Remediation {
        retries,
        install,
        upgrade,
    })
}

/// Where a chart is had from.
fn source(
    component: Component,
    repository: Option<&Repository>,
    charts_dir: Option<&Path>,
) -> Result<Source, FieldError> {
    let Some(repository) = repository else {
        return Ok(component.default_source());
    };
    let field = format!("{}.repository.url", component.field());
    let url = repository.url.as_str();
    if let Some(path) = url.strip_prefix("file:") {
        return local(&field, path, charts_dir).map(|path| Source::Local { path });
    }
    if url.starts_with("oci://") {
        return Ok(Source::Registry {
            reference: url.trim_end_matches('/').to_owned(),
        });
    }
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(Source::Repository {
            url: url.to_owned(),
            name: repository
                .chart
                .clone()
                .unwrap_or_else(|| component.chart().to_owned()),
        });
    }
    Err(FieldError::new(
        &field,
        format!("{url:?} is none of https://, http://, oci:// and file:"),
    ))
}

/// A path below the charts directory: the operator's other files are nobody's business.
fn local(field: &str, path: &str, charts_dir: Option<&Path>) -> Result<PathBuf, FieldError> {
    let Some(root) = charts_dir else {
        return Err(FieldError::new(
            field,
            "this operator runs without a charts directory (--charts-dir)".to_owned(),
        ));
    };
    let path = path.strip_prefix("//").unwrap_or(path);
    let whole = root.join(path);
    let climbs = Path::new(path).components().any(|part| part == Part::ParentDir);
    if climbs || !whole.starts_with(root) {
        return Err(FieldError::new(
            field,
            format!(
                "{path} is not below the operator's charts directory {}",
                root.display()
            ),
        ));
    }
    Ok(whole)
}

/// The values of a block, and the texts of them that are secret.
fn values(
    field: &str,
    block: &ChartBlock,
    referents: &Referents,
) -> Result<(Value, Vec<Secret>), Vec<FieldError>> {
    let mut errors = Errors::default();
    let mut values = Value::Object(serde_json::Map::new());
    let mut secrets = Vec::new();
    for (index, from) in block.values_from.iter().flatten().enumerate() {
        let field = format!("{field}.valuesFrom[{index}]");
        let Some(Some(found)) = errors.keep(referred(&field, from, referents)) else {
            continue;
        };
        if from.kind == "Secret" {
            texts(&found, &mut secrets);
        }
        values = merged(values, found);
    }
    if let Some(inline) = &block.values {
        values = merged(values, Value::Object(inline.clone()));
    }
    errors.finish((values, secrets))
}

/// The object that a reference holds; nothing when it may be missing and is.
fn referred(field: &str, from: &ValuesFrom, referents: &Referents) -> Result<Option<Value>, FieldError> {
    let reference = reference(from);
    let key = from.key.as_deref().unwrap_or(VALUES_KEY);
    let missing = |what: String| match from.optional {
        Some(true) => Ok(None),
        _ => Err(FieldError::new(field, what)),
    };
    let Some(data) = referents.get(&reference).and_then(Option::as_ref) else {
        return missing(format!("{reference} does not exist; create it, or set optional"));
    };
    let Some(text) = data.get(key) else {
        return missing(format!("{reference} has no key {key}"));
    };
    let value: Value = match text.trim() {
        "" => Value::Null,
        // What a parser says may quote a Secret.
        text => serde_saphyr::from_str(text)
            .map_err(|_| FieldError::new(field, format!("key {key} of {reference} is no YAML")))?,
    };
    match value {
        Value::Null => Ok(None),
        object @ Value::Object(_) => Ok(Some(object)),
        _ => Err(FieldError::new(
            field,
            format!("key {key} of {reference} holds no object of values"),
        )),
    }
}

/// Every text below a value.
fn texts(value: &Value, into: &mut Vec<Secret>) {
    match value {
        Value::String(text) => into.push(Secret::new(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, into)),
        _ => {}
    }
}

/// The credentials of a repository.
fn access(field: &str, repository: Option<&Repository>, referents: &Referents) -> Result<Access, FieldError> {
    let plain_http = repository
        .and_then(|repository| repository.plain_http)
        .unwrap_or_default();
    let Some(secret) = repository.and_then(|repository| repository.secret_ref.as_ref()) else {
        return Ok(Access {
            plain_http,
            ..Access::default()
        });
    };
    let field = format!("{field}.repository.secretRef");
    let reference = Reference::Secret(secret.name.clone());
    let Some(data) = referents.get(&reference).and_then(Option::as_ref) else {
        return Err(FieldError::new(
            &field,
            format!("{reference} does not exist; create it"),
        ));
    };
    let text = |key: &str| data.get(key).map(|text| text.trim().to_owned());
    let login = match (text("username"), text("password")) {
        (Some(user), Some(password)) => Some((user, Secret::new(password))),
        (None, None) => None,
        _ => {
            return Err(FieldError::new(
                &field,
                format!("{reference} must have both username and password, or neither"),
            ));
        }
    };
    Ok(Access {
        login,
        ca: data.get("ca.crt").cloned(),
        plain_http,
    })
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
