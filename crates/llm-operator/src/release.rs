//! `llm-operator release`: lets go of all that would wait for an operator that is about to be removed.
//!
//! In: a client that may do so, the operator's namespace, what it watched. Out: its Deployment at zero with no Pod left, none of its
//! finalizers on any resource, no API of external metrics that leads to it. Resources, what serves them and finalizers of others
//! stay. Doing it again changes nothing. In namespaces that the operator has left only the finalizers go, and it goes on.

use std::time::Duration;

use controllers::finalizers::{Finalized, finalized};
use external_metrics::{API_SERVICE, SERVICE, certificate_of, is_ours};
use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        core::v1::{Pod, Secret},
    },
    kube_aggregator::pkg::apis::apiregistration::v1::APIService,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions},
};
use reconcile::{
    Metrics,
    client::{ClientOptions, connect},
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::cli::ReleaseArgs;

/// The operator's Deployment, by its name in chart and manifests.
const DEPLOYMENT: &str = "llm-operator";
/// Its Pods.
const PODS: &str = "app=llm-operator";
/// How often Pods that end are looked for.
const LOOK: Duration = Duration::from_millis(500);
/// So long may an API server have no time for us: it reads anew what is behind a definition that was just installed.
const BUSY: Duration = Duration::from_secs(30);
/// Somebody may change a resource between our look and our write.
const ATTEMPTS: u32 = 10;

/// Does it, and says on standard output what was done.
pub fn main(args: &ReleaseArgs) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime cannot start: {error}"))?;
    runtime.block_on(release(args))
}

async fn release(args: &ReleaseArgs) -> Result<(), String> {
    let client = connect(ClientOptions::default(), &Metrics::new())
        .await
        .map_err(|error| error.to_string())?;
    let kinds = finalized();
    if !args.unwatched_namespace.is_empty() {
        for kind in kinds.iter().filter(|kind| kind.namespaced) {
            for namespace in &args.unwatched_namespace {
                take_off(&client, kind, Some(namespace)).await?;
            }
        }
        return Ok(());
    }
    // First nobody is left who would put on again what is taken off.
    stop(&client, args).await?;
    let watched: Vec<&str> = args.watched().collect();
    for kind in &kinds {
        if watched.is_empty() {
            take_off(&client, kind, None).await?;
        } else if kind.of_a_namespace {
            for namespace in &watched {
                take_off(&client, kind, Some(namespace)).await?;
            }
        }
    }
    // The API belongs to the whole cluster, as an operator that serves it does.
    if watched.is_empty() {
        remove_api(&client, &args.namespace).await?;
    }
    remove_certificate(&client, &args.namespace).await
}

/// Scales the Deployment to zero and waits until its last Pod is gone.
async fn stop(client: &Client, args: &ReleaseArgs) -> Result<(), String> {
    let namespace = &args.namespace;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let none = Patch::Merge(json!({"spec": {"replicas": 0}}));
    let scaled = deployments
        .patch_scale(DEPLOYMENT, &PatchParams::default(), &none)
        .await;
    match scaled {
        Ok(_) => say(&format!(
            "Deployment {namespace}/{DEPLOYMENT} has no replicas now"
        ))?,
        Err(error) if is_absent(&error) => {}
        Err(error) => {
            return Err(format!(
                "Deployment {namespace}/{DEPLOYMENT} cannot be scaled to zero: {error}"
            ));
        }
    }
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let deadline = Instant::now() + args.timeout;
    loop {
        let left = pods.list_metadata(&ListParams::default().labels(PODS)).await;
        let left =
            left.map_err(|error| format!("the operator's Pods in {namespace} cannot be listed: {error}"))?;
        let Some(pod) = left.items.first() else {
            return Ok(());
        };
        if Instant::now() > deadline {
            return Err(format!(
                "Pod {namespace}/{} of the operator is still there after {:?}; see `kubectl describe pod`, then try again",
                pod.name_any(),
                args.timeout
            ));
        }
        sleep(LOOK).await;
    }
}

