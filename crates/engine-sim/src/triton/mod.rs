//! NVIDIA's Triton inference server, as of 24.01: a command line and a model repository in, HTTP on 8000, gRPC's port on
//! 8001 and metrics on 8002 out, once every model is loaded; else the real error and exit code 1.

mod args;
mod infer;
mod journal;
mod metrics;
mod proto;
mod registry;
mod repository;
mod serve;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use self::args::Args;
use self::journal::Journal;
use self::registry::Registry;
use crate::http::server;
use crate::process::{Context, Exit};
use crate::tcp;

pub(crate) const VERSION: &str = "2.42.0";
const BANNER: &str = "\
=============================
== Triton Inference Server ==
=============================

NVIDIA Release 24.01 (simulated)
";
/// Seconds between two looks at the repository, in poll mode.
const POLL: u64 = 15;
/// The image's script that runs its arguments.
const ENTRYPOINT: &str = "nvidia_entrypoint.sh";

/// Runs what `argv` says.
pub(crate) async fn run(context: Context) -> Exit {
    let words = match command(&context) {
        Ok(words) => words,
        Err(exit) => return exit,
    };
    let args = match args::parse(&words) {
        Ok(args) => args,
        Err(error) => {
            if !error.getopt.is_empty() {
                context.log.err(&error.getopt);
            }
            context.log.err("Usage: tritonserver [options]");
            context.log.err(&error.below);
            let message = if error.below.is_empty() {
                error.getopt
            } else {
                error.below
            };
            return Exit::exited(1, message.trim_end());
        }
    };
    match lifetime(&context, &args).await {
        Ok(exit) | Err(exit) => exit,
    }
}

/// The words after `tritonserver`; the image's entry point runs whatever it is given.
fn command(context: &Context) -> Result<Vec<String>, Exit> {
    let base = |word: &String| word.rsplit('/').next().unwrap_or(word).to_owned();
    let mut words = context.spec.argv.clone();
    if words.first().map(base).as_deref() == Some(ENTRYPOINT) {
        context.log.out(BANNER);
        words.remove(0);
        match words.first() {
            // A shell without a terminal reads nothing and ends.
            None => return Err(Exit::success()),
            Some(word) if word.starts_with('-') => {
                let flag = word
                    .trim_start_matches('-')
                    .chars()
                    .next()
                    .map_or("-".to_owned(), |c| format!("-{c}"));
                let shown = if word.starts_with("--") {
                    "--".to_owned()
                } else {
                    flag
                };
                let message = format!("/opt/nvidia/{ENTRYPOINT}: line 67: exec: {shown}: invalid option");
                context.log.err(&message);
                return Err(Exit::exited(2, message));
            }
            Some(word) if base(word) != "tritonserver" => {
                let message = format!("/opt/nvidia/{ENTRYPOINT}: line 67: exec: {word}: not found");
                context.log.err(&message);
                return Err(Exit::exited(127, message));
            }
            Some(_) => {}
        }
    }
    match words.first() {
        Some(word) if base(word) == "tritonserver" => Ok(words.split_off(1)),
        word => Err(Exit::cannot_start(word.map_or("", String::as_str))),
    }
}

async fn lifetime(context: &Context, args: &Args) -> Result<Exit, Exit> {
    let log = |name| args.bool(name, true);
    let journal = Journal {
        log: context.log.clone(),
        info: log("log-info"),
        warning: log("log-warning"),
        error: log("log-error"),
    };
    let repositories: Vec<PathBuf> = args.all("model-repository").iter().map(PathBuf::from).collect();
    if repositories.is_empty() {
        return Err(not_created(
            context,
            "Invalid argument - --model-repository must be specified",
        ));
    }
    let complete = !args.has("disable-auto-complete-config") && !args.bool("strict-model-config", false);
    let registry = Arc::new(Registry::new(
        context.clone(),
        journal.clone(),
        repositories,
        complete,
    ));
    if context.spec.gpus.is_empty() {
        journal.warning("pinned_memory_manager.cc:271", "Unable to allocate pinned system memory, pinned memory pool will not be available: CUDA driver version is insufficient for CUDA runtime version");
    }
    let only = startup_models(args);
    let whole = tokio::select! {
        biased;
        // The handler is installed after the server has been made: until then SIGTERM kills it.
        () = context.stop.cancelled() => return Err(Exit::exited(143, "")),
        whole = registry.load_all(only.as_deref()) => whole?,
    };
    table(context, &registry);
    if !whole && args.bool("exit-on-error", true) {
        journal.info("server.cc:307", "Waiting for in-flight requests to complete.");
        return Err(not_created(context, "Internal - failed to load all models"));
    }
    endpoints(context, args, &journal, &registry).await
}

