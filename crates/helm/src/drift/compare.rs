//! The comparison: what is desired must be found in what is observed.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::{
    Difference, Finding, Ignore, MANAGED_ANNOTATION,
    lists::{self, Pairing},
    rules, scalars,
};
use crate::manifest::{Object, ObjectId};

/// What of an object is not as it was made. Nothing for one that is being deleted, or that its owner wants left alone.
pub fn compare(desired: &Object, observed: Option<&Value>, ignore: &[Ignore]) -> Vec<Finding> {
    let Some(observed) = observed else {
        return missing(desired).into_iter().collect();
    };
    let metadata = &observed["metadata"];
    if metadata["deletionTimestamp"].is_string() || metadata["annotations"][MANAGED_ANNOTATION] == "false" {
        return Vec::new();
    }
    let mut comparison = Comparison {
        object: &desired.id,
        builtin: rules::is_builtin(&desired.id.kind.group),
        ignore: pointers(&desired.id, ignore),
        path: Vec::new(),
        findings: Vec::new(),
    };
    comparison.object(desired, observed);
    comparison.findings
}

/// A Job that deletes itself when it is done is not missing.
fn missing(desired: &Object) -> Option<Finding> {
    let passes =
        desired.id.kind.kind == "Job" && desired.value["spec"]["ttlSecondsAfterFinished"].is_number();
    (!passes).then(|| Finding {
        object: desired.id.clone(),
        path: String::new(),
        difference: Difference::Missing,
    })
}

/// The pointers that count for this object, taken apart.
fn pointers(object: &ObjectId, ignore: &[Ignore]) -> Vec<Vec<String>> {
    let pointers = ignore
        .iter()
        .filter(|rule| rule.applies(object))
        .flat_map(|rule| &rule.pointers);
    let token = |token: &str| token.replace("~1", "/").replace("~0", "~");
    pointers
        .map(|pointer| pointer.trim_start_matches('/').split('/').map(token).collect())
        .collect()
}

/// One step of a path.
enum Segment {
    Field(String),
    Item { index: usize, key: Option<String> },
}

struct Comparison<'a> {
    object: &'a ObjectId,
    builtin: bool,
    ignore: Vec<Vec<String>>,
    path: Vec<Segment>,
    findings: Vec<Finding>,
}

