//! `AIDeployment` as a serving kind.

use std::sync::Arc;

use api::premlabs_io::v1alpha1::{AIDeployment, AIDeploymentStatus};
use reconcile::WatchCache;
use serving::{labels, plan::ServingPlan};

use super::{
    accept::accept,
    validate::{FORM, identity},
};
use crate::{
    caches::Caches,
    lookup::Lookup,
    scaler::Scaler,
    serving_kind::{
        Planned, ServingKind,
        rejection::Rejection,
        status::{Seen, ServingStatus},
    },
    workload::WorkloadKind,
};

const READY: &str = "Ready";
const NOT_READY: &str = "NotReady";
const FAILED: &str = "Failed";

impl Planned for AIDeployment {
    const GPU_COUNT_FIELD: &'static str = "spec.deployment.resources";

    fn accept(&self, known: &dyn Lookup, scaler: Option<&Scaler>) -> Result<ServingPlan, Rejection> {
        accept(self, known, scaler)
    }
}

impl ServingKind for AIDeployment {
    const WORKLOAD: WorkloadKind = WorkloadKind::Deployment;
    const REPLICAS_FIELD: &'static str = "spec.deployment.replicas";

    fn cache(caches: &Caches) -> &Arc<WatchCache<Self>> {
        &caches.ai_deployments
    }

    fn replicas(&self) -> Option<i32> {
        self.spec.deployment.as_ref()?.replicas
    }

    fn selector(&self) -> String {
        labels::selector_text(&identity(self), FORM)
    }

    fn stored(&self) -> ServingStatus {
        let stored = self.status.clone().unwrap_or_default();
        ServingStatus {
            observed_generation: stored.observed_generation,
            replicas: stored.replicas,
            ready_replicas: stored.ready_replicas,
            selector: stored.selector,
            state: stored.state,
            reason: stored.reason,
            model: (!stored.models.is_empty()).then(|| stored.models.join(", ")),
            image: stored.image,
            gpu: stored.gpu,
            scaling: stored.scaling,
            conditions: stored.conditions,
        }
    }

    fn worded(&self, common: ServingStatus, seen: &Seen<'_>) -> AIDeploymentStatus {
        let stored = self.status.as_ref();
        let (url, endpoints) = match seen.plan {
            Some(plan) => (Some(url(plan)), endpoints(plan)),
            None => (
                stored.and_then(|stored| stored.url.clone()),
                stored.map(|stored| stored.endpoints.clone()).unwrap_or_default(),
            ),
        };
        AIDeploymentStatus {
            status: Some(word(seen).to_owned()),
            err_msg: seen.trouble.clone(),
            observed_generation: common.observed_generation,
            desired_replicas: Some(seen.desired),
            replicas: common.replicas,
            ready_replicas: common.ready_replicas,
            selector: common.selector,
            state: common.state,
            reason: common.reason,
            url,
            endpoints,
            models: models(common.model.as_deref()),
            image: common.image,
            gpu: common.gpu,
            scaling: common.scaling,
            conditions: common.conditions,
        }
    }
}

/// One word as prem-operator says it: it is ready while a replica serves, and failed when it cannot be acted on.
fn word(seen: &Seen<'_>) -> &'static str {
    if seen.failed {
        FAILED
    } else if seen.ready > 0 {
        READY
    } else {
        NOT_READY
    }
}

fn models(joined: Option<&str>) -> Vec<String> {
    let names = joined.filter(|names| !names.is_empty());
    names
        .into_iter()
        .flat_map(|names| names.split(", "))
        .map(str::to_owned)
        .collect()
}

fn url(plan: &ServingPlan) -> String {
    let identity = &plan.identity;
    format!(
        "http://{}.{}.svc:{}",
        identity.name, identity.namespace, plan.service.port
    )
}

fn endpoints(plan: &ServingPlan) -> Vec<String> {
    let Some(ingress) = &plan.ingress else {
        return Vec::new();
    };
    let scheme = if ingress.tls_secret.is_some() {
        "https"
    } else {
        "http"
    };
    let named = ingress.hosts.iter().filter(|host| !host.is_empty());
    named.map(|host| format!("{scheme}://{host}/")).collect()
}
