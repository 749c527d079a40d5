//! What is declared is what exists, byte for byte: `llm-operator render` says what each resource must have, and the API
//! server, asked to apply it without doing so, says whether that would change anything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::declared::{Declared, Id};
use super::desk::Desk;
use super::kinds::Kind;
use super::world::{World, text, title};
use crate::process::TemporaryDirectory;

/// The operator's field manager.
const MANAGER: &str = "llm-operator";
/// Requests at once.
const AT_ONCE: usize = 8;
/// What of an object is compared.
const PARTS: [&str; 4] = ["spec", "data", "binaryData", "immutable"];
const META: [&str; 4] = ["labels", "annotations", "ownerReferences", "finalizers"];

/// Asks both; sentences about what differs.
pub async fn ask(
    operator: &Path,
    desk: &Desk,
    world: &World,
    declared: &Declared,
) -> Result<Vec<String>, String> {
    let asked = world.resources.iter().filter(|(id, _)| {
        let alive = declared.alive.contains_key(id);
        alive && declared.obstacle(**id).is_none()
    });
    // What is blocked is left as it is, so nobody can say what it has.
    let resources: Vec<&Value> = asked.map(|(_, resource)| resource).collect();
    let rendered = render(operator, &resources, &world.nodes).await?;
    let mut wrong = numbers(world, &resources, &rendered);
    let there: BTreeMap<String, &Value> = world.everything().map(|object| (title(object), object)).collect();
    let compared = stream::iter(rendered.iter().map(async |object| {
        let Some(stored) = there.get(&title(object)) else {
            return Ok(Some(format!("{} does not exist", title(object))));
        };
        compare(desk, object, stored).await
    }));
    let compared: Vec<Result<Option<String>, String>> = compared.buffer_unordered(AT_ONCE).collect().await;
    for one in compared {
        wrong.extend(one?);
    }
    Ok(wrong)
}

async fn render(operator: &Path, resources: &[&Value], nodes: &[Value]) -> Result<Vec<Value>, String> {
    let directory = TemporaryDirectory::new("chaos").map_err(|error| error.to_string())?;
    let write = |name: &str, items: Value| {
        let path = directory.path().join(name);
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        std::fs::write(&path, list.to_string())
            .map(|()| path)
            .map_err(|error| error.to_string())
    };
    let files = (
        write("resources.yaml", json!(resources))?,
        write("nodes.yaml", json!(nodes))?,
    );
    let output = tokio::process::Command::new(operator)
        .args(["render", "-f"])
        .arg(&files.0)
        .arg("--nodes")
        .arg(&files.1)
        .output()
        .await
        .map_err(|error| format!("{}: {error}", operator.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let errors: Vec<&str> = said.lines().filter(|line| !line.starts_with("note")).collect();
        return Err(format!("render refuses what is declared:\n{}", errors.join("\n")));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let objects: Vec<Value> =
        serde_saphyr::from_multiple(&text).map_err(|error| format!("render printed no YAML: {error}"))?;
    // The replicas here serve no external metrics, so a promise is kept by `/scale` and not by an autoscaler.
    let made = |object: &Value| !object.is_null() && object["kind"] != "HorizontalPodAutoscaler";
    Ok(objects.into_iter().filter(made).collect())
}

/// Each resource has exactly the children that were rendered.
fn numbers(world: &World, resources: &[&Value], rendered: &[Value]) -> Vec<String> {
    let mut wrong = Vec::new();
    for resource in resources {
        let uid = text(resource, "uid");
        let of = |objects: &mut dyn Iterator<Item = &Value>| -> BTreeSet<String> {
            objects
                .filter(|object| controller(object) == uid)
                .map(title)
                .collect()
        };
        let (wanted, there) = (of(&mut rendered.iter()), of(&mut world.everything()));
        let Some(id) = Id::of_child(text(resource, "name")) else {
            continue;
        };
        // Answers are no part of the plan, they come when the model has given them.
        let answers = format!("ConfigMap {}/{}-answers", id.namespace(), id.name());
        let more = there.difference(&wanted).filter(|title| **title != answers);
        let more: Vec<&String> = more.collect();
        if !more.is_empty() {
            wrong.push(format!("{} has {more:?} too many", title(resource)));
        }
    }
    wrong
}

fn controller(object: &Value) -> &str {
    let owners = object["metadata"]["ownerReferences"].as_array();
    let found = owners
        .into_iter()
        .flatten()
        .find(|owner| owner["controller"] == true);
    found.and_then(|owner| owner["uid"].as_str()).unwrap_or_default()
}

async fn compare(desk: &Desk, object: &Value, stored: &Value) -> Result<Option<String>, String> {
    let path = path(object)?;
    let what = format!("{} is tried out", title(object));
    let would = Desk::insist(&what, async || desk.would_apply(&path, MANAGER, object).await).await?;
    let differs = |ours: &Value, theirs: &Value, names: &[&str]| -> Option<String> {
        let name = names.iter().find(|name| ours[**name] != theirs[**name])?;
        Some(format!("{name}.{}", difference(&ours[*name], &theirs[*name])))
    };
    if Id::of_child(text(object, "name")).is_some_and(|id| id.kind == Kind::Graph)
        && object["kind"] == "StatefulSet"
    {
        // Its number of replicas belongs to whoever set it by `/scale`; the rest is as it is rendered.
        return Ok(differs(
            &would["spec"],
            &stored["spec"],
            &["template", "selector", "volumeClaimTemplates"],
        ));
    }
    let found = differs(&would, stored, &PARTS);
    let found = found.or_else(|| differs(&would["metadata"], &stored["metadata"], &META));
    Ok(found.map(|found| format!("{}: {found}", title(object))))
}

/// The first place where two values differ, in words.
fn difference(ours: &Value, theirs: &Value) -> String {
    if let (Value::Object(ours), Value::Object(theirs)) = (ours, theirs) {
        let keys: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        let differs = keys.into_iter().find(|key| ours.get(*key) != theirs.get(*key));
        if let Some(key) = differs {
            let of = |object: &serde_json::Map<String, Value>| object.get(key).cloned().unwrap_or_default();
            return format!("{key}.{}", difference(&of(ours), &of(theirs)));
        }
    }
    format!(" is {theirs} and not {ours}")
}

fn path(object: &Value) -> Result<String, String> {
    let root = match object["kind"].as_str().unwrap_or_default() {
        "Deployment" => ("/apis/apps/v1", "deployments"),
        "StatefulSet" => ("/apis/apps/v1", "statefulsets"),
        "Service" => ("/api/v1", "services"),
        "ConfigMap" => ("/api/v1", "configmaps"),
        "Secret" => ("/api/v1", "secrets"),
        "Pod" => ("/api/v1", "pods"),
        "PersistentVolumeClaim" => ("/api/v1", "persistentvolumeclaims"),
        "NetworkPolicy" => ("/apis/networking.k8s.io/v1", "networkpolicies"),
        "Ingress" => ("/apis/networking.k8s.io/v1", "ingresses"),
        "PodDisruptionBudget" => ("/apis/policy/v1", "poddisruptionbudgets"),
        "HorizontalPodAutoscaler" => ("/apis/autoscaling/v2", "horizontalpodautoscalers"),
        kind => return Err(format!("render printed a {kind}, whose path is not known here")),
    };
    let (namespace, name) = (text(object, "namespace"), text(object, "name"));
    Ok(format!("{}/namespaces/{namespace}/{}/{name}", root.0, root.1))
}
