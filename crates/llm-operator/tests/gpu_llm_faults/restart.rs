//! The operator restarted in the middle of something that takes its time.

use std::time::Duration;

use api::infra_example_com::v1::{
    NvidiaGpuLlmStatus, Phase,
    PromptState::{Answered, Interrupted},
};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use testkit::plane::proxy::Moment;

use crate::{
    bed::{self, POD, journal, prompts, wait_prompts},
    seen::{install, wait_phase, wait_status},
};

/// While a model is pulled: the pull goes on, is told of by the next operator, and is not begun again.
/// Promises: S0-34
#[tokio::test]
async fn a_pull_goes_on() {
    let mut stand = bed::stand("pulling").await;
    let (faults, pod) = (bed::faults().await, bed::pod(&stand.space));
    // Each of its layers.
    faults.slow_model_pull(&pod, Duration::from_secs(15));
    stand.space.apply(&install("demo", POD, "")).await;
    let told = |status: &NvidiaGpuLlmStatus| {
        status
            .message
            .as_deref()
            .is_some_and(|message| message.contains('%'))
    };
    let before = wait_status(&stand.space, "demo", "how far the pull is", told).await;
    assert_eq!(before.reason.as_deref(), Some("PullingModel"));
    assert_eq!(before.phase, Some(Phase::InProgress));
    let uid = stand.space.api::<Pod>().get(POD).await.unwrap().uid();
    // It stands still until the next operator is there, which could else come too late to tell how far it is.
    faults.stall_load(&pod);
    stand.operator.process.kill9();
    stand.restart().await;
    faults.heal(&pod);
    let message = before.message.clone();
    wait_status(&stand.space, "demo", "further", |status| {
        told(status) && status.message != message
    })
    .await;
    wait_phase(&stand.space, "demo", Phase::Ready).await;
    let journal = journal(&stand.space).await;
    assert_eq!(bed::pulled_and_loaded(&journal, "tinyllama"), (1, 1));
    assert_eq!(stand.space.api::<Pod>().get(POD).await.unwrap().uid(), uid);
}

/// While a prompt is answered: nobody knows how that went, so it is `Interrupted`; the others are sent.
/// Promises: S0-16
#[tokio::test]
async fn a_prompt_on_its_way_is_interrupted() {
    let mut stand = bed::stand("interrupted").await;
    let (faults, pod) = (bed::faults().await, bed::pod(&stand.space));
    faults.hang_prompts(&pod, "hangs");
    let asked = ["before", "this hangs", "after"];
    stand.space.apply(&install("demo", POD, &prompts(&asked))).await;
    bed::wait_asked(&stand.space, asked[1]).await;
    stand.operator.process.kill9();
    faults.heal(&pod);
    stand.restart().await;
    let status = wait_prompts(&stand.space, "demo", asked.len()).await;
    assert_eq!(
        bed::states(&status),
        [Answered, Interrupted, Answered],
        "{status:?}"
    );
    assert!(
        status.prompts[1]
            .message
            .as_ref()
            .unwrap()
            .contains("not sent again")
    );
    assert_eq!(journal(&stand.space).await.prompts(), asked);
}

/// When its answer is kept and the status does not know yet: the answer is told, from the `ConfigMap`.
/// Promises: S0-16
#[tokio::test]
async fn an_answer_that_is_kept_is_told() {
    let mut stand = bed::stand("kept").await;
    stand.proxy.halt_at(1, "/configmaps/", Moment::BeforeAnswer);
    let asked = ["first", "second"];
    stand.space.apply(&install("demo", POD, &prompts(&asked))).await;
    stand.proxy.halted().await;
    stand.operator.process.kill9();
    stand.proxy.clear();
    stand.restart().await;
    let status = wait_prompts(&stand.space, "demo", asked.len()).await;
    assert_eq!(bed::states(&status), [Answered; 2], "{status:?}");
    assert!(status.prompts[0].answer.as_ref().unwrap().contains("first"));
    assert_eq!(journal(&stand.space).await.prompts(), asked);
}