/// Models to load at the start; `None`: all.
fn startup_models(args: &Args) -> Option<Vec<String>> {
    let named = args.all("load-model");
    match args.text("model-control-mode") {
        Some("explicit") if named != ["*"] => Some(named.to_vec()),
        _ => None,
    }
}

fn table(context: &Context, registry: &Registry) {
    let rows = registry.list().into_iter().map(|version| {
        let status = version
            .failed
            .map_or("READY".to_owned(), |error| format!("UNAVAILABLE: {error}"));
        format!("| {} | {} | {status} |", version.candidate.name, version.number)
    });
    context.log.err("| Model | Version | Status |");
    rows.for_each(|row| context.log.err(row));
}

async fn endpoints(
    context: &Context,
    args: &Args,
    journal: &Journal,
    registry: &Arc<Registry>,
) -> Result<Exit, Exit> {
    let grpc = open(context, args, "grpc", 8001).await?;
    if let Some((_, port)) = &grpc {
        journal.info(
            "grpc_server.cc:2519",
            &format!("Started GRPCInferenceService at 0.0.0.0:{port}"),
        );
    }
    let http = open(context, args, "http", 8000).await?;
    if let Some((_, port)) = &http {
        journal.info(
            "http_server.cc:4637",
            &format!("Started HTTPService at 0.0.0.0:{port}"),
        );
    }
    let metrics = open(context, args, "metrics", 8002).await?;
    if let Some((_, port)) = &metrics {
        journal.info(
            "http_server.cc:320",
            &format!("Started Metrics Service at 0.0.0.0:{port}"),
        );
    }
    let state = Arc::new(serve::State {
        registry: Arc::clone(registry),
        faults: context.faults.clone(),
        id: args.text("id").unwrap_or("triton").to_owned(),
        strict: args.bool("strict-readiness", true),
        explicit: args.text("model-control-mode") == Some("explicit"),
        counts: metrics::Counts::default(),
        gpus: context.spec.gpus.clone(),
    });
    let drain = Duration::from_secs(args.number("exit-timeout-secs", 30));
    let (for_http, for_metrics) = (Arc::clone(&state), Arc::clone(&state));
    let http = async {
        match http {
            Some((listener, _)) => {
                let handler = move |request| serve::handle(Arc::clone(&for_http), request);
                server::serve(listener, handler, context.stop.clone(), drain).await;
            }
            None => context.stop.cancelled().await,
        }
    };
    let polled = async {
        if args.text("model-control-mode") == Some("poll") {
            registry.watch(args.number("repository-poll-secs", POLL)).await;
        }
        std::future::pending::<()>().await;
    };
    let others = async {
        let grpc = async {
            match grpc {
                Some((listener, _)) => tcp::accept(listener).await,
                None => std::future::pending().await,
            }
        };
        let metrics = async {
            match metrics {
                Some((listener, _)) => {
                    let handler = move |request| serve::metrics(Arc::clone(&for_metrics), request);
                    let never = tokio_util::sync::CancellationToken::new();
                    server::serve(listener, handler, never, Duration::ZERO).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::join!(grpc, metrics);
    };
    tokio::select! {
        () = http => {}
        () = others => {}
        () = polled => {}
    }
    context.log.out("Signal (15) received.");
    journal.info("server.cc:307", "Waiting for in-flight requests to complete.");
    journal.info("server.cc:322", "All models are stopped, unloading models");
    Ok(Exit::success())
}

/// An endpoint's port, unless it is switched off.
async fn open(
    context: &Context,
    args: &Args,
    kind: &str,
    default: u16,
) -> Result<Option<(TcpListener, u16)>, Exit> {
    if !args.bool(&format!("allow-{kind}"), true) {
        return Ok(None);
    }
    let failed = |reason: &str| {
        let message = format!("error: failed to start {kind} service: Unavailable - {reason}");
        context.log.err(&message);
        Exit::exited(1, message)
    };
    let port = args.port(&format!("{kind}-port"), default);
    let port = port.map_err(|word| failed(&format!("Socket '0.0.0.0:{word}' is no valid port")))?;
    let option = format!("{kind}-address");
    let fallback = if kind == "metrics" {
        args.text("http-address")
    } else {
        None
    };
    let host = args.text(&option).or(fallback).unwrap_or("0.0.0.0");
    let listener = server::listen(&context.spec, host, port).await;
    let listener = listener.map_err(|_| failed(&format!("Socket '{host}:{port}' already in use ")))?;
    Ok(Some((listener, port)))
}

fn not_created(context: &Context, reason: &str) -> Exit {
    let message = format!("error: creating server: {reason}");
    context.log.err(&message);
    Exit::exited(1, message)
}
