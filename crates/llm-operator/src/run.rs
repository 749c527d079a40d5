//! `llm-operator run`: wires client, leader election, operator and HTTP pages, and ends them in order.
//!
//! In: options. Out: exit code 0 after SIGTERM or Ctrl-C, 1 when it cannot run or lost its lease: the process then ends
//! at once, so that two leaders never write.

use std::{convert::Infallible, process::ExitCode, sync::Arc, time::Duration};

use controllers::{
    operator::{Operator, Options},
    scaling::MetricsApi,
};
use kube::Client;
use reconcile::{
    Fence, Metrics,
    client::{ClientOptions, connect},
    lease::{Elector, HoldEnd, LeaseConfig},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

use crate::{
    charts,
    cli::{LogFormat, RunArgs},
    cluster_version::{self, Cluster},
    health, install, logging, metrics_api,
    readiness::{CacheReport, Readiness, Role},
    scope::Scope,
};

/// What is under way at SIGTERM gets this long.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// Answers of the HTTP pages that are under way at the end get this long.
const LAST_PAGES: Duration = Duration::from_secs(1);

/// Runs until told to stop. What ends it is said in the form of the log, so that whoever reads JSON lines, or the file,
/// reads it too.
pub fn main(args: RunArgs) -> ExitCode {
    if let Err(message) = logging::init(&args.log_level, args.log_format, args.log_file()) {
        eprintln!("llm-operator: {message}");
        return ExitCode::FAILURE;
    }
    let for_people = args.log_format == LogFormat::Text && args.log_file().is_none();
    let Err(message) = start(args) else {
        return ExitCode::SUCCESS;
    };
    if for_people {
        eprintln!("llm-operator: {message}");
    } else {
        tracing::error!("{message}");
    }
    ExitCode::FAILURE
}

fn start(args: RunArgs) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime cannot start: {error}"))?;
    // On a worker like all other tasks: what runs on this thread is woken across threads for every reconcile.
    let outcome = runtime
        .block_on(runtime.spawn(run(args)))
        .unwrap_or_else(|error| Err(format!("the operator failed: {error}")));
    // Nothing that is still under way, such as a name look-up, may keep a process alive that no longer leads.
    runtime.shutdown_background();
    outcome
}

async fn run(args: RunArgs) -> Result<(), String> {
    let stop = stop_on_signal()?;
    let metrics = Metrics::new();
    let readiness = Arc::new(Readiness::default());
    let listener = health::bind(args.http_address).await?;
    let pages = tokio::spawn(health::serve(
        listener,
        readiness.clone(),
        metrics.clone(),
        stop.child_token(),
    ));

    let scope = Scope::of(&args);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), address = %args.http_address, families = %scope.families, "starting");
    for sentence in scope.left_out() {
        tracing::info!("{sentence}");
    }
    let fence = Fence::default();
    let options = ClientOptions {
        fence: fence.clone(),
        ..ClientOptions::default()
    };
    let client = connect(options, &metrics)
        .await
        .map_err(|error| error.to_string())?;
    let (leads, lead_known) = watch::channel(false);
    let metrics_api = metrics_api::serve(
        &args.external_metrics,
        (&client, &metrics),
        (&args.lease_namespace, &scope),
        lead_known,
        stop.child_token(),
    );
    let (cluster, metrics_api) = tokio::join!(cluster_version::ask(&client), metrics_api);
    let process = Process {
        client,
        fence,
        scope,
        metrics,
        readiness,
        leads,
        metrics_api,
        cluster,
    };
    let outcome = lead(&args, &process, &stop).await;
    stop.cancel();
    // A client that reads a page slowly does not keep the process alive either.
    if let Ok(Ok(Err(error))) = tokio::time::timeout(LAST_PAGES, pages).await {
        tracing::warn!("the HTTP pages ended with an error: {error}");
    }
    tracing::info!("stopped");
    outcome
}

/// What lives as long as the process, whether it leads or not.
struct Process {
    client: Client,
    /// Closes when the lease runs out.
    fence: Fence,
    scope: Scope,
    metrics: Metrics,
    readiness: Arc<Readiness>,
    /// Whether it leads.
    leads: watch::Sender<bool>,
    /// Where the external metrics API stands.
    metrics_api: watch::Receiver<MetricsApi>,
    cluster: Cluster,
}

