//! What must be true at rest, seen from what is declared and what exists. Pure: sentences about what is not.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::declared::{Declared, Id, LABEL_DOMAIN};
use super::kinds::Kind;
use super::world::{World, condition, is_live, is_ready, restarts, text, title};

/// All of it.
pub fn at_rest(world: &World, declared: &Declared, words: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = resources(world, declared);
    wrong.extend(owners(world));
    wrong.extend(pods(world, declared));
    wrong.extend(statuses(world, declared, words));
    wrong.extend(labels(world, declared));
    wrong
}

/// What users declared is what is stored, and nothing else.
fn resources(world: &World, declared: &Declared) -> Vec<String> {
    let mut wrong = world
        .unknown
        .iter()
        .map(|title| format!("{title} was never declared"))
        .collect::<Vec<_>>();
    for (id, written) in &declared.alive {
        match world.resources.get(id) {
            None => wrong.push(format!("{} does not exist", id.title())),
            Some(resource) if !resource["metadata"]["deletionTimestamp"].is_null() => {
                wrong.push(format!("{} is going", id.title()));
            }
            Some(resource) => {
                let body = declared.body(*id, *written);
                if let Some(field) = missing(&body["spec"], &resource["spec"], "spec") {
                    wrong.push(format!("{}: {field} is not as it was written", id.title()));
                }
            }
        }
    }
    let gone = world
        .resources
        .keys()
        .filter(|id| !declared.alive.contains_key(id));
    wrong.extend(gone.map(|id| format!("{} was deleted and is still there", id.title())));
    wrong
}

/// The first field of `written` that is not in `stored`.
fn missing(written: &Value, stored: &Value, path: &str) -> Option<String> {
    match (written, stored) {
        (Value::Object(fields), _) => fields
            .iter()
            .find_map(|(name, value)| missing(value, &stored[name], &format!("{path}.{name}"))),
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            { ours.iter().zip(theirs) }.find_map(|(ours, theirs)| missing(ours, theirs, path))
        }
        _ => (written != stored).then(|| path.to_owned()),
    }
}

/// Everything has one owner, which lives: no orphans, no two controllers.
pub fn owners(world: &World) -> Vec<String> {
    let living = world.resources.values().chain(world.everything());
    let living: BTreeSet<&str> = living.map(|object| text(object, "uid")).collect();
    let mut wrong = controllers(world);
    for object in world.everything() {
        let owners = object["metadata"]["ownerReferences"].as_array();
        let mut owners = owners.into_iter().flatten().peekable();
        if owners.peek().is_none() {
            wrong.push(format!("{} has no owner", title(object)));
        }
        for owner in owners {
            if !living.contains(owner["uid"].as_str().unwrap_or_default()) {
                let of = format!("{} {}", owner["kind"], owner["name"]).replace('"', "");
                wrong.push(format!("{} is an orphan of {of}", title(object)));
            }
        }
    }
    wrong
}

/// No object has two controllers; this holds at all times.
pub fn controllers(world: &World) -> Vec<String> {
    let of = |object: &&Value| {
        let owners = object["metadata"]["ownerReferences"].as_array();
        owners
            .into_iter()
            .flatten()
            .filter(|owner| owner["controller"] == true)
            .count()
    };
    let twice = world.everything().filter(|object| of(object) > 1);
    twice
        .map(|object| format!("{} has two controllers", title(object)))
        .collect()
}

/// As many Pods as replicas, all of them serving. What is blocked keeps what it had.
fn pods(world: &World, declared: &Declared) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, written) in &declared.alive {
        if !id.kind.serves() || declared.obstacle(*id).is_some() {
            continue;
        }
        let wanted = Declared::replicas(*id, *written) as usize;
        let pods: Vec<&Value> = world.live_pods(*id).collect();
        let ready = pods.iter().filter(|pod| is_ready(pod)).count();
        if (pods.len(), ready) != (wanted, wanted) {
            let (there, title) = (pods.len(), id.title());
            let state = world
                .resources
                .get(id)
                .map(|resource| resource["status"]["state"].to_string());
            wrong.push(format!(
                "{title}: {there} Pods, {ready} ready, and not {wanted} (state {state:?})"
            ));
        }
    }
    let owners = world
        .pods
        .iter()
        .filter_map(|pod| Id::of_child(text(pod, "name")).map(|id| (id, pod)));
    let left = owners.filter(|(id, _)| !declared.alive.contains_key(id));
    wrong.extend(left.map(|(_, pod)| format!("{} is left", title(pod))));
    wrong
}

