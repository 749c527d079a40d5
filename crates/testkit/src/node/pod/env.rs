//! A container's command line and environment: spec, image and referenced objects in, a [`Launch`] out.
//! Errors are the messages that kubelet shows with `CreateContainerConfigError`. It must not start anything.

use std::path::PathBuf;

use engine_sim::filesystem::{Filesystem, Root};
use engine_sim::{GpuSpec, Program};
use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVar, Secret};
use kube::api::Api;

use super::fields::Source;
use super::volumes::Volumes;
use super::{Pairs, PodContext, mounts, quantity};
use crate::node::image_table::{ImageEntry, Runs, Tools};
use crate::node::state::Gpus;

/// The configuration of a container is not complete.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConfigError(pub(crate) String);

/// All that is needed to start a container.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// The container's name.
    pub(crate) container: String,
    /// The engine, or `None` for real commands.
    pub(crate) program: Option<Program>,
    pub(crate) argv: Vec<String>,
    /// What commands find.
    pub(crate) tools: Tools,
    pub(crate) env: Pairs,
    pub(crate) files: Filesystem,
    pub(crate) gpus: Vec<GpuSpec>,
    pub(crate) memory_limit: Option<u64>,
    pub(crate) working_dir: Option<PathBuf>,
    /// The host's file behind `terminationMessagePath`.
    pub(crate) termination_message: PathBuf,
}

/// Puts everything together, fetching what the spec names.
pub(crate) async fn launch(
    context: &PodContext,
    container: &Container,
    entry: ImageEntry,
    volumes: &Volumes,
    gpus: &Gpus,
) -> Result<Launch, ConfigError> {
    let user = user(context, container, &entry)?;
    let env = environment(context, container, &entry).await?;
    let expand = |words: &Option<Vec<String>>| -> Vec<String> {
        words.iter().flatten().map(|word| expanded(word, &env)).collect()
    };
    let argv = entry
        .image
        .argv(&expand(&container.command), &expand(&container.args));
    let argv = through_entrypoint(argv);
    let root = context.dir().join("root").join(&container.name);
    let termination_message = context.dir().join("termination").join(&container.name);
    let mut mounts = mounts::of(container, volumes, &env).map_err(ConfigError)?;
    let message_path = container
        .termination_message_path
        .as_deref()
        .unwrap_or("/dev/termination-log");
    mounts.push(engine_sim::Mount {
        container_path: message_path.into(),
        host_path: termination_message.clone(),
        read_only: false,
        capacity: None,
    });
    // An old run's message must not be taken for the new one's.
    if let Some(parent) = termination_message.parent() {
        let made = std::fs::create_dir_all(parent).and_then(|()| std::fs::create_dir_all(&root));
        made.and_then(|()| std::fs::write(&termination_message, b""))
            .map_err(|error| ConfigError(format!("this machine's disk: {error}")))?;
    }
    let security = container.security_context.as_ref();
    let read_only = security
        .and_then(|s| s.read_only_root_filesystem)
        .unwrap_or(false);
    let limits = container
        .resources
        .as_ref()
        .and_then(|resources| resources.limits.as_ref());
    Ok(Launch {
        container: container.name.clone(),
        program: program(&entry, &argv),
        argv,
        tools: entry.tools,
        env,
        files: Filesystem {
            mounts,
            root: if read_only {
                Root::ReadOnly(root)
            } else {
                Root::Directory(root)
            },
            user,
        },
        gpus: gpus.devices(context.gpu_limit(container)),
        memory_limit: limits
            .and_then(|limits| limits.get("memory"))
            .map(quantity::bytes),
        working_dir: container.working_dir.clone().map(PathBuf::from),
        termination_message,
    })
}

/// Programs that every distribution has: run for real in an engine's image too.
const REAL: &[&str] = &[
    "sh", "bash", "env", "curl", "wget", "tar", "gzip", "cat", "cp", "mv", "rm", "ls", "mkdir", "chmod",
    "ln", "sleep", "true", "false", "echo", "test",
];

fn is_real(word: Option<&String>) -> bool {
    let base = |word: &String| word.rsplit('/').next().unwrap_or(word).to_owned();
    word.is_some_and(|word| REAL.contains(&base(word).as_str()))
}

/// NVIDIA's entry point prints a banner and becomes the command that follows it.
fn through_entrypoint(mut argv: Vec<String>) -> Vec<String> {
    let wrapped = argv
        .first()
        .is_some_and(|word| word.ends_with("/nvidia_entrypoint.sh"));
    if wrapped && is_real(argv.get(1)) {
        argv.remove(0);
    }
    argv
}

/// Shells and their tools are run for real in every image; an engine's image runs the engine otherwise.
fn program(entry: &ImageEntry, argv: &[String]) -> Option<Program> {
    match &entry.runs {
        Runs::Engine(program) if !is_real(argv.first()) => Some(program.clone()),
        _ => None,
    }
}

/// The user that the container runs as, unless that is forbidden.
fn user(context: &PodContext, container: &Container, entry: &ImageEntry) -> Result<u32, ConfigError> {
    let pod = context.spec.security_context.as_ref();
    let own = container.security_context.as_ref();
    let given = own
        .and_then(|s| s.run_as_user)
        .or_else(|| pod.and_then(|s| s.run_as_user));
    let non_root = own
        .and_then(|s| s.run_as_non_root)
        .or_else(|| pod.and_then(|s| s.run_as_non_root));
    let user = given
        .and_then(|user| u32::try_from(user).ok())
        .unwrap_or(entry.user);
    if non_root == Some(true) && user == 0 {
        let (pod, name) = (context.display(), &container.name);
        return Err(ConfigError(match given {
            Some(_) => {
                format!("container's runAsUser breaks non-root policy (pod: \"{pod}\", container: {name})")
            }
            None => format!(
                "container has runAsNonRoot and image will run as root (pod: \"{pod}\", container: {name})"
            ),
        }));
    }
    Ok(user)
}

