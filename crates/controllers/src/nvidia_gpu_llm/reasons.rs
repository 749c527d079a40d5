//! The reasons that an `NvidiaGpuLlm` gives, beside those of the diagnosis and of the apply step. In: nothing. Out: a closed
//! list with meaning and way out, which is part of `docs/conditions.md`.

use std::fmt::Write as _;

use api::shared::State;

macro_rules! reasons {
    ($($name:ident: $condition:literal, $state:ident, $meaning:literal, $way_out:literal;)+) => {
        /// Why it is as it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Reason {
            $(#[doc = $meaning] $name,)+
        }

        impl Reason {
            /// The word itself.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// The one word of state that it stands for.
            pub const fn state(self) -> State {
                match self { $(Self::$name => State::$state,)+ }
            }
        }

        const TABLE: &[(&str, Reason, &str, &str)] = &[$(($condition, Reason::$name, $meaning, $way_out),)+];
    };
}

reasons! {
    Begun: "Ready", Progressing,
        "Work on a new generation of the spec begins.",
        "Wait.";
    ModelLoaded: "Ready", Ready,
        "Ollama answers, and the model is in memory.",
        "Nothing to do.";
    PullingModel: "Ready", Loading,
        "The model is being pulled; the message says how far it is.",
        "Wait; with `persistentStorage` it happens once.";
    LoadingModel: "Ready", Loading,
        "The model is there, and is being read into memory.",
        "Wait.";
    Answering: "Ready", Progressing,
        "With `keepAlive: false`: the prompts are being sent, or the Pod is about to end.",
        "Wait.";
    Finished: "Ready", Ready,
        "With `keepAlive: false`: the prompts are done, and the Pod has ended.",
        "Nothing to do; a change of the spec runs it again.";
    Replacing: "Ready", Progressing,
        "The Pod is ending and is made anew: it was deleted, lost, or cannot be changed to what is asked for.",
        "Wait.";
    OllamaUnreachable: "Ready", Blocked,
        "The Pod is ready, and the operator cannot reach Ollama in it.",
        "Let the operator's Pods reach port 11434 of the namespace's Pods (NetworkPolicies, mesh, routes).";
    OllamaUnwell: "Ready", Blocked,
        "The Pod is ready, and what answers in it does not answer as Ollama.",
        "Follow the words in the message; look at the image and at the container's log.";
    ModelNotPulled: "Ready", Blocked,
        "The model is missing in a Pod that serves, and cannot be pulled again.",
        "Follow Ollama's words in the message; it is tried again by itself.";
    ModelNotLoaded: "Ready", Blocked,
        "The model is there, and Ollama cannot load it.",
        "Follow Ollama's words in the message.";
    ModelTooLarge: "Ready", Blocked,
        "The model does not fit into the memory of the Pod and its GPUs.",
        "Raise `memory` or `gpuCount`, or use a smaller model or tag.";
    HeldDown: "Ready", Stopped,
        "An `uninstall` for the same `llmName` that is not older holds it down; its objects are removed, the claim too.",
        "Delete the `uninstall`, or create a newer `install`.";
    NameTaken: "Ready", Blocked,
        "An older `install` has the `llmName`.",
        "Choose another `llmName`, or delete the older one.";
    Removing: "Ready", Progressing,
        "What other resources made under the `llmName` is being deleted.",
        "Wait; a Pod gets its grace period.";
    Removed: "Ready", Ready,
        "An `uninstall` is done: nothing that an `NvidiaGpuLlm` made under the `llmName` is left.",
        "Nothing to do; delete the `uninstall` to let a held `install` come back.";
    Superseded: "Ready", Ready,
        "An `install` newer than this `uninstall` has the `llmName`.",
        "Nothing to do; the `uninstall` can be deleted.";
    PodNotFound: "Ready", Stopped,
        "A `status` finds no Pod of the name.",
        "Create an `install`, or correct `llmName`.";
    PodReady: "Ready", Ready,
        "A `status` finds a Pod of the name that no `install` runs, and it is ready.",
        "Nothing to do.";
    NoPrompts: "PromptsAnswered", Ready,
        "There are no prompts.",
        "Nothing to do.";
    AllAnswered: "PromptsAnswered", Ready,
        "Every prompt was answered.",
        "Read the answers in `status.prompts` and in the ConfigMap.";
    NotYet: "PromptsAnswered", Progressing,
        "Not every prompt has been sent yet; they wait until the model is loaded.",
        "Wait.";
    SomeFailed: "PromptsAnswered", Blocked,
        "A prompt was not answered, or the operator ended before its answer was kept. It is not sent again.",
        "Read its message; a change of the spec sends all prompts again.";
}

/// Its part of `docs/conditions.md`.
pub fn markdown() -> String {
    let mut page = String::from(
        "\n## NvidiaGpuLlm\n\n\
         `Accepted` and `Applied` as above. `Ready` has the reasons above, of a single Pod, and these. `status.phase` is\n\
         `Ready` or `Terminating` with the state of that name, `InProgress` with `Progressing` and `Loading`, `Failed` with\n\
         `Invalid`; with `Blocked` and `Stopped` it is `Pending` while something outside the resource is waited for (a GPU, a\n\
         node, a claim, a quota, a name), else `Failed`.\n\n\
         | Condition | Reason | State | Meaning | What to do |\n|---|---|---|---|---|\n",
    );
    for (condition, reason, meaning, way_out) in TABLE {
        // Writing into a String cannot fail.
        let _ = writeln!(
            page,
            "| `{condition}` | `{}` | {} | {meaning} | {way_out} |",
            reason.as_str(),
            reason.state().as_str()
        );
    }
    page
}
