//! The operator's image on simulated nodes: what runs there is the operator, as the Pod's `ServiceAccount`.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use testkit::{Cluster, ImageEntry};

/// The image's entry point: the operator with its `ServiceAccount`'s token as the Pod has it mounted, at the Pod's address.
const ENTRY_POINT: &str = r#"#!/bin/sh
set -eu
cat >"$HOME/kubeconfig" <<END
{"apiVersion": "v1", "kind": "Config", "current-context": "pod",
 "clusters": [{"name": "pod", "cluster": {"server": "$(cat FOLDER/server)", "certificate-authority": "$ACCOUNT/ca.crt"}}],
 "users": [{"name": "pod", "user": {"tokenFile": "$ACCOUNT/token"}}],
 "contexts": [{"name": "pod", "context": {"cluster": "pod", "user": "pod"}}]}
END
export KUBECONFIG="$HOME/kubeconfig" HELM='HELM_PROGRAM'
export HTTP_ADDRESS="$SIMULATED_POD_ADDRESS:8080" EXTERNAL_METRICS_ADDRESS="$SIMULATED_POD_ADDRESS:6443"
exec OPERATOR "$@"
"#;

/// The image, and where its entry point finds what is known only when the cluster runs.
pub struct OperatorImage(PathBuf);

impl OperatorImage {
    /// `name`: of its own among those of this program. `helm`: where the Helm CLI is.
    pub fn new(name: &str, helm: &Path) -> Self {
        let folder =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let script = ENTRY_POINT
            .replace("FOLDER", &folder.to_string_lossy())
            .replace("HELM_PROGRAM", &helm.to_string_lossy())
            .replace("OPERATOR", env!("CARGO_BIN_EXE_llm-operator"));
        let path = folder.join("entry-point");
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    /// For a table of images. The arguments of a Pod are the operator's, as with the image of the Dockerfile.
    pub fn entry(&self) -> ImageEntry {
        let entry_point = self.0.join("entry-point");
        let mut entry = ImageEntry::commands(&[entry_point.to_str().unwrap(), "run"]);
        entry.image.command = vec![entry.image.entrypoint.pop().unwrap()];
        let account = "/var/run/secrets/kubernetes.io/serviceaccount";
        entry.image.env.insert("ACCOUNT".to_owned(), account.to_owned());
        entry.user(65532)
    }

    /// Tells the entry point where the API server is. To be called before a Pod starts.
    pub fn serve_in(&self, cluster: &Cluster) {
        std::fs::write(self.0.join("server"), cluster.url()).unwrap();
    }
}
