//! Init containers that bring weights to the volume, for engines that do not load by themselves.
//!
//! In: a source, the volume. Out: a container that ends with success when the weights are complete, at once when they were
//! before. Several Pods may load into one volume at the same time. Each source has a directory of its own (host and path, bucket
//! and prefix), so another model version never mixes with an older one.

use k8s_openapi::api::core::v1::EnvVar;

use super::env;
use crate::plan::{ContainerPlan, ProbesPlan, security::loader_security, weights::Weights};

/// Name of the init container.
pub const CONTAINER: &str = "load-model";
/// curl; pinned, runs as any user.
const CURL_IMAGE: &str = "curlimages/curl:8.16.0";
/// The AWS command line; pinned, runs as any user with a `HOME`.
const AWS_IMAGE: &str = "amazon/aws-cli:2.31.0";

/// `$1` URL, `$2` file. A part file per Pod is resumed after a restart of the container, and becomes the file in one step. A shell
/// that waits, unlike one with a command in front, ends when its Pod is deleted.
const DOWNLOAD: &str = r#"set -eu
trap 'exit 143' TERM
url=$1 file=$2 part=$2.part-$HOSTNAME
if [ -f "$file" ]; then echo "$file is there"; exit 0; fi
mkdir -p "${file%/*}"
echo "loading $file"
code=0
{ if [ -n "${AUTHORIZATION:-}" ]; then printf 'header = "Authorization: %s"\n' "$AUTHORIZATION"; fi; } |
  curl --config - --fail --location --silent --show-error --retry 5 --retry-connrefused --continue-at - --output "$part" "$url" &
wait "$!" || code=$?
case $code in
  0) ;;
  22|33|36) rm -f "$part"; echo "error: cannot load $url: curl ended with $code" >&2; exit "$code" ;;
  *) echo "error: cannot load $url: curl ended with $code; resuming at the next start" >&2; exit "$code" ;;
esac
mv "$part" "$file"
rm -f "$file".part-*
echo "loaded $file"
"#;

/// Loads one file over HTTP.
pub fn http(weights: &Weights, url: &str, file: &str, secret: Option<&str>) -> ContainerPlan {
    let command = ["sh", "-c", DOWNLOAD, CONTAINER, url, &weights.path(file)];
    let env = secret
        .map(|secret| env::secret("AUTHORIZATION", secret))
        .into_iter()
        .collect();
    ContainerPlan {
        command: escaped(&command),
        env,
        ..loader(CURL_IMAGE, weights)
    }
}

/// Copies what is below a prefix of a bucket; what is there already is not copied again.
pub fn s3(weights: &Weights, bucket: &str, prefix: &str, secret: Option<&str>) -> ContainerPlan {
    let from = if prefix.is_empty() {
        format!("s3://{bucket}")
    } else {
        format!("s3://{bucket}/{prefix}")
    };
    let to = weights.path(&s3_directory(bucket, prefix));
    let command = ["aws", "s3", "sync", "--only-show-errors", &from, &to];
    ContainerPlan {
        command: escaped(&command),
        env: vec![env::value("HOME", "/tmp")],
        env_from: secret.map(env::all_of_secret).into_iter().collect(),
        ..loader(AWS_IMAGE, weights)
    }
}

/// Where [`s3`] puts it, below the mount.
pub fn s3_directory(bucket: &str, prefix: &str) -> String {
    if prefix.is_empty() {
        bucket.to_owned()
    } else {
        format!("{bucket}/{prefix}")
    }
}

fn escaped(command: &[&str]) -> Vec<String> {
    command.iter().map(|word| env::literal(word)).collect()
}

fn loader(image: &str, weights: &Weights) -> ContainerPlan {
    init_container(CONTAINER, image, Vec::<EnvVar>::new(), weights)
}

/// An init container with the weights mounted, as uid 1000.
pub fn init_container(name: &str, image: &str, env: Vec<EnvVar>, weights: &Weights) -> ContainerPlan {
    ContainerPlan {
        name: name.into(),
        image: image.into(),
        pull_policy: None,
        command: Vec::new(),
        args: Vec::new(),
        env,
        env_from: Vec::new(),
        ports: Vec::new(),
        requests: std::collections::BTreeMap::new(),
        limits: std::collections::BTreeMap::new(),
        probes: ProbesPlan::default(),
        mounts: weights.mounts(),
        security: Some(loader_security()),
        drain_seconds: 0,
        last_words: true,
        template: None,
    }
}
