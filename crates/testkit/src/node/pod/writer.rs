//! Writes a Pod's status: the board's changes in, patches of the API out, only when something differs from what was
//! written before. It must not decide what the status is.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::{Mutex, watch};

use super::PodContext;
use super::status::{Transitions, render};

#[derive(Default)]
struct Written {
    status: Option<Value>,
    /// Resource version that the API server gave to it.
    version: u64,
    transitions: Transitions,
}

/// Writes one Pod's status.
pub(crate) struct Writer {
    context: Arc<PodContext>,
    written: Mutex<Written>,
}

impl Writer {
    pub(crate) fn new(context: &Arc<PodContext>) -> Self {
        Self {
            context: Arc::clone(context),
            written: Mutex::default(),
        }
    }

    /// Writes after every change, changes of a short while together. Never returns.
    pub(crate) async fn keep_writing(&self) {
        let mut board = self.context.board.subscribe();
        let mut object = self.context.latest.clone();
        loop {
            tokio::time::sleep(self.context.shared.options.status_window).await;
            board.mark_unchanged();
            self.flush().await;
            let woken = tokio::select! {
                changed = board.changed() => changed,
                overwritten = self.overwritten(&mut object) => overwritten,
            };
            if woken.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Resolves when readiness is not what was written. Others write it too: the node controller takes it from the Pods of
    /// a node that is silent, and whoever owns a readiness gate decides about it.
    async fn overwritten(
        &self,
        object: &mut watch::Receiver<Arc<Pod>>,
    ) -> Result<(), watch::error::RecvError> {
        let others_decide = self
            .context
            .spec
            .readiness_gates
            .as_ref()
            .is_some_and(|gates| !gates.is_empty());
        loop {
            object.changed().await?;
            if others_decide {
                return Ok(());
            }
            let pod = Arc::clone(&object.borrow_and_update());
            let mut written = self.written.lock().await;
            let later = version(&pod) > written.version;
            if later
                && written
                    .status
                    .as_ref()
                    .is_some_and(|status| ready(status) != ready_in(&pod))
            {
                written.status = None;
                return Ok(());
            }
        }
    }

    /// Writes what is not yet written, until it is or the object is gone.
    pub(crate) async fn flush(&self) {
        let context = &self.context;
        let mut pause = Duration::from_millis(100);
        loop {
            if context.shared.faults.of_node(&context.node.spec.name).silent {
                self.wait_until_joined().await;
            }
            match self.write_once().await {
                Ok(()) => return,
                Err(kube::Error::Api(error)) if error.is_not_found() || error.is_conflict() => return,
                Err(error) => {
                    tracing::debug!(pod = context.name, %error, "the status was not written; it will be tried again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
            }
        }
    }

    async fn write_once(&self) -> Result<(), kube::Error> {
        let context = &self.context;
        let mut written = self.written.lock().await;
        let permit = context.shared.writes.acquire().await;
        let status = render(context, &context.board.snapshot(), &mut written.transitions);
        if written.status.as_ref() == Some(&status) {
            return Ok(());
        }
        let pods: Api<Pod> = Api::namespaced(context.shared.client.clone(), &context.namespace);
        // The uid keeps the patch off a younger Pod of the same name.
        let patch = json!({ "metadata": { "uid": context.uid }, "status": status });
        let stored = pods
            .patch_status(&context.name, &PatchParams::default(), &Patch::Strategic(patch))
            .await?;
        drop(permit);
        written.version = version(&stored);
        written.status = Some(status);
        Ok(())
    }

    async fn wait_until_joined(&self) {
        let mut faults = self.context.shared.faults.node_faults();
        let node = &self.context.node.spec.name;
        // The sender lives in `shared`, so this cannot fail.
        let _ = faults
            .wait_for(|nodes| nodes.get(node).is_none_or(|fault| !fault.silent))
            .await;
    }
}

/// Resource versions of one kind are numbers that grow.
fn version(pod: &Pod) -> u64 {
    let version = pod.metadata.resource_version.as_deref();
    version.and_then(|version| version.parse().ok()).unwrap_or(0)
}

fn ready_in(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn ready(status: &Value) -> bool {
    let conditions = status.get("conditions").and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}
