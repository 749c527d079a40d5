//! Names of models: two spellings in, whether Ollama takes them for the same model out.
//! It must not know which characters a registry allows; a name with an empty part is no name.

use crate::Model;

const REGISTRY: &str = "registry.ollama.ai";
const LIBRARY: &str = "library";
const LATEST: &str = "latest";

/// `[scheme://][host/][namespace/]model[:tag]`, with what Ollama puts in for a missing part (`types/model/name.go`).
#[derive(Clone, Copy, Debug)]
struct Name<'a> {
    host: &'a str,
    namespace: &'a str,
    model: &'a str,
    tag: &'a str,
}

impl<'a> Name<'a> {
    fn parse(word: &'a str) -> Option<Self> {
        // A colon before the last slash is a port.
        let (path, tag) = match word.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, tag),
            _ => (word, LATEST),
        };
        let mut parts = path.rsplitn(3, '/');
        let name = Self {
            tag,
            model: parts.next()?,
            namespace: parts.next().unwrap_or(LIBRARY),
            host: parts.next().map_or(REGISTRY, without_scheme),
        };
        name.parts().iter().all(|part| !part.is_empty()).then_some(name)
    }

    fn parts(&self) -> [&'a str; 4] {
        [self.host, self.namespace, self.model, self.tag]
    }
}

fn without_scheme(host: &str) -> &str {
    host.split_once("://").map_or(host, |(_, host)| host)
}

/// Whether Ollama takes both names for the same model: `tinyllama` is `tinyllama:latest` and
/// `registry.ollama.ai/library/TinyLlama:latest`, but not `tinyllama:1.1b`. It compares without regard to case.
pub fn same_model(one: &str, other: &str) -> bool {
    match (Name::parse(one), Name::parse(other)) {
        (Some(one), Some(other)) => one
            .parts()
            .iter()
            .zip(other.parts())
            .all(|(one, other)| one.eq_ignore_ascii_case(other)),
        _ => false,
    }
}

/// Whether the model that was asked for is among those that a server has.
pub fn has_model(models: &[Model], asked: &str) -> bool {
    models.iter().any(|model| same_model(&model.name, asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tag_is_latest_and_a_given_one_is_exact() {
        let has = [
            "tinyllama:latest",
            "llama2:7b",
            "me/mine:v1",
            "hf.co/me/model:Q4_0",
        ];
        let models: Vec<Model> = has
            .iter()
            .map(|name| Model {
                name: (*name).to_owned(),
                size_bytes: 1,
            })
            .collect();
        let cases = [
            ("tinyllama", true),
            ("tinyllama:latest", true),
            ("TinyLlama", true),
            ("tinyllama:LATEST", true),
            ("library/tinyllama", true),
            ("registry.ollama.ai/library/tinyllama", true),
            ("https://registry.ollama.ai/library/tinyllama:latest", true),
            ("tinyllama:1.1b", false),
            ("tinyllam", false),
            ("llama2:7b", true),
            ("llama2:7B", true),
            ("llama2", false),
            ("llama2:7", false),
            ("mine:v1", false),
            ("me/mine:v1", true),
            ("hf.co/me/model:q4_0", true),
            ("localhost:5000/me/model:Q4_0", false),
            ("", false),
            (":latest", false),
            ("tinyllama:", false),
            ("/tinyllama", false),
        ];
        for (asked, expected) in cases {
            assert_eq!(has_model(&models, asked), expected, "{asked:?}");
        }
        assert!(!has_model(&[], "tinyllama"));
    }

    #[test]
    fn a_port_is_not_a_tag() {
        assert!(same_model("localhost:5000/a/b", "localhost:5000/a/b:latest"));
        assert!(!same_model("localhost:5000/a/b", "localhost:5001/a/b"));
    }
}
