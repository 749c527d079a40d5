//! The process that owns the cluster.
//!
//! In: the cluster's directory. Out: a cluster that runs until this process is told to end.

use engine_sim::Speed;
use testkit::{Cluster, NodeOptions};
use tokio::signal::unix::{SignalKind, signal};

use super::home::Home;
use super::{CommandError, UpArgs, hardware};

/// Runs the cluster until Ctrl-C or SIGTERM. `started` is called once it is of use.
pub fn serve(args: &UpArgs, home: &Home, started: impl FnOnce()) -> Result<(), CommandError> {
    let _lock = home.claim()?;
    let io = |what| move |source| CommandError::Io { what, source };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    runtime.map_err(io("start threads"))?.block_on(async {
        // Before the cluster is there: a signal during its start must end it too.
        let mut terminate = signal(SignalKind::terminate()).map_err(io("listen for signals"))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(io("listen for signals"))?;
        // The terminal may be closed while the cluster runs in the background.
        let _hang_up = signal(SignalKind::hangup()).map_err(io("listen for signals"))?;
        let life = async {
            let _cluster = start(args, home).await?;
            home.set_ready()?;
            started();
            std::future::pending().await
        };
        tokio::select! {
            result = life => result,
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
        }
    })
}

async fn start(args: &UpArgs, home: &Home) -> Result<Cluster, CommandError> {
    let options = NodeOptions {
        speed: Speed::loading(args.load_speed),
        ..NodeOptions::default()
    };
    let mut builder = Cluster::builder().directory(home.path()).node_options(options);
    for node in hardware::nodes(&args.nodes) {
        builder = builder.node(node);
    }
    Ok(builder.start().await?)
}
