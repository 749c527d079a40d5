//! `llm-operator fields-doc`: every field of every kind as Markdown, from the schemas that the API server gets.
//!
//! In: the definitions of `api`. Out: one page per kind and an index. It knows no field by name.

use std::{fmt::Write as _, fs, path::Path};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Map, Value};

use crate::cli::FieldsDocArgs;

/// Writes the pages into the folder, and removes pages of kinds that are no more.
pub fn main(args: &FieldsDocArgs) -> Result<(), String> {
    let folder = &args.output_dir;
    let optional = api::optional_crds().into_iter().map(|crd| (crd, true));
    let all: Vec<(CustomResourceDefinition, bool)> = api::crds()
        .into_iter()
        .map(|crd| (crd, false))
        .chain(optional)
        .collect();
    let mut pages = vec![("README.md".to_owned(), index(&all))];
    for (crd, _) in &all {
        pages.push((file_name(crd), page(crd)?));
    }
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(failed)?;
    for (name, text) in &pages {
        fs::write(folder.join(name), text).map_err(failed)?;
    }
    remove_others(folder, &pages).map_err(failed)
}

fn remove_others(folder: &Path, pages: &[(String, String)]) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let known = pages.iter().any(|(page, _)| **page == *name);
        if !known && Path::new(&name).extension().is_some_and(|ending| ending == "md") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// `<singular>.<group>.md`: two groups have an `LLMModel`.
fn file_name(crd: &CustomResourceDefinition) -> String {
    format!("{}.{}.md", crd.spec.names.kind.to_lowercase(), crd.spec.group)
}

fn index(crds: &[(CustomResourceDefinition, bool)]) -> String {
    let mut text = String::from(
        "# Fields\n\n\
         These pages are generated (`make manifests`) from the schemas that the API server has. `kubectl explain` tells the same\n\
         of a cluster.\n\n\
         | kind | group and version | installed |\n|---|---|---|\n",
    );
    for (crd, optional) in crds {
        let version = crd.spec.versions.first().map_or("", |version| &version.name);
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "| [{}]({}) | `{}/{version}` | {} |",
            crd.spec.names.kind,
            file_name(crd),
            crd.spec.group,
            if *optional { "when asked for" } else { "always" }
        );
    }
    text
}

fn page(crd: &CustomResourceDefinition) -> Result<String, String> {
    let names = &crd.spec.names;
    let version = crd.spec.versions.first();
    let version = version.ok_or_else(|| format!("{} has no version", names.kind))?;
    let schema = version.schema.as_ref();
    let schema = schema.and_then(|schema| schema.open_api_v3_schema.as_ref());
    let schema = serde_json::to_value(schema).map_err(|error| format!("{}: {error}", names.kind))?;
    let short: Vec<String> = names
        .short_names
        .iter()
        .flatten()
        .map(|name| format!("`{name}`"))
        .collect();
    let mut text = format!(
        "# {} of {}/{}\n\nThis page is generated (`make manifests`). {}\n\n{}, plural `{}`{}.\n",
        names.kind,
        crd.spec.group,
        version.name,
        described(&schema),
        crd.spec.scope,
        names.plural,
        if short.is_empty() {
            String::new()
        } else {
            format!(", short {}", short.join(", "))
        }
    );
    for part in ["spec", "status"] {
        let Some(fields) = schema.pointer(&format!("/properties/{part}")) else {
            continue;
        };
        let mut found = Found::default();
        found.walk(part, fields);
        let _ = write!(
            text,
            "\n## {part}\n\n| field | type | default | limits | meaning |\n|---|---|---|---|---|\n{}",
            found.rows
        );
        if !found.rules.is_empty() {
            let _ = write!(
                text,
                "\n### Rules of {part}\n\n| of | rule |\n|---|---|\n{}",
                found.rules
            );
        }
    }
    Ok(text)
}

/// Rows of the two tables of one part.
#[derive(Default)]
struct Found {
    rows: String,
    rules: String,
}

impl Found {
    /// What stands below `path`, in the schema's order: an object's fields, a list's items, a map's values.
    fn walk(&mut self, path: &str, schema: &Value) {
        for rule in list(schema, "x-kubernetes-validations") {
            let message = rule["message"].as_str().or_else(|| rule["rule"].as_str());
            let _ = writeln!(self.rules, "| `{path}` | {} |", cell(message.unwrap_or_default()));
        }
        if let Some(fields) = schema.get("properties").and_then(Value::as_object) {
            let required = list(schema, "required");
            for (name, field) in fields {
                let needed = required.iter().any(|required| required == name);
                self.field(&format!("{path}.{name}"), field, needed);
            }
        } else if let Some(items) = schema.get("items") {
            self.walk(&format!("{path}[]"), items);
        } else if let Some(values) = schema
            .get("additionalProperties")
            .filter(|values| values.is_object())
        {
            self.walk(&format!("{path}.*"), values);
        }
    }

