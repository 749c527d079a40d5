//! Where weights come from.
//!
//! In: the text of a source, such as `hf://org/name@revision`. Out: a value with its parts, each one safe to be used
//! as an argument or as a path below a mount (no `..`, no leading `-`, no blanks). It must not fetch anything.

use std::{fmt, str::FromStr};

use crate::labels::is_dns_subdomain;

/// A parsed source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// A repository of the Hugging Face hub.
    HuggingFace {
        /// `org/name`, or `name` for the few without an organisation.
        repository: String,
        /// Branch, tag or commit; `None`: the default branch.
        revision: Option<String>,
    },
    /// A claim in the resource's namespace that holds the weights.
    Claim {
        /// Name of the claim.
        claim: String,
        /// Path in it, without a leading slash; empty: its root.
        path: String,
    },
    /// Objects in S3 or what speaks its protocol.
    S3 {
        /// Bucket.
        bucket: String,
        /// Prefix without slashes around it; empty: the whole bucket.
        prefix: String,
    },
    /// An OCI image or artifact whose files are the weights.
    Oci {
        /// Image reference.
        reference: String,
    },
    /// One file over HTTP.
    Http {
        /// The whole URL.
        url: String,
        /// `host/path/file`, under which it is stored below the mount.
        file: String,
    },
    /// A model of Ollama's library.
    Ollama {
        /// `name[:tag]`.
        model: String,
    },
}

/// Why a text is no source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// No scheme, or one that nobody knows.
    #[error(
        "{0:?} does not begin with a known scheme; use hf://, pvc://, s3://, oci://, http://, https:// or ollama://"
    )]
    Scheme(String),
    /// A part is missing.
    #[error("{uri:?} has no {part}; write {example}")]
    Missing {
        /// The source.
        uri: String,
        /// What is missing.
        part: &'static str,
        /// What a right one looks like.
        example: &'static str,
    },
    /// A part has characters that it may not have.
    #[error("{value:?} is no valid {part}; write {example}")]
    Malformed {
        /// The part's text.
        value: String,
        /// Its name.
        part: &'static str,
        /// What a right one looks like.
        example: &'static str,
    },
}

const HF: &str = "hf://org/name or hf://org/name@revision";
const PVC: &str = "pvc://claim or pvc://claim/path/of/the/model";
const S3: &str = "s3://bucket or s3://bucket/prefix";
const OCI: &str = "oci://registry/repository:tag";
const HTTP: &str = "https://host/path/file";
const OLLAMA: &str = "ollama://name or ollama://name:tag";

impl FromStr for ModelSource {
    type Err = SourceError;

    fn from_str(uri: &str) -> Result<Self, SourceError> {
        let Some((scheme, rest)) = uri.split_once("://") else {
            return Err(SourceError::Scheme(uri.into()));
        };
        match scheme {
            "hf" => hugging_face(uri, rest),
            "pvc" => claim(uri, rest),
            "s3" => s3(uri, rest),
            "oci" => {
                let reference = checked(uri, rest, "image reference", OCI, is_reference)?;
                Ok(Self::Oci { reference })
            }
            "http" | "https" => http(uri, rest),
            "ollama" => {
                let model = checked(uri, rest, "model", OLLAMA, is_reference)?;
                Ok(Self::Ollama { model })
            }
            _ => Err(SourceError::Scheme(uri.into())),
        }
    }
}

fn hugging_face(uri: &str, rest: &str) -> Result<ModelSource, SourceError> {
    let (repository, revision) = match rest.split_once('@') {
        Some((repository, revision)) => (repository, Some(revision)),
        None => (rest, None),
    };
    let repository = checked(uri, repository, "repository", HF, |text| {
        text.split('/').count() <= 2 && text.split('/').all(is_word)
    })?;
    let revision = revision
        .map(|text| checked(uri, text, "revision", HF, |text| text.split('/').all(is_word)))
        .transpose()?;
    Ok(ModelSource::HuggingFace { repository, revision })
}

fn claim(uri: &str, rest: &str) -> Result<ModelSource, SourceError> {
    let (claim, path) = rest.split_once('/').unwrap_or((rest, ""));
    let claim = checked(uri, claim, "claim name", PVC, is_dns_subdomain)?;
    let path = relative_path(path, PVC)?;
    Ok(ModelSource::Claim { claim, path })
}

fn s3(uri: &str, rest: &str) -> Result<ModelSource, SourceError> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let bucket = checked(uri, bucket, "bucket", S3, |text| {
        (3..=63).contains(&text.len()) && is_dns_subdomain(text)
    })?;
    let prefix = relative_path(prefix, S3)?;
    Ok(ModelSource::S3 { bucket, prefix })
}

fn http(uri: &str, rest: &str) -> Result<ModelSource, SourceError> {
    let address = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = address.split_once('/').unwrap_or((address, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host_ok = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b))
    };
    let host = checked(uri, host, "host", HTTP, host_ok)?;
    if uri.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(malformed(uri, "URL", HTTP));
    }
    let path = relative_path(path, HTTP)?;
    if path.is_empty() {
        return Err(SourceError::Missing {
            uri: uri.into(),
            part: "file",
            example: HTTP,
        });
    }
    let host = host.replace(['[', ']', ':'], "_");
    Ok(ModelSource::Http {
        url: uri.into(),
        file: format!("{host}/{path}"),
    })
}

