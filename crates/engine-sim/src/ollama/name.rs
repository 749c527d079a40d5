//! Ollama's model names: words in, registry, namespace, model and tag out.

use std::path::PathBuf;

/// A full name; missing parts have the registry's defaults.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) host: String,
    pub(crate) namespace: String,
    pub(crate) model: String,
    pub(crate) tag: String,
}

pub(super) const REGISTRY: &str = "registry.ollama.ai";
pub(super) const LIBRARY: &str = "library";

impl Name {
    /// `[host/][namespace/]model[:tag]`; `None` when a part is not a valid word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        let (path, tag) = match word.rfind(':').filter(|colon| Some(*colon) > word.rfind('/')) {
            Some(colon) => (&word[..colon], &word[colon + 1..]),
            None => (word, "latest"),
        };
        let path = path.rsplit("://").next().unwrap_or(path);
        let mut parts = path.rsplitn(3, '/');
        let model = parts.next().unwrap_or_default();
        let name = Self {
            namespace: parts.next().unwrap_or(LIBRARY).to_owned(),
            host: parts.next().unwrap_or(REGISTRY).to_owned(),
            model: model.to_owned(),
            tag: tag.to_owned(),
        };
        let valid = valid(&name.host, 350, &['.', ':'])
            && valid(&name.namespace, 80, &[])
            && valid(&name.model, 80, &['.'])
            && valid(&name.tag, 80, &['.']);
        valid.then_some(name)
    }

    /// As `ollama list` shows it.
    pub(crate) fn short(&self) -> String {
        let namespace = if self.namespace == LIBRARY {
            String::new()
        } else {
            format!("{}/", self.namespace)
        };
        let prefix = if self.host == REGISTRY {
            namespace
        } else {
            format!("{}/{}/", self.host, self.namespace)
        };
        format!("{prefix}{}:{}", self.model, self.tag)
    }

    /// Under `manifests`.
    pub(crate) fn path(&self) -> PathBuf {
        [&self.host, &self.namespace, &self.model, &self.tag]
            .iter()
            .collect()
    }
}

/// What is said of a word that is no name when it comes to a model's details.
pub(super) fn unqualified(word: &str) -> String {
    let place = match word.matches('/').count() {
        0 => format!("{REGISTRY}/{LIBRARY}/"),
        1 => format!("{REGISTRY}/"),
        _ => String::new(),
    };
    let tag = if word.rfind(':') > word.rfind('/') {
        ""
    } else {
        ":latest"
    };
    format!("unqualified name: {place}{word}{tag}")
}

/// Letters, digits, `_`, `-` and `more`; it begins with a letter, a digit or `_`.
fn valid(part: &str, longest: usize, more: &[char]) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    part.len() <= longest
        && part.starts_with(word)
        && part.chars().all(|c| word(c) || c == '-' || more.contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_their_defaults_and_are_shown_short() {
        let cases = [
            ("llama3", Some("llama3:latest")),
            ("llama2:7b", Some("llama2:7b")),
            ("my-model", Some("my-model:latest")),
            ("me/model:v1", Some("me/model:v1")),
            ("library/llama2", Some("llama2:latest")),
            ("hf.co/me/model:Q4_0", Some("hf.co/me/model:Q4_0")),
            ("http://mirror:5000/me/model", Some("mirror:5000/me/model:latest")),
            ("me/finished:3f0c8f2e-1111", Some("me/finished:3f0c8f2e-1111")),
            ("m.e/model", None),
            ("a/b/c/d", None),
            ("model:", None),
            ("", None),
            ("bad name", None),
            ("-x", None),
        ];
        for (word, expected) in cases {
            let name = Name::parse(word);
            assert_eq!(name.map(|name| name.short()).as_deref(), expected, "{word:?}");
        }
    }
}
