//! What a reconcile has come to: one state, one reason, one sentence.
//!
//! In: how every step of it ended. Out: a [`Verdict`]. Pure; a table of all cases stands in its tests.

use api::{
    infra_example_com::v1::{Phase, PromptState},
    shared::State,
};
use diagnosis::{
    Explanation,
    facts::{PodFacts, PodPhase},
};
use reconcile::ApplyError;
use serving::plan::ServingPlan;

use super::{ledger::Ledger, reasons::Reason, standing::Standing, talk::Heard};
use crate::serving_kind::{rejection::Rejection, status::state_of};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// One word.
    pub state: State,
    /// The reason of the condition `Ready`.
    pub reason: String,
    /// Its sentence.
    pub sentence: String,
}

/// How the steps of an install ended.
#[derive(Debug)]
pub(super) struct Install<'a> {
    /// Name of the Pod.
    pub llm_name: &'a str,
    /// The model.
    pub model: &'a str,
    /// Whether the Pod goes on serving after its prompts.
    pub keep_alive: bool,
    /// A plan, or why there is none.
    pub accepted: Result<&'a ServingPlan, &'a Rejection>,
    /// How applying it ended; `None` without a plan.
    pub applied: Option<Result<(), &'a ApplyError>>,
    /// Its Pod.
    pub pod: Option<&'a PodFacts>,
    /// What the Pod does.
    pub explanation: &'a Explanation,
    /// What its server says.
    pub heard: &'a Heard,
    /// Number of prompts.
    pub prompts: usize,
    /// How far they are.
    pub ledger: &'a Ledger,
    /// All is done for this generation, and the Pod has ended.
    pub finished: bool,
    /// The Pod is on its way out and is made anew.
    pub replacing: bool,
}

impl Verdict {
    fn new(reason: Reason, sentence: impl Into<String>) -> Self {
        Self {
            state: reason.state(),
            reason: reason.as_str().to_owned(),
            sentence: sentence.into(),
        }
    }

    /// Work on a generation begins.
    pub(super) fn begun(generation: i64) -> Self {
        Self::new(
            Reason::Begun,
            format!("Work on generation {generation} of the spec begins."),
        )
    }

    /// An install that has its name.
    pub(super) fn of_install(install: &Install<'_>) -> Self {
        match (&install.accepted, &install.applied) {
            (Err(rejection), _) => Self {
                state: rejection.state(),
                reason: rejection.reason().as_str().to_owned(),
                sentence: rejection.to_string(),
            },
            (Ok(_), Some(Err(ApplyError::Terminating { kind, .. }))) if kind == "Pod" => {
                Self::of_ending(install)
            }
            (Ok(_), Some(Err(error @ ApplyError::Terminating { .. }))) => {
                Self::new(Reason::Replacing, error.to_string())
            }
            // The API server's trouble passes: what runs is told as it is.
            (Ok(_), Some(Err(ApplyError::Retryable { .. }))) if install.pod.is_some() => {
                Self::of_pod(install)
            }
            (Ok(_), Some(Err(error))) => Self {
                state: if matches!(error, ApplyError::Retryable { .. }) {
                    State::Progressing
                } else {
                    State::Blocked
                },
                reason: error.reason().to_owned(),
                sentence: error.to_string(),
            },
            (Ok(_), _) => Self::of_pod(install),
        }
    }

    /// A Pod that makes room for its successor; why it ended is told as long as it is there.
    fn of_ending(install: &Install<'_>) -> Self {
        let Install { llm_name, pod, .. } = install;
        let ended = pod.is_some_and(|pod| pod.phase == PodPhase::Failed && !pod.deleting);
        let stuck = install.explanation.reason == diagnosis::Reason::NodeLost;
        if ended || stuck {
            let then = if stuck { "" } else { " It is made anew." };
            return Self {
                state: state_of(install.explanation.state),
                reason: install.explanation.reason.as_str().to_owned(),
                sentence: format!("{}{then}", install.explanation.message),
            };
        }
        let sentence = format!("Pod {llm_name} is ending, and is made anew when it is gone.");
        Self::new(Reason::Replacing, sentence)
    }

    fn of_pod(install: &Install<'_>) -> Self {
        let Install { llm_name, model, .. } = install;
        if install.finished {
            let sentence =
                format!("Pod {llm_name} has ended after its prompts, as keepAlive: false asks for.");
            return Self::new(Reason::Finished, sentence);
        }
        if install.replacing || install.pod.is_some_and(|pod| pod.deleting) {
            return Self::of_ending(install);
        }
        if !install.explanation.serves {
            return match (install.explanation.reason, install.heard) {
                (diagnosis::Reason::PreparingModel, Heard::Pulling(how_far)) => Self::new(
                    Reason::PullingModel,
                    format!("Pod {llm_name} pulls {model}: {how_far}."),
                ),
                (reason, _) => Self {
                    state: state_of(install.explanation.state),
                    reason: reason.as_str().to_owned(),
                    sentence: install.explanation.message.clone(),
                },
            };
        }
        Self::of_server(install)
    }

