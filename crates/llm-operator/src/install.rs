//! `run --install-crds` and `--install-optional-crds`: the definitions, installed or brought to this version.
//!
//! In: a client that may do so. Out: what is asked for stands in the cluster. A definition that belongs to others on many
//! clusters is written only where there is none, or ours; that of others stays, is told, and is no failure.

use api::shared::definition::is_marked;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use reconcile::FIELD_MANAGER;

use crate::cli::InstallArgs;

/// Often enough for somebody who installs the same at the same time.
const ATTEMPTS: u32 = 5;

/// Installs what the flags ask for.
pub async fn definitions(client: &Client, args: &InstallArgs) -> Result<(), String> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    if args.install_crds {
        for crd in api::crds() {
            let done = apply(&api, &crd).await;
            done.map_err(|error| failed(&crd, &error, ""))?;
        }
    }
    if args.install_optional_crds {
        for crd in api::optional_crds() {
            let done = optional(&api, crd.clone()).await;
            done.map_err(|error| failed(&crd, &error, " --optional"))?;
        }
    }
    Ok(())
}

async fn optional(
    api: &Api<CustomResourceDefinition>,
    mut crd: CustomResourceDefinition,
) -> Result<(), kube::Error> {
    let mut left = ATTEMPTS;
    loop {
        left -= 1;
        let found = api.get_opt(name(&crd)).await?;
        if found.as_ref().is_some_and(|found| !is_marked(found)) {
            tracing::warn!(
                name = name(&crd),
                "a definition of this name belongs to others; it is left as it is"
            );
            return Ok(());
        }
        // Bound to what was seen: version 1 only creates, a uid only updates that one.
        let uid = found.and_then(|found| found.metadata.uid);
        crd.metadata.resource_version = uid.is_none().then(|| "1".to_owned());
        crd.metadata.uid = uid;
        match apply(api, &crd).await {
            Err(kube::Error::Api(status)) if matches!(status.code, 409 | 422) && left > 0 => {}
            done => return done,
        }
    }
}

async fn apply(
    api: &Api<CustomResourceDefinition>,
    crd: &CustomResourceDefinition,
) -> Result<(), kube::Error> {
    let name = name(crd);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(name, &params, &Patch::Apply(crd)).await?;
    tracing::info!(name, "definition installed");
    Ok(())
}

fn failed(crd: &CustomResourceDefinition, error: &kube::Error, option: &str) -> String {
    format!(
        "cannot install {}: {error}; bind the ClusterRole llm-operator-install-crds, or run `llm-operator crds{option} | kubectl apply -f -`",
        name(crd)
    )
}

fn name(crd: &CustomResourceDefinition) -> &str {
    crd.metadata.name.as_deref().unwrap_or_default()
}
