//! `action: uninstall`, and the installs that make way for it or for an older one.
//!
//! In: a resource and who stands in what relation to it. Out: an install that must not run removes what it has made; an
//! uninstall waits for that and says so, and removes itself what others have left under the name. It must not touch what is not
//! an `NvidiaGpuLlm`'s.

use std::sync::Arc;

use api::infra_example_com::v1::{Action, NvidiaGpuLlm};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use reconcile::{ApplyError, Failure, ObjectKey, Outcome, cache::ChildHead};

use super::{
    converse::answers_name,
    reasons::Reason,
    reconcile::NvidiaGpuLlmReconciler,
    standing::Standing,
    status,
    terminate::{Claims, LOOK},
    verdict::Verdict,
};
use crate::{apply::CLAIM, context::failure, kinds::NVIDIA_GPU_LLM, serving_kind::ServingRoot};

/// Kinds of what is made under an `llmName`.
const KINDS: [&str; 4] = ["Pod", "Service", CLAIM, "NetworkPolicy"];

impl NvidiaGpuLlmReconciler {
    /// An install that does not have its name removes what it has made, claims too.
    pub(super) async fn make_way(
        &self,
        key: &ObjectKey,
        resource: &NvidiaGpuLlm,
        standing: &Standing,
    ) -> Result<Outcome, Failure> {
        self.talks.silence(key);
        let claims = match standing {
            Standing::HeldDown { .. } => Claims::OfName,
            _ => Claims::None,
        };
        // What was asked before is settled as long as this process knows how it ended.
        let records = self.ledger(key, resource, false).records;
        let removed = self.remove_own(resource, claims).await;
        let left = self.left_of(resource, claims);
        if let Some(verdict) = Verdict::of_waiting(&resource.spec.llm_name, standing, &left) {
            let new = status::waiting(resource, &verdict, records, Timestamp::now());
            self.store(key, resource, &verdict, &new).await?;
        }
        removed.map_err(|error| failure(&error))?;
        Ok(Outcome::Done)
    }

    /// The installs that are held down remove what they have made; this one waits until nothing is left.
    pub(super) async fn uninstall(
        &self,
        key: &ObjectKey,
        resource: &NvidiaGpuLlm,
        held: &[String],
        superseded_by: Option<&str>,
    ) -> Result<Outcome, Failure> {
        self.talks.silence(key);
        // It may have been an install before.
        let removed = self.remove_own(resource, Claims::OfName).await;
        let abandoned = self.remove_abandoned(resource).await;
        let left = self.left_under(resource, superseded_by);
        let going = !left.is_empty();
        let left: Vec<String> = left
            .iter()
            .map(|(kind, child)| format!("{kind} {}", child.name))
            .chain(self.running(key, held))
            .collect();
        let verdict = Verdict::of_uninstall(&resource.spec.llm_name, held, superseded_by, &left);
        let new = status::without_pod(resource, &verdict, Timestamp::now());
        self.store(key, resource, &verdict, &new).await?;
        removed.and(abandoned).map_err(|error| failure(&error))?;
        // What belongs to a resource of another `llmName` goes without a word to this one.
        Ok(if going {
            Outcome::RequeueAfter(LOOK)
        } else {
            Outcome::Done
        })
    }

    /// Of the installs that are held down those that do not know it yet: they may be about to make something.
    fn running(&self, key: &ObjectKey, held: &[String]) -> Vec<String> {
        let caches = &self.context.caches;
        let installs = held
            .iter()
            .filter_map(|name| caches.gpu_llms.get(&key.namespace, name));
        let running = installs.filter(|install| {
            install.metadata.deletion_timestamp.is_none()
                && install.reason() != Some(Reason::HeldDown.as_str())
        });
        running
            .map(|install| format!("what {} runs", install.name_any()))
            .collect()
    }

    /// Deletes what nobody else would: it belongs to a resource that has another `llmName` now, or only looks.
    async fn remove_abandoned(&self, resource: &NvidiaGpuLlm) -> Result<(), ApplyError> {
        let namespace = resource.namespace().unwrap_or_default();
        for (kind, child) in self.left_under(resource, None) {
            let Some(owner) = &child.owner else { continue };
            let owner = self
                .context
                .caches
                .gpu_llms
                .get(&namespace, &owner.name)
                .filter(|known| known.uid().as_deref() == Some(&*owner.uid));
            let abandoned = owner.is_some_and(|owner| {
                let runs =
                    owner.spec.action == Action::Install && owner.spec.llm_name == resource.spec.llm_name;
                // The data of one that came after this resource is not what this one was made to remove.
                let later = owner.creation_timestamp() > resource.creation_timestamp();
                !(runs || later && kind == CLAIM)
            });
            if abandoned {
                self.context.applier.remove(kind, &namespace, &child.name).await?;
            }
        }
        Ok(())
    }

    /// What `NvidiaGpuLlm`s other than `holder` have made under the resource's `llmName`, with kinds.
    fn left_under(
        &self,
        resource: &NvidiaGpuLlm,
        holder: Option<&str>,
    ) -> Vec<(&'static str, Arc<ChildHead>)> {
        let namespace = resource.namespace().unwrap_or_default();
        let llm_name = &resource.spec.llm_name;
        let answers = answers_name(llm_name);
        let places = KINDS.map(|kind| (kind, llm_name.as_str()));
        let places = places.into_iter().chain([("ConfigMap", answers.as_str())]);
        let found = places.filter_map(|(kind, name)| {
            let child = self.context.caches.child(kind, &namespace, name)?;
            Some((kind, child))
        });
        let left = found.filter(|(_, child)| {
            let owner = child.owner.as_ref();
            owner.is_some_and(|owner| &*owner.kind == NVIDIA_GPU_LLM && Some(&*owner.name) != holder)
        });
        left.collect()
    }
}
