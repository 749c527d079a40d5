//! A running cluster.
//!
//! In: a started plane. Out: [`Cluster`]: clients and kubeconfigs, manifests applied, `kubectl`, components stopped and
//! started. Dropping it ends every process and removes its temporary files.

use std::path::{Path, PathBuf};
use std::process::Output;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{DynamicObject, PostParams};
use kube::{Api, Client};

use super::access::Access;
use super::apply;
use super::asked::Record;
use super::audit::AuditLog;
use super::binaries::Program;
use super::builder::ClusterBuilder;
use super::error::ClusterError;
use super::pki::Identity;
use super::proxy::FaultProxy;
use super::runtime::Background;
use super::start::Plane;
use crate::node::SimulatedNodes;
use crate::process::Signal;

/// How long a token of [`Cluster::token_for`] is good, in seconds: longer than any test.
const TOKEN_SECONDS: i64 = 24 * 3600;

/// The front proxy's certificate and its key, as PEM files.
#[derive(Debug, Clone)]
pub struct FrontProxy {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A control plane that runs on this machine for as long as this value lives.
#[derive(Debug)]
pub struct Cluster {
    // Dropped first: what was asked is read before the log goes.
    _record: Option<Record>,
    // Dropped next: what runs on nodes needs the plane.
    nodes: Option<SimulatedNodes>,
    plane: Plane,
    background: Background,
}

impl Cluster {
    /// A cluster to be: see [`ClusterBuilder`] for the choices.
    pub fn builder() -> ClusterBuilder {
        ClusterBuilder::default()
    }

    pub(super) fn new(plane: Plane, background: Background, nodes: Option<SimulatedNodes>) -> Self {
        let record = Record::start(plane.file("audit.log")).map(|(record, follow)| {
            background.spawn(follow);
            record
        });
        Self {
            _record: record,
            nodes,
            plane,
            background,
        }
    }

    /// The simulated nodes; `None` when the cluster was built without any.
    pub fn nodes(&self) -> Option<&SimulatedNodes> {
        self.nodes.as_ref()
    }

    /// The API server's address, `https://127.0.0.1:<port>`; the same across its restarts.
    pub fn url(&self) -> String {
        self.plane.url()
    }

    /// The directory with the cluster's logs and configuration.
    pub fn directory(&self) -> &Path {
        self.plane.directory.path()
    }

    /// The administrator's kubeconfig file.
    pub fn kubeconfig(&self) -> PathBuf {
        self.plane.file("kubeconfig")
    }

    /// The `kubectl` of the cluster's version.
    pub fn kubectl_path(&self) -> PathBuf {
        self.plane.binaries.path(Program::Kubectl)
    }

    /// The way in for one of the plane's own users, each an administrator.
    pub fn access(&self, identity: Identity) -> Access {
        self.plane.access(identity)
    }

    /// The files with which the API server hands requests on to aggregated APIs, for a test that acts as it.
    pub fn front_proxy(&self) -> FrontProxy {
        FrontProxy {
            certificate: self.plane.pki.file("front-proxy-client.crt"),
            key: self.plane.pki.file("front-proxy-client.key"),
        }
    }

    /// A new administrator's client. It belongs to the runtime it is made on.
    pub async fn admin_client(&self) -> Result<Client, ClusterError> {
        Ok(self.access(Identity::Admin).client().await?)
    }

    /// A token for a service account that exists, good for a day.
    pub async fn token_for(&self, namespace: &str, name: &str) -> Result<String, ClusterError> {
        let api: Api<ServiceAccount> = Api::namespaced(self.admin_client().await?, namespace);
        let spec = TokenRequestSpec {
            expiration_seconds: Some(TOKEN_SECONDS),
            ..TokenRequestSpec::default()
        };
        let request = TokenRequest {
            spec: Some(spec),
            ..TokenRequest::default()
        };
        let answer = api
            .create_token_request(name, &PostParams::default(), &request)
            .await
            .map_err(ClusterError::request(format!(
                "no token for service account {namespace}/{name}"
            )))?;
        Ok(answer.status.and_then(|status| status.token).unwrap_or_default())
    }

