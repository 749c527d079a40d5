//! Volumes as one container sees them, and container paths as this machine's for commands that run for real.
//! It must not make files.

use std::path::{Path, PathBuf};

use engine_sim::{Filesystem, Mount};
use k8s_openapi::api::core::v1::Container;

use super::Pairs;
use super::env::expanded;
use super::volumes::Volumes;

/// The container's mounts, or why one cannot be made.
pub(crate) fn of(container: &Container, volumes: &Volumes, env: &Pairs) -> Result<Vec<Mount>, String> {
    let mounts = container.volume_mounts.iter().flatten();
    mounts
        .map(|mount| {
            let volume = volumes
                .get(&mount.name)
                .ok_or_else(|| format!("cannot find volume \"{}\" to mount into container", mount.name))?;
            let sub_path = match (&mount.sub_path_expr, &mount.sub_path) {
                (Some(expression), _) => expanded(expression, env),
                (None, Some(path)) => path.clone(),
                (None, None) => String::new(),
            };
            let host_path = if sub_path.is_empty() {
                volume.host.clone()
            } else {
                volume.host.join(&sub_path)
            };
            if !host_path.exists() {
                std::fs::create_dir_all(&host_path)
                    .map_err(|error| format!("failed to create subPath directory \"{sub_path}\": {error}"))?;
            }
            Ok(Mount {
                container_path: PathBuf::from(&mount.mount_path),
                host_path,
                read_only: volume.read_only || mount.read_only.unwrap_or(false),
                capacity: volume.capacity,
            })
        })
        .collect()
}

/// `text` with the container's paths of mounted volumes as this machine's.
pub(crate) fn translated(text: &str, files: &Filesystem) -> String {
    let mut mounts: Vec<&Mount> = files.mounts.iter().collect();
    mounts.sort_by_key(|mount| std::cmp::Reverse(mount.container_path.as_os_str().len()));
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = None;
    while let Some(next) = rest.chars().next() {
        let hit = mounts
            .iter()
            .find(|mount| !continues(before) && begins_with(rest, &mount.container_path));
        if let Some(mount) = hit {
            let length = trimmed(&mount.container_path).len();
            result.push_str(&mount.host_path.to_string_lossy());
            rest = &rest[length..];
            before = Some('/');
        } else {
            result.push(next);
            rest = &rest[next.len_utf8()..];
            before = Some(next);
        }
    }
    result
}

fn trimmed(path: &Path) -> &str {
    path.to_str().unwrap_or_default().trim_end_matches('/')
}

/// The character belongs to a path that goes on after it.
fn continues(before: Option<char>) -> bool {
    before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '}' | ')'))
}

fn begins_with(text: &str, path: &Path) -> bool {
    let path = trimmed(path);
    let after = text.strip_prefix(path).filter(|_| !path.is_empty());
    after.is_some_and(|after| {
        after
            .chars()
            .next()
            .is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '.' | '_' | '-')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_paths_are_translated() {
        let mount = |from: &str, to: &str| Mount {
            container_path: from.into(),
            host_path: to.into(),
            read_only: false,
            capacity: None,
        };
        let files = Filesystem {
            mounts: vec![mount("/models", "/h/m"), mount("/models/deep", "/h/d")],
            ..Filesystem::default()
        };
        for (text, expected) in [
            ("ls /models", "ls /h/m"),
            ("cp a /models/x.bin;cd '/models'", "cp a /h/m/x.bin;cd '/h/m'"),
            ("/models/deep/x", "/h/d/x"),
            (
                "/models-old /x/models http://h/models",
                "/models-old /x/models http://h/models",
            ),
            ("--dir=/models", "--dir=/h/m"),
        ] {
            assert_eq!(translated(text, &files), expected, "{text}");
        }
    }
}
