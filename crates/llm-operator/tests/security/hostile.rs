//! Hostile values in every string of every kind: what they become in commands, files, names, labels and YAML.
//!
//! Each string of each example is replaced by each hostile value, each string field that a schema has by some of them in turn; what is
//! rendered then is looked at. A value that is refused is as good: the tables count both.

use std::collections::{BTreeMap, BTreeSet};

use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind, PostParams},
};
use serde_json::{Value, json};

use crate::{
    bases::{Base, bases, containers, pods, rendered},
    common::Space,
    scene::bed,
};

/// Stands in every hostile value, so that it is found wherever it went.
const MARK: &str = "hostile7x";

fn values() -> Vec<String> {
    vec![
        format!("; touch /tmp/{MARK} #"),
        format!("$({MARK})"),
        format!("`{MARK}`"),
        format!("${{{MARK}}}"),
        format!("' || {MARK} || '"),
        format!("\"; {MARK}; \""),
        format!("a\n{MARK}: injected\nb: |"),
        format!("../../{MARK}"),
        format!("x/../../../{MARK}"),
        format!("{MARK}\0tail"),
        format!("!!python/object:{MARK}"),
        format!("&{MARK} *{MARK}"),
        format!("--{MARK}=1"),
        MARK.repeat(500),
        format!("{MARK}\r\nHost: evil"),
        format!("http://169.254.169.254/{MARK}"),
    ]
}

/// A place in a document.
type Path = Vec<String>;

/// Every string in a value.
fn strings(value: &Value, at: &Path, found: &mut BTreeSet<Path>) {
    let below = |key: String| [at.as_slice(), &[key]].concat();
    match value {
        Value::String(_) => drop(found.insert(at.clone())),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                strings(item, &below(index.to_string()), found);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                strings(field, &below(key.clone()), found);
            }
        }
        _ => {}
    }
}

/// Every string field of a schema; items of lists stand at 0. Templates of Pods are the person's, whole.
fn fields(schema: &Value, at: &Path, found: &mut BTreeSet<Path>) {
    if at.last().is_some_and(|name| name == "template") || at.len() > 7 {
        return;
    }
    let below = |key: &str| [at.as_slice(), &[key.to_owned()]].concat();
    if schema["type"] == "string" || schema["x-kubernetes-int-or-string"] == true {
        found.insert(at.clone());
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        fields(field, &below(name), found);
    }
    if schema["items"].is_object() {
        fields(&schema["items"], &below("0"), found);
    }
    if schema["additionalProperties"].is_object() {
        fields(&schema["additionalProperties"], &below(MARK), found);
    }
}

fn schema(kind: &str, version: &str) -> Value {
    let group = version.split('/').next().unwrap();
    let all = [api::crds(), api::optional_crds()].concat();
    let definition = all
        .into_iter()
        .find(|crd| crd.spec.group == group && crd.spec.names.kind == kind)
        .unwrap_or_else(|| panic!("{kind} of {group} is not defined"));
    let schema = definition.spec.versions[0].schema.clone().unwrap();
    let schema = serde_json::to_value(schema.open_api_v3_schema).unwrap();
    schema["properties"]["spec"].clone()
}

/// Puts a value at a place; what is missing on the way is made.
fn put(value: &mut Value, path: &[String], new: &str) {
    let Some((first, rest)) = path.split_first() else {
        *value = json!(new);
        return;
    };
    if let (Ok(index), false) = (first.parse::<usize>(), value.is_object()) {
        if !value.is_array() {
            *value = json!([]);
        }
        let items = value.as_array_mut().unwrap();
        while items.len() <= index {
            items.push(Value::Null);
        }
        put(&mut items[index], rest, new);
        return;
    }
    if !value.is_object() {
        *value = json!({});
    }
    put(&mut value[first.as_str()], rest, new);
}

/// What is the person's own to say in Kubernetes' words, variables among it: it is handed on as it is. So are the models of an
/// `AIDeployment`, as prem-operator has it.
fn is_own(kind: &str, path: &[String]) -> bool {
    let own = ["env", "args", "command", "template", "extraArgs", "options"];
    let of_prem = kind.starts_with("premlabs.io/") && path.last().is_some_and(|name| name == "uri");
    of_prem || path.iter().any(|name| own.contains(&name.as_str()))
}

fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 63
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

fn is_label_value(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let end = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63 && bytes.iter().copied().all(inner) && end(bytes.first()) && end(bytes.last())
}