/// Every status is of the present generation, in known words, and says what is so.
fn statuses(world: &World, declared: &Declared, words: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, resource) in &world.resources {
        let Some(written) = declared.alive.get(id) else {
            continue;
        };
        let mut say = |what: String| wrong.push(format!("{}: {what}", id.title()));
        let generation = &resource["metadata"]["generation"];
        let status = &resource["status"];
        // The status' own generation is that of the last complete reconcile, which what is blocked has not.
        if declared.obstacle(*id).is_none() && status["observedGeneration"] != *generation {
            say(format!(
                "status of generation {}, not {generation}",
                status["observedGeneration"]
            ));
        }
        for one in status["conditions"].as_array().into_iter().flatten() {
            if one["observedGeneration"] != *generation {
                say(format!(
                    "{} is of generation {}, not {generation}",
                    one["type"], one["observedGeneration"]
                ));
            }
            if !one["reason"]
                .as_str()
                .is_some_and(|reason| words.contains(reason))
            {
                say(format!(
                    "{} has the reason {}, which is not in the list",
                    one["type"], one["reason"]
                ));
            }
        }
        if let Err(what) = says_what_is_so(world, declared, *id, Declared::replicas(*id, *written), resource)
        {
            say(what);
        }
    }
    wrong
}

fn says_what_is_so(
    world: &World,
    declared: &Declared,
    id: Id,
    replicas: u32,
    resource: &Value,
) -> Result<(), String> {
    let status = &resource["status"];
    let told = |type_: &str| {
        let condition = condition(resource, type_);
        let part = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
        (part("status"), part("reason"), part("message"))
    };
    if let Some(reason) = declared.obstacle(id) {
        let (is, why, _) = told("Accepted");
        return if (is.as_str(), why.as_str()) == ("False", reason) {
            Ok(())
        } else {
            Err(format!("Accepted is {is} ({why}), and not False ({reason})"))
        };
    }
    if matches!(id.kind, Kind::Model | Kind::ModelMap) || id.kind.serves() {
        let (is, why, message) = told("Accepted");
        if is != "True" {
            return Err(format!("Accepted is {is} ({why}: {message})"));
        }
    }
    let (ready, why, message) = told("Ready");
    if id.kind == Kind::Labeler && ready != "True" {
        return Err(format!("Ready is {ready} ({why}: {message})"));
    }
    if !id.kind.serves() {
        return Ok(());
    }
    let expected = if replicas == 0 { "Stopped" } else { "Ready" };
    if status["state"] != expected || (replicas > 0 && ready != "True") {
        return Err(format!(
            "state {} ({why}: {message}), and not {expected}",
            status["state"]
        ));
    }
    let serving = world.live_pods(id).filter(|pod| is_ready(pod)).count();
    match status["readyReplicas"].as_u64() {
        Some(told) if told != serving as u64 => Err(format!("readyReplicas {told}, and {serving} serve")),
        _ => Ok(()),
    }
}

/// Every node has the label of every labeler, and none of those that are gone.
fn labels(world: &World, declared: &Declared) -> Vec<String> {
    let wanted = declared.labels();
    let mut wrong = Vec::new();
    for node in &world.nodes {
        let all = node["metadata"]["labels"].as_object();
        let ours: BTreeMap<String, String> = all
            .into_iter()
            .flatten()
            .filter(|(key, _)| key.starts_with(LABEL_DOMAIN))
            .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect();
        if ours != wanted {
            let differ = |(key, value): &(&String, &String)| wanted.get(*key) != Some(*value);
            let odd: Vec<_> = ours.iter().filter(differ).collect();
            let count = (ours.len(), wanted.len());
            wrong.push(format!("labels of {}: {count:?}, wrong {odd:?}", title(node)));
        }
    }
    wrong
}

