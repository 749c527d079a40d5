//! Hugging Face's hub as engines in Python meet it: names and a container's environment in, where downloads lie and what
//! may be had out. It must not know an engine.

use std::path::{Path, PathBuf};

use crate::process::Context;

/// Owners whose repositories need an accepted licence, and so a token.
const GATED: &[&str] = &["meta-llama/", "google/gemma-"];

/// Whether a repository of this name is gated.
pub(crate) fn is_gated(name: &str) -> bool {
    GATED.iter().any(|prefix| name.to_lowercase().starts_with(prefix))
}

/// Whether the name is one of those that a test uses for a repository that is not there.
pub(crate) fn is_missing(name: &str) -> bool {
    ["does-not-exist", "no-such", "nonexistent"]
        .iter()
        .any(|mark| name.to_lowercase().contains(mark))
}

/// Whether the environment forbids downloads.
pub(crate) fn is_offline(context: &Context) -> bool {
    ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].iter().any(|name| {
        context
            .env(name)
            .is_some_and(|v| matches!(v, "1" | "ON" | "YES" | "TRUE" | "true" | "True"))
    })
}

/// The token that the environment has.
pub(crate) fn token(context: &Context) -> Option<&str> {
    context
        .env("HF_TOKEN")
        .or_else(|| context.env("HUGGING_FACE_HUB_TOKEN"))
}

/// `name` or `owner/name` in the hub's alphabet.
pub(crate) fn is_repository(name: &str) -> bool {
    let part = |part: &str| {
        let allowed = part
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        let edges = part.starts_with(['-', '.']) || part.ends_with(['-', '.']);
        !part.is_empty() && allowed && !edges && !part.contains("--") && !part.contains("..")
    };
    name.len() <= 96 && name.split('/').count() <= 2 && name.split('/').all(part)
}

/// The hub's cache, as its library finds it.
pub(crate) fn cache(context: &Context) -> PathBuf {
    if let Some(dir) = context
        .env("HF_HUB_CACHE")
        .or_else(|| context.env("HUGGINGFACE_HUB_CACHE"))
    {
        return PathBuf::from(dir);
    }
    if let Some(home) = context.env("HF_HOME") {
        return Path::new(home).join("hub");
    }
    let home = context.env("HOME").unwrap_or(if context.spec.files.user == 0 {
        "/root"
    } else {
        "/"
    });
    let cache = context
        .env("XDG_CACHE_HOME")
        .map_or_else(|| Path::new(home).join(".cache"), PathBuf::from);
    cache.join("huggingface/hub")
}

/// Where a repository's snapshot lies in the cache.
pub(crate) fn snapshot(cache: &Path, name: &str, revision: &str) -> PathBuf {
    cache
        .join(format!("models--{}", name.replace('/', "--")))
        .join("snapshots")
        .join(revision)
}
