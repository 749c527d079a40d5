//! [`Node`]s to YAML text.
//!
//! In: documents. Out: block style, plain scalars to the letter, every text in quotes or as a literal block, so that no
//! reader takes one for a number or a truth value, whichever version of YAML it speaks.

use std::fmt::Write;

use super::node::{Node, Scalar};

/// What a stream without objects says: Helm refuses a post-renderer that says nothing.
const EMPTY: &str = "# no objects\n";

/// A stream.
pub(super) fn documents(documents: &[Node]) -> String {
    if documents.is_empty() {
        return EMPTY.to_owned();
    }
    let mut out = String::new();
    for document in documents {
        out.push_str("---\n");
        match document {
            Node::Mapping(fields) if !fields.is_empty() => mapping(&mut out, fields, 0),
            other => {
                value(&mut out, other, 0);
            }
        }
    }
    out
}

fn mapping(out: &mut String, fields: &[(Scalar, Node)], indent: usize) {
    for (index, (key, node)) in fields.iter().enumerate() {
        if index > 0 {
            spaces(out, indent);
        }
        inline(out, key);
        out.push(':');
        nested(out, node, indent);
    }
}

fn sequence(out: &mut String, items: &[Node], indent: usize) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            spaces(out, indent);
        }
        out.push('-');
        match item {
            // The first field stands behind the dash.
            Node::Mapping(fields) if !fields.is_empty() => {
                out.push(' ');
                mapping(out, fields, indent + 2);
            }
            other => nested(out, other, indent),
        }
    }
}

/// What comes behind `key:` or `-` at this indentation.
fn nested(out: &mut String, node: &Node, indent: usize) {
    match node {
        Node::Mapping(fields) if !fields.is_empty() => {
            out.push('\n');
            spaces(out, indent + 2);
            mapping(out, fields, indent + 2);
        }
        Node::Sequence(items) if !items.is_empty() => {
            out.push('\n');
            spaces(out, indent + 2);
            sequence(out, items, indent + 2);
        }
        other => {
            out.push(' ');
            value(out, other, indent);
        }
    }
}

/// A value that fits behind what stands before it, and the end of the line.
fn value(out: &mut String, node: &Node, indent: usize) {
    match node {
        Node::Mapping(_) => out.push_str("{}\n"),
        Node::Sequence(items) if items.is_empty() => out.push_str("[]\n"),
        Node::Sequence(items) => sequence(out, items, indent),
        Node::Scalar(scalar) if !scalar.plain && scalar.tag.is_none() && fits_block(&scalar.text) => {
            block(out, &scalar.text, indent + 2);
        }
        Node::Scalar(scalar) => {
            inline(out, scalar);
            out.push('\n');
        }
    }
}

fn inline(out: &mut String, scalar: &Scalar) {
    if let Some(tag) = &scalar.tag {
        out.push_str(tag);
        out.push(' ');
    }
    if !scalar.plain || scalar.text.contains('\n') {
        quoted(out, &scalar.text);
    } else if scalar.text.is_empty() && scalar.tag.is_none() {
        out.push_str("null");
    } else {
        out.push_str(&scalar.text);
    }
}

/// Whether a text of several lines can be written as it is.
fn fits_block(text: &str) -> bool {
    let starts_well = text
        .chars()
        .next()
        .is_some_and(|first| !matches!(first, ' ' | '\t' | '\n'));
    starts_well && text.contains('\n') && text.chars().all(|c| c == '\n' || c == '\t' || is_shown(c))
}

fn block(out: &mut String, text: &str, indent: usize) {
    let body = text.trim_end_matches('\n');
    let ends = text.len() - body.len();
    out.push('|');
    match ends {
        0 => out.push('-'),
        1 => {}
        _ => out.push('+'),
    }
    out.push('\n');
    for line in body.split('\n') {
        if !line.is_empty() {
            spaces(out, indent);
            out.push_str(line);
        }
        out.push('\n');
    }
    for _ in 1..ends {
        out.push('\n');
    }
}

fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_shown(c) => out.push(c),
            c => {
                let code = u32::from(c);
                // Writing to a String does not fail.
                let _ = if code > 0xFFFF {
                    write!(out, "\\U{code:08X}")
                } else {
                    write!(out, "\\u{code:04X}")
                };
            }
        }
    }
    out.push('"');
}

/// Whether readers of every version of YAML take the character as itself, neither as a line break nor as an error.
fn is_shown(c: char) -> bool {
    match u32::from(c) {
        0x20..=0x7E => true,
        0xA0 | 0x2028 | 0x2029 | 0xFEFF | 0xFFFE | 0xFFFF => false,
        code => code > 0xA0,
    }
}

fn spaces(out: &mut String, count: usize) {
    out.extend(std::iter::repeat_n(' ', count));
}