impl Comparison<'_> {
    fn object(&mut self, desired: &Object, observed: &Value) {
        let Some(fields) = desired.value.as_object() else {
            return;
        };
        let secret = desired.id.kind.group.is_empty() && desired.id.kind.kind == "Secret";
        for (key, value) in fields {
            match key.as_str() {
                // The server may answer in another version than was asked.
                "apiVersion" | "kind" | "status" => {}
                "metadata" => self.metadata(value, &observed["metadata"]),
                "data" | "stringData" if secret => {}
                _ => self.field(key, value, observed.as_object()),
            }
        }
        if secret {
            self.secret(fields, &observed["data"]);
        }
    }

    fn metadata(&mut self, desired: &Value, observed: &Value) {
        self.path.push(Segment::Field("metadata".to_owned()));
        for field in ["labels", "annotations"] {
            if let Some(value) = desired.get(field) {
                self.field(field, value, observed.as_object());
            }
        }
        self.path.pop();
    }

    /// `stringData` is written only, and wins over `data`. Base64 is compared by what it stands for.
    fn secret(&mut self, desired: &Map<String, Value>, observed: &Value) {
        let mut data: BTreeMap<&String, Option<Vec<u8>>> = BTreeMap::new();
        for (key, value) in desired
            .get("data")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if !value.is_null() {
                data.insert(key, value.as_str().and_then(bytes));
            }
        }
        for (key, value) in desired
            .get("stringData")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if !value.is_null() {
                data.insert(key, value.as_str().map(|text| text.as_bytes().to_vec()));
            }
        }
        self.path.push(Segment::Field("data".to_owned()));
        for (key, value) in data {
            self.path.push(Segment::Field(key.clone()));
            match observed.get(key) {
                None => self.found(Difference::Missing),
                Some(observed) if value.is_none() || observed.as_str().and_then(bytes) != value => {
                    self.found(Difference::Changed);
                }
                Some(_) => {}
            }
            self.path.pop();
        }
        self.path.pop();
    }

    fn field(&mut self, key: &str, desired: &Value, siblings: Option<&Map<String, Value>>) {
        // Null means that the manifest does not say anything.
        if desired.is_null() {
            return;
        }
        self.path.push(Segment::Field(key.to_owned()));
        match siblings
            .and_then(|fields| fields.get(key))
            .filter(|value| !value.is_null())
        {
            Some(observed) => self.value(desired, observed),
            None if self.may_be_absent(key, desired, siblings) => {}
            None => self.absent(desired),
        }
        self.path.pop();
    }

    fn value(&mut self, desired: &Value, observed: &Value) {
        if self.is_ignored() {
            return;
        }
        match (desired, observed) {
            (Value::Object(desired), Value::Object(observed)) => self.map(desired, observed),
            (Value::Array(desired), Value::Array(observed)) => self.list(desired, observed),
            _ => {
                if !scalars::same(desired, observed, self.key(), self.is_quantity()) {
                    self.found(Difference::Changed);
                }
            }
        }
    }

    fn map(&mut self, desired: &Map<String, Value>, observed: &Map<String, Value>) {
        for (key, value) in desired {
            self.field(key, value, Some(observed));
        }
        if self.builtin && rules::is_atomic_map(self.key()) {
            let added = observed
                .iter()
                .filter(|(key, value)| !value.is_null() && desired.get(*key).is_none_or(Value::is_null));
            for (key, _) in added {
                self.path.push(Segment::Field(key.clone()));
                self.found(Difference::Changed);
                self.path.pop();
            }
        }
    }

    fn list(&mut self, desired: &[Value], observed: &[Value]) {
        match lists::pair(self.key(), desired, observed) {
            Pairing::ByKey(pairs) => {
                for (index, (name, desired, observed)) in pairs.into_iter().enumerate() {
                    self.path.push(Segment::Item {
                        index,
                        key: Some(name),
                    });
                    match observed {
                        Some(observed) => self.value(desired, observed),
                        None => self.found(Difference::Missing),
                    }
                    self.path.pop();
                }
            }
            Pairing::ByIndex(pairs) => {
                for (index, (desired, observed)) in pairs.into_iter().enumerate() {
                    self.path.push(Segment::Item { index, key: None });
                    self.value(desired, observed);
                    self.path.pop();
                }
            }
            Pairing::Differs => self.found(Difference::Changed),
        }
    }

    /// Whether the API server leaves a field with this value out.
    fn may_be_absent(&self, key: &str, desired: &Value, siblings: Option<&Map<String, Value>>) -> bool {
        match desired {
            Value::Object(fields) if fields.values().all(Value::is_null) => rules::may_drop_empty_map(key),
            Value::Array(items) => items.is_empty(),
            _ if !self.builtin => false,
            Value::String(text) if text.is_empty() => {
                // An environment variable without a value, but not one that has got its value from elsewhere.
                let from_elsewhere =
                    key == "value" && siblings.is_some_and(|fields| fields.contains_key("valueFrom"));
                !rules::keeps_empty_text(key) && !from_elsewhere
            }
            Value::Bool(false) => rules::may_drop_zero(key),
            Value::Number(number) => number.as_i64() == Some(0) && rules::may_drop_zero(key),
            _ => false,
        }
    }

    /// Everything below a field that is not there: labels are told one by one.
    fn absent(&mut self, desired: &Value) {
        match desired {
            Value::Object(labels) if self.is_labels() => {
                for (key, value) in labels.iter().filter(|(_, value)| !value.is_null()) {
                    self.path.push(Segment::Field(key.clone()));
                    self.absent(value);
                    self.path.pop();
                }
            }
            _ if self.is_below_labels() => self.found(Difference::LabelLost),
            _ => self.found(Difference::Missing),
        }
    }

    fn found(&mut self, difference: Difference) {
        if self.is_ignored() {
            return;
        }
        self.findings.push(Finding {
            object: self.object.clone(),
            path: show(&self.path),
            difference,
        });
    }

    /// The field that the path ends in, or whose item it ends in.
    fn key(&self) -> &str {
        let fields = self.path.iter().rev().find_map(|segment| match segment {
            Segment::Field(key) => Some(key.as_str()),
            Segment::Item { .. } => None,
        });
        fields.unwrap_or_default()
    }

    fn is_quantity(&self) -> bool {
        let last_two = self.path.iter().rev().take(2);
        last_two
            .filter_map(|segment| match segment {
                Segment::Field(key) => Some(key.as_str()),
                Segment::Item { .. } => None,
            })
            .any(|key| rules::is_quantity(key, &self.object.kind.kind))
    }

    fn is_labels(&self) -> bool {
        matches!(self.path.as_slice(), [.., Segment::Field(metadata), Segment::Field(labels)] if metadata == "metadata" && labels == "labels")
    }

    fn is_below_labels(&self) -> bool {
        matches!(self.path.as_slice(), [.., Segment::Field(metadata), Segment::Field(labels), Segment::Field(_)] if metadata == "metadata" && labels == "labels")
    }

    /// Whether a pointer means this path or one above it.
    fn is_ignored(&self) -> bool {
        self.ignore.iter().any(|pointer| {
            pointer.len() <= self.path.len()
                && pointer
                    .iter()
                    .zip(&self.path)
                    .all(|(token, segment)| match segment {
                        Segment::Field(key) => token == key,
                        Segment::Item { index, key } => {
                            token == "*" || key.as_ref() == Some(token) || token.parse() == Ok(*index)
                        }
                    })
        })
    }
}

/// Base64, with the line breaks that some write into it.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(text).ok()
}

/// `spec.template.spec.containers[engine].args[2]`.
fn show(path: &[Segment]) -> String {
    let mut text = String::new();
    for segment in path {
        let bracketed = match segment {
            Segment::Field(key) if !key.contains(['.', '/']) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
                continue;
            }
            Segment::Field(key) | Segment::Item { key: Some(key), .. } => key.clone(),
            Segment::Item { index, .. } => index.to_string(),
        };
        text.extend(["[", &bracketed, "]"]);
    }
    text
}