    /// The Pod serves; the question left is whether the model does.
    fn of_server(install: &Install<'_>) -> Self {
        let Install { llm_name, model, .. } = install;
        match install.heard {
            Heard::Nothing => Self::new(
                Reason::LoadingModel,
                format!("Pod {llm_name} runs; Ollama is being asked for {model}."),
            ),
            Heard::Pulling(how_far) => Self::new(
                Reason::PullingModel,
                format!("Pod {llm_name} runs without {model}, which is pulled again: {how_far}."),
            ),
            Heard::Loading => Self::new(
                Reason::LoadingModel,
                format!("Pod {llm_name} has {model}, and reads it into memory."),
            ),
            Heard::Unreachable(why) => Self::new(
                Reason::OllamaUnreachable,
                format!(
                    "Pod {llm_name} is ready, but the operator cannot talk to its Ollama: {why}. Let the operator's Pods \
                     reach port {} there.",
                    super::accept::PORT
                ),
            ),
            Heard::Unwell(words) => Self::new(
                Reason::OllamaUnwell,
                format!("Pod {llm_name} is ready, but does not answer as Ollama: {words}"),
            ),
            Heard::NotPulled(words) => Self::new(
                Reason::ModelNotPulled,
                format!("Pod {llm_name} runs without {model}, and Ollama cannot pull it: {words}"),
            ),
            Heard::NotLoaded(words) if is_about_memory(words) => Self::new(
                Reason::ModelTooLarge,
                format!(
                    "{model} does not fit into Pod {llm_name}: {words}. Raise spec.memory or spec.gpuCount, or use a \
                     smaller model."
                ),
            ),
            Heard::NotLoaded(words) => Self::new(
                Reason::ModelNotLoaded,
                format!("Pod {llm_name} has {model}, and Ollama cannot load it: {words}"),
            ),
            Heard::Loaded { bytes, on_gpus } => {
                let prompts = prompts(install);
                if install.keep_alive {
                    let place = place(*bytes, *on_gpus, install.pod);
                    Self::new(
                        Reason::ModelLoaded,
                        format!("Pod {llm_name} serves {model}{place}.{prompts}"),
                    )
                } else if install.ledger.done {
                    Self::new(
                        Reason::Answering,
                        format!("Pod {llm_name} has done its work, and ends."),
                    )
                } else {
                    Self::new(
                        Reason::Answering,
                        format!("Pod {llm_name} has loaded {model}.{prompts}"),
                    )
                }
            }
        }
    }

    /// An install that does not have its name; `left`: what of it is still there.
    pub(super) fn of_waiting(llm_name: &str, standing: &Standing, left: &[String]) -> Option<Self> {
        let going = if left.is_empty() {
            String::new()
        } else {
            format!(" Its {} is being deleted.", left.join(", "))
        };
        Some(match standing {
            Standing::HeldDown { by } => Self::new(
                Reason::HeldDown,
                format!(
                    "NvidiaGpuLlm {by} uninstalls {llm_name} and holds it down, until {by} is deleted or a newer install \
                     is created.{going}"
                ),
            ),
            Standing::Taken { by } => Self::new(
                Reason::NameTaken,
                format!(
                    "NvidiaGpuLlm {by}, which is older, has the llmName {llm_name}. Choose another llmName, or delete \
                     {by}.{going}"
                ),
            ),
            Standing::Has | Standing::Removes { .. } | Standing::Reports { .. } => return None,
        })
    }

    /// An uninstall; `left`: what is still there.
    pub(super) fn of_uninstall(
        llm_name: &str,
        held: &[String],
        superseded_by: Option<&str>,
        left: &[String],
    ) -> Self {
        let held = if held.is_empty() {
            String::new()
        } else {
            format!(" It holds down NvidiaGpuLlm {}.", held.join(", "))
        };
        if !left.is_empty() {
            return Self::new(
                Reason::Removing,
                format!("{} is being deleted.{held}", left.join(", ")),
            );
        }
        match superseded_by {
            Some(newer) => Self::new(
                Reason::Superseded,
                format!("NvidiaGpuLlm {newer}, created later, has the llmName {llm_name}.{held}"),
            ),
            None => Self::new(
                Reason::Removed,
                format!("Nothing that an NvidiaGpuLlm made under the llmName {llm_name} is left.{held}"),
            ),
        }
    }

    /// A status that finds no Pod.
    pub(super) fn not_found(llm_name: &str, namespace: &str) -> Self {
        Self::new(
            Reason::PodNotFound,
            format!(
                "There is no Pod {llm_name} in namespace {namespace}; an NvidiaGpuLlm with action install makes one."
            ),
        )
    }