fn is_label_key(text: &str) -> bool {
    match text.rsplit_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_label_value(name) && !name.is_empty(),
        None => is_label_value(text) && !text.is_empty(),
    }
}

/// What no object may be, whatever was said.
fn look(objects: &[Value], own: bool) -> Result<(), String> {
    let wrong = |what: &str, value: &dyn std::fmt::Debug| Err(format!("{what}: {value:?}"));
    for object in objects {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        if !is_subdomain(name) {
            return wrong("the name of an object", &name);
        }
        labels(&object["metadata"])?;
        for (file, text) in object["data"].as_object().into_iter().flatten() {
            if file.contains("..")
                || !file
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            {
                return wrong("the name of a file", file);
            }
            yaml(text.as_str().unwrap_or_default())?;
        }
    }
    for (_, pod) in pods(objects) {
        labels(&pod["metadata"])?;
        if !own {
            host(&pod["spec"])?;
        }
        for container in containers(&pod) {
            let name = container["name"].as_str().unwrap_or_default();
            if !is_label(name) {
                return wrong("the name of a container", &name);
            }
            script(&container)?;
            if !own {
                mounts(&container)?;
                variables(&container)?;
            }
        }
    }
    Ok(())
}

fn labels(metadata: &Value) -> Result<(), String> {
    for (key, value) in metadata["labels"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or("(no text)");
        if !is_label_key(key) || !is_label_value(value) {
            return Err(format!("a label: {key:?}: {value:?}"));
        }
    }
    Ok(())
}

/// What a shell runs is the same for every resource; values come as words or variables.
fn script(container: &Value) -> Result<(), String> {
    let words: Vec<&str> = ["command", "args"]
        .iter()
        .flat_map(|field| container[field].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    let shell = words.first().is_some_and(|first| first.ends_with("sh"));
    if let (true, Some(position)) = (shell, words.iter().position(|word| *word == "-c")) {
        let text = words.get(position + 1).copied().unwrap_or_default();
        if text.contains(MARK) {
            return Err(format!("a shell's script: {text:?}"));
        }
    }
    Ok(())
}

fn mounts(container: &Value) -> Result<(), String> {
    for mount in container["volumeMounts"].as_array().into_iter().flatten() {
        let path = mount["mountPath"].as_str().unwrap_or_default();
        let below = mount["subPath"].as_str().unwrap_or_default();
        let leaves = |path: &str| path.split('/').any(|part| part == "..");
        if !path.starts_with('/') || leaves(path) || leaves(below) || below.starts_with('/') {
            return Err(format!("a mount: {path:?} {below:?}"));
        }
    }
    Ok(())
}

/// Kubernetes replaces `$(NAME)` in words and values unless it is written `$$(NAME)`.
fn variables(container: &Value) -> Result<(), String> {
    let words = ["command", "args"]
        .iter()
        .flat_map(|field| container[field].as_array().into_iter().flatten())
        .filter_map(Value::as_str);
    let env = container["env"].as_array().into_iter().flatten();
    let values = env.filter_map(|variable| variable["value"].as_str());
    for text in words.chain(values) {
        let mut rest = text;
        while let Some(position) = rest.find(&format!("$({MARK}")) {
            let dollars = rest[..position]
                .bytes()
                .rev()
                .take_while(|byte| *byte == b'$')
                .count();
            if dollars % 2 == 0 {
                return Err(format!("a variable would be put in: {text:?}"));
            }
            rest = &rest[position + 2..];
        }
    }
    Ok(())
}

fn host(spec: &Value) -> Result<(), String> {
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        if spec[field] == true {
            return Err(format!("the host's: {field}"));
        }
    }
    for volume in spec["volumes"].as_array().into_iter().flatten() {
        if volume["hostPath"].is_object() {
            return Err(format!("the host's: {volume}"));
        }
    }
    if spec["automountServiceAccountToken"] == true {
        return Err("a token is mounted".to_owned());
    }
    Ok(())
}

/// A file that is YAML has the value in a scalar: it adds no key, and no further document.
fn yaml(text: &str) -> Result<(), String> {
    if !text.contains(MARK) {
        return Ok(());
    }
    let Ok(documents) = serde_saphyr::from_multiple::<Value>(text) else {
        return Ok(());
    };
    let mut keys = BTreeSet::new();
    for document in &documents {
        all_keys(document, &mut keys);
    }
    match keys
        .iter()
        .find(|key| key.starts_with(MARK) && key.len() == MARK.len())
    {
        Some(key) => Err(format!("a key of a file: {key:?} in {text:?}")),
        None => Ok(()),
    }
}

