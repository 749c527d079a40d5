//! The last step over a generated definition.
//!
//! In: a definition as derived from the Rust types. Out: the same, where every optional field of a spec accepts
//! null: `env:` with nothing below it means "absent", by whichever verb it arrives. (A null field that is not
//! nullable is dropped by create but refused by server-side apply; tried on 1.36. The rules see null as absent.)
//! A field with a default stays as it is: null gets the default. A choice stays as it is too: it would need a null
//! among its values, which kubectl's own validation of a definition refuses. And so does the number that `/scale`
//! writes: the API server reads it as a number in every object. It must not add or remove anything else.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

/// Prepares a derived definition for installation.
pub fn finished(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let Some(schema) = version
            .schema
            .as_mut()
            .and_then(|all| all.open_api_v3_schema.as_mut())
        else {
            continue;
        };
        for (name, property) in schema.properties.iter_mut().flatten() {
            if name == "spec" {
                accept_null_below(property);
            } else {
                forget_null_below(property);
            }
        }
        let scale = version.subresources.as_ref().and_then(|all| all.scale.as_ref());
        if let Some(replicas) = scale.and_then(|scale| field(schema, &scale.spec_replicas_path)) {
            replicas.nullable = None;
        }
    }
    crd
}

/// Label of a definition that is ours, where others may have one of the same name.
const MARK: (&str, &str) = ("app.kubernetes.io/part-of", "llm-operator");

/// Marks a definition as ours.
pub fn marked(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let labels = crd.metadata.labels.get_or_insert_default();
    labels.insert(MARK.0.to_owned(), MARK.1.to_owned());
    crd
}

/// Whether an installed definition is [`marked`], so that it may be replaced by another version of it.
pub fn is_marked(crd: &CustomResourceDefinition) -> bool {
    let mark = crd.metadata.labels.as_ref().and_then(|labels| labels.get(MARK.0));
    mark.is_some_and(|value| value == MARK.1)
}

/// The field at a path such as `.spec.replicas`.
fn field<'a>(schema: &'a mut JSONSchemaProps, path: &str) -> Option<&'a mut JSONSchemaProps> {
    let mut names = path.split('.').filter(|name| !name.is_empty());
    names.try_fold(schema, |schema, name| schema.properties.as_mut()?.get_mut(name))
}

/// Makes the spec optional: a resource without one is stored with an empty one, so that its Rust type reads it.
pub fn with_optional_spec(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let schemas = crd
        .spec
        .versions
        .iter_mut()
        .filter_map(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut());
    for schema in schemas {
        schema.required = None;
        if let Some(spec) = schema.properties.as_mut().and_then(|all| all.get_mut("spec")) {
            spec.default = Some(JSON(serde_json::json!({})));
        }
    }
    crd
}

fn accept_null_below(schema: &mut JSONSchemaProps) {
    let required = schema.required.clone().unwrap_or_default();
    for (name, property) in schema.properties.iter_mut().flatten() {
        let optional = !required.contains(name) && property.default.is_none();
        property.nullable = (optional && property.enum_.is_none()).then_some(true);
    }
    for_each_child(schema, accept_null_below);
}

fn forget_null_below(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    for_each_child(schema, forget_null_below);
}

fn for_each_child(schema: &mut JSONSchemaProps, act: fn(&mut JSONSchemaProps)) {
    for child in schema.properties.iter_mut().flat_map(|p| p.values_mut()) {
        act(child);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) => act(item),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(act),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(value)) = &mut schema.additional_properties {
        act(value);
    }
}