    fn field(&mut self, path: &str, schema: &Value, required: bool) {
        let default = match schema.get("default") {
            Some(default) => format!("`{default}`"),
            None if required => "**required**".to_owned(),
            None => String::new(),
        };
        let _ = writeln!(
            self.rows,
            "| `{path}` | {} | {} | {} | {} |",
            type_of(schema),
            cell(&default),
            cell(&limits(schema)),
            described(schema)
        );
        self.walk(path, schema);
    }
}

fn list<'a>(schema: &'a Value, key: &str) -> &'a [Value] {
    schema
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn type_of(schema: &Value) -> String {
    let word = schema.get("type").and_then(Value::as_str).unwrap_or_default();
    if schema.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        return "integer or string".to_owned();
    }
    match word {
        "array" => format!(
            "list of {}",
            schema.get("items").map_or_else(String::new, type_of)
        ),
        "object" => match schema
            .get("additionalProperties")
            .filter(|values| values.is_object())
        {
            Some(values) => format!("map of {}", type_of(values)),
            None => "object".to_owned(),
        },
        "" => "anything".to_owned(),
        word => word.to_owned(),
    }
}

/// What else a value has to be; the words of a list's items too.
fn limits(schema: &Value) -> String {
    const WORDS: [(&str, &str); 12] = [
        ("minimum", "at least %"),
        ("maximum", "at most %"),
        ("multipleOf", "a multiple of %"),
        ("minLength", "at least % characters"),
        ("maxLength", "at most % characters"),
        ("pattern", "matches %"),
        ("format", "format %"),
        ("minItems", "at least % items"),
        ("maxItems", "at most % items"),
        ("minProperties", "at least % entries"),
        ("maxProperties", "at most % entries"),
        ("x-kubernetes-list-map-keys", "unique by %"),
    ];
    // Widths of numbers say nothing that the range does not.
    const WIDTHS: [&str; 4] = ["int32", "int64", "uint32", "double"];
    let empty = Map::new();
    let fields = schema.as_object().unwrap_or(&empty);
    let mut found = Vec::new();
    let words = list(schema, "enum").iter().filter(|word| !word.is_null());
    let words: Vec<String> = words.map(|word| format!("`{}`", bare(word))).collect();
    if !words.is_empty() {
        found.push(format!("one of {}", words.join(", ")));
    }
    for (key, meaning) in WORDS {
        let value = fields.get(key).map(bare);
        if let Some(value) = value.filter(|value| !WIDTHS.contains(&value.as_str())) {
            found.push(meaning.replace('%', &format!("`{value}`")));
        }
    }
    if let Some(items) = fields
        .get("items")
        .filter(|items| items.get("properties").is_none())
    {
        let inner = limits(items);
        if !inner.is_empty() {
            found.push(format!("each: {inner}"));
        }
    }
    found.join("; ")
}

/// A value as people write it: words without quotes.
fn bare(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(bare).collect::<Vec<_>>().join(", "),
        Value::Number(number) => match number.as_f64() {
            // Schemas have whole numbers as 1.0.
            Some(float) if float.fract() == 0.0 && number.as_i64().is_none() => format!("{float:.0}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

fn described(schema: &Value) -> String {
    cell(
        schema
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default(),
    )
}

/// Text that stays within its cell of a table.
fn cell(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_is_told_with_what_holds_for_it() {
        let schema = json!({
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "pattern": "^a|b$", "maxLength": 63, "description": "Its\nname."},
                "size": {"type": "integer", "minimum": 1.0, "default": 3},
                "words": {"type": "array", "maxItems": 2, "items": {"type": "string", "enum": ["x", "y", null]}},
                "parts": {"type": "object", "additionalProperties": {"type": "object", "properties": {
                    "amount": {"x-kubernetes-int-or-string": true}
                }}},
            },
            "x-kubernetes-validations": [{"rule": "true", "message": "must be true"}],
        });
        let mut found = Found::default();
        found.walk("spec", &schema);
        let rows: Vec<&str> = found.rows.lines().collect();
        assert!(rows.contains(&"| `spec.name` | string | **required** | at most `63` characters; matches `^a\\|b$` | Its name. |"), "{rows:#?}");
        assert!(
            rows.contains(&"| `spec.size` | integer | `3` | at least `1` |  |"),
            "{rows:#?}"
        );
        assert!(
            rows.contains(
                &"| `spec.words` | list of string |  | at most `2` items; each: one of `x`, `y` |  |"
            ),
            "{rows:#?}"
        );
        assert!(
            rows.contains(&"| `spec.parts.*.amount` | integer or string |  |  |  |"),
            "{rows:#?}"
        );
        assert_eq!(found.rules, "| `spec` | must be true |\n");
    }

    #[test]
    fn no_two_pages_have_one_name() {
        let crds = api::crds().into_iter().chain(api::optional_crds());
        let mut names: Vec<String> = crds.map(|crd| file_name(&crd)).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
