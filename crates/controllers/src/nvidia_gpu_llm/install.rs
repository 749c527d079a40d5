//! `action: install` of a resource that has its `llmName`.
//!
//! In: the resource. Out: its objects as asked for, its model in memory, its prompts sent once, and a status. The order of what
//! is stored is the point: the finalizer before the first object, the intent to send a prompt before the prompt, an answer
//! before the status that tells of it. A process that ends between any two of them is followed by one that goes on from there.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use api::infra_example_com::v1::NvidiaGpuLlm;
use diagnosis::{
    Explanation, Input, explain,
    facts::{ContainerRole, ContainerState, PodFacts, PodPhase},
};
use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta, jiff::Timestamp};
use kube::ResourceExt;
use reconcile::{ApplyError, DesiredObject, Failure, ObjectKey, Outcome, finalizer};
use serving::{build::owned, labels, plan::ServingPlan};

use super::{
    accept::{PORT, identity},
    answers::{self, Kept, share},
    ledger::{Ledger, advance},
    reconcile::NvidiaGpuLlmReconciler,
    run::{Progress, Run, Step, step},
    status,
    talk::{Heard, Question, Stage, Subject},
    terminate::FINALIZER,
    verdict::{Install, Verdict},
};
use crate::{
    apply::{Done, apply},
    context::{after_error, failure},
    kinds::NVIDIA_GPU_LLM_LABEL,
    serving_kind::{
        Planned,
        desired::{Present, desired},
        observe::gpu_need,
    },
};

/// After this time a Pod of which the scheduler has said nothing is looked at again.
const SCHEDULER_PATIENCE: Duration = Duration::from_secs(31);
/// After this time something that had no effect yet is tried again.
const RETRY: Duration = Duration::from_secs(3);

/// Name of the ConfigMap with the whole answers.
pub(super) fn answers_name(llm_name: &str) -> String {
    format!("{llm_name}-answers")
}

impl NvidiaGpuLlmReconciler {
    pub(super) async fn install(&self, key: &ObjectKey, resource: &NvidiaGpuLlm) -> Result<Outcome, Failure> {
        let context = &*self.context;
        if !finalizer::has(resource, FINALIZER) {
            let added = self
                .finalizers
                .add(resource, FINALIZER, &*context.caches.gpu_llms)
                .await;
            added.map_err(|error| failure(&error))?;
        }
        let now = Timestamp::now();
        let pod = self.pod_of(resource);
        let accepted = resource.accept(context, None);
        let explanation = self.explanation(pod.as_ref(), accepted.as_ref().ok(), now);
        let subject = pod.as_deref().and_then(|pod| subject(pod, &resource.spec.model));
        let heard = self.hear(key, resource, subject.as_ref());
        let loaded = explanation.serves && matches!(heard, Heard::Loaded { .. });
        let ledger = self.ledger(key, resource, loaded);

        let made = match &accepted {
            Ok(plan) => Some(self.make(resource, plan, pod.as_deref(), &ledger, now).await),
            Err(_) => None,
        };
        let ledger = self.keep_answers(resource, ledger).await?;
        let step = match &made {
            Some(Ok((step, _))) => Some(*step),
            _ => None,
        };
        let succeeded = pod.as_ref().is_some_and(|pod| pod.phase == PodPhase::Succeeded);
        let install = Install {
            llm_name: &resource.spec.llm_name,
            model: &resource.spec.model,
            keep_alive: resource.spec.keep_alive,
            accepted: accepted.as_ref(),
            applied: made.as_ref().map(|made| made.as_ref().map(|_| ())),
            pod: pod.as_deref(),
            explanation: &explanation,
            heard: &heard,
            prompts: prompts(resource).len(),
            ledger: &ledger,
            finished: is_finished(resource) || (step == Some(Step::Keep) && succeeded && ledger.done),
            replacing: matches!(step, Some(Step::Wait | Step::Replace | Step::ReplaceLater)),
        };
        let generation = resource.metadata.generation.unwrap_or_default();
        if let Some(send) = &ledger.send {
            self.talks.intend(key, generation, send.index);
        }
        let verdict = Verdict::of_install(&install);
        let new = status::installing(resource, &install, &verdict, now);
        self.store(key, resource, &verdict, &new).await?;

        if let (Some(subject), true) = (&subject, loaded) {
            self.go_on(key, resource, subject, &ledger);
        }
        if let Some(Ok((_, done))) = &made {
            done.tell(context, resource);
        }
        match made {
            Some(Err(ApplyError::Terminating { .. })) => Ok(Outcome::RequeueAfter(RETRY)),
            Some(Err(error)) => after_error(&error),
            _ => Ok(next(
                step,
                &explanation,
                &heard,
                subject.is_some(),
                &ledger,
                &install,
            )),
        }
    }

    /// The Pod of the resource's `llmName`, if it is the resource's.
    fn pod_of(&self, resource: &NvidiaGpuLlm) -> Option<Arc<PodFacts>> {
        let namespace = resource.namespace().unwrap_or_default();
        let pods = self
            .context
            .caches
            .pods_of(NVIDIA_GPU_LLM_LABEL, &namespace, &resource.name_any());
        let child = self
            .context
            .caches
            .child("Pod", &namespace, &resource.spec.llm_name);
        let owner = child.as_ref().and_then(|child| child.owner.as_ref());
        // A Pod that a namesake of this resource left behind is not its own.
        let foreign = owner.is_some_and(|owner| Some(&*owner.uid) != resource.uid().as_deref());
        let mut named = pods
            .into_iter()
            .filter(|pod| *pod.name == *resource.spec.llm_name && !foreign);
        named.next()
    }

