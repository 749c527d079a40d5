//! The operator's image on simulated nodes: a container of it runs the shipped binary as a process of this machine, with a
//! token of the Pod's own service account and at the Pod's own address.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use testkit::{Cluster, ImageEntry, ImageTable, NodeOptions};

use crate::plane;

/// A folder of its own for one cluster.
fn folder() -> PathBuf {
    let folder =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-operator-image", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// What the image's entrypoint does here. In a cluster the kubelet hands token and address to the Pod.
fn entrypoint(folder: &Path) -> String {
    let (binary, folder) = (env!("CARGO_BIN_EXE_llm-operator"), folder.display());
    format!(
        r#"#!/bin/sh
set -eu
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy
export KUBECONFIG="{folder}/$POD_NAME.kubeconfig"
kubectl={folder}/kubectl
cp {folder}/kubeconfig "$KUBECONFIG"
token=$($kubectl create token llm-operator -n "$POD_NAMESPACE")
address=
while [ -z "$address" ]; do
  address=$($kubectl get pod "$POD_NAME" -n "$POD_NAMESPACE" -o 'jsonpath={{.status.podIP}}')
done
$kubectl config set-credentials pod --token="$token" >/dev/null
$kubectl config set-context --current --user=pod >/dev/null
exec {binary} "$@" --http-address "$address:8080"
"#
    )
}

/// A cluster with GPUs in which the operator's image can be pulled; nothing is installed.
pub async fn cluster() -> Cluster {
    let folder = folder();
    let script = folder.join("llm-operator");
    std::fs::write(&script, entrypoint(&folder)).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let image = ImageEntry::commands(&[script.to_str().unwrap()]).user(65532);
    let options = NodeOptions {
        images: ImageTable::default().with("llm-operator", image),
        ..NodeOptions::default()
    };
    let cluster = plane(options).start().await.unwrap();
    std::fs::copy(cluster.kubeconfig(), folder.join("kubeconfig")).unwrap();
    let link = folder.join("kubectl");
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink(cluster.kubectl_path(), link).unwrap();
    cluster
}