/// A path without slashes around it, every part of which is an ordinary name.
fn relative_path(path: &str, example: &'static str) -> Result<String, SourceError> {
    let path = path.trim_matches('/');
    let good = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && !part
                .chars()
                .any(|c| c.is_whitespace() || c.is_control() || c == ':')
    };
    if path.is_empty() || path.split('/').all(good) {
        Ok(path.into())
    } else {
        Err(malformed(path, "path", example))
    }
}

fn checked(
    uri: &str,
    value: &str,
    part: &'static str,
    example: &'static str,
    valid: impl Fn(&str) -> bool,
) -> Result<String, SourceError> {
    if value.is_empty() {
        return Err(SourceError::Missing {
            uri: uri.into(),
            part,
            example,
        });
    }
    if valid(value) {
        Ok(value.into())
    } else {
        Err(malformed(value, part, example))
    }
}

fn malformed(value: &str, part: &'static str, example: &'static str) -> SourceError {
    SourceError::Malformed {
        value: value.into(),
        part,
        example,
    }
}

/// Letters, digits, `.`, `_`, `-`; beginning with a letter or digit.
fn is_word(text: &str) -> bool {
    text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// Words, divided by `/`, `:` or `@`.
fn is_reference(text: &str) -> bool {
    text.split(['/', ':', '@']).all(is_word)
}

impl ModelSource {
    /// `org/name`, `name:tag`, the last part of a path: what the catalogue of models is asked for.
    pub fn model_name(&self) -> &str {
        match self {
            Self::HuggingFace { repository, .. } => repository,
            Self::Ollama { model } => model,
            Self::Claim { path, .. } => last_part(path),
            Self::S3 { prefix, .. } => last_part(prefix),
            Self::Oci { reference } => last_part(reference),
            Self::Http { file, .. } => last_part(file),
        }
    }
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

impl fmt::Display for ModelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = |path: &str| if path.is_empty() { "" } else { "/" };
        match self {
            Self::HuggingFace {
                repository,
                revision: None,
            } => write!(f, "hf://{repository}"),
            Self::HuggingFace {
                repository,
                revision: Some(revision),
            } => write!(f, "hf://{repository}@{revision}"),
            Self::Claim { claim, path } => write!(f, "pvc://{claim}{}{path}", slash(path)),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}{}{prefix}", slash(prefix)),
            Self::Oci { reference } => write!(f, "oci://{reference}"),
            Self::Http { url, .. } => f.write_str(url),
            Self::Ollama { model } => write!(f, "ollama://{model}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_has_its_parts() {
        let hf = |repository: &str, revision: Option<&str>| ModelSource::HuggingFace {
            repository: repository.into(),
            revision: revision.map(Into::into),
        };
        let table = [
            (
                "hf://meta-llama/Llama-3.1-8B",
                hf("meta-llama/Llama-3.1-8B", None),
            ),
            ("hf://gpt2@refs/pr/1", hf("gpt2", Some("refs/pr/1"))),
            (
                "pvc://weights",
                ModelSource::Claim {
                    claim: "weights".into(),
                    path: String::new(),
                },
            ),
            (
                "pvc://weights/a/b/",
                ModelSource::Claim {
                    claim: "weights".into(),
                    path: "a/b".into(),
                },
            ),
            (
                "s3://my-bucket/models/x",
                ModelSource::S3 {
                    bucket: "my-bucket".into(),
                    prefix: "models/x".into(),
                },
            ),
            (
                "oci://ghcr.io/a/b:v1",
                ModelSource::Oci {
                    reference: "ghcr.io/a/b:v1".into(),
                },
            ),
            (
                "https://h:8443/a/m.gguf?x=1",
                ModelSource::Http {
                    url: "https://h:8443/a/m.gguf?x=1".into(),
                    file: "h_8443/a/m.gguf".into(),
                },
            ),
            (
                "ollama://llama2:7b",
                ModelSource::Ollama {
                    model: "llama2:7b".into(),
                },
            ),
        ];
        for (text, source) in table {
            assert_eq!(text.parse(), Ok(source), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let table = [
            ("llama", "known scheme"),
            ("ftp://x/y", "known scheme"),
            ("hf://", "has no repository"),
            ("hf://a/b/c", "no valid repository"),
            ("hf://-a/b", "no valid repository"),
            ("hf://a/b@", "has no revision"),
            ("pvc://", "has no claim name"),
            ("pvc://Weights", "no valid claim name"),
            ("pvc://w/../x", "no valid path"),
            ("s3://", "has no bucket"),
            ("s3://b", "no valid bucket"),
            ("oci://a b", "no valid image reference"),
            ("https://host", "has no file"),
            ("https:///x", "has no host"),
            ("http://h/a/../../etc/x", "no valid path"),
            ("ollama://--x", "no valid model"),
        ];
        for (text, words) in table {
            let error = text.parse::<ModelSource>().unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn accepted_text_comes_back_and_holds_no_way_out_of_the_mount(text in "(hf|pvc|s3|oci|https?|ollama)://[a-z./:@~ -]{0,24}") {
            if let Ok(source) = text.parse::<ModelSource>() {
                let again = source.to_string().parse::<ModelSource>();
                proptest::prop_assert_eq!(again.as_ref(), Ok(&source));
                if let ModelSource::Http { file: path, .. } | ModelSource::Claim { path, .. } | ModelSource::S3 { prefix: path, .. } = &source {
                    proptest::prop_assert!(path.split('/').all(|part| part != "..") && !path.starts_with('/'));
                }
            }
        }
    }
}
