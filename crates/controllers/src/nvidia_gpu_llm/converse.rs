//! The conversation of an install with its Ollama: what is heard, what is next, and what is kept of it.
//!
//! In: the resource and its Pod. Out: what the server says, how far the prompts are, the ConfigMap with the answers. It must not
//! send a prompt whose intent is not stored.

use std::{collections::BTreeMap, net::SocketAddr};

use api::infra_example_com::v1::NvidiaGpuLlm;
use diagnosis::facts::{ContainerRole, ContainerState, PodFacts};
use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, ResourceExt};
use reconcile::{ApplyError, DesiredObject, Failure, ObjectKey};
use serving::{build::owned, labels};

use super::{
    accept::{PORT, identity},
    answers::{self, Kept, share},
    ledger::{Ledger, advance},
    reconcile::NvidiaGpuLlmReconciler,
    talk::{Heard, Question, Stage, Subject},
};
use crate::context::failure;

/// Name of the ConfigMap with the whole answers.
pub(super) fn answers_name(llm_name: &str) -> String {
    format!("{llm_name}-answers")
}

impl NvidiaGpuLlmReconciler {
    /// What the server says; nothing while there is none that could be asked.
    pub(super) fn hear(&self, key: &ObjectKey, resource: &NvidiaGpuLlm, subject: Option<&Subject>) -> Heard {
        if let Some(subject) = subject {
            return self
                .talks
                .listen(key, &resource.uid().unwrap_or_default(), subject);
        }
        self.talks.silence(key);
        Heard::Nothing
    }

    /// How far the prompts are, and what is next.
    pub(super) fn ledger(&self, key: &ObjectKey, resource: &NvidiaGpuLlm, may_send: bool) -> Ledger {
        let generation = resource.metadata.generation.unwrap_or_default();
        let memory = self
            .talks
            .memory(key, &resource.uid().unwrap_or_default(), generation);
        let stored = resource.status.as_ref();
        advance(
            prompts(resource),
            generation,
            stored.map(|stored| stored.prompts.as_slice()).unwrap_or_default(),
            stored.and_then(|stored| stored.prompts_generation),
            &memory,
            &self.kept(resource),
            may_send && self.talks.may_send(key),
        )
    }

    /// What the ConfigMap has kept.
    fn kept(&self, resource: &NvidiaGpuLlm) -> Kept {
        let namespace = resource.namespace().unwrap_or_default();
        let name = answers_name(&resource.spec.llm_name);
        let child = self.context.caches.child("ConfigMap", &namespace, &name);
        let own = child.filter(|child| {
            let owner = child.owner.as_ref().map(|owner| &*owner.uid);
            owner == resource.uid().as_deref()
        });
        let content = own.and_then(|child| serde_json::from_slice::<Content>(&child.content).ok());
        Kept::read(&content.map(|content| content.data).unwrap_or_default())
    }

    /// Stores the whole answers, before the status tells of them.
    pub(super) async fn keep_answers(
        &self,
        resource: &NvidiaGpuLlm,
        mut ledger: Ledger,
    ) -> Result<Ledger, Failure> {
        let Some(unstored) = &ledger.unstored else {
            return Ok(ledger);
        };
        let wanted = answers_of(resource, unstored);
        let stored = match DesiredObject::new(wanted) {
            Ok(object) => self.context.applier.apply(&object).await.map(drop),
            Err(error) => Err(ApplyError::from(error)),
        };
        match stored {
            Ok(()) => Ok(ledger),
            Err(error @ ApplyError::Retryable { .. }) => Err(failure(&error)),
            // It is about the last one: prompts are sent one by one. Waiting for what only somebody else can mend would hold up the prompts that are left.
            Err(error) => {
                if let Some(last) = ledger.records.last_mut() {
                    let lost = format!("The whole answer could not be kept: {error}");
                    let cause = last.message.take().map(|cause| format!("{cause} {lost}"));
                    last.message = Some(cause.unwrap_or(lost));
                }
                Ok(ledger)
            }
        }
    }

    /// The `resourceVersion` in which the resource is stored, if the cache knows the latest of its prompts. The cache is filled
    /// from an API server that may itself be behind, and a predecessor of this process may have stored an intent just before
    /// it ended. Asked only before a prompt is sent.
    pub(super) async fn latest(
        &self,
        key: &ObjectKey,
        resource: &NvidiaGpuLlm,
    ) -> Result<Option<String>, Failure> {
        let api: Api<NvidiaGpuLlm> = Api::namespaced(self.client.clone(), &key.namespace);
        let stored = api.get_opt(&key.name).await.map_err(|error| {
            let message = format!("it could not be read before a prompt is sent: {error}");
            Failure::retry("ApiUnavailable", message)
        })?;
        let prompts = |resource: &NvidiaGpuLlm| {
            let status = resource.status.clone().unwrap_or_default();
            (
                resource.uid(),
                resource.metadata.generation,
                status.prompts_generation,
                status.prompts,
            )
        };
        let same = stored.filter(|stored| prompts(stored) == prompts(resource));
        Ok(same.and_then(|stored| stored.resource_version()))
    }

    /// What follows from what is now stored: the next prompt leaves, or the Pod may end.
    pub(super) fn go_on(&self, key: &ObjectKey, resource: &NvidiaGpuLlm, subject: &Subject, ledger: &Ledger) {
        if let Some(send) = &ledger.send {
            let question = Question {
                generation: resource.metadata.generation.unwrap_or_default(),
                index: send.index,
                prompt: send.prompt.clone(),
                bytes: share(prompts(resource).len()),
            };
            self.talks.ask(key, subject, question);
        } else if ledger.done && !resource.spec.keep_alive {
            self.talks.finish(key, subject);
        }
    }
}

/// The prompts of the spec.
pub(super) fn prompts(resource: &NvidiaGpuLlm) -> &[String] {
    resource.spec.prompts.as_deref().unwrap_or_default()
}

/// The server that can be asked now: the one beside the pull, or the one that serves.
pub(super) fn subject_of(pod: &PodFacts, model: &str) -> Option<Subject> {
    let address = SocketAddr::new(pod.ip.filter(|_| !pod.deleting)?, PORT);
    let of = |role: ContainerRole| {
        pod.containers
            .iter()
            .find(move |container| container.role == role)
    };
    let pulling = of(ContainerRole::Init).filter(|init| init.state == ContainerState::Running);
    let serving = of(ContainerRole::Main).filter(|_| pod.serves());
    let (container, stage) = match (serving, pulling) {
        (Some(container), _) => (container, Stage::Serving),
        (None, Some(container)) => (container, Stage::Pulling),
        (None, None) => return None,
    };
    Some(Subject {
        pod: pod.uid.clone(),
        restarts: container.restarts,
        address,
        model: model.to_owned(),
        stage,
    })
}

fn answers_of(resource: &NvidiaGpuLlm, kept: &Kept) -> ConfigMap {
    let identity = identity(resource);
    let mut labels = labels::children(&identity, "ollama");
    labels.insert("app.kubernetes.io/component".to_owned(), "answers".to_owned());
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(answers_name(&resource.spec.llm_name)),
            ..owned(&identity, labels)
        },
        data: Some(answers::data(kept)),
        ..ConfigMap::default()
    }
}

/// Data of a ConfigMap as the cache has it.
#[derive(serde::Deserialize)]
struct Content {
    #[serde(default)]
    data: BTreeMap<String, String>,
}
