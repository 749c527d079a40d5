//! The directory of ours in which Helm lives.
//!
//! In: [`CliHelmOptions`]. Out: its subdirectories, the plugin that calls our post-renderer, the kubeconfig file.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{
    files::{self, Scratch, at, private_directory, write_private},
    kubeconfig,
    options::{CliHelmOptions, KubeconfigSource},
};
use crate::{HelmError, tool};

/// The name by which Helm knows our post-renderer.
pub(super) const POST_RENDERER: &str = "llm-operator";

/// Where things are.
#[derive(Debug)]
pub(super) struct Home {
    root: PathBuf,
    /// The file by which Helm gets to the API server.
    kubeconfig: Option<PathBuf>,
}

impl Home {
    /// Makes what every call needs. What calls of a process that was killed left behind is removed.
    pub(super) fn prepare(options: &CliHelmOptions) -> Result<Self, HelmError> {
        private_directory(&options.home)?;
        let root = fs::canonicalize(&options.home).map_err(at(&options.home))?;
        let home = Self {
            kubeconfig: match &options.kubeconfig {
                KubeconfigSource::Config(config) => {
                    let path = root.join("kubeconfig");
                    write_private(&path, &kubeconfig::text(config)?)?;
                    Some(path)
                }
                KubeconfigSource::File(path) => Some(path.clone()),
                KubeconfigSource::None => None,
            },
            root,
        };
        home.clear_calls()?;
        for directory in [
            home.calls(),
            home.store(),
            home.plugins(),
            home.directory("cache"),
        ] {
            private_directory(&directory)?;
        }
        home.write_plugin(&options.tool)?;
        Ok(home)
    }

    /// Directories that calls of processes which are gone have left.
    fn clear_calls(&self) -> Result<(), HelmError> {
        let calls = self.calls();
        if calls.exists() {
            fs::remove_dir_all(&calls).map_err(at(&calls))?;
        }
        Ok(())
    }

    /// Helm takes a post-renderer only as a plugin.
    fn write_plugin(&self, tool: &Path) -> Result<(), HelmError> {
        let path = tool.display().to_string();
        if path.contains('$') {
            return Err(HelmError::File {
                path,
                message: "Helm would take the $ in its name for a variable".to_owned(),
            });
        }
        let directory = self.plugins().join(POST_RENDERER);
        private_directory(&directory)?;
        let plugin = json!({
            "apiVersion": "v1",
            "type": "postrenderer/v1",
            "name": POST_RENDERER,
            "version": env!("CARGO_PKG_VERSION"),
            "runtime": "subprocess",
            "runtimeConfig": { "platformCommand": [{ "command": path, "args": [tool::POST_RENDER] }] },
        });
        files::write_private(&directory.join("plugin.yaml"), &plugin.to_string())
    }

    /// A directory for one call.
    pub(super) fn scratch(&self) -> Result<Scratch, HelmError> {
        Scratch::new(&self.calls())
    }

    /// Charts that were fetched.
    pub(super) fn store(&self) -> PathBuf {
        self.directory("charts")
    }

    pub(super) fn plugins(&self) -> PathBuf {
        self.directory("plugins")
    }

    /// A directory of this name.
    pub(super) fn directory(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(super) fn kubeconfig(&self) -> Option<&Path> {
        self.kubeconfig.as_deref()
    }

    fn calls(&self) -> PathBuf {
        self.directory("calls")
    }
}
