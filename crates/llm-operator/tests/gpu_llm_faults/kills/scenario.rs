//! What happens while the operator is killed, and how it ends without that.

use api::infra_example_com::v1::{NvidiaGpuLlm, Phase};
use k8s_openapi::api::core::v1::Pod;
use testkit::node::journal::Event;

use super::end_state::EndState;
use crate::{
    bed,
    common::Space,
    seen::{install, resource, wait_phase, wait_reason, wait_status},
};

const NAME: &str = "demo";

/// See the module.
pub struct Scenario {
    /// Name of its namespaces.
    pub name: &'static str,
    prompts: &'static [&'static str],
    /// Lines of the spec.
    more: &'static str,
    act: Act,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Install,
    Uninstall,
    Delete,
    ChangeModel,
}

/// With Service, claim and three prompts.
pub const INSTALL: Scenario = Scenario {
    name: "kill-install",
    prompts: &["Who are you?", "Why is the sky blue?", "What is a GPU?"],
    more: "  memory: 4Gi\n  serviceEnabled: true\n  persistentStorage: true\n",
    act: Act::Install,
};

/// It ends by itself.
pub const ENDS_AFTER_PROMPTS: Scenario = Scenario {
    name: "kill-ends",
    prompts: &["Who are you?", "Why is the sky blue?"],
    more: "  keepAlive: false\n",
    act: Act::Install,
};

/// Another resource removes it.
pub const HELD_DOWN: Scenario = Scenario {
    name: "kill-held",
    prompts: &["Who are you?"],
    more: "  serviceEnabled: true\n  persistentStorage: true\n",
    act: Act::Uninstall,
};

/// It is deleted.
pub const DELETED: Scenario = Scenario {
    name: "kill-delete",
    act: Act::Delete,
    ..HELD_DOWN
};

/// Its Pod is replaced.
pub const MODEL_CHANGED: Scenario = Scenario {
    name: "kill-model",
    act: Act::ChangeModel,
    ..HELD_DOWN
};

impl Scenario {
    fn yaml(&self, model: &str) -> String {
        let more = format!("  model: {model}\n{}{}", self.more, bed::prompts(self.prompts));
        install(NAME, bed::POD, &more)
    }

    /// Before the first change that may be killed.
    pub async fn prepare(&self, space: &Space) {
        if self.act != Act::Install {
            space.apply(&self.yaml("tinyllama")).await;
            self.wait_done(space).await;
        }
    }

    /// What starts the work.
    pub async fn act(&self, space: &Space) {
        match self.act {
            Act::Install => space.apply(&self.yaml("tinyllama")).await,
            Act::Uninstall => space.apply(&resource("cleanup", "uninstall", bed::POD, "")).await,
            Act::Delete => space.delete::<NvidiaGpuLlm>(NAME).await,
            Act::ChangeModel => space.apply(&self.yaml("phi")).await,
        }
    }

    /// Waits for the end of a run without kills.
    pub async fn wait_end(&self, space: &Space) {
        match self.act {
            Act::Install => self.wait_done(space).await,
            Act::ChangeModel => {
                wait_status(space, NAME, "the new model", |status| {
                    status.model_loaded.as_deref() == Some("phi")
                })
                .await;
                self.wait_done(space).await;
            }
            Act::Uninstall => {
                wait_phase(space, "cleanup", Phase::Ready).await;
                wait_reason(space, NAME, "HeldDown").await;
                space.wait_gone::<Pod>(bed::POD).await;
            }
            Act::Delete => {
                space.wait_gone::<NvidiaGpuLlm>(NAME).await;
                space.wait_gone::<Pod>(bed::POD).await;
            }
        }
    }

    /// No prompt was received twice for one model, and each whose answer is told exactly once. Nothing was pulled or loaded twice.
    pub async fn check_prompts(&self, space: &Space, end: &EndState, all: bool) {
        let journal = bed::journal(space).await;
        for model in ["tinyllama", "phi"] {
            let namespace = &space.namespace;
            let due = model == "tinyllama" || self.act == Act::ChangeModel;
            for prompt in self.prompts {
                let asked = journal
                    .entries()
                    .iter()
                    .filter(|entry| {
                        matches!(&entry.event, Event::Prompt { model: of, prompt: asked, .. }
                            if asked == prompt && of == model)
                    })
                    .count();
                assert!(asked <= 1, "{namespace}: {model} got {prompt:?} {asked} times");
                let told = end.tells_answer_of(model, prompt);
                assert!(!told || asked == 1, "{namespace}: {model} never got {prompt:?}");
                assert!(
                    !all || !due || asked == 1,
                    "{namespace}: {model} never got {prompt:?}"
                );
            }
            let (pulled, loaded) = bed::pulled_and_loaded(&journal, model);
            let expected = usize::from(due);
            assert!(
                pulled <= expected,
                "{namespace}: {model} was pulled {pulled} times"
            );
            assert!(
                loaded <= expected,
                "{namespace}: {model} was loaded {loaded} times"
            );
            assert!(
                !all || (pulled, loaded) == (expected, expected),
                "{namespace}: {pulled}, {loaded}"
            );
        }
    }

    async fn wait_done(&self, space: &Space) {
        bed::wait_prompts(space, NAME, self.prompts.len()).await;
        wait_phase(space, NAME, Phase::Ready).await;
    }
}
