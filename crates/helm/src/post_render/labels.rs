//! Labels of objects and of Pod templates.
//!
//! In: an object, labels. Out: the labels on its metadata and on that of every Pod template in it, wherever the template is:
//! Deployments, Jobs, `CronJob`s, `LeaderWorkerSet`s and kinds that are not known here. Selectors are never touched, and a label
//! that a selector of the release wants otherwise is kept off templates: nothing would be selected any more.

use std::collections::BTreeMap;

use super::{PostRenderError, node::Node};

/// Labels by name.
pub(super) type Labels = BTreeMap<String, String>;

/// Puts labels on the object, and others on the templates in it.
pub(super) fn put(object: &mut Node, own: &Labels, templates: &Labels) -> Result<(), PostRenderError> {
    let name = name(object);
    put_on(object, own).map_err(|field| PostRenderError::NotAMap {
        object: name.clone(),
        field,
    })?;
    if object.text("kind") == Some("CustomResourceDefinition") {
        return Ok(());
    }
    let mut wrong = None;
    let mut on_template = |template: &mut Node| {
        if let Err(field) = put_on(template, templates) {
            wrong = Some(field);
        }
    };
    // Jobs are objects too, but no chart's.
    let job = object
        .get_mut("spec")
        .and_then(|spec| spec.get_mut("jobTemplate"));
    if let Some(job) = job.filter(|job| job.fields().is_some()) {
        on_template(job);
    }
    each_template(object, &mut on_template);
    wrong.map_or(Ok(()), |field| {
        Err(PostRenderError::NotAMap {
            object: name,
            field: format!("{field} of a Pod template"),
        })
    })
}

/// The labels that may be put on Pod templates.
pub(super) fn of_templates(labels: &Labels, documents: &[Node]) -> Labels {
    let mut allowed = labels.clone();
    for document in documents {
        selectors(document, &mut |selector| {
            for (key, value) in selector.fields().into_iter().flatten() {
                let wanted =
                    matches!(value, Node::Scalar(scalar) if allowed.get(&key.text) == Some(&scalar.text));
                if !wanted {
                    allowed.remove(&key.text);
                }
            }
        });
    }
    allowed
}

/// Calls `change` with every Pod template below: a map whose `spec` has containers. The object itself is none.
pub(super) fn each_template(node: &mut Node, change: &mut impl FnMut(&mut Node)) {
    let parts: Vec<&mut Node> = match node {
        Node::Mapping(fields) => fields.iter_mut().map(|(_, value)| value).collect(),
        Node::Sequence(items) => items.iter_mut().collect(),
        Node::Scalar(_) => return,
    };
    for part in parts {
        if part.at(&["spec", "containers"]).and_then(Node::items).is_some() {
            change(part);
        } else {
            each_template(part, change);
        }
    }
}

/// Calls `look` with everything by which Pods are selected.
fn selectors(node: &Node, look: &mut impl FnMut(&Node)) {
    if matches!(node.text("kind"), Some("Service" | "ReplicationController"))
        && let Some(selector) = node.at(&["spec", "selector"])
    {
        look(selector);
    }
    match node {
        Node::Mapping(fields) => {
            for (key, value) in fields {
                if key.text == "matchLabels" {
                    look(value);
                }
                selectors(value, look);
            }
        }
        Node::Sequence(items) => items.iter().for_each(|item| selectors(item, look)),
        Node::Scalar(_) => {}
    }
}

/// The path of what is no map, when something is not.
fn put_on(object: &mut Node, labels: &Labels) -> Result<(), String> {
    let metadata = object.map_at("metadata").ok_or("metadata")?;
    if labels.is_empty() {
        return Ok(());
    }
    let own = metadata.map_at("labels").ok_or("metadata.labels")?;
    for (name, value) in labels {
        own.set(name, Node::string(value));
    }
    Ok(())
}

fn name(object: &Node) -> String {
    let kind = object.text("kind").unwrap_or("object");
    let name = object.get("metadata").and_then(|metadata| metadata.text("name"));
    format!("{kind} {}", name.unwrap_or("without name"))
}
