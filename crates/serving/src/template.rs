//! A Pod template that a person declares, taken apart.
//!
//! In: a `core/v1` Pod template as JSON. Out: a [`PodRequest`] with everything that the plan decides about, the engine's container
//! when the template has it, and in [`Template`] the rest, which is passed through. It must not judge what is passed through:
//! the API server does, when the Pods' owner is applied.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    api::core::v1::{Container, EnvVar, HostAlias, LocalObjectReference, PodSpec, PodTemplateSpec, Volume},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde_json::Value;

use crate::{field_error::FieldError, request::PodRequest};

/// What a template says that no plan decides about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template {
    /// Containers before the engine's.
    pub before: Vec<Container>,
    /// Containers after the engine's.
    pub after: Vec<Container>,
    /// Init containers; they run before the engine's own.
    pub init: Vec<Container>,
    /// Volumes.
    pub volumes: Vec<Volume>,
    /// Metadata beside labels and annotations.
    pub metadata: ObjectMeta,
    /// Every other field. What the plan decides about is taken out of it.
    pub rest: PodSpec,
}

/// A template taken apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// The Pod without the engine's container.
    pub pod: PodRequest,
    /// The engine's container, when the template's first one is that.
    pub engine: Option<Container>,
}

/// Where in a template the engine's container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnginePlace {
    /// It is the first container.
    First,
    /// The template does not have it; it comes after all others.
    Last,
}

/// Takes a template apart. Quantities may be integers; nulls mean "absent".
///
/// # Errors
/// It is no Pod template: the path below `template`, and what does not fit.
pub fn parse(template: &Value, place: EnginePlace) -> Result<Parsed, FieldError> {
    let mut template = template.clone();
    quantities_to_text(&mut template);
    let template: PodTemplateSpec = serde_path_to_error::deserialize(&template).map_err(|error| {
        let path = match error.path().to_string().as_str() {
            "." => "template".to_owned(),
            path => format!("template.{path}"),
        };
        FieldError::new(path, format!("is no part of a Pod template: {}", error.inner()))
    })?;
    let mut metadata = template.metadata.unwrap_or_default();
    let mut spec = template.spec.unwrap_or_default();
    let mut containers = std::mem::take(&mut spec.containers);
    let init = spec.init_containers.iter_mut().flatten();
    for variables in containers
        .iter_mut()
        .chain(init)
        .filter_map(|container| container.env.as_mut())
    {
        last_of_each(variables);
    }
    spec.host_aliases = spec.host_aliases.take().map(one_per_address);
    let first = (place == EnginePlace::First && !containers.is_empty()).then(|| containers.remove(0));
    let (before, after) = match place {
        EnginePlace::First => (Vec::new(), containers),
        EnginePlace::Last => (containers, Vec::new()),
    };
    let pod = PodRequest {
        labels: metadata.labels.take().unwrap_or_default(),
        annotations: metadata.annotations.take().unwrap_or_default(),
        node_selector: spec.node_selector.take().unwrap_or_default(),
        tolerations: spec.tolerations.take().unwrap_or_default(),
        affinity: spec.affinity.take(),
        topology_spread: spec.topology_spread_constraints.take().unwrap_or_default(),
        priority_class: spec.priority_class_name.take(),
        runtime_class: spec.runtime_class_name.take(),
        grace_period_seconds: spec.termination_grace_period_seconds.take(),
        security: spec.security_context.take(),
        image_pull_secrets: names(spec.image_pull_secrets.take()),
        template: Template {
            before,
            after,
            init: spec.init_containers.take().unwrap_or_default(),
            volumes: spec.volumes.take().unwrap_or_default(),
            metadata,
            rest: spec,
        },
    };
    Ok(Parsed { pod, engine: first })
}

/// Of two variables of one name the later one counts; server-side apply takes only one.
pub fn last_of_each(variables: &mut Vec<EnvVar>) {
    let mut later = BTreeSet::new();
    variables.reverse();
    variables.retain(|variable| later.insert(variable.name.clone()));
    variables.reverse();
}

/// All names of one address in one entry; server-side apply takes only one.
fn one_per_address(aliases: Vec<HostAlias>) -> Vec<HostAlias> {
    let mut merged: Vec<HostAlias> = Vec::new();
    for alias in aliases {
        match merged.iter_mut().find(|one| one.ip == alias.ip) {
            Some(one) => one
                .hostnames
                .get_or_insert_default()
                .extend(alias.hostnames.unwrap_or_default()),
            None => merged.push(alias),
        }
    }
    merged
}

/// Names in order, each once: a second mention changes nothing, and server-side apply does not take one.
fn names(secrets: Option<Vec<LocalObjectReference>>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for secret in secrets.into_iter().flatten() {
        if !secret.name.is_empty() && !names.contains(&secret.name) {
            names.push(secret.name);
        }
    }
    names
}

/// `cpu: 8` as `cpu: "8"`, wherever a Pod template has quantities.
fn quantities_to_text(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(quantities_to_text),
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                match (name.as_str(), field) {
                    ("requests" | "limits" | "overhead", Value::Object(amounts)) => {
                        amounts.values_mut().for_each(number_to_text);
                    }
                    ("sizeLimit" | "divisor", amount) => number_to_text(amount),
                    (_, field) => quantities_to_text(field),
                }
            }
        }
        _ => {}
    }
}

fn number_to_text(value: &mut Value) {
    if value.is_number() {
        *value = Value::String(value.to_string());
    }
}