    fn explanation(
        &self,
        pod: Option<&Arc<PodFacts>>,
        plan: Option<&ServingPlan>,
        now: Timestamp,
    ) -> Explanation {
        let need = plan
            .and_then(|plan| plan.gpu.as_ref())
            .map(|gpu| gpu_need(gpu, NvidiaGpuLlm::GPU_COUNT_FIELD));
        explain(&Input {
            workload: None,
            desired: 1,
            single: true,
            pods: pod.map(std::slice::from_ref).unwrap_or_default(),
            need: need.as_ref(),
            around: &self.context.caches,
            now: Some(now),
        })
    }

    fn hear(&self, key: &ObjectKey, resource: &NvidiaGpuLlm, subject: Option<&Subject>) -> Heard {
        if let Some(subject) = subject {
            return self
                .talks
                .listen(key, &resource.uid().unwrap_or_default(), subject);
        }
        self.talks.silence(key);
        Heard::Nothing
    }

    /// How far the prompts are, and what is next.
    fn ledger(&self, key: &ObjectKey, resource: &NvidiaGpuLlm, loaded: bool) -> Ledger {
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
            loaded && self.talks.may_send(key),
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

    /// Makes what the plan asks for. Returns what became of the Pod.
    async fn make(
        &self,
        resource: &NvidiaGpuLlm,
        plan: &ServingPlan,
        pod: Option<&PodFacts>,
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<(Step, Done), ApplyError> {
        let applier = &self.context.applier;
        let Identity { namespace, uid } = Identity::of(resource);
        let mut objects = desired(plan, &Present::default())?;
        let child = self.context.caches.child("Pod", &namespace, &plan.name);
        let made_for = child.as_ref().and_then(|child| child.applied.as_deref());
        let current = made_for == objects.last().map(DesiredObject::hash);
        let step = step(pod, run(resource, ledger), current, now);
        if step != Step::Apply {
            objects.pop();
        }
        if step == Step::Replace {
            applier.remove("Pod", &namespace, &plan.name).await?;
        }
        let answers = answers_name(&plan.name);
        let mut kept = vec![("Pod", plan.name.as_str())];
        if !prompts(resource).is_empty() {
            kept.push(("ConfigMap", answers.as_str()));
        }
        let done = apply(applier, &uid, &objects, &kept).await?;
        Ok((step, done))
    }

    /// Stores the whole answers, before the status tells of them.
    async fn keep_answers(&self, resource: &NvidiaGpuLlm, mut ledger: Ledger) -> Result<Ledger, Failure> {
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
            // Waiting for what only somebody else can mend would hold up the prompts that are left.
            Err(error) => {
                if let Some(last) = ledger.records.last_mut() {
                    last.message = Some(format!("The whole answer could not be kept: {error}"));
                }
                Ok(ledger)
            }
        }
    }

    /// What follows from what is now stored: the next prompt leaves, or the Pod may end.
    fn go_on(&self, key: &ObjectKey, resource: &NvidiaGpuLlm, subject: &Subject, ledger: &Ledger) {
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

/// When to look again, if nothing happens.
fn next(
    step: Option<Step>,
    explanation: &Explanation,
    heard: &Heard,
    listening: bool,
    ledger: &Ledger,
    install: &Install<'_>,
) -> Outcome {
    let ending = ledger.done && !install.keep_alive && !install.finished;
    let waits = listening && (ending || (!ledger.done && matches!(heard, Heard::Loaded { .. })));
    if matches!(step, Some(Step::ReplaceLater)) || waits {
        Outcome::RequeueAfter(RETRY)
    } else if listening {
        Outcome::RequeueAfter(heard.patience())
    } else if explanation.reason == diagnosis::Reason::Starting {
        Outcome::RequeueAfter(SCHEDULER_PATIENCE)
    } else {
        Outcome::Done
    }
}

fn prompts(resource: &NvidiaGpuLlm) -> &[String] {
    resource.spec.prompts.as_deref().unwrap_or_default()
}

fn run(resource: &NvidiaGpuLlm, ledger: &Ledger) -> Run {
    if resource.spec.keep_alive {
        return Run::Serves;
    }
    Run::Ends(if is_finished(resource) {
        Progress::Finished
    } else if ledger.done {
        Progress::Done
    } else {
        Progress::Open
    })
}

/// The run of this generation is over, and that is stored.
fn is_finished(resource: &NvidiaGpuLlm) -> bool {
    let finished = resource
        .status
        .as_ref()
        .and_then(|status| status.finished_generation);
    !resource.spec.keep_alive && finished.is_some() && finished == resource.metadata.generation
}

/// The server that can be asked now: the one beside the pull, or the one that serves.
fn subject(pod: &PodFacts, model: &str) -> Option<Subject> {
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

/// Where the resource is, and which one it is.
struct Identity {
    namespace: String,
    uid: String,
}

impl Identity {
    fn of(resource: &NvidiaGpuLlm) -> Self {
        Self {
            namespace: resource.namespace().unwrap_or_default(),
            uid: resource.uid().unwrap_or_default(),
        }
    }
}
