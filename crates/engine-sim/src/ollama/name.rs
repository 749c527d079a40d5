//! Ollama's model names: words in, registry, namespace, model and tag out.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;

/// A full name; missing parts have the registry's defaults.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) host: String,
    pub(crate) namespace: String,
    pub(crate) model: String,
    pub(crate) tag: String,
}

const REGISTRY: &str = "registry.ollama.ai";
const LIBRARY: &str = "library";

/// Models of the public library (those that small clusters are likely to ask for).
const PUBLISHED: &str = "all-minilm codegemma codellama codestral command-r deepseek-coder deepseek-r1 deepseek-v3 dolphin-mistral \
    gemma gemma2 gemma3 gpt-oss granite3.3 llama2 llama2-uncensored llama3 llama3.1 llama3.2 llama3.3 llava mistral \
    mistral-nemo mistral-small mixtral neural-chat nomic-embed-text olmo2 openchat orca-mini phi phi3 phi4 phi4-mini qwen qwen2 qwen2.5 \
    qwen2.5-coder qwen3 smollm smollm2 solar stablelm2 starcoder2 starling-lm tiny tinyllama vicuna wizardlm2 yi zephyr";

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
        let valid = [&name.host, &name.namespace, &name.model, &name.tag]
            .iter()
            .all(|part| valid(part));
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

    /// Whether the registry has it. The public library's names are known; others exist unless they say otherwise.
    pub(crate) fn is_published(&self) -> bool {
        if self.host != REGISTRY || self.namespace != LIBRARY {
            let all = self.short().to_lowercase();
            return !["does-not-exist", "no-such", "nonexistent"]
                .iter()
                .any(|mark| all.contains(mark));
        }
        let tag = self.tag.to_lowercase();
        let known_tag = tag.contains(|c: char| c.is_ascii_digit())
            || [
                "latest", "instruct", "chat", "text", "code", "mini", "medium", "small",
            ]
            .contains(&tag.as_str());
        known_tag
            && PUBLISHED
                .split_whitespace()
                .any(|known| known.eq_ignore_ascii_case(&self.model))
    }

    /// 64 hexadecimal digits that stand for the content of a layer.
    pub(crate) fn digest(&self, layer: &str) -> String {
        let quarter = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, layer, self.short()).hash(&mut hasher);
            format!("{:016x}", hasher.finish())
        };
        (0..4).map(quarter).collect()
    }
}

fn valid(part: &str) -> bool {
    let first = part
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    first
        && part.len() <= 350
        && part
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_their_defaults_and_are_shown_short() {
        let cases = [
            ("llama3", Some(("llama3:latest", true))),
            ("llama2:7b", Some(("llama2:7b", true))),
            ("llama2:nosuch", Some(("llama2:nosuch", false))),
            ("my-model", Some(("my-model:latest", false))),
            ("me/model:v1", Some(("me/model:v1", true))),
            ("hf.co/me/model:Q4_0", Some(("hf.co/me/model:Q4_0", true))),
            ("", None),
            ("bad name", None),
            ("-x", None),
        ];
        for (word, expected) in cases {
            let name = Name::parse(word);
            let got = name.as_ref().map(|name| (name.short(), name.is_published()));
            assert_eq!(
                got,
                expected.map(|(short, published)| (short.to_owned(), published)),
                "{word:?}"
            );
        }
    }
}