    /// A status that finds the Pod of an install.
    pub(super) fn of_installed(llm_name: &str, install: &str, own: &Self) -> Self {
        Self {
            sentence: format!(
                "{llm_name} is installed by NvidiaGpuLlm {install}: {}",
                own.sentence
            ),
            ..own.clone()
        }
    }

    /// A status that finds a Pod which no install runs; `maker`: the resource that made it, if one of ours did.
    pub(super) fn of_foreign(llm_name: &str, maker: Option<&str>, explanation: &Explanation) -> Self {
        let whose = match maker {
            Some(maker) => format!("Pod {llm_name} was made by NvidiaGpuLlm {maker}"),
            None => format!("Pod {llm_name} was not made by an NvidiaGpuLlm"),
        };
        if explanation.serves {
            return Self::new(
                Reason::PodReady,
                format!("{whose}, and is ready; what it serves is not known."),
            );
        }
        Self {
            state: state_of(explanation.state),
            reason: explanation.reason.as_str().to_owned(),
            sentence: format!("{whose}. {}", explanation.message),
        }
    }

    /// It is being deleted; `left`: what of it is still there.
    pub(super) fn going(left: &[String]) -> Self {
        Self {
            state: State::Terminating,
            reason: crate::reason::Reason::Terminating.as_str().to_owned(),
            sentence: if left.is_empty() {
                "It is being deleted.".to_owned()
            } else {
                format!("It is being deleted; {} goes first.", left.join(", "))
            },
        }
    }

    /// The document's word.
    pub(super) fn phase(&self) -> Phase {
        match self.state {
            State::Ready => Phase::Ready,
            State::Loading | State::Progressing => Phase::InProgress,
            State::Terminating => Phase::Terminating,
            State::Stopped => Phase::Pending,
            State::Blocked if waits(&self.reason) => Phase::Pending,
            State::Blocked | State::Invalid => Phase::Failed,
        }
    }
}

/// Whether something outside the resource may come without anybody changing the resource: room, a name, a volume.
fn waits(reason: &str) -> bool {
    use diagnosis::Reason as Seen;
    const WAITING: [Seen; 26] = [
        Seen::GpusTaken,
        Seen::NoSuchGpu,
        Seen::InsufficientCpu,
        Seen::InsufficientMemory,
        Seen::InsufficientStorage,
        Seen::TooManyPods,
        Seen::PortTaken,
        Seen::NodeTaints,
        Seen::NodeSelectorMismatch,
        Seen::NodeAffinityMismatch,
        Seen::TopologySpread,
        Seen::VolumeNodeConflict,
        Seen::NoNodes,
        Seen::Unschedulable,
        Seen::ClaimMissing,
        Seen::ClaimPending,
        Seen::StorageClassMissing,
        Seen::VolumeAttachFailed,
        Seen::ImagePullSecretMissing,
        Seen::SecretMissing,
        Seen::ConfigMapMissing,
        Seen::RuntimeClassMissing,
        Seen::QuotaExceeded,
        Seen::NodeLost,
        Seen::Evicted,
        Seen::DiskPressure,
    ];
    reason == Reason::NameTaken.as_str() || WAITING.iter().any(|seen| seen.as_str() == reason)
}

/// Words of Ollama and llama.cpp when a model does not fit.
fn is_about_memory(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    [
        "more system memory",
        "out of memory",
        "failed to allocate",
        "unable to allocate",
    ]
    .iter()
    .any(|phrase| words.contains(phrase))
}

/// Where the model is, for a Pod that asked for GPUs; nothing when the server did not say.
fn place(bytes: u64, on_gpus: u64, pod: Option<&PodFacts>) -> String {
    if bytes == 0 {
        return String::new();
    }
    let size = super::talk::gigabytes(bytes);
    let asked = pod.is_some_and(|pod| !pod.devices.is_empty());
    match (asked, on_gpus) {
        (_, on_gpus) if on_gpus >= bytes => format!(": {size}, all on GPUs"),
        (false, _) => format!(": {size} in main memory"),
        (true, 0) => format!(
            ": {size} in main memory, none on the GPUs that it has; see Ollama's log for the driver it looks for"
        ),
        (true, on_gpus) => format!(
            ": {size}, {} % of it on GPUs and the rest, slowly, on CPUs; use more GPUs or a smaller model",
            u128::from(on_gpus) * 100 / u128::from(bytes)
        ),
    }
}

/// ` 2 of 3 prompts are done.`, or nothing without prompts.
fn prompts(install: &Install<'_>) -> String {
    if install.prompts == 0 {
        return String::new();
    }
    let records = install.ledger.records.iter();
    let ended = records
        .filter(|record| record.state != PromptState::Sending)
        .count();
    format!(" {ended} of {} prompts are done.", install.prompts)
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