impl Template {
    /// Without the containers and volumes of these names, for an engine that brings its own and whose template used to be ignored.
    #[must_use]
    pub fn without(mut self, containers: &[&str], volumes: &[&str]) -> Self {
        for list in [&mut self.before, &mut self.after, &mut self.init] {
            list.retain(|container| !containers.contains(&container.name.as_str()));
        }
        self.volumes
            .retain(|volume| !volumes.contains(&volume.name.as_str()));
        self
    }

    /// Names that several containers, or several volumes, have together with `containers` and `volumes` of the engine's own.
    pub fn clashes(&self, containers: &[&str], volumes: &[&str]) -> Vec<FieldError> {
        let theirs = self.before.iter().chain(&self.after).chain(&self.init);
        let theirs: Vec<&str> = theirs.map(|container| container.name.as_str()).collect();
        let named: Vec<&str> = self.volumes.iter().map(|volume| volume.name.as_str()).collect();
        let containers = clashes("containers", "container", &theirs, containers);
        let volumes = clashes("volumes", "volume", &named, volumes);
        containers.into_iter().chain(volumes).collect()
    }
}

fn clashes(field: &str, what: &str, theirs: &[&str], ours: &[&str]) -> Vec<FieldError> {
    let mut count = BTreeMap::<&str, usize>::new();
    for name in theirs {
        *count.entry(name).or_default() += 1;
    }
    let path = format!("template.spec.{field}");
    let twice = count.iter().filter(|(_, count)| **count > 1).map(|(name, _)| {
        FieldError::new(
            path.clone(),
            format!("two of them are named {name:?}; rename one"),
        )
    });
    let taken = count.keys().filter(|name| ours.contains(name)).map(|name| {
        let message = format!("the engine brings its own {what} {name:?}; rename yours");
        FieldError::new(path.clone(), message)
    });
    twice.chain(taken).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_plan_decides_is_taken_out_and_the_rest_is_kept() {
        let template = json!({
            "metadata": {"labels": {"a": "b"}, "annotations": null, "creationTimestamp": null},
            "spec": {
                "containers": [{"name": "one"}, {"name": "two"}], "hostNetwork": true, "nodeSelector": {"x": "y"},
                "imagePullSecrets": [{"name": "s"}, {"name": "s"}], "runtimeClassName": "nvidia",
                "volumes": [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": 1024}}],
            },
        });
        let parsed = parse(&template, EnginePlace::First).unwrap();
        assert_eq!(parsed.engine.unwrap().name, "one");
        let pod = parsed.pod;
        assert_eq!(pod.labels["a"], "b");
        assert_eq!(pod.node_selector["x"], "y");
        assert_eq!(pod.image_pull_secrets, ["s"]);
        assert_eq!(pod.runtime_class.as_deref(), Some("nvidia"));
        assert_eq!(pod.template.after[0].name, "two");
        let rest = PodSpec {
            host_network: Some(true),
            ..PodSpec::default()
        };
        assert_eq!(pod.template.rest, rest);
        let size = pod.template.volumes[0]
            .empty_dir
            .as_ref()
            .unwrap()
            .size_limit
            .as_ref();
        assert_eq!(size.unwrap().0, "1024");
        let last = parse(&template, EnginePlace::Last).unwrap();
        assert_eq!((last.engine, last.pod.template.before.len()), (None, 2));
    }

    #[test]
    fn integers_are_quantities_and_errors_have_a_path() {
        let cpu = json!({"spec": {"containers": [{"name": "a", "resources": {"limits": {"cpu": 8}}}]}});
        let parsed = parse(&cpu, EnginePlace::First).unwrap();
        let limits = parsed.engine.unwrap().resources.unwrap().limits.unwrap();
        assert_eq!(limits["cpu"].0, "8");
        let odd = json!({"spec": {"containers": [{"name": "a", "args": "x"}]}});
        let error = parse(&odd, EnginePlace::First).unwrap_err();
        assert_eq!(error.path, "template.spec.containers[0].args");
    }

    /// Kubernetes takes both in a Pod, server-side apply neither.
    #[test]
    fn what_is_said_twice_is_said_once() {
        let template = json!({"spec": {
            "hostAliases": [{"ip": "1.1.1.1", "hostnames": ["a"]}, {"ip": "1.1.1.1", "hostnames": ["b"]}],
            "containers": [{"name": "x", "env": [{"name": "A", "value": "1"}, {"name": "B"}, {"name": "A", "value": "2"}]}],
        }});
        let pod = parse(&template, EnginePlace::Last).unwrap().pod.template;
        let env = json!(pod.before[0].env);
        assert_eq!(env, json!([{"name": "B"}, {"name": "A", "value": "2"}]));
        assert_eq!(
            json!(pod.rest.host_aliases),
            json!([{"ip": "1.1.1.1", "hostnames": ["a", "b"]}])
        );
    }

    #[test]
    fn an_empty_template_is_an_empty_request() {
        for nothing in [
            json!({}),
            json!({"spec": null}),
            json!({"spec": {"containers": null}}),
        ] {
            assert_eq!(
                parse(&nothing, EnginePlace::First),
                Ok(Parsed::default()),
                "{nothing}"
            );
        }
    }

    #[test]
    fn names_that_clash_are_told() {
        let template = json!({"spec": {"containers": [{"name": "serving"}, {"name": "x"}, {"name": "x"}],
            "volumes": [{"name": "models"}]}});
        let pod = parse(&template, EnginePlace::Last).unwrap().pod;
        let clashes = pod.template.clashes(&["serving"], &["models"]);
        let paths: Vec<&str> = clashes.iter().map(|error| error.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "template.spec.containers",
                "template.spec.containers",
                "template.spec.volumes"
            ]
        );
    }
}
