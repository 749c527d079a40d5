//! How each component of the plane is run: its command line and configuration files.
//!
//! In: [`Settings`]. Out: one [`Program`] per component. Must not start anything. Limits are set so high that the plane
//! never throttles: what a test or benchmark measures is the operator.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::binaries::{self, Binaries};
use super::pki::{FRONT_PROXY, Pki};
use crate::process::Program;

/// Requests per second that controllers and scheduler may send: far above what one machine serves.
const CLIENT_QPS: u32 = 5_000;
/// The longest a node's heartbeat may be late, in seconds. Kubernetes' default is 50; simulated nodes beat far more often.
const NODE_GRACE_SECONDS: u32 = 20;

/// What the command lines depend on.
#[derive(Debug)]
pub(super) struct Settings<'a> {
    pub binaries: &'a Binaries,
    pub pki: &'a Pki,
    /// Where configuration, logs and etcd's data live.
    pub directory: &'a Path,
    pub etcd_port: u16,
    pub etcd_peer_port: u16,
    pub api_port: u16,
    /// Writes reach the disk before they are acknowledged.
    pub durable: bool,
    /// Requests are written to `audit.log`.
    pub audit: bool,
    pub api_server_flags: &'a [String],
    pub controller_manager_flags: &'a [String],
}

impl Settings<'_> {
    pub(super) fn etcd(&self) -> Program {
        let client = format!("http://127.0.0.1:{}", self.etcd_port);
        let peer = format!("http://127.0.0.1:{}", self.etcd_peer_port);
        let mut flags = vec![
            "--name=local".to_owned(),
            path_flag("data-dir", &self.directory.join("etcd")),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=local={peer}"),
            "--log-level=warn".to_owned(),
            "--quota-backend-bytes=8589934592".to_owned(),
            // One member needs no election; shorter ones only bring it up sooner.
            "--heartbeat-interval=50".to_owned(),
            "--election-timeout=250".to_owned(),
        ];
        if !self.durable {
            flags.push("--unsafe-no-fsync".to_owned());
        }
        self.program(binaries::Program::Etcd, flags)
    }

    pub(super) fn api_server(&self) -> Program {
        let file = |flag: &str, name: &str| path_flag(flag, &self.pki.file(name));
        let mut flags = vec![
            format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            format!("--secure-port={}", self.api_port),
            // A loopback address cannot be an endpoint of the Service `kubernetes`.
            "--endpoint-reconciler-type=none".to_owned(),
            file("tls-cert-file", "apiserver.crt"),
            file("tls-private-key-file", "apiserver.key"),
            file("client-ca-file", "ca.crt"),
            file("token-auth-file", "tokens.csv"),
            // How it hands requests on to aggregated APIs, and for whom it vouches.
            file("requestheader-client-ca-file", "front-proxy-ca.crt"),
            format!("--requestheader-allowed-names={FRONT_PROXY}"),
            "--requestheader-username-headers=X-Remote-User".to_owned(),
            "--requestheader-group-headers=X-Remote-Group".to_owned(),
            "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
            file("proxy-client-cert-file", "front-proxy-client.crt"),
            file("proxy-client-key-file", "front-proxy-client.key"),
            "--authorization-mode=RBAC".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
            file("service-account-key-file", "service-account.pub"),
            file("service-account-signing-key-file", "service-account.key"),
            "--service-cluster-ip-range=10.96.0.0/12".to_owned(),
            "--allow-privileged=true".to_owned(),
            "--kubelet-preferred-address-types=InternalIP,Hostname".to_owned(),
            "--max-requests-inflight=4000".to_owned(),
            "--max-mutating-requests-inflight=4000".to_owned(),
            "--profiling=false".to_owned(),
            "--v=0".to_owned(),
        ];
        if self.audit {
            flags.extend([
                path_flag("audit-policy-file", &self.directory.join("audit-policy.yaml")),
                path_flag("audit-log-path", &self.directory.join("audit.log")),
                // In MB: rotation would take entries away from a test that counts them.
                "--audit-log-maxsize=100000".to_owned(),
            ]);
        }
        flags.extend(self.api_server_flags.iter().cloned());
        self.program(binaries::Program::ApiServer, flags)
    }

    pub(super) fn controller_manager(&self) -> Program {
        let mut flags = vec![
            path_flag(
                "kubeconfig",
                &self.directory.join("controller-manager.kubeconfig"),
            ),
            // Slices refuse the loopback addresses of simulated Pods, and would warn on every Service.
            "--controllers=*,-endpointslice-controller,-endpoints-controller".to_owned(),
            "--leader-elect=false".to_owned(),
            // No port of its own: nobody asks it.
            "--secure-port=0".to_owned(),
            path_flag(
                "service-account-private-key-file",
                &self.pki.file("service-account.key"),
            ),
            path_flag("root-ca-file", &self.pki.file("ca.crt")),
            format!("--kube-api-qps={CLIENT_QPS}"),
            format!("--kube-api-burst={}", CLIENT_QPS * 2),
            "--node-monitor-period=1s".to_owned(),
            format!("--node-monitor-grace-period={NODE_GRACE_SECONDS}s"),
            "--pvclaimbinder-sync-period=1s".to_owned(),
            "--horizontal-pod-autoscaler-sync-period=1s".to_owned(),
            "--profiling=false".to_owned(),
        ];
        for kind in [
            "deployment",
            "replicaset",
            "statefulset",
            "namespace",
            "resource-quota",
            "serviceaccount-token",
        ] {
            flags.push(format!("--concurrent-{kind}-syncs=20"));
        }
        flags.extend(self.controller_manager_flags.iter().cloned());
        self.program(binaries::Program::ControllerManager, flags)
    }

    pub(super) fn scheduler(&self) -> Program {
        let flags = vec![
            path_flag("config", &self.directory.join("scheduler.yaml")),
            "--secure-port=0".to_owned(),
            "--authentication-skip-lookup=true".to_owned(),
        ];
        self.program(binaries::Program::Scheduler, flags)
    }

    /// The scheduler's configuration file, for `scheduler.yaml`. Pods that fit nowhere are tried again soon.
    pub(super) fn scheduler_configuration(&self) -> String {
        let kubeconfig = self.directory.join("scheduler.kubeconfig");
        let value = serde_json::json!({
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "clientConnection": { "kubeconfig": kubeconfig, "qps": CLIENT_QPS, "burst": CLIENT_QPS * 2 },
            "leaderElection": { "leaderElect": false },
            "enableProfiling": false,
            "podInitialBackoffSeconds": 1,
            "podMaxBackoffSeconds": 2,
        });
        value.to_string()
    }

    fn program(&self, program: binaries::Program, flags: Vec<String>) -> Program {
        let name = program.name();
        Program {
            name: name.to_owned(),
            path: self.binaries.path(program),
            args: flags.into_iter().map(OsString::from).collect(),
            env: Vec::new(),
            directory: None,
            log: log_file(self.directory, program),
        }
    }
}

/// The log of one component.
pub(super) fn log_file(directory: &Path, program: binaries::Program) -> PathBuf {
    directory.join(format!("{}.log", program.name()))
}

fn path_flag(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}
