//! Lifecycle hooks: a handler in, done or kubelet's message out.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, LifecycleHandler};

use super::env::Launch;
use super::{PodContext, exec, http, probe};

/// Longest wait for an HTTP hook's answer; the grace period bounds the rest.
const HTTP_LIMIT: Duration = Duration::from_secs(30);

/// The `postStart` hook; the message of its failure, if it failed.
pub(crate) async fn post_start(
    context: &Arc<PodContext>,
    container: &Container,
    launch: &Launch,
) -> Option<String> {
    let handler = container.lifecycle.as_ref()?.post_start.as_ref()?;
    run(context, container, launch, handler).await.err()
}

/// Runs a handler to its end.
pub(crate) async fn run(
    context: &Arc<PodContext>,
    container: &Container,
    launch: &Launch,
    handler: &LifecycleHandler,
) -> Result<(), String> {
    if let Some(command) = &handler.exec {
        let argv = command.command.clone().unwrap_or_default();
        let (code, output) = exec::run(context, launch, &argv).await?;
        if code != 0 {
            return Err(format!(
                "command '{}' exited with {code}: {output}",
                argv.join(" ")
            ));
        }
    } else if let Some(get) = &handler.http_get {
        let port = probe::port_of(container, &get.port)?;
        http::get(context, get, port, HTTP_LIMIT).await?;
    } else if let Some(sleep) = &handler.sleep {
        let seconds = u64::try_from(sleep.seconds).unwrap_or(0);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
    Ok(())
}
