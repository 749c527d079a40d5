//! The command line: what a person or a manifest may say to the operator.
//!
//! In: arguments and environment. Out: typed options. It does no work and opens nothing.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use api::shared::Engine;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use controllers::families::Families;
use serving::catalogue::Precision;

use crate::scope::Scope;

/// Runs large language models on Kubernetes from the YAML that a team already writes.
#[derive(Debug, Parser)]
#[command(
    name = "llm-operator",
    version,
    about,
    after_help = "EXAMPLES:
  llm-operator crds | kubectl apply -f -            install the custom resource definitions
  llm-operator crds --optional                      those that belong to others on many clusters
  llm-operator run                                  run against the cluster of $KUBECONFIG, or the one it is in
  llm-operator render -f model.yaml -f chat.yaml    print the objects that `run` would apply; needs no cluster
  llm-operator fit llama-3-70b --gpu H100           tell how many GPUs the model needs, and why"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The operator's subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch the cluster and keep it as the resources ask, until SIGTERM or Ctrl-C
    Run(Box<RunArgs>),
    /// Print the custom resource definitions as YAML; optional ones only with --optional
    Crds(CrdsArgs),
    /// Print the objects that `run` would apply, without a cluster
    Render(RenderArgs),
    /// Tell how many GPUs a model needs, without a cluster; the exit code is 1 when it does not fit
    Fit(FitArgs),
    /// Print the models that can be served by name
    Models(ModelsArgs),
    /// Let go of what would wait for the operator, before it is removed: its finalizers, its API of external metrics
    Release(ReleaseArgs),
    /// Print the version
    Version,
    /// Print a completion script for a shell, for example `llm-operator completions bash`
    Completions {
        /// The shell to complete in
        shell: Shell,
    },
    /// Print the reference of condition reasons as Markdown (docs/conditions.md is made by it)
    #[command(hide = true)]
    ConditionsDoc,
    /// Write the reference of every kind's fields as Markdown (docs/fields is made by it)
    #[command(hide = true)]
    FieldsDoc(FieldsDocArgs),
    /// Run Helm, and end it when whoever started it is gone
    #[command(name = helm::tool::GUARD, hide = true)]
    HelmGuard(GuardArgs),
    /// Change a chart's objects on their way to the cluster; called by Helm
    #[command(name = helm::tool::POST_RENDER, hide = true)]
    PostRender(PostRenderArgs),
}

/// Options of `fields-doc`.
#[derive(Debug, Args)]
pub struct FieldsDocArgs {
    /// Folder for the pages
    #[arg(long, value_name = "DIR")]
    pub output_dir: PathBuf,
}

/// What is run under guard.
#[derive(Debug, Args)]
pub struct GuardArgs {
    /// The command and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub command: Vec<OsString>,
}

/// How a chart's objects are changed.
#[derive(Debug, Args)]
pub struct PostRenderArgs {
    /// File with the options
    pub options: PathBuf,
}

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

/// Options of `crds`.
#[derive(Debug, Args)]
pub struct CrdsArgs {
    /// Only the optional ones: `DynamoGraphDeployment`, which on many clusters belongs to NVIDIA Dynamo. Without this flag they are never printed
    #[arg(long)]
    pub optional: bool,

    /// Write one file per definition into this directory instead of standard output
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
}

/// Options of `release`.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    /// Namespace of the operator, whose Deployment llm-operator is scaled to zero first; in a Pod, its own namespace
    #[arg(
        short = 'n',
        long,
        env = "POD_NAMESPACE",
        default_value = "llm-system",
        value_name = "NAMESPACE"
    )]
    pub namespace: String,

    /// Namespaces that the operator watched; repeat it or separate with commas. Default: all namespaces
    #[arg(
        long,
        env = "WATCH_NAMESPACE",
        value_delimiter = ',',
        value_name = "NAMESPACE"
    )]
    watch_namespace: Vec<String>,

    /// How long the operator's Pods may take to end
    #[arg(long, default_value = "1m", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}

impl ReleaseArgs {
    /// The namespaces; none means all. A variable that a manifest sets to nothing is not set.
    pub fn watched(&self) -> impl Iterator<Item = &str> {
        let named = self.watch_namespace.iter().map(String::as_str);
        named.filter(|name| !name.is_empty())
    }
}

/// Options of `render`.
#[derive(Debug, Args)]
pub struct RenderArgs {
    /// YAML file with resources; repeat it for several, `-` reads standard input
    #[arg(short = 'f', long = "filename", required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// YAML file with Node objects (`kubectl get nodes -o yaml`): tells on stderr which of them a Pod could run on
    #[arg(long, value_name = "FILE")]
    pub nodes: Vec<PathBuf>,

    /// Namespace of resources that name none
    #[arg(short = 'n', long, default_value = "default", value_name = "NAMESPACE")]
    pub namespace: String,

    /// What renders the charts of an Llmd
    #[command(flatten)]
    pub helm: HelmArgs,

    /// Version of Kubernetes that charts are told, such as v1.36.0. Default: the one that Helm was made for
    #[arg(long, value_name = "VERSION")]
    pub kube_version: Option<String>,

    /// What charts are told that the cluster serves, such as `monitoring.coreos.com/v1/PodMonitor`; repeat it or separate with commas
    #[arg(long, value_delimiter = ',', value_name = "API")]
    pub api_versions: Vec<String>,
}

