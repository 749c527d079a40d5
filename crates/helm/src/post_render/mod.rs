//! What is changed in the objects of a chart before they are applied.
//!
//! In: a stream of YAML documents as Helm has rendered them, and [`PostRenderOptions`]. Out: the same objects with labels on
//! each and on each Pod template, with the namespace that they will be in, and without the nulls that mean nothing. Whatever
//! else they say is kept to the letter: plain scalars are never interpreted. Pure.

mod emit;
mod labels;
mod node;
mod nulls;
mod parse;
mod scopes;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use self::{node::Node, scopes::Scopes};

/// What is wanted of every object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostRenderOptions {
    /// The release's namespace: of objects that name none, unless their kind has none.
    pub namespace: String,
    /// Labels of every object and every Pod template. They win over the chart's own.
    pub labels: BTreeMap<String, String>,
    /// Kinds without namespace that are not known here: `Kind.group`, or `Kind` of the core group.
    pub cluster_scoped: BTreeSet<String>,
}

/// The objects cannot be changed. See the variants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostRenderError {
    /// It is not YAML, or more than Kubernetes takes.
    #[error("the rendered objects are not readable as YAML: {0}")]
    Yaml(String),
    /// A document is no object.
    #[error("document {number} of the rendered objects is not an object with fields")]
    NotAnObject {
        /// Counted from one.
        number: usize,
    },
    /// A field that must hold fields holds something else.
    #[error("{field} of {object} must be a map")]
    NotAMap {
        /// Kind and name.
        object: String,
        /// Path of the field.
        field: String,
    },
}

/// Changes a stream of objects. Order is kept; documents without content are left out.
pub fn post_render(manifest: &str, options: &PostRenderOptions) -> Result<String, PostRenderError> {
    let mut documents: Vec<Node> = parse::documents(manifest)?
        .into_iter()
        .filter(|document| !document.is_null())
        .collect();
    for (index, document) in documents.iter().enumerate() {
        if document.fields().is_none() {
            return Err(PostRenderError::NotAnObject { number: index + 1 });
        }
    }
    let scopes = Scopes::new(&options.cluster_scoped, &documents);
    let template_labels = labels::of_templates(&options.labels, &documents);
    for document in &mut documents {
        each_object(document, &mut |object| {
            nulls::remove(object);
            labels::put(object, &options.labels, &template_labels)?;
            if !scopes.without_namespace(object) {
                put_namespace(object, &options.namespace);
            }
            Ok(())
        })?;
    }
    Ok(emit::documents(&documents))
}

/// The object itself, or what a `List` holds.
fn each_object(
    document: &mut Node,
    change: &mut impl FnMut(&mut Node) -> Result<(), PostRenderError>,
) -> Result<(), PostRenderError> {
    let is_list = document.text("kind").is_some_and(|kind| kind.ends_with("List"));
    if is_list && let Some(items) = document.get_mut("items").and_then(Node::items_mut) {
        return items.iter_mut().try_for_each(|item| each_object(item, change));
    }
    change(document)
}

fn put_namespace(object: &mut Node, namespace: &str) {
    let Some(metadata) = object.get_mut("metadata") else {
        return;
    };
    let named = metadata
        .text("namespace")
        .is_some_and(|namespace| !namespace.is_empty());
    if !named {
        metadata.set("namespace", Node::string(namespace));
    }
}

#[cfg(test)]
mod tests;