/// Takes a kind's finalizer off wherever it is.
async fn take_off(client: &Client, kind: &Finalized, namespace: Option<&str>) -> Result<(), String> {
    let resource = &kind.resource;
    let at = |namespace: Option<&str>| -> Api<DynamicObject> {
        match namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
            None => Api::all_with(client.clone(), resource),
        }
    };
    let failed = |what: String, error: kube::Error| format!("{what}: {error}");
    for _ in 0..ATTEMPTS {
        let resources = at(namespace);
        let everything = ListParams::default();
        let listed = when_ready(async || resources.list_metadata(&everything).await).await;
        let items = match listed {
            Ok(listed) => listed.items,
            // No definition, so no resource.
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(failed(format!("{} cannot be listed", resource.plural), error)),
        };
        let mut again = false;
        for item in items
            .iter()
            .filter(|item| item.finalizers().iter().any(|one| one == kind.finalizer))
        {
            let mut left = item.finalizers().to_vec();
            left.retain(|one| one != kind.finalizer);
            let patch = Patch::Merge(json!({"metadata": {
                "uid": item.uid(), "resourceVersion": item.resource_version(), "finalizers": left,
            }}));
            let (home, name) = (item.namespace(), item.name_any());
            let shown = match &home {
                Some(home) => format!("{} {home}/{name}", resource.kind),
                None => format!("{} {name}", resource.kind),
            };
            let (there, params) = (at(home.as_deref()), PatchParams::default());
            match when_ready(async || there.patch_metadata(&name, &params, &patch).await).await {
                Ok(_) => say(&format!("{shown} waits for nobody now"))?,
                Err(error) if is_absent(&error) => {}
                Err(error) if is_conflict(&error) => again = true,
                Err(error) => {
                    return Err(failed(
                        format!("the finalizer of {shown} cannot be taken off"),
                        error,
                    ));
                }
            }
        }
        if !again {
            return Ok(());
        }
    }
    Err(format!(
        "{} are changed faster than their finalizers can be taken off; try again",
        resource.plural
    ))
}

/// Deletes the `APIService` if it leads to this operator: an API that nobody answers disturbs the whole cluster.
async fn remove_api(client: &Client, namespace: &str) -> Result<(), String> {
    let apis: Api<APIService> = Api::all(client.clone());
    let failed = |error: kube::Error| format!("APIService {API_SERVICE} cannot be removed: {error}");
    for _ in 0..ATTEMPTS {
        let found = apis.get_opt(API_SERVICE).await.map_err(failed)?;
        let Some(found) = found.filter(|found| is_ours(found, namespace)) else {
            return Ok(());
        };
        let params = DeleteParams::default().preconditions(Preconditions {
            uid: found.uid(),
            resource_version: found.resource_version(),
        });
        match apis.delete(API_SERVICE, &params).await {
            Ok(_) => return say(&format!("APIService {API_SERVICE} is removed")),
            Err(error) if is_conflict(&error) || is_absent(&error) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(format!(
        "APIService {API_SERVICE} is changed faster than it can be removed; try again"
    ))
}

async fn remove_certificate(client: &Client, namespace: &str) -> Result<(), String> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let certificate = certificate_of(SERVICE);
    match secrets.delete(&certificate, &DeleteParams::default()).await {
        Ok(_) => say(&format!("Secret {namespace}/{certificate} is removed")),
        Err(error) if is_absent(&error) => Ok(()),
        Err(error) => Err(format!(
            "Secret {namespace}/{certificate} cannot be removed: {error}"
        )),
    }
}

fn say(words: &str) -> Result<(), String> {
    crate::print(&format!("{words}\n"))
}

/// Asks again while the API server has no time.
async fn when_ready<T>(ask: impl AsyncFn() -> kube::Result<T>) -> kube::Result<T> {
    let deadline = Instant::now() + BUSY;
    loop {
        match ask().await {
            Err(error) if is_busy(&error) && Instant::now() < deadline => sleep(LOOK).await,
            answer => return answer,
        }
    }
}

fn is_busy(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 429 | 500 | 503 | 504))
}

fn is_absent(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}
