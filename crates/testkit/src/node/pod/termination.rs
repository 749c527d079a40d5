//! How a Pod ends: deletion or eviction in, containers stopped within their grace period and the object released out.
//! It must not decide whether a container is restarted.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod};
use kube::api::{Api, DeleteParams, Preconditions};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::board::Verdict;
use super::env::Launch;
use super::process::Process;
use super::{PodContext, hook};

/// Time that a container has after SIGTERM however long its preStop hook took (kubelet's `minimumGracePeriod`).
const LEAST_GRACE: Duration = Duration::from_secs(2);

/// The order to stop all containers of a Pod.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    ordered: CancellationToken,
    grace: Mutex<Duration>,
}

impl Stop {
    /// Orders it; containers get `grace` between SIGTERM and SIGKILL, hooks included.
    pub(crate) fn order(&self, grace: Duration) {
        *self.grace.lock() = grace;
        self.ordered.cancel();
    }

    /// Resolves once it is ordered.
    pub(crate) async fn requested(&self) {
        self.ordered.cancelled().await;
    }

    pub(crate) fn is_requested(&self) -> bool {
        self.ordered.is_cancelled()
    }

    pub(crate) fn grace(&self) -> Duration {
        *self.grace.lock()
    }
}

/// Resolves with the grace period once the Pod's deletion is wanted.
pub(crate) async fn deleted(context: &PodContext) -> Duration {
    let mut latest = context.latest.clone();
    let deleted = latest
        .wait_for(|pod| pod.metadata.deletion_timestamp.is_some())
        .await;
    let grace = deleted
        .ok()
        .map(|pod| pod.metadata.deletion_grace_period_seconds.unwrap_or(30));
    match grace {
        Some(seconds) => Duration::from_secs(u64::try_from(seconds).unwrap_or(0)),
        // The object is already gone; the owner of this task ends it.
        None => std::future::pending().await,
    }
}

/// Turns a deletion into the order to stop. Never returns.
pub(crate) async fn watch_deletion(context: &PodContext) {
    let grace = deleted(context).await;
    context.board.terminating();
    context.stop.order(grace);
    std::future::pending::<()>().await;
}

/// Turns an ordered eviction, a local volume above its limit or a passed deadline into a verdict and the order to stop. Never returns.
pub(crate) async fn watch_eviction(context: &PodContext) {
    let (reason, message) = tokio::select! {
        message = context.faults.evicted() => ("Evicted", message),
        message = super::volumes::overflow(context) => ("Evicted", message),
        message = deadline(context) => ("DeadlineExceeded", message),
    };
    context.events.warning("", reason, message.clone());
    context.board.judge(Verdict::failed(reason, message));
    context.stop.order(Duration::ZERO);
    std::future::pending::<()>().await;
}

/// Resolves with kubelet's message when the Pod has been active for longer than it may.
async fn deadline(context: &PodContext) -> String {
    let seconds = context
        .spec
        .active_deadline_seconds
        .and_then(|seconds| u64::try_from(seconds).ok());
    match seconds {
        Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending().await,
    }
    "Pod was active on the node longer than the specified deadline".to_owned()
}

/// Stops one container: hook, SIGTERM, grace period, SIGKILL. The process has ended when this returns.
pub(crate) async fn stop(
    context: &Arc<PodContext>,
    container: &Container,
    launch: &Launch,
    process: &mut Process,
    grace: Duration,
) -> engine_sim::Exit {
    let deadline = tokio::time::Instant::now() + grace;
    let pre_stop = container
        .lifecycle
        .as_ref()
        .and_then(|lifecycle| lifecycle.pre_stop.as_ref());
    if let Some(handler) = pre_stop
        && !grace.is_zero()
    {
        tokio::select! {
            exit = process.wait() => return exit,
            result = tokio::time::timeout_at(deadline, hook::run(context, container, launch, handler)) => {
                if let Ok(Err(message)) = result {
                    let field = super::container::field(context, &container.name);
                    context.events.warning(&field, "FailedPreStopHook", message);
                }
            }
        }
    }
    process.terminate();
    let least = if grace.is_zero() {
        Duration::ZERO
    } else {
        LEAST_GRACE
    };
    let deadline = deadline.max(tokio::time::Instant::now() + least);
    match tokio::time::timeout_at(deadline, process.wait()).await {
        Ok(exit) => exit,
        Err(_) => process.kill().await,
    }
}

/// Lets the object go, as kubelet does when nothing of the Pod is left.
pub(crate) async fn finalize(context: &PodContext) {
    let pods: Api<Pod> = Api::namespaced(context.shared.client.clone(), &context.namespace);
    let params = DeleteParams {
        grace_period_seconds: Some(0),
        preconditions: Some(Preconditions {
            uid: Some(context.uid.clone()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    let mut pause = Duration::from_millis(200);
    loop {
        let permit = context.shared.writes.acquire().await;
        match pods.delete(&context.name, &params).await {
            Ok(_) => return,
            Err(kube::Error::Api(error)) if error.is_not_found() || error.is_conflict() => return,
            Err(error) => tracing::debug!(pod = context.name, %error, "the Pod was not released"),
        }
        drop(permit);
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}