fn all_keys(value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                keys.insert(key.clone());
                all_keys(field, keys);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| all_keys(item, keys)),
        _ => {}
    }
}

/// Whether the API server takes it, by the schema and its rules.
async fn is_admitted(space: &Space, document: &Value) -> bool {
    let mut document = document.clone();
    document["metadata"]["namespace"] = json!(space.namespace);
    let object: DynamicObject = serde_json::from_value(document).unwrap();
    let kind = GroupVersionKind::try_from(object.types.as_ref().unwrap()).unwrap();
    let api: Api<DynamicObject> = Api::namespaced_with(
        space.client.clone(),
        &space.namespace,
        &ApiResource::from_gvk(&kind),
    );
    let try_only = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    match api.create(&try_only, &object).await {
        Ok(_) => true,
        Err(kube::Error::Api(status)) if status.code == 422 || status.code == 400 => false,
        Err(error) => panic!("{kind:?}: {error}"),
    }
}

/// The places of one document and what is put there: into its own strings every value, and, the first time that its kind comes,
/// into every string field of the kind three of them in turn.
fn places(document: &Value, first: bool) -> BTreeMap<Path, Vec<String>> {
    let values = values();
    let (mut own, mut all) = (BTreeSet::new(), BTreeSet::new());
    strings(&document["spec"], &vec![], &mut own);
    if first {
        let (kind, version) = (&document["kind"], &document["apiVersion"]);
        let schema = schema(kind.as_str().unwrap(), version.as_str().unwrap());
        fields(&schema, &vec![], &mut all);
    }
    let in_turn = all.into_iter().enumerate().map(|(index, path)| {
        let three = (0..3).map(|turn| values[(index + turn * 5) % values.len()].clone());
        (path, three.collect())
    });
    let mut places: BTreeMap<Path, Vec<String>> = in_turn.collect();
    places.extend(own.into_iter().map(|path| (path, values.clone())));
    places
}

#[derive(Default, Debug)]
struct Counts {
    refused: usize,
    looked_at: usize,
}

/// A document of which something was made that must not be; admission may refuse it before.
struct Suspect {
    document: Value,
    why: String,
}

fn try_all(base: &Base, counts: &mut BTreeMap<String, Counts>, suspects: &mut Vec<Suspect>) {
    for (index, document) in base.documents.iter().enumerate() {
        let kind = format!("{} {}", document["apiVersion"], document["kind"]).replace('"', "");
        for (path, values) in places(document, !counts.contains_key(&kind)) {
            for value in values {
                let mut documents = base.documents.clone();
                put(&mut documents[index]["spec"], &path, &value);
                let counts = counts.entry(kind.clone()).or_default();
                match rendered(&documents) {
                    Some(Ok(objects)) => {
                        counts.looked_at += 1;
                        if let Err(why) = look(&objects, is_own(&kind, &path)) {
                            suspects.push(Suspect {
                                document: documents[index].clone(),
                                why: format!("{} {kind} {}: {why}", base.file, path.join(".")),
                            });
                        }
                    }
                    _ => counts.refused += 1,
                }
            }
        }
    }
}

/// No value of any string field is run by a shell, becomes a name or a label that is none, leaves a directory, takes the host's
/// or writes keys into a file.
/// Promises: S2-23
#[tokio::test]
async fn hostile_values_stay_values() {
    let bases = bases();
    for base in &bases {
        let objects = rendered(&base.documents)
            .expect("types")
            .unwrap_or_else(|why| panic!("{}: {why}", base.file));
        look(&objects, true).unwrap_or_else(|why| panic!("{}: {why}", base.file));
    }
    let (mut counts, mut suspects) = (BTreeMap::new(), Vec::new());
    for base in &bases {
        try_all(base, &mut counts, &mut suspects);
    }
    let space = bed().await.space("hostile").await;
    let mut wrong = Vec::new();
    for suspect in suspects {
        if is_admitted(&space, &suspect.document).await {
            wrong.push(suspect.why);
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
    for (version, kind) in crate::bases::SERVING {
        let counts = counts
            .get(&format!("{version} {kind}"))
            .unwrap_or_else(|| panic!("no example of {kind}"));
        assert!(counts.refused > 20 && counts.looked_at > 5, "{kind}: {counts:?}");
    }
}
