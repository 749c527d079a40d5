//! Bringing a plane up.
//!
//! In: a builder's choices. Out: a [`Plane`] in which Pods can be created. Runs on the cluster's own runtime.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::node::v1::RuntimeClass;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::net::TcpStream;

use super::access::Access;
use super::binaries::{Binaries, Program};
use super::builder::ClusterBuilder;
use super::components::Settings;
use super::error::ClusterError;
use super::pki::{Identity, Pki};
use super::ports::Port;
use super::processes::Processes;
use super::{asked, audit};
use crate::process::TemporaryDirectory;

/// How often another program may take a port between its choice and its use.
const ATTEMPTS: usize = 5;

/// Where a cluster's files live.
#[derive(Debug)]
pub(super) enum Directory {
    Temporary(TemporaryDirectory),
    Kept(PathBuf),
}

impl Directory {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Temporary(directory) => directory.path(),
            Self::Kept(path) => path,
        }
    }
}

/// The ports of one plane.
#[derive(Debug)]
pub(super) struct Ports {
    etcd: Port,
    etcd_peer: Port,
    pub(super) api: Port,
}

/// A plane that runs. Fields are dropped in this order: processes before the directory they write to.
#[derive(Debug)]
pub(super) struct Plane {
    pub(super) processes: Processes,
    pub(super) ports: Ports,
    pub(super) pki: Pki,
    pub(super) binaries: Binaries,
    pub(super) choices: ClusterBuilder,
    pub(super) directory: Directory,
}

/// Starts a plane and waits until it is of use.
pub(super) async fn start(choices: ClusterBuilder) -> Result<Plane, ClusterError> {
    let mut plane = prepare(choices).await?;
    let mut attempt = 1;
    while let Err(error) = plane.start_storage_and_api().await {
        if !error.is_port_taken() || attempt == ATTEMPTS {
            return Err(error);
        }
        attempt += 1;
        plane.processes = Processes::default();
        plane.ports = claim_ports()?;
    }
    plane.start_controllers()?;
    plane.wait_until_useful().await?;
    Ok(plane)
}

async fn prepare(choices: ClusterBuilder) -> Result<Plane, ClusterError> {
    let needed: &[Program] = if choices.bare {
        &Program::BARE
    } else {
        &Program::ALL
    };
    let located = tokio::task::spawn_blocking(|| Binaries::locate(needed)).await;
    let binaries = located.map_err(|_| ClusterError::CutShort {
        what: "finding the executables",
    })??;
    let directory = match &choices.directory {
        None => Directory::Temporary(TemporaryDirectory::new("cluster")?),
        Some(path) => Directory::Kept(make_kept(path)?),
    };
    let pki = Pki::open(&directory.path().join("pki"))?;
    let ports = claim_ports()?;
    Ok(Plane {
        processes: Processes::default(),
        ports,
        pki,
        binaries,
        choices,
        directory,
    })
}

fn make_kept(path: &Path) -> Result<PathBuf, ClusterError> {
    let what = || format!("cannot use the cluster's directory {}", path.display());
    std::fs::create_dir_all(path).map_err(ClusterError::io(what()))?;
    // The components' working directory may be another one.
    path.canonicalize().map_err(ClusterError::io(what()))
}

fn claim_ports() -> Result<Ports, ClusterError> {
    Ok(Ports {
        etcd: Port::claim()?,
        etcd_peer: Port::claim()?,
        api: Port::claim()?,
    })
}

