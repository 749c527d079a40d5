//! `OLLAMA_*` as Ollama reads them: a container's environment in, settings and warnings out.

use std::path::PathBuf;
use std::time::Duration;

use super::duration::{self, Lifetime};
use super::home;
use super::host::Host;
use crate::process::Context;

const FIVE_MINUTES: Duration = Duration::from_mins(5);

/// What the server and its clients go by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// Where the server listens and clients connect.
    pub(crate) host: Host,
    pub(crate) models: PathBuf,
    pub(crate) keep_alive: Lifetime,
    /// Longest time that a load may stand still.
    pub(crate) load_timeout: Lifetime,
    /// Requests that may wait for a model to be loaded.
    pub(crate) max_queue: u64,
    /// Requests that a model answers at once.
    pub(crate) parallel: u64,
    /// Models in memory; 0: by the number of GPUs.
    pub(crate) max_loaded: u64,
    /// Tokens of context; 0: by the GPUs' memory.
    pub(crate) context_length: u64,
    pub(crate) no_prune: bool,
    pub(crate) origins: Vec<String>,
    /// Variables that cannot be read.
    pub(crate) warnings: Vec<String>,
}

/// The variable without blanks and quotes around it.
fn var<'a>(context: &'a Context, name: &str) -> Option<&'a str> {
    let word = context.env(name)?.trim().trim_matches(['"', '\'']);
    Some(word).filter(|word| !word.is_empty())
}

impl Settings {
    pub(crate) fn read(context: &Context) -> Self {
        let mut warnings = Vec::new();
        let mut number = |name: &str, default: u64| {
            match var(context, name) {
            None => default,
            Some(word) => word.parse().unwrap_or_else(|_| {
                warnings.push(format!(
                    "msg=\"invalid environment variable, using default\" key={name} value={word} default={default}"
                ));
                default
            }),
        }
        };
        let (max_queue, parallel) = (number("OLLAMA_MAX_QUEUE", 512), number("OLLAMA_NUM_PARALLEL", 1));
        let (max_loaded, context_length) = (
            number("OLLAMA_MAX_LOADED_MODELS", 0),
            number("OLLAMA_CONTEXT_LENGTH", 0),
        );
        let length = |name: &str| {
            let read = var(context, name).and_then(duration::from_env);
            read.unwrap_or((false, FIVE_MINUTES))
        };
        let keep_alive = match length("OLLAMA_KEEP_ALIVE") {
            (true, _) => None,
            (false, length) => Some(length),
        };
        let load_timeout = match length("OLLAMA_LOAD_TIMEOUT") {
            (true, _) | (_, Duration::ZERO) => None,
            (false, length) => Some(length),
        };
        let models =
            var(context, "OLLAMA_MODELS").map_or_else(|| home(context).join(".ollama/models"), PathBuf::from);
        Self {
            host: Host::parse(var(context, "OLLAMA_HOST").unwrap_or_default()),
            models,
            keep_alive,
            load_timeout,
            max_queue,
            parallel: parallel.max(1),
            max_loaded,
            context_length,
            no_prune: var(context, "OLLAMA_NOPRUNE").is_some_and(truth),
            origins: origins(var(context, "OLLAMA_ORIGINS")),
            warnings,
        }
    }

    /// The settings as the server logs them when it starts.
    pub(crate) fn written(&self) -> String {
        format!(
            "map[OLLAMA_CONTEXT_LENGTH:{} OLLAMA_HOST:http://{} OLLAMA_KEEP_ALIVE:{} OLLAMA_LOAD_TIMEOUT:{} \
             OLLAMA_MAX_LOADED_MODELS:{} OLLAMA_MAX_QUEUE:{} OLLAMA_MODELS:{} OLLAMA_NOPRUNE:{} OLLAMA_NUM_PARALLEL:{} \
             OLLAMA_ORIGINS:[{}]]",
            self.context_length,
            self.host.joined(),
            duration::written(self.keep_alive),
            duration::written(self.load_timeout),
            self.max_loaded,
            self.max_queue,
            self.models.display(),
            self.no_prune,
            self.parallel,
            self.origins.join(" "),
        )
    }
}

/// Go's words for false; whatever else is written means true.
fn truth(word: &str) -> bool {
    !matches!(word, "0" | "f" | "F" | "false" | "FALSE" | "False")
}

/// The given ones and this machine's own.
fn origins(given: Option<&str>) -> Vec<String> {
    let mut all: Vec<String> = given
        .into_iter()
        .flat_map(|word| word.split(','))
        .map(str::to_owned)
        .collect();
    for host in ["localhost", "127.0.0.1", "0.0.0.0"] {
        for scheme in ["http", "https"] {
            all.extend([format!("{scheme}://{host}"), format!("{scheme}://{host}:*")]);
        }
    }
    let apps = ["app", "file", "tauri", "vscode-webview", "vscode-file"];
    all.extend(apps.map(|scheme| format!("{scheme}://*")));
    all
}

/// Whether a browser's page from `origin` may ask; one `*` in an allowed origin stands for anything.
pub(crate) fn is_allowed(origins: &[String], origin: &str) -> bool {
    origins.iter().any(|allowed| match allowed.split_once('*') {
        None => allowed == origin,
        Some((before, after)) => {
            origin.len() >= before.len() + after.len()
                && origin.starts_with(before)
                && origin.ends_with(after)
        }
    })
}
