//! A YAML document in which scalars are kept as they were written.
//!
//! In: what the parser found. Out: a tree that can be looked into and changed. It must not interpret plain scalars: whether
//! `yes`, `0x10` or `1e3` is a text is for whoever reads the result.

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    /// Fields in their order.
    Mapping(Vec<(Scalar, Node)>),
}

/// A value without parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scalar {
    pub(super) text: String,
    /// Whether it stood there without quotes, so that it may be more than a text.
    pub(super) plain: bool,
    /// Its tag as it must be written, such as `!!binary`.
    pub(super) tag: Option<String>,
}

impl Scalar {
    /// A text, whatever it looks like.
    pub(super) fn string(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            plain: false,
            tag: None,
        }
    }
}

/// Words that are more than a text to some readers.
const RESERVED: [&str; 4] = ["true", "false", "null", "none"];

impl Scalar {
    /// The name of a field: without quotes when no reader takes it for anything but a text.
    pub(super) fn name(text: &str) -> Self {
        // `y`, `no`, `on` and `off` are shorter.
        let safe = text.len() > 3
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'))
            && !RESERVED.iter().any(|word| text.eq_ignore_ascii_case(word));
        Self {
            plain: safe,
            ..Self::string(text)
        }
    }
}

impl Node {
    pub(super) fn string(text: &str) -> Self {
        Self::Scalar(Scalar::string(text))
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Scalar(scalar) if scalar.plain && scalar.tag.is_none()
            && matches!(scalar.text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    pub(super) fn fields(&self) -> Option<&Vec<(Scalar, Self)>> {
        match self {
            Self::Mapping(fields) => Some(fields),
            _ => None,
        }
    }

    pub(super) fn fields_mut(&mut self) -> Option<&mut Vec<(Scalar, Self)>> {
        match self {
            Self::Mapping(fields) => Some(fields),
            _ => None,
        }
    }

    pub(super) fn items(&self) -> Option<&Vec<Self>> {
        match self {
            Self::Sequence(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn items_mut(&mut self) -> Option<&mut Vec<Self>> {
        match self {
            Self::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The field of this name.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let field = self.fields()?.iter().find(|(key, _)| key.text == name);
        field.map(|(_, value)| value)
    }

    /// The field of this name.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        let field = self.fields_mut()?.iter_mut().find(|(key, _)| key.text == name);
        field.map(|(_, value)| value)
    }

    /// What is found along the names.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, name| node.get(name))
    }

    /// The text of the field of this name.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Self::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// Sets a field: in its place, or as the last one. Without effect on what has no fields.
    pub(super) fn set(&mut self, name: &str, value: Self) {
        if let Some(found) = self.get_mut(name) {
            *found = value;
        } else if let Some(fields) = self.fields_mut() {
            fields.push((Scalar::name(name), value));
        }
    }

    /// The field of this name, which is made an empty map when it is absent or null. `None` when it is anything else.
    pub(super) fn map_at(&mut self, name: &str) -> Option<&mut Self> {
        if self.get(name).is_none_or(Self::is_null) {
            self.set(name, Self::Mapping(Vec::new()));
        }
        self.get_mut(name).filter(|value| value.fields().is_some())
    }
}
