//! The options of `llm-operator run`.
//!
//! In: arguments and environment. Out: typed options. It does no work and opens nothing.

use std::{ffi::OsString, net::SocketAddr, path::Path, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use controllers::families::Families;

use crate::scope::Scope;

/// Options of `run`. Each flag has an environment variable; the flag wins.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Namespace to watch; repeat it or separate with commas for several. Default: all namespaces
    #[arg(
        long,
        env = "WATCH_NAMESPACE",
        value_delimiter = ',',
        value_name = "NAMESPACE"
    )]
    pub watch_namespace: Vec<String>,

    /// Families of kinds to serve, separated by commas: llm, prem, infra, ai, llmd; nothing is asked or written of the others
    #[arg(
        long,
        env = "FAMILIES",
        default_value = "llm,prem,infra,ai,llmd",
        value_name = "FAMILIES"
    )]
    pub families: Families,

    /// Elect a leader among replicas; only the leader writes. `false` is for a single process on a laptop
    #[arg(long, env = "LEADER_ELECT", default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub leader_elect: bool,

    /// Namespace of the leader's Lease; in a Pod, its own namespace
    #[arg(
        long,
        env = "POD_NAMESPACE",
        default_value = "llm-system",
        value_name = "NAMESPACE"
    )]
    pub lease_namespace: String,

    /// Name of the leader's Lease. Two installations in one namespace need two names, elected or not: labels on nodes are known by it
    #[arg(long, env = "LEASE_NAME", default_value = "llm-operator", value_name = "NAME")]
    pub lease_name: String,

    /// Name of this replica in the Lease. Default: host name and a random suffix
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub identity: Option<String>,

    /// How long a Lease holds without being renewed; another replica takes over after that
    #[arg(long, env = "LEASE_DURATION", default_value = "15s", value_parser = duration, value_name = "DURATION")]
    pub lease_duration: Duration,

    /// The leader stops writing when it could not renew for this long; must be below the lease's duration
    #[arg(long, env = "LEASE_RENEW_DEADLINE", default_value = "10s", value_parser = duration, value_name = "DURATION")]
    pub lease_renew_deadline: Duration,

    /// Pause between attempts to get or renew the Lease
    #[arg(long, env = "LEASE_RETRY_PERIOD", default_value = "2s", value_parser = duration, value_name = "DURATION")]
    pub lease_retry_period: Duration,

    /// Address of /healthz and /readyz, and of /metrics for this machine alone
    #[arg(
        long,
        env = "HTTP_ADDRESS",
        default_value = "0.0.0.0:8080",
        value_name = "IP:PORT"
    )]
    pub http_address: SocketAddr,

    /// How many resources are reconciled at the same time
    #[arg(long, env = "WORKERS", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256), value_name = "N")]
    pub workers: u16,

    /// Look at every resource again after this time, even when nothing changed; an unchanged cluster is not written to
    #[arg(long, env = "RESYNC_PERIOD", default_value = "30m", value_parser = duration, value_name = "DURATION")]
    pub resync_period: Duration,

    /// What is installed first
    #[command(flatten)]
    pub install: InstallArgs,

    /// How decided numbers of replicas are served
    #[command(flatten)]
    pub external_metrics: ExternalMetricsArgs,

    /// What installs charts
    #[command(flatten)]
    pub helm: HelmArgs,

    /// Let node labelers set labels below kubernetes.io and k8s.io, on which kubelets and controllers act
    #[arg(long, env = "ALLOW_PROTECTED_NODE_LABELS", default_value_t = false, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub allow_protected_node_labels: bool,

    /// How much to log: error, warn, info, debug, trace, or a filter such as `info,reconcile=debug`
    #[arg(long, env = "LOG_LEVEL", default_value = "info", value_parser = log_filter, value_name = "LEVEL")]
    pub log_level: String,

    /// Log as readable text or as one JSON object per line
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    pub log_format: LogFormat,

    /// Append the log to this file too, beside standard error; it is opened again when it was moved away
    #[arg(long, env = "LOG_FILE", value_name = "FILE")]
    log_file: Option<OsString>,
}

/// Definitions that `run` installs or updates before anything else.
#[derive(Debug, Args)]
pub struct InstallArgs {
    /// Install or update the custom resource definitions first (needs the `ClusterRole` llm-operator-install-crds)
    #[arg(long, env = "INSTALL_CRDS", default_value_t = false, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub install_crds: bool,