impl Plane {
    pub(super) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.api.number())
    }

    pub(super) fn access(&self, identity: Identity) -> Access {
        Access {
            server: self.url(),
            authority: self.pki.file("ca.crt"),
            token: Some(self.pki.token(identity).to_owned()),
            user: identity.user().to_owned(),
        }
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn settings(&self) -> Settings<'_> {
        Settings {
            binaries: &self.binaries,
            pki: &self.pki,
            directory: self.directory.path(),
            etcd_port: self.ports.etcd.number(),
            etcd_peer_port: self.ports.etcd_peer.number(),
            api_port: self.ports.api.number(),
            durable: matches!(self.directory, Directory::Kept(_)),
            audit: self.choices.audit || asked::directory().is_some(),
            api_server_flags: &self.choices.api_server_flags,
            controller_manager_flags: &self.choices.controller_manager_flags,
        }
    }

    async fn start_storage_and_api(&self) -> Result<(), ClusterError> {
        self.write_configuration()?;
        self.processes.start(Program::Etcd, &self.settings().etcd())?;
        let address = ("127.0.0.1", self.ports.etcd.number());
        let connect = || async {
            TcpStream::connect(address)
                .await
                .map(drop)
                .map_err(|error| error.to_string())
        };
        self.processes
            .wait(Program::Etcd, "etcd does not listen", connect)
            .await?;
        self.start_api_server().await
    }

    /// Starts the API server, on the same port and data as before, and waits until it says that it is ready.
    pub(super) async fn start_api_server(&self) -> Result<(), ClusterError> {
        self.processes
            .start(Program::ApiServer, &self.settings().api_server())?;
        let client = self.access(Identity::Admin).client().await?;
        let ready = || async { get_text(&client, "/readyz").await };
        self.processes
            .wait(Program::ApiServer, "the API server is not ready", ready)
            .await?;
        Ok(())
    }

    /// Starts one of the components that need nothing but the API server.
    pub(super) fn start_controller(&self, program: Program) -> Result<(), ClusterError> {
        let settings = self.settings();
        let command = match program {
            Program::ControllerManager => settings.controller_manager(),
            Program::Scheduler => settings.scheduler(),
            other => {
                return Err(ClusterError::NotRunning {
                    component: other.name(),
                });
            }
        };
        self.processes.start(program, &command)
    }

    pub(super) fn start_etcd(&self) -> Result<(), ClusterError> {
        self.processes.start(Program::Etcd, &self.settings().etcd())
    }

    fn start_controllers(&self) -> Result<(), ClusterError> {
        if self.choices.bare {
            return Ok(());
        }
        self.start_controller(Program::ControllerManager)?;
        self.start_controller(Program::Scheduler)
    }

    fn write_configuration(&self) -> Result<(), ClusterError> {
        self.access(Identity::Admin)
            .write_kubeconfig(&self.file("kubeconfig"))?;
        self.access(Identity::ControllerManager)
            .write_kubeconfig(&self.file("controller-manager.kubeconfig"))?;
        self.access(Identity::Scheduler)
            .write_kubeconfig(&self.file("scheduler.kubeconfig"))?;
        self.write("scheduler.yaml", &self.settings().scheduler_configuration())?;
        self.write("audit-policy.yaml", &audit::policy(self.choices.audit))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), ClusterError> {
        let path = self.file(name);
        std::fs::write(&path, text).map_err(ClusterError::io(format!("cannot write {}", path.display())))
    }

    async fn wait_until_useful(&self) -> Result<(), ClusterError> {
        let client = self.access(Identity::Admin).client().await?;
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let present = || async {
            namespaces
                .get("default")
                .await
                .map(drop)
                .map_err(|error| error.to_string())
        };
        self.processes
            .wait(Program::ApiServer, "namespace default does not exist", present)
            .await?;
        create_runtime_class(&client).await?;
        if self.choices.bare {
            return Ok(());
        }
        // Pods are refused for as long as their namespace has no service account.
        let accounts: Api<ServiceAccount> = Api::namespaced(client, "default");
        let present = || async {
            accounts
                .get("default")
                .await
                .map(drop)
                .map_err(|error| error.to_string())
        };
        self.processes
            .wait(
                Program::ControllerManager,
                "service account default/default does not exist",
                present,
            )
            .await?;
        self.processes.check(Program::Scheduler)
    }
}

/// The class that GPU operators install, and that Pods may name.
async fn create_runtime_class(client: &Client) -> Result<(), ClusterError> {
    let api: Api<RuntimeClass> = Api::all(client.clone());
    let class = json!({
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": { "name": "nvidia" },
        "handler": "nvidia",
    });
    let params = PatchParams::apply("local-cluster").force();
    let applied = api.patch("nvidia", &params, &Patch::Apply(&class)).await;
    applied
        .map(drop)
        .map_err(ClusterError::request("cannot create RuntimeClass nvidia"))
}

async fn get_text(client: &Client, path: &str) -> Result<String, String> {
    let request = http::Request::get(path)
        .body(Vec::new())
        .map_err(|error| error.to_string())?;
    client
        .request_text(request)
        .await
        .map_err(|error| error.to_string())
}