/// Waits for the lease, works while it holds, and gives it back.
async fn lead(args: &RunArgs, process: &Process, stop: &CancellationToken) -> Result<(), String> {
    let Process {
        client,
        fence,
        metrics,
        readiness,
        ..
    } = process;
    // A variable that a manifest sets to nothing is not set.
    let identity = args.identity.clone().filter(|name| !name.is_empty());
    let identity = identity.unwrap_or_else(default_identity);
    if !args.leader_elect {
        metrics.set_leader(true);
        return work(args, process, &identity, stop.clone()).await;
    }
    let config = LeaseConfig {
        duration: args.lease_duration,
        renew_deadline: args.lease_renew_deadline,
        retry: args.lease_retry_period,
        ..LeaseConfig::new(&args.lease_namespace, &args.lease_name, &identity)
    };
    let mut elector = Elector::new(client.clone(), config, metrics.clone()).fencing(fence.clone());
    readiness.set_role(Role::Standby);
    tracing::info!(
        identity,
        "waiting for the lease {}/{}",
        args.lease_namespace,
        args.lease_name
    );
    if !elector.acquire(stop).await {
        return Ok(());
    }
    tracing::info!(identity, "leading");
    // The work is stopped first and the lease given back after it, so that nobody writes beside the next leader.
    let (work_stop, release) = (stop.child_token(), CancellationToken::new());
    let work = work(args, process, &identity, work_stop);
    let mut outcome = Ok(());
    let work = async {
        outcome = work.await;
        release.cancel();
        std::future::pending::<Infallible>().await
    };
    let end = tokio::select! {
        end = elector.hold(&release) => end,
        never = work => match never {},
    };
    match end {
        HoldEnd::Lost(why) => Err(format!(
            "the lease was lost: {why}; exiting so that only one replica writes"
        )),
        HoldEnd::Stopped => outcome,
    }
}

/// The leader's part.
async fn work(
    args: &RunArgs,
    process: &Process,
    identity: &str,
    stop: CancellationToken,
) -> Result<(), String> {
    let Process {
        client,
        scope,
        metrics,
        readiness,
        leads,
        metrics_api,
        cluster,
        ..
    } = process;
    tokio::select! {
        installed = Box::pin(install::definitions(client, &args.install)) => installed?,
        () = stop.cancelled() => return Ok(()),
    }
    leads.send_replace(true);
    let options = Options {
        namespaces: scope.namespaces.clone(),
        families: scope.families,
        workers: usize::from(args.workers),
        resync_period: args.resync_period,
        operator_namespace: args.lease_namespace.clone(),
        lease_name: args.lease_name.clone(),
        allow_protected_node_labels: args.allow_protected_node_labels,
        identity: identity.to_owned(),
        metrics_api: metrics_api.clone(),
        autoscaler_tolerance: cluster.autoscaler_tolerance,
        helm: charts::setup(&args.helm, client, scope.installs_charts()).await?,
    };
    let operator = Arc::new(Operator::start(client, metrics, options));
    let noted = operator.clone();
    readiness.set_notes(Box::new(move || CacheReport {
        synced: noted.settled(),
        notes: noted.notes(),
    }));
    readiness.set_role(Role::Leader);
    let deadline = async {
        stop.cancelled().await;
        tokio::time::sleep(SHUTDOWN).await;
    };
    tokio::select! {
        () = operator.run(stop.clone()) => {}
        () = deadline => tracing::warn!("some reconciles did not finish in {SHUTDOWN:?}; ending them"),
    }
    Ok(())
}

/// The host's name and a random part: two processes of one host must not take each other for themselves.
fn default_identity() -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() {
        "llm-operator"
    } else {
        host.trim()
    };
    let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), std::process::id());
    format!("{host}_{random:016x}")
}

fn stop_on_signal() -> Result<CancellationToken, String> {
    let failed = |error| format!("signals cannot be handled: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "Ctrl-C",
        };
        tracing::info!("{name}: finishing what is under way");
        token.cancel();
    });
    Ok(stop)
}
