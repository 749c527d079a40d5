//! Programs that are built together and kept under one name.
//!
//! In: the Go modules in `control-plane/`. Out: [`Suite`]: what is built, how it is spoken of, where it is kept.

use std::path::PathBuf;

use super::versions::{ETCD_VERSION, HELM_VERSION, Kubernetes};
use super::{DIRECTORY_VARIABLE, HELM_VARIABLE, Program};

/// Programs that are built together.
#[derive(Debug, Clone)]
pub(super) struct Suite {
    /// The word for it in messages.
    pub(super) what: &'static str,
    /// With versions, for a person.
    pub(super) versions: String,
    /// How long building takes.
    pub(super) duration: &'static str,
    /// The environment variable that names a directory with ready-made executables.
    pub(super) variable: &'static str,
    /// Its directory in the cache, and in that the one of these versions.
    pub(super) cache: (&'static str, String),
    pub(super) recipes: Vec<Recipe>,
}

/// How one program is built.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    /// The name of the executable.
    pub(super) name: &'static str,
    /// The directory of the Go module that names it as a tool.
    pub(super) module: PathBuf,
    /// Its Go package.
    pub(super) package: String,
    pub(super) link_flags: String,
}

impl Suite {
    /// The five programs of a control plane.
    pub(super) fn control_plane(kubernetes: Kubernetes) -> Self {
        let recipe = |program: Program| Recipe {
            name: program.name(),
            module: program.module(kubernetes),
            package: program.package(),
            link_flags: program.link_flags(kubernetes),
        };
        Self {
            what: "control plane",
            versions: format!("Kubernetes {} and etcd {ETCD_VERSION}", kubernetes.version),
            duration: "about 5 minutes on 2 cores",
            variable: DIRECTORY_VARIABLE,
            cache: ("control-plane", format!("{}-{ETCD_VERSION}", kubernetes.version)),
            recipes: Program::ALL.map(recipe).to_vec(),
        }
    }

    /// The Helm CLI.
    pub(super) fn helm() -> Self {
        Self {
            what: "Helm",
            versions: format!("Helm {HELM_VERSION}"),
            duration: "about 2 minutes on 2 cores",
            variable: HELM_VARIABLE,
            cache: ("helm", HELM_VERSION.to_owned()),
            recipes: vec![Recipe {
                name: "helm",
                module: super::versions::module("helm"),
                package: "helm.sh/helm/v4/cmd/helm".to_owned(),
                link_flags: format!("-s -w -X helm.sh/helm/v4/internal/version.version={HELM_VERSION}"),
            }],
        }
    }

    /// The names of all programs.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.recipes.iter().map(|recipe| recipe.name).collect()
    }
}