    /// Install or update the definition of `DynamoGraphDeployment` first too; one of that name that belongs to others is left alone
    #[arg(long, env = "INSTALL_OPTIONAL_CRDS", default_value_t = false, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub install_optional_crds: bool,
}

/// How decided numbers of replicas reach autoscalers.
#[derive(Debug, Args)]
pub struct ExternalMetricsArgs {
    /// Serve decided numbers of replicas as external.metrics.k8s.io. With `false`, or where another adapter serves that, they are set on /scale
    #[arg(long = "external-metrics", env = "EXTERNAL_METRICS", default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub served: bool,

    /// Tell /metrics over TLS too, at the address of that API, to whoever the cluster lets read them (`ClusterRole` llm-operator-metrics-reader)
    #[arg(long = "secure-metrics", env = "SECURE_METRICS", default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub secure_metrics: bool,

    /// Address of that API, for the API server and for whoever reads metrics
    #[arg(
        long = "external-metrics-address",
        env = "EXTERNAL_METRICS_ADDRESS",
        default_value = "0.0.0.0:6443",
        value_name = "IP:PORT"
    )]
    pub address: SocketAddr,

    /// Name by which the API server reaches this process when it runs outside the cluster, for example `localhost`
    #[arg(
        long = "external-metrics-host",
        env = "EXTERNAL_METRICS_HOST",
        value_name = "HOST"
    )]
    pub host: Option<String>,
}

/// What installs the charts of an `Llmd`.
#[derive(Debug, Args)]
pub struct HelmArgs {
    /// The Helm 4 executable
    #[arg(long, env = "HELM", default_value = "helm", value_name = "FILE")]
    pub helm: PathBuf,

    /// Directory for fetched charts and Helm's own files, for this process alone. Default: one below the temporary directory
    #[arg(long, env = "HELM_HOME_DIR", value_name = "DIR")]
    pub helm_home: Option<PathBuf>,

    /// Directory with charts (`<name>-<version>.tgz`) that are taken before a repository is asked
    #[arg(long, env = "CHARTS_DIR", value_name = "DIR")]
    charts_dir: Option<PathBuf>,
}

impl HelmArgs {
    /// The charts directory. A variable that a manifest sets to nothing is not set.
    pub fn charts_dir(&self) -> Option<PathBuf> {
        let named = self.charts_dir.clone();
        named.filter(|dir| !dir.as_os_str().is_empty())
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One readable line per event
    Text,
    /// One JSON object per event
    Json,
}

impl RunArgs {
    /// Where the log goes beside standard error. A variable that a manifest sets to nothing is not set.
    pub fn log_file(&self) -> Option<&Path> {
        let named = self.log_file.as_deref().filter(|path| !path.is_empty());
        named.map(Path::new)
    }

    /// What no single flag shows to be wrong.
    ///
    /// # Errors
    /// Flags that contradict each other.
    pub fn check(&self) -> Result<(), String> {
        let ordered = self.lease_retry_period < self.lease_renew_deadline
            && self.lease_renew_deadline < self.lease_duration;
        if ordered {
            return Scope::of(self).check();
        }
        Err(
            "--lease-duration must be above --lease-renew-deadline, and that above --lease-retry-period; \
             otherwise two replicas could lead at once"
                .to_owned(),
        )
    }
}

/// Accepts levels and `target=level`, separated by commas. A word that is no level would pass as the name of a target,
/// and silence the log.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    for directive in text.split(',') {
        let level = directive.rsplit('=').next().unwrap_or(directive).trim();
        if !LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
            return Err(format!(
                "'{level}' is no level; use error, warn, info, debug or trace"
            ));
        }
    }
    Ok(text.to_owned())
}

/// Parses `15s`, `2m`, `500ms`, `1h`: a whole number and a unit, as Go writes durations.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number
        .parse()
        .map_err(|_| format!("'{text}' is not a duration; write 500ms, 15s, 2m or 1h"))?;
    let factor_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => {
            return Err(format!(
                "'{text}' has no unit that is known; write 500ms, 15s, 2m or 1h"
            ));
        }
    };
    let millis = number.checked_mul(factor_ms).filter(|ms| *ms > 0);
    millis
        .map(Duration::from_millis)
        .ok_or_else(|| format!("'{text}' is out of range; it must be above zero"))
}