async fn environment(
    context: &PodContext,
    container: &Container,
    entry: &ImageEntry,
) -> Result<Pairs, ConfigError> {
    let lookup = Lookup { context };
    let mut env: Pairs = entry.image.env.clone();
    env.insert("HOSTNAME".to_owned(), context.name.clone());
    for from in container.env_from.iter().flatten() {
        let prefix = from.prefix.as_deref().unwrap_or_default();
        let pairs = if let Some(reference) = &from.config_map_ref {
            lookup.config_map(&reference.name, reference.optional).await?
        } else if let Some(reference) = &from.secret_ref {
            lookup.secret(&reference.name, reference.optional).await?
        } else {
            None
        };
        for (key, value) in pairs.into_iter().flatten() {
            env.insert(format!("{prefix}{key}"), value);
        }
    }
    for variable in container.env.iter().flatten() {
        if let Some(value) = lookup.value(container, variable, &env).await? {
            env.insert(variable.name.clone(), value);
        }
    }
    Ok(env)
}

struct Lookup<'a> {
    context: &'a PodContext,
}

impl Lookup<'_> {
    /// The variable's value; `None`: it is optional and absent.
    async fn value(
        &self,
        container: &Container,
        variable: &EnvVar,
        before: &Pairs,
    ) -> Result<Option<String>, ConfigError> {
        let Some(from) = &variable.value_from else {
            return Ok(Some(expanded(
                variable.value.as_deref().unwrap_or_default(),
                before,
            )));
        };
        let namespace = &self.context.namespace;
        if let Some(key) = &from.config_map_key_ref {
            let pairs = self.config_map(&key.name, key.optional).await?;
            let missing = || {
                format!(
                    "couldn't find key {} in ConfigMap {namespace}/{}",
                    key.key, key.name
                )
            };
            return pick(pairs, &key.key, key.optional, missing);
        }
        if let Some(key) = &from.secret_key_ref {
            let pairs = self.secret(&key.name, key.optional).await?;
            let missing = || format!("couldn't find key {} in Secret {namespace}/{}", key.key, key.name);
            return pick(pairs, &key.key, key.optional, missing);
        }
        let latest = self.context.latest.borrow().clone();
        let source = Source {
            pod: &latest,
            node: &self.context.node.spec,
            host_ip: self.context.shared.block.node_address().to_string(),
            pod_ip: self.context.ip().to_string(),
        };
        if let Some(selector) = &from.field_ref {
            return source.field(selector).map(Some).map_err(ConfigError);
        }
        if let Some(selector) = &from.resource_field_ref {
            return source
                .resource(selector, container)
                .map(Some)
                .map_err(ConfigError);
        }
        Err(ConfigError(format!(
            "env {}: this source of values is not simulated",
            variable.name
        )))
    }

    async fn config_map(&self, name: &str, optional: Option<bool>) -> Result<Option<Pairs>, ConfigError> {
        let api: Api<ConfigMap> =
            Api::namespaced(self.context.shared.client.clone(), &self.context.namespace);
        match api.get_opt(name).await {
            Ok(Some(found)) => Ok(Some(found.data.unwrap_or_default())),
            Ok(None) if optional == Some(true) => Ok(None),
            Ok(None) => Err(ConfigError(format!("configmap \"{name}\" not found"))),
            Err(error) => Err(ConfigError(error.to_string())),
        }
    }

    async fn secret(&self, name: &str, optional: Option<bool>) -> Result<Option<Pairs>, ConfigError> {
        let api: Api<Secret> = Api::namespaced(self.context.shared.client.clone(), &self.context.namespace);
        match api.get_opt(name).await {
            Ok(Some(found)) => {
                let data = found.data.unwrap_or_default().into_iter();
                let text = |(key, value): (String, k8s_openapi::ByteString)| {
                    (key, String::from_utf8_lossy(&value.0).into_owned())
                };
                Ok(Some(data.map(text).collect()))
            }
            Ok(None) if optional == Some(true) => Ok(None),
            Ok(None) => Err(ConfigError(format!("secret \"{name}\" not found"))),
            Err(error) => Err(ConfigError(error.to_string())),
        }
    }
}

fn pick(
    pairs: Option<Pairs>,
    key: &str,
    optional: Option<bool>,
    missing: impl FnOnce() -> String,
) -> Result<Option<String>, ConfigError> {
    match pairs.and_then(|mut pairs| pairs.remove(key)) {
        Some(value) => Ok(Some(value)),
        None if optional == Some(true) => Ok(None),
        None => Err(ConfigError(missing())),
    }
}

/// `$(NAME)` replaced where NAME is known, `$$` as one dollar, everything else left as it is.
pub(crate) fn expanded(text: &str, env: &Pairs) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        result.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            result.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            if let Some(value) = env.get(name) {
                result.push_str(value);
            } else {
                result.push_str("$(");
                result.push_str(name);
                result.push(')');
            }
            rest = after;
        } else {
            result.push('$');
        }
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_expand_as_in_kubernetes() {
        let env: Pairs = [("PORT".to_owned(), "8080".to_owned())].into();
        for (text, expected) in [
            ("--port=$(PORT)", "--port=8080"),
            ("$(UNKNOWN) $(PORT", "$(UNKNOWN) $(PORT"),
            ("$$(PORT)", "$(PORT)"),
            ("a$b $PORT", "a$b $PORT"),
            ("$(PORT)$(PORT)", "80808080"),
        ] {
            assert_eq!(expanded(text, &env), expected, "{text}");
        }
    }
}
