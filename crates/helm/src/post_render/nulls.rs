//! Nulls that mean nothing and get in the way.
//!
//! In: an object. Out: the object without fields that are null in metadata, in Pod specs and in containers. Elsewhere a null
//! may be a value (in a `ConfigMap` it is an empty text), and stays.

use super::{labels::each_template, node::Node};

const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Removes them.
pub(super) fn remove(object: &mut Node) {
    clear(object.get_mut("metadata"));
    let is_pod = object.text("kind") == Some("Pod");
    if is_pod {
        pod(object);
    } else {
        each_template(object, &mut |template| {
            clear(template.get_mut("metadata"));
            pod(template);
        });
    }
}

fn pod(template: &mut Node) {
    clear(template.get_mut("spec"));
    for list in CONTAINERS {
        let containers = template
            .get_mut("spec")
            .and_then(|spec| spec.get_mut(list))
            .and_then(Node::items_mut);
        for container in containers.into_iter().flatten() {
            clear(Some(container));
        }
    }
}

fn clear(node: Option<&mut Node>) {
    if let Some(fields) = node.and_then(Node::fields_mut) {
        fields.retain(|(_, value)| !value.is_null());
    }
}