    /// The way in for a service account that exists.
    pub async fn service_account(&self, namespace: &str, name: &str) -> Result<Access, ClusterError> {
        let token = self.token_for(namespace, name).await?;
        let user = format!("system:serviceaccount:{namespace}:{name}");
        Ok(Access {
            token: Some(token),
            user,
            ..self.access(Identity::Admin)
        })
    }

    /// Applies a manifest of one or many YAML documents as administrator, server-side. Definitions of custom resources
    /// are waited for, so that their objects may follow in the same text. Namespace: `default` unless given.
    pub async fn apply_yaml(&self, text: &str) -> Result<Vec<DynamicObject>, ClusterError> {
        apply::apply_yaml(&self.admin_client().await?, text).await
    }

    /// Runs `kubectl` as administrator.
    pub async fn kubectl(&self, args: &[&str]) -> Result<Output, ClusterError> {
        let mut command = tokio::process::Command::new(self.kubectl_path());
        command
            .args(args)
            .env("KUBECONFIG", self.kubeconfig())
            .env("KUBECACHEDIR", self.plane.file("kubectl-cache"));
        command.stdin(std::process::Stdio::null()).kill_on_drop(true);
        command
            .output()
            .await
            .map_err(ClusterError::io("cannot run kubectl"))
    }

    /// The log of requests; empty unless the cluster was built with [`ClusterBuilder::audit`].
    pub fn audit_log(&self) -> AuditLog {
        AuditLog::new(self.plane.file("audit.log"))
    }

    /// A proxy in front of the API server that can be told to fail. It lives no longer than the cluster.
    pub async fn fault_proxy(&self) -> Result<FaultProxy, ClusterError> {
        let anonymous = Access {
            token: None,
            user: "anonymous".to_owned(),
            ..self.access(Identity::Admin)
        };
        let started = self.background.run(FaultProxy::start(anonymous)).await;
        started.ok_or(ClusterError::CutShort {
            what: "starting the fault proxy",
        })?
    }

    /// Kills the API server, as a crash would. Its port and data stay.
    pub fn stop_apiserver(&self) {
        self.stop(Program::ApiServer);
    }

    /// Starts the API server again and waits until it is ready.
    pub async fn start_apiserver(&self) -> Result<(), ClusterError> {
        self.start(Program::ApiServer).await
    }

    /// Kills a component, as a crash would.
    pub fn stop(&self, program: Program) {
        self.plane.processes.stop(program);
    }

    /// Starts a component again after [`Cluster::stop`]; the API server is waited for.
    pub async fn start(&self, program: Program) -> Result<(), ClusterError> {
        match program {
            Program::ApiServer => self.plane.start_api_server().await,
            Program::Etcd => self.plane.start_etcd(),
            other => self.plane.start_controller(other),
        }
    }

    /// Freezes a component: its connections stay open and nothing answers.
    pub fn pause(&self, program: Program) -> Result<(), ClusterError> {
        self.plane.processes.signal(program, Signal::Stop)
    }

    /// Lets a frozen component go on.
    pub fn resume(&self, program: Program) -> Result<(), ClusterError> {
        self.plane.processes.signal(program, Signal::Continue)
    }

    /// Fails, with the end of its log, when a component has ended by itself.
    pub fn check(&self, program: Program) -> Result<(), ClusterError> {
        self.plane.processes.check(program)
    }

    /// The process id of a component that runs.
    pub fn pid(&self, program: Program) -> Option<u32> {
        self.plane.processes.pid(program)
    }

    /// The last `count` lines of a component's log.
    pub fn last_lines(&self, program: Program, count: usize) -> String {
        crate::process::last_lines(&super::components::log_file(self.directory(), program), count)
    }
}
