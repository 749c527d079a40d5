//! Which program an image reference stands for: references in, what the image contains out.
//! It must not pull anything; what is not in the table does not exist.

use std::collections::BTreeMap;

use engine_sim::{GenericOptions, Image, Program};

/// What runs in a container of an image.
#[derive(Clone, Debug, PartialEq)]
pub enum Runs {
    /// A simulated engine, inside this process.
    Engine(Program),
    /// Its command line, as real processes of this machine.
    Commands,
}

/// One entry of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageEntry {
    /// What its containers run.
    pub runs: Runs,
    /// Entrypoint, command and environment of the image.
    pub image: Image,
    /// `USER` of the image: 0 is root.
    pub user: u32,
    /// Size, for the pull's event. Bytes.
    pub size: u64,
    /// A pull needs a Secret of type `kubernetes.io/dockerconfigjson` named in `imagePullSecrets`.
    pub private: bool,
}

impl ImageEntry {
    /// An image of a simulated engine that runs as root, as the usual images do.
    pub fn engine(program: Program) -> Self {
        let image = program.image();
        Self {
            runs: Runs::Engine(program),
            image,
            user: 0,
            size: 8 << 30,
            private: false,
        }
    }

    /// A generic HTTP model server.
    pub fn generic() -> Self {
        Self::engine(Program::Generic(GenericOptions::default()))
    }

    /// An image of command line tools; `entrypoint` is what runs without a command.
    pub fn commands(entrypoint: &[&str]) -> Self {
        let entrypoint = entrypoint.iter().map(|word| (*word).to_owned()).collect();
        Self {
            runs: Runs::Commands,
            image: Image {
                entrypoint,
                ..Image::default()
            },
            user: 0,
            size: 10 << 20,
            private: false,
        }
    }

    /// The same image with another `USER`.
    #[must_use]
    pub fn user(mut self, user: u32) -> Self {
        self.user = user;
        self
    }

    /// The same image in a repository that needs a pull secret.
    #[must_use]
    pub fn private(mut self) -> Self {
        self.private = true;
        self
    }
}

/// Images by repository, any tag or digest. A repository is looked up with its registry first and then without, so
/// `mirror.example.com/vllm/vllm-openai:v1` is vLLM unless the mirror has an entry of its own.
#[derive(Clone, Debug)]
pub struct ImageTable(BTreeMap<String, ImageEntry>);

impl Default for ImageTable {
    /// vLLM, Ollama, the generic `your-registry/gpt-small`, and `curl`, `aws` and `busybox` tools.
    fn default() -> Self {
        Self::empty()
            .with("vllm/vllm-openai", ImageEntry::engine(Program::Vllm))
            .with("ollama/ollama", ImageEntry::engine(Program::Ollama))
            .with("your-registry/gpt-small", ImageEntry::generic())
            .with("curlimages/curl", ImageEntry::commands(&["curl"]).user(100))
            .with("amazon/aws-cli", ImageEntry::commands(&["aws"]))
            .with("busybox", ImageEntry::commands(&["sh"]))
    }
}

impl ImageTable {
    /// A table without images.
    pub fn empty() -> Self {
        Self(BTreeMap::new())
    }

    /// With one more repository (without tag); an entry of the same name is replaced.
    #[must_use]
    pub fn with(mut self, repository: impl Into<String>, entry: ImageEntry) -> Self {
        self.0.insert(repository.into(), entry);
        self
    }

    /// The entry for a reference as it stands in a Pod, if there is such an image.
    pub fn find(&self, reference: &str) -> Option<&ImageEntry> {
        let repository = repository(reference);
        let unprefixed = without_registry(repository);
        let short = unprefixed.strip_prefix("library/").unwrap_or(unprefixed);
        [repository, unprefixed, short]
            .iter()
            .find_map(|name| self.0.get(*name))
    }
}

/// The reference without tag and digest.
pub(crate) fn repository(reference: &str) -> &str {
    let undigested = reference.split_once('@').map_or(reference, |(name, _)| name);
    match undigested.rsplit_once(':') {
        // A colon before the last slash separates a registry's port.
        Some((name, tag)) if !tag.contains('/') => name,
        _ => undigested,
    }
}

fn without_registry(repository: &str) -> &str {
    match repository.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => rest,
        _ => repository,
    }
}

/// The reference with registry and tag spelled out, as container runtimes name it in errors.
pub(crate) fn canonical(reference: &str) -> String {
    let name = repository(reference);
    let rest = match &reference[name.len()..] {
        "" => ":latest",
        given => given,
    };
    if without_registry(name).len() < name.len() {
        format!("{name}{rest}")
    } else if name.contains('/') {
        format!("docker.io/{name}{rest}")
    } else {
        format!("docker.io/library/{name}{rest}")
    }
}

/// What `imagePullPolicy` is when a Pod does not say.
pub(crate) fn default_pull_policy(reference: &str) -> &'static str {
    match &reference[repository(reference).len()..] {
        "" | ":latest" => "Always",
        _ => "IfNotPresent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_find_their_repository_whatever_the_tag_or_mirror() {
        let table = ImageTable::default();
        for reference in [
            "vllm/vllm-openai",
            "vllm/vllm-openai:v0.33.0",
            "docker.io/vllm/vllm-openai@sha256:0123",
            "mirror.local:5000/vllm/vllm-openai:v1",
        ] {
            assert_eq!(
                table.find(reference).map(|e| &e.runs),
                Some(&Runs::Engine(Program::Vllm)),
                "{reference}"
            );
        }
        assert!(table.find("docker.io/library/busybox:1").is_some());
        assert!(table.find("nobody/nothing:v1").is_none());
        let own = table.with("mirror.local:5000/vllm/vllm-openai", ImageEntry::generic());
        assert_ne!(
            own.find("mirror.local:5000/vllm/vllm-openai:v1"),
            own.find("vllm/vllm-openai:v1"),
            "an entry with a registry goes before the one without"
        );
    }

    #[test]
    fn runtimes_spell_references_out() {
        assert_eq!(canonical("busybox"), "docker.io/library/busybox:latest");
        assert_eq!(canonical("nobody/x:v1"), "docker.io/nobody/x:v1");
        assert_eq!(canonical("quay.io/a/b@sha256:1"), "quay.io/a/b@sha256:1");
        assert_eq!(default_pull_policy("a/b"), "Always");
        assert_eq!(default_pull_policy("a/b:v1"), "IfNotPresent");
    }
}
