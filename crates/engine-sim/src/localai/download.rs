//! Files that LocalAI fetches itself: an address and a place in the container in, the file there out.
//! `http://` is fetched for real (a test's server); hubs and `https://` are simulated: sparse files of the real size.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Seek as _, Write as _};
use std::path::Path;

use http_body_util::BodyExt as _;

use super::weights;
use crate::http::client;
use crate::latency;
use crate::process::Context;

/// Addresses with one of these words lead nowhere.
const MISSING: [&str; 3] = ["does-not-exist", "no-such", "nonexistent"];

/// Whether the word is an address at all.
pub(crate) fn is_address(word: &str) -> bool {
    ["http://", "https://", "huggingface://", "hf://", "github:"]
        .iter()
        .any(|scheme| word.starts_with(scheme))
}

/// A file's name for an address: 32 hexadecimal digits, as the real one takes from MD5.
pub(crate) fn file_name(address: &str) -> String {
    let half = |part: u8| {
        let mut hasher = DefaultHasher::new();
        (part, address).hash(&mut hasher);
        hasher.finish()
    };
    format!("{:016x}{:016x}", half(0), half(1))
}

/// What a fetched file is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A model's weights.
    Weights,
    /// A model's configuration.
    Configuration,
}

/// Fetches what is not there yet; the error is the real one's.
pub(crate) async fn fetch(context: &Context, address: &str, to: &Path, kind: Content) -> Result<(), String> {
    let files = &context.spec.files;
    if files.resolve(to).exists() {
        return Ok(());
    }
    let url = expanded(address);
    context.log.err(format!("Downloading {url:?}"));
    if url.starts_with("http://") {
        return real(context, &url, to).await;
    }
    if MISSING.iter().any(|mark| url.contains(mark)) {
        return Err(format!("failed to download url {url:?}, invalid status code 404"));
    }
    let refused =
        |error: crate::FileError| format!("failed to write file {:?}: {error}", to.display().to_string());
    if kind == Content::Configuration {
        let stem = Path::new(&url)
            .file_stem()
            .and_then(|s| s.to_str())
            .unwrap_or("model")
            .to_owned();
        let text = format!(
            "name: {stem}\nparameters:\n  model: huggingface://simulated/{stem}/{stem}.Q4_K_M.gguf\n"
        );
        return files.write(to, text.as_bytes()).map_err(refused);
    }
    let bytes = weights::shape(&url).weight_bytes();
    files.make_dir(to.parent().unwrap_or(to)).map_err(refused)?;
    context
        .faults
        .load_for(context.spec.speed.load_time(latency::download(bytes)))
        .await;
    files.write_sparse(to, bytes).map_err(refused)?;
    mark(&files.resolve(to)).map_err(|error| error.to_string())
}

/// The address that a short form stands for.
fn expanded(address: &str) -> String {
    let hub = address
        .strip_prefix("huggingface://")
        .or_else(|| address.strip_prefix("hf://"));
    if let Some(rest) = hub {
        let parts: Vec<&str> = rest.splitn(3, '/').collect();
        if let [owner, repository, file] = parts.as_slice() {
            return format!("https://huggingface.co/{owner}/{repository}/resolve/main/{file}");
        }
    }
    if let Some(rest) = address.strip_prefix("github:") {
        let rest = rest.trim_start_matches('/');
        let (path, branch) = rest.split_once('@').unwrap_or((rest, "main"));
        let parts: Vec<&str> = path.splitn(3, '/').collect();
        if let [owner, repository, file] = parts.as_slice() {
            return format!("https://raw.githubusercontent.com/{owner}/{repository}/{branch}/{file}");
        }
    }
    address.to_owned()
}

/// The four bytes that a file of weights begins with.
fn mark(path: &Path) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
    file.rewind()?;
    file.write_all(weights::MAGIC)
}

async fn real(context: &Context, url: &str, to: &Path) -> Result<(), String> {
    let failed = |error: String| format!("failed to download file {:?}: {error}", to.display().to_string());
    let answer = client::get(&context.spec, url).await.map_err(failed)?;
    if answer.status().as_u16() >= 400 {
        let code = answer.status().as_u16();
        return Err(format!(
            "failed to download url {url:?}, invalid status code {code}"
        ));
    }
    let body = answer
        .into_body()
        .collect()
        .await
        .map_err(|error| failed(error.to_string()))?;
    let written = context.spec.files.write(to, &body.to_bytes());
    written.map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_addresses_are_spelled_out() {
        for (short, long) in [
            (
                "huggingface://o/r/d/f.gguf",
                "https://huggingface.co/o/r/resolve/main/d/f.gguf",
            ),
            (
                "github:o/r/d/f.yaml@master",
                "https://raw.githubusercontent.com/o/r/master/d/f.yaml",
            ),
            ("http://h/f", "http://h/f"),
        ] {
            assert_eq!(expanded(short), long);
        }
        assert!(is_address("hf://o/r/f") && !is_address("tinyllama-chat"));
        assert_eq!(file_name("x").len(), 32);
    }
}
