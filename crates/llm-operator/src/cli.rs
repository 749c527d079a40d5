//! The command line: what a person or a manifest may say to the operator.
//!
//! In: arguments and environment. Out: typed options. It does no work and opens nothing.

mod run;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use api::shared::Engine;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use serving::catalogue::Precision;

use run::duration;
pub use run::{ExternalMetricsArgs, HelmArgs, InstallArgs, LogFormat, RunArgs};

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

    /// Take the finalizers off in these namespaces, which the operator no longer watches, and nothing else: it goes on
    #[arg(long, value_delimiter = ',', value_name = "NAMESPACE")]
    pub unwatched_namespace: Vec<String>,

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

/// The engines whose needs are known.
fn engine(text: &str) -> Result<Engine, String> {
    let known = [Engine::Vllm, Engine::Ollama];
    let found = known.into_iter().find(|engine| engine.as_str() == text);
    found.ok_or_else(|| format!("'{text}' is no engine whose needs are known; use vllm or ollama"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::CommandFactory;

    use super::{run::log_filter, *};

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