/// Options of `fit`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  llm-operator fit llama-3-70b --gpu H100
  llm-operator fit llama-3.1-8b --gpu L4 --gpus 1 --context 16384
  llm-operator fit qwen3-32b --gpu A100-80GB --quantization fp8 --concurrency 32
  llm-operator fit our-model --gpu L40S --catalogue models.yaml")]
pub struct FitArgs {
    /// Name of the model: a short name, an alias, or its repository (`llm-operator models` lists them)
    #[arg(value_name = "MODEL")]
    pub model: String,

    /// Type of GPU: a family such as H100, or the value of the node label nvidia.com/gpu.product
    #[arg(long, value_name = "TYPE")]
    pub gpu: String,

    /// GPUs per replica. Default: the fewest of 1, 2, 4 and 8 into which it fits
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub gpus: Option<u32>,

    /// Longest sequence in tokens, prompt and answer together. Default: the model's own
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u64).range(1..))]
    pub context: Option<u64>,

    /// Sequences of that length that must fit at once. Default: one must, and 16 of at most 8192 tokens should
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub concurrency: Option<u32>,

    /// How the weights are stored: bf16, fp8, awq and others. Default: as published
    #[arg(long, value_name = "WORD")]
    pub quantization: Option<Precision>,

    /// The engine: vllm or ollama. Default: the model's, mostly vllm
    #[arg(long, value_name = "ENGINE", value_parser = engine)]
    pub engine: Option<Engine>,

    /// YAML file with models beside those known: the `ConfigMap` llm-operator-models, or only its data
    #[arg(long, value_name = "FILE")]
    pub catalogue: Option<PathBuf>,
}

/// Options of `models`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  llm-operator models
  llm-operator models --output wide | grep -i awq
  llm-operator models --catalogue models.yaml       check the entries of a cluster; the exit code is 1 when one is wrong")]
pub struct ModelsArgs {
    /// How much to print, and how
    #[arg(short = 'o', long, value_enum, default_value_t = ModelsOutput::Table, value_name = "FORMAT")]
    pub output: ModelsOutput,

    /// YAML file with models beside those known: the `ConfigMap` llm-operator-models, or only its data
    #[arg(long, value_name = "FILE")]
    pub catalogue: Option<PathBuf>,
}

/// How models are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModelsOutput {
    /// Name, size, context, quantizations
    Table,
    /// Source, licence and other names too
    Wide,
    /// One JSON array with everything
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
fn log_filter(text: &str) -> Result<String, String> {
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

/// The engines whose needs are known.
fn engine(text: &str) -> Result<Engine, String> {
    let known = [Engine::Vllm, Engine::Ollama];
    let found = known.into_iter().find(|engine| engine.as_str() == text);
    found.ok_or_else(|| format!("'{text}' is no engine whose needs are known; use vllm or ollama"))
}

/// Parses `15s`, `2m`, `500ms`, `1h`: a whole number and a unit, as Go writes durations.
fn duration(text: &str) -> Result<Duration, String> {
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_need_a_number_and_a_unit() {
        assert_eq!(duration("15s"), Ok(Duration::from_secs(15)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_mins(2)));
        for bad in ["", "15", "s", "-1s", "0s", "1.5s", "99999999999999999999s", "5 s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_word_that_is_no_level_is_refused() {
        for good in ["info", "DEBUG", "off", "info,reconcile=debug", "warn, kube=trace"] {
            assert!(log_filter(good).is_ok(), "{good}");
        }
        for bad in ["", "loud", "reconcile", "info,", "info,reconcile=loud"] {
            assert!(log_filter(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_log_file_without_a_name_is_none() {
        for (path, expected) in [("", None), ("operator.log", Some(Path::new("operator.log")))] {
            let cli = Cli::parse_from(["llm-operator", "run", "--log-file", path]);
            let Command::Run(run) = cli.command else {
                panic!("run expected")
            };
            assert_eq!(run.log_file(), expected);
        }
    }

    #[test]
    fn families_are_a_set() {
        let families = |text: &str| {
            let cli = Cli::try_parse_from(["llm-operator", "run", "--families", text])?;
            let Command::Run(run) = cli.command else {
                panic!("run expected")
            };
            Ok::<_, clap::Error>(run.families.to_string())
        };
        assert_eq!(families("ai,llm").unwrap(), "llm,ai");
        assert_eq!(families("").unwrap(), "llm,prem,infra,ai,llmd");
        let error = families("llm,kserve").unwrap_err().to_string();
        assert!(
            error.contains("'kserve' is no family") && error.contains("infra"),
            "{error}"
        );
    }

    #[test]
    fn llmd_takes_the_whole_cluster() {
        let check = |args: &[&str]| {
            let cli = Cli::parse_from([&["llm-operator", "run"], args].concat());
            let Command::Run(run) = cli.command else {
                panic!("run expected")
            };
            run.check()
        };
        assert!(check(&["--families", "llmd", "--watch-namespace="]).is_ok());
        let error = check(&["--families", "llmd", "--watch-namespace", "a"]).unwrap_err();
        assert!(error.contains("--watch-namespace"), "{error}");
    }

    #[test]
    fn namespaces_come_in_a_list() {
        let cli = Cli::parse_from([
            "llm-operator",
            "run",
            "--watch-namespace",
            "a,b",
            "--watch-namespace",
            "c",
        ]);
        let Command::Run(run) = cli.command else {
            panic!("run expected")
        };
        assert_eq!(run.watch_namespace, ["a", "b", "c"]);
        assert!(run.leader_elect);
        assert_eq!(run.log_file(), None);
    }
}
