//! The order in which containers start: init containers one after the other, sidecars along the way, then all others.
//! It must not know how a single container is run.

use std::sync::Arc;

use futures::future::join_all;
use futures::stream::{FuturesUnordered, StreamExt as _};
use k8s_openapi::api::core::v1::Container;
use tokio_util::sync::CancellationToken;

use super::PodContext;
use super::board::{Role, State};
use super::container::{Outcome, supervise};
use super::volumes::Volumes;
use crate::node::state::Gpus;

/// Runs all containers; returns when none runs and none will.
pub(crate) async fn run_all(context: &Arc<PodContext>, volumes: &Volumes, gpus: &Gpus) {
    let mains_ended = CancellationToken::new();
    let mut sidecars = FuturesUnordered::new();
    let none = CancellationToken::new();
    for container in context.spec.init_containers.iter().flatten() {
        let done = if container.restart_policy.as_deref() == Some("Always") {
            sidecars.push(supervise(
                context,
                container,
                Role::Sidecar,
                volumes,
                gpus,
                &mains_ended,
            ));
            let started = has_started(context, container);
            tokio::select! {
                () = started => true,
                () = context.stop.requested() => false,
                () = drain(&mut sidecars) => true,
            }
        } else {
            let run = supervise(context, container, Role::Init, volumes, gpus, &none);
            tokio::select! {
                outcome = run => outcome == Outcome::Succeeded,
                // Sidecars go on while an init container runs; their end is no reason to stop.
                () = drain_forever(&mut sidecars) => false,
            }
        };
        if !done || context.stop.is_requested() {
            mains_ended.cancel();
            while sidecars.next().await.is_some() {}
            return;
        }
    }
    let mains = context
        .spec
        .containers
        .iter()
        .map(|container| supervise(context, container, Role::Main, volumes, gpus, &none));
    tokio::select! {
        _ = join_all(mains) => {}
        () = drain_forever(&mut sidecars) => {}
    }
    // Sidecars are stopped after the last main container, as kubelet does.
    mains_ended.cancel();
    while sidecars.next().await.is_some() {}
}

async fn drain<F: Future<Output = Outcome>>(running: &mut FuturesUnordered<F>) {
    while running.next().await.is_some() {}
}

async fn drain_forever<F: Future<Output = Outcome>>(running: &mut FuturesUnordered<F>) {
    drain(running).await;
    std::future::pending::<()>().await;
}

async fn has_started(context: &PodContext, container: &Container) {
    let mut changes = context.board.subscribe();
    loop {
        let record = context.board.container(&container.name);
        if record.is_some_and(|record| record.started && matches!(record.state, State::Running { .. })) {
            return;
        }
        if changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