/// A Pod as it was at a rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Whose it is.
    pub owner: Id,
    /// Restarts of its containers.
    pub restarts: u64,
    /// Where it runs.
    pub node: String,
}

/// The Pods at a rest that are neither going nor over, by namespace, name and uid.
pub fn seen(world: &World) -> BTreeMap<String, Seen> {
    let known = world.pods.iter().filter(|pod| is_live(pod)).filter_map(|pod| {
        let owner = Id::of_child(text(pod, "name"))?;
        let key = format!("{} {}", title(pod), text(pod, "uid"));
        let node = pod["spec"]["nodeName"].as_str().unwrap_or_default().to_owned();
        Some((
            key,
            Seen {
                owner,
                restarts: restarts(pod),
                node,
            },
        ))
    });
    known.collect()
}

/// Pods that were replaced or restarted although nobody gave a cause: their resource was not touched, their node not lost.
pub fn restarted_without_cause(
    before: &BTreeMap<String, Seen>,
    after: &BTreeMap<String, Seen>,
    touched: &BTreeSet<Id>,
    lost_nodes: &BTreeSet<String>,
) -> Vec<String> {
    let innocent = |pod: &Seen| !touched.contains(&pod.owner) && !lost_nodes.contains(&pod.node);
    let mut wrong = Vec::new();
    for (key, pod) in before.iter().filter(|(_, pod)| innocent(pod)) {
        match after.get(key) {
            None => wrong.push(format!("{key} went without a cause")),
            Some(now) if now.restarts != pod.restarts => {
                wrong.push(format!(
                    "{key} restarted {} times without a cause",
                    now.restarts - pod.restarts
                ));
            }
            Some(_) => {}
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn orphans_and_two_controllers_are_told() {
        let owner = |uid: &str| json!({"kind": "ReplicaSet", "name": "x", "uid": uid, "controller": true});
        let object = |name: &str, owners: Vec<Value>| json!({"kind": "Pod", "metadata": {"namespace": "n", "name": name, "uid": name, "ownerReferences": owners}});
        let pods = vec![
            object("a", vec![owner("b")]),
            object("b", vec![]),
            object("c", vec![owner("a"), owner("z")]),
        ];
        let world = World {
            pods,
            ..World::default()
        };
        let wrong = owners(&world);
        assert_eq!(
            wrong,
            [
                "Pod n/c has two controllers",
                "Pod n/b has no owner",
                "Pod n/c is an orphan of ReplicaSet x"
            ]
        );
    }

    #[test]
    fn only_pods_without_a_cause_are_told() {
        let pod = |number, restarts| Seen {
            owner: Id {
                kind: Kind::GpuLlm,
                number,
            },
            restarts,
            node: format!("node-{number}"),
        };
        let before: BTreeMap<String, Seen> = (0..4)
            .map(|number| (number.to_string(), pod(number, 0)))
            .collect();
        let mut after = before.clone();
        after.remove("0");
        after.insert("1".to_owned(), pod(1, 2));
        after.remove("2");
        after.remove("3");
        let touched = BTreeSet::from([Id {
            kind: Kind::GpuLlm,
            number: 2,
        }]);
        let lost = BTreeSet::from(["node-3".to_owned()]);
        let wrong = restarted_without_cause(&before, &after, &touched, &lost);
        assert_eq!(
            wrong,
            ["0 went without a cause", "1 restarted 2 times without a cause"]
        );
    }

    #[test]
    fn a_spec_that_lost_a_field_is_told() {
        let written = json!({"a": 1, "b": [{"c": "d"}]});
        assert_eq!(
            missing(
                &written,
                &json!({"a": 1, "b": [{"c": "d", "e": 1}], "f": 2}),
                "spec"
            ),
            None
        );
        let other = missing(&written, &json!({"a": 1, "b": [{"c": "x"}]}), "spec");
        assert_eq!(other.as_deref(), Some("spec.b.c"));
    }
}
