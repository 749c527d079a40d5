//! Which program an image reference stands for: references in, what the image contains out.
//! It must not pull anything; what is not in the table does not exist.

use std::collections::BTreeMap;

use engine_sim::{GenericOptions, Image, Program, Site};

/// What runs in a container of an image.
#[derive(Clone, Debug, PartialEq)]
pub enum Runs {
    /// A simulated engine, inside this process.
    Engine(Program),
    /// Its command line, as real processes of this machine.
    Commands,
}

/// Command line tools of an image, as far as they differ from this machine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tools {
    /// A distribution with curl, bash and GNU tar.
    #[default]
    Distribution,
    /// A distribution without curl and wget.
    WithoutCurl,
    /// `BusyBox`: a tar that fails with code 1, no curl, no bash.
    BusyBox,
    /// `BusyBox` and curl.
    BusyBoxAndCurl,
}

impl Tools {
    /// Programs of this machine that the image does not have.
    pub(crate) fn lacking(self) -> &'static [&'static str] {
        match self {
            Self::Distribution => &[],
            Self::WithoutCurl => &["curl", "wget"],
            Self::BusyBox => &["curl", "bash"],
            Self::BusyBoxAndCurl => &["bash"],
        }
    }

    pub(crate) fn is_busybox(self) -> bool {
        matches!(self, Self::BusyBox | Self::BusyBoxAndCurl)
    }
}

/// One entry of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageEntry {
    /// What its containers run.
    pub runs: Runs,
    /// Entrypoint, command and environment of the image.
    pub image: Image,
    /// What its shells find.
    pub tools: Tools,
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
            tools: Tools::default(),
            user: 0,
            size: 8 << 30,
            private: false,
        }
    }

    /// A generic HTTP model server.
    pub fn generic() -> Self {
        Self::generic_with(GenericOptions::default())
    }

    /// A generic HTTP server that behaves so.
    pub fn generic_with(options: GenericOptions) -> Self {
        Self::engine(Program::Generic(options))
    }

    /// Bun's image: it runs the script of its command line in `/home/bun/app`, here a server that answers every path.
    pub fn bun() -> Self {
        Self::generic_with(GenericOptions {
            port: 3000,
            site: Some(Box::new(Site {
                script_in: Some("/home/bun/app".into()),
                answer: "ok".to_owned(),
            })),
            ..GenericOptions::default()
        })
        .tools(Tools::BusyBox)
    }

    /// A program for terminals, on Alpine: it listens nowhere and runs until it is stopped.
    pub fn terminal() -> Self {
        Self::generic_with(GenericOptions {
            terminal: true,
            ..GenericOptions::default()
        })
        .tools(Tools::BusyBox)
    }

    /// A web server on a port of its own that answers every path.
    pub fn web(port: u16) -> Self {
        Self::generic_with(GenericOptions {
            port,
            site: Some(Box::new(Site {
                script_in: None,
                answer: "ok".to_owned(),
            })),
            ..GenericOptions::default()
        })
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
            tools: Tools::default(),
            user: 0,
            size: 10 << 20,
            private: false,
        }
    }

    /// The same image with other command line tools.
    #[must_use]
    pub fn tools(mut self, tools: Tools) -> Self {
        self.tools = tools;
        self
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
    /// The engines, command line tools (`curl`, `aws`, `busybox`, `alpine`), the generic `your-registry/gpt-small`, and
    /// the images of prem-operator's examples.
    fn default() -> Self {
        let ollama = ImageEntry::engine(Program::Ollama).tools(Tools::WithoutCurl);
        let mii = ImageEntry::engine(Program::DeepspeedMii).tools(Tools::WithoutCurl);
        let curl = ImageEntry::commands(&["curl"]).user(100);
        Self::empty()
            .with("vllm/vllm-openai", ImageEntry::engine(Program::Vllm))
            .with("ollama/ollama", ollama)
            .with("go-skynet/local-ai", ImageEntry::engine(Program::LocalAi))
            .with("localai/localai", ImageEntry::engine(Program::LocalAi))
            .with("premai/deepspeed-mii", mii)
            .with("nvidia/tritonserver", ImageEntry::engine(Program::Triton))
            .with("your-registry/gpt-small", ImageEntry::generic())
            .with("oven/bun", ImageEntry::bun())
            .with("premai/elia", ImageEntry::terminal())
            .with("premai/llm-cli", ImageEntry::terminal())
            .with("enricoros/big-agi", ImageEntry::web(3000))
            .with("containous/whoami", ImageEntry::web(80))
            .with("traefik/whoami", ImageEntry::web(80))
            .with("curlimages/curl", curl.tools(Tools::BusyBoxAndCurl))
            .with("amazon/aws-cli", ImageEntry::commands(&["aws"]))
            .with("busybox", ImageEntry::commands(&["sh"]).tools(Tools::BusyBox))
            .with("alpine", ImageEntry::commands(&["sh"]).tools(Tools::BusyBox))
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
        for reference in [
            "quay.io/go-skynet/local-ai:v2.15.0-ffmpeg-core",
            "localai/localai:latest",
            "premai/deepspeed-mii:latest",
            "nvcr.io/nvidia/tritonserver:24.01-py3",
            "oven/bun:alpine",
            "premai/elia:1.7.0",
            "premai/llm-cli",
            "ghcr.io/enricoros/big-agi",
            "containous/whoami",
        ] {
            assert!(table.find(reference).is_some(), "{reference}");
        }
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
