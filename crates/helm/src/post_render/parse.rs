//! YAML text to [`Node`]s.
//!
//! In: a stream of documents. Out: one tree each, with anchors and merge keys resolved. Documents that would grow beyond
//! bounds by their anchors are refused.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Tag};

use super::{
    PostRenderError,
    node::{Node, Scalar},
};

/// Values in all documents together, anchors written out: far above any chart's, far below what would fill the memory.
const MAX_VALUES: usize = 4_000_000;
/// Tags of the YAML standard itself.
const STANDARD: &str = "tag:yaml.org,2002:";

/// All documents of a stream.
pub(super) fn documents(text: &str) -> Result<Vec<Node>, PostRenderError> {
    let mut documents = Vec::new();
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| PostRenderError::Yaml(error.to_string()))?;
        if let Some(document) = builder.take(event)? {
            documents.push(document);
        }
    }
    Ok(documents)
}

/// What is being built.
#[derive(Default)]
struct Builder {
    /// Collections that have not ended, the innermost last.
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    values: usize,
    root: Option<Node>,
}

/// A collection that has not ended.
struct Open {
    anchor: usize,
    /// Values in it, itself included.
    values: usize,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    /// Fields, and the name of the one whose value comes next.
    Mapping(Vec<(Scalar, Node)>, Option<Scalar>),
}

impl Builder {
    /// Takes the next event. Returns a document that ended with it.
    fn take(&mut self, event: Event<'_>) -> Result<Option<Node>, PostRenderError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = Scalar {
                    text: text.into_owned(),
                    plain: style == ScalarStyle::Plain,
                    tag: tag.as_deref().map(written),
                };
                self.put(Node::Scalar(scalar), anchor, 1)?;
            }
            Event::SequenceStart(_, anchor, _) => self.begin(anchor, Content::Sequence(Vec::new())),
            Event::MappingStart(_, anchor, _) => self.begin(anchor, Content::Mapping(Vec::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            Event::Alias(anchor) => {
                let (node, values) = self.anchors.get(&anchor).cloned().ok_or_else(unknown_alias)?;
                self.put(node, 0, values)?;
            }
            Event::UnresolvedAlias(_) => return Err(unknown_alias()),
            Event::DocumentStart(..) => self.anchors.clear(),
            Event::DocumentEnd => return Ok(self.root.take()),
            _ => {}
        }
        Ok(None)
    }

    fn begin(&mut self, anchor: usize, content: Content) {
        self.open.push(Open {
            anchor,
            values: 1,
            content,
        });
    }

    fn end(&mut self) -> Result<(), PostRenderError> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let node = match open.content {
            Content::Sequence(items) => Node::Sequence(items),
            Content::Mapping(fields, _) => Node::Mapping(merged(fields)),
        };
        // Its parts have been counted already.
        self.values = self.values.saturating_sub(open.values - 1);
        self.put(node, open.anchor, open.values)
    }

    /// Puts a value where it belongs. `values` are in it.
    fn put(&mut self, node: Node, anchor: usize, values: usize) -> Result<(), PostRenderError> {
        self.values += values;
        if self.values > MAX_VALUES {
            return Err(PostRenderError::Yaml(format!("more than {MAX_VALUES} values")));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), values));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.values += values;
        match &mut open.content {
            Content::Sequence(items) => items.push(node),
            Content::Mapping(fields, name) => match name.take() {
                Some(name) => fields.push((name, node)),
                None => match node {
                    Node::Scalar(scalar) => *name = Some(scalar),
                    _ => {
                        return Err(PostRenderError::Yaml(
                            "a list or map stands where the name of a field is expected".to_owned(),
                        ));
                    }
                },
            },
        }
        Ok(())
    }
}

/// Fields with those that `<<` brings in: what the map says itself comes first, then earlier ones.
fn merged(fields: Vec<(Scalar, Node)>) -> Vec<(Scalar, Node)> {
    let is_merge = |key: &Scalar| key.plain && key.text == "<<";
    if !fields.iter().any(|(key, _)| is_merge(key)) {
        return fields;
    }
    let (merges, mut own): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(key, _)| is_merge(key));
    for (_, value) in merges {
        let sources = match value {
            Node::Sequence(items) => items,
            other => vec![other],
        };
        for source in sources {
            let Node::Mapping(fields) = source else { continue };
            for (key, value) in fields {
                if !own.iter().any(|(existing, _)| existing.text == key.text) {
                    own.push((key, value));
                }
            }
        }
    }
    own
}

fn written(tag: &Tag) -> String {
    match tag.handle() {
        STANDARD => format!("!!{}", tag.suffix()),
        "!" | "" => format!("!{}", tag.suffix()),
        handle => format!("!<{handle}{}>", tag.suffix()),
    }
}

fn unknown_alias() -> PostRenderError {
    PostRenderError::Yaml("an alias has no anchor".to_owned())
}
