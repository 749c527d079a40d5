//! `action: status`: what is known of the Pod of a name, whoever made it.
//!
//! In: a resource, and the install that has its `llmName`, if there is one. Out: a status, and nothing else in the cluster.

use std::{sync::Arc, time::Duration};

use api::{infra_example_com::v1::NvidiaGpuLlm, shared::State};
use diagnosis::{Input, explain, facts::PodFacts};
use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::{Api, ResourceExt};
use reconcile::{Failure, ObjectKey, Outcome};

use super::{
    reconcile::NvidiaGpuLlmReconciler,
    status::{self, Mirrored},
    verdict::Verdict,
};
use crate::kinds::NVIDIA_GPU_LLM;

/// Pods of others are not watched; one is looked at so often, by one small request.
const LOOK: Duration = Duration::from_secs(30);

impl NvidiaGpuLlmReconciler {
    pub(super) async fn look_at(
        &self,
        key: &ObjectKey,
        resource: &NvidiaGpuLlm,
        install: Option<&str>,
    ) -> Result<Outcome, Failure> {
        self.talks.silence(key);
        let known = install.and_then(|name| self.context.caches.gpu_llms.get(&key.namespace, name));
        let ((verdict, mirrored), next) = if let Some(install) = known {
            (mirrored(resource, &install), Outcome::Done)
        } else {
            (self.foreign(key, resource).await?, Outcome::RequeueAfter(LOOK))
        };
        let new = status::reporting(resource, &verdict, mirrored, Timestamp::now());
        self.store(key, resource, &verdict, &new).await?;
        Ok(next)
    }

    /// A Pod that no install answers for.
    async fn foreign(
        &self,
        key: &ObjectKey,
        resource: &NvidiaGpuLlm,
    ) -> Result<(Verdict, Mirrored), Failure> {
        let llm_name = &resource.spec.llm_name;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &key.namespace);
        let pod = pods.get_opt(llm_name).await;
        let pod = pod.map_err(|error| {
            Failure::retry(
                "ApiUnavailable",
                format!("Pod {llm_name} could not be read: {error}"),
            )
        })?;
        let Some(pod) = pod else {
            return Ok((Verdict::not_found(llm_name, &key.namespace), Mirrored::default()));
        };
        let maker = maker(&pod).map(str::to_owned);
        let pod = Arc::new(PodFacts::from(&pod));
        let explanation = explain(&Input {
            workload: None,
            desired: 1,
            single: true,
            pods: std::slice::from_ref(&pod),
            need: None,
            around: &self.context.caches,
            now: Some(Timestamp::now()),
        });
        let mirrored = Mirrored {
            pod_name: Some(llm_name.clone()),
            model_loaded: None,
            gpu_assigned: status::has_gpu(&pod),
        };
        let verdict = Verdict::of_foreign(llm_name, maker.as_deref(), &explanation);
        Ok((verdict, mirrored))
    }
}

/// The resource that made the Pod when it was an install.
fn maker(pod: &Pod) -> Option<&str> {
    let owners = pod.owner_references().iter();
    let mut makers = owners.filter(|owner| owner.controller == Some(true) && owner.kind == NVIDIA_GPU_LLM);
    makers.next().map(|owner| owner.name.as_str())
}

/// What the status of an install says.
fn mirrored(resource: &NvidiaGpuLlm, install: &NvidiaGpuLlm) -> (Verdict, Mirrored) {
    let status = install.status.clone().unwrap_or_default();
    let own = Verdict {
        // The install goes, not the one that reports on it.
        state: match status.state {
            None | Some(State::Terminating) => State::Progressing,
            Some(state) => state,
        },
        reason: status.reason.unwrap_or_else(|| "Begun".to_owned()),
        sentence: status.message.unwrap_or_else(|| "Work on it begins.".to_owned()),
    };
    let verdict = Verdict::of_installed(&resource.spec.llm_name, &install.name_any(), &own);
    let mirrored = Mirrored {
        pod_name: status.pod_name,
        model_loaded: status.model_loaded,
        gpu_assigned: status.gpu_assigned.unwrap_or_default(),
    };
    (verdict, mirrored)
}
