//! One operation on a release, from its beginning to the moment when all that it did is known.
//!
//! In: what is to be done. Out: how it ended. Beside Helm's own work: what Helm forgets is removed, and a release whose kinds are gone
//! is taken apart by hand, since Helm refuses to.

use std::{sync::Arc, time::Duration};

use helm::{
    HelmError, Operation, ReleaseName,
    manifest::Object,
    release::{Release, StoredRelease},
};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{DeleteParams, ListParams},
};

use super::{
    desk::Desk,
    leftovers::{self, Hooks},
    preparation::Prepared,
};

/// How often the releases are listed anew after an operation, until it works.
const LISTING: Duration = Duration::from_secs(1);

/// What is to be done.
#[derive(Clone)]
pub enum Work {
    /// The first revision.
    Install(Box<Prepared>),
    /// A new revision after these.
    Upgrade(Box<Prepared>, Vec<Arc<StoredRelease>>),
    /// Back to an old one of these revisions.
    Rollback(u32, Vec<Arc<StoredRelease>>),
    /// The end of the release with these revisions.
    Uninstall(Vec<Arc<StoredRelease>>),
}

/// Does it, and lists the releases when it is done.
pub async fn operate(
    desk: Arc<Desk>,
    name: ReleaseName,
    work: Work,
    timeout: Duration,
) -> Result<(), HelmError> {
    let result = run(&desk, &name, work, timeout).await;
    listed(&desk, &name.namespace).await;
    result
}

/// Lists the releases of a namespace, however long it takes.
pub async fn listed(desk: &Desk, namespace: &str) {
    while let Err(error) = desk.releases.list(namespace).await {
        tracing::warn!(
            release_namespace = namespace,
            "the releases cannot be listed: {error}"
        );
        tokio::time::sleep(LISTING).await;
    }
}

async fn run(desk: &Desk, name: &ReleaseName, work: Work, timeout: Duration) -> Result<(), HelmError> {
    match work {
        Work::Install(prepared) => {
            let Prepared { chart, spec, .. } = *prepared;
            desk.helm
                .run(name, &Operation::Install { chart, spec }, timeout)
                .await
        }
        Work::Upgrade(prepared, history) => {
            let Prepared {
                chart, spec, objects, ..
            } = *prepared;
            desk.helm
                .run(name, &Operation::Upgrade { chart, spec }, timeout)
                .await?;
            remove(
                desk,
                name,
                &leftovers::forgotten(&decoded(&history), Hooks::All, &objects),
            )
            .await
        }
        Work::Rollback(revision, history) => {
            desk.helm
                .run(name, &Operation::Rollback { revision }, timeout)
                .await?;
            let (back, others): (Vec<_>, Vec<_>) = history
                .into_iter()
                .partition(|one| one.head().revision == revision);
            let kept = leftovers::forgotten(&decoded(&back), Hooks::All, &[]);
            remove(
                desk,
                name,
                &leftovers::forgotten(&decoded(&others), Hooks::All, &kept),
            )
            .await
        }
        Work::Uninstall(history) => uninstall(desk, name, &decoded(&history), timeout).await,
    }
}

fn decoded(history: &[Arc<StoredRelease>]) -> Vec<Release> {
    history.iter().filter_map(|one| one.decode().ok()).collect()
}

async fn uninstall(
    desk: &Desk,
    name: &ReleaseName,
    revisions: &[Release],
    timeout: Duration,
) -> Result<(), HelmError> {
    remove(desk, name, &leftovers::forgotten(revisions, Hooks::OfLife, &[])).await?;
    match desk.helm.run(name, &Operation::Uninstall, timeout).await {
        Err(HelmError::UnknownKind { .. }) => take_apart(desk, name, revisions).await?,
        result => result?,
    }
    remove(desk, name, &leftovers::forgotten(revisions, Hooks::All, &[])).await
}

/// Removes the objects whose kinds are still served, then Helm's record of the release.
async fn take_apart(desk: &Desk, name: &ReleaseName, revisions: &[Release]) -> Result<(), HelmError> {
    remove(desk, name, &leftovers::objects(revisions)).await?;
    let api: Api<Secret> = Api::namespaced(desk.client.clone(), &name.namespace);
    let records = ListParams::default().labels(&format!("owner=helm,name={}", name.name));
    let deleted = api.delete_collection(&DeleteParams::default(), &records).await;
    deleted.map(|_| ()).map_err(|error| failed(&error))
}

async fn remove(desk: &Desk, name: &ReleaseName, objects: &[Object]) -> Result<(), HelmError> {
    if objects.is_empty() {
        return Ok(());
    }
    let served = desk.kinds.look(&leftovers::kinds(objects)).await;
    let served = served.map_err(|error| failed(&error))?;
    let removed = leftovers::remove(&desk.client, &served, &name.namespace, objects).await;
    removed.map_err(|error| failed(&error))
}

fn failed(error: &kube::Error) -> HelmError {
    HelmError::Failed {
        message: error.to_string(),
    }
}
