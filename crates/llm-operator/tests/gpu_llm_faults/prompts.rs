//! Prompts: sent in order, once for each generation of the spec; what comes of each is told.

use std::collections::BTreeMap;

use api::infra_example_com::v1::{
    NvidiaGpuLlm, Phase,
    PromptState::{Answered, Failed, Sending},
};
use k8s_openapi::api::core::v1::ConfigMap;

use crate::{
    bed::{self, POD, journal, prompts, wait_prompts, wait_reconciles},
    common::Space,
    seen::{condition, install, wait_phase, wait_status},
};

async fn kept(space: &Space) -> BTreeMap<String, String> {
    let answers: ConfigMap = space.api().get("llm-pod-answers").await.unwrap();
    answers.data.unwrap()
}

/// Three prompts, one with an answer too long for a status, one of many lines and signs. In order, once: not again in resyncs,
/// nor after a restart; all again when the spec changes, whatever the change.
/// Promises: S0-16, S0-33
#[tokio::test]
async fn sent_in_order_and_once_for_each_generation() {
    let mut stand = bed::stand_with("prompts", &["--resync-period", "1s"]).await;
    let long = vec!["x".repeat(40); 40].join(" ");
    let odd = "Say \"hello\":\n- to {{ .World }}\n- to $(POD_UID) and 世界 🌍\n";
    let asked = ["Who are you?", long.as_str(), odd];
    stand.space.apply(&install("demo", POD, &prompts(&asked))).await;
    let status = wait_prompts(&stand.space, "demo", asked.len()).await;
    assert_eq!(bed::states(&status), [Answered; 3], "{status:?}");
    assert_eq!(status.prompts_generation, Some(1));
    let answered = condition(&status, "PromptsAnswered").unwrap();
    assert_eq!(
        (answered.status.as_str(), answered.reason.as_str()),
        ("True", "AllAnswered")
    );
    assert_eq!(journal(&stand.space).await.prompts(), asked);

    for (index, prompt) in (1..).zip(&status.prompts) {
        assert_eq!(prompt.index, index);
        assert!(prompt.prompt.chars().count() <= 200, "{prompt:?}");
        assert!(
            prompt.answer.as_ref().unwrap().chars().count() <= 1000,
            "{prompt:?}"
        );
        let seconds: f64 = prompt.duration_seconds.as_ref().unwrap().parse().unwrap();
        let rate: f64 = prompt.tokens_per_second.as_ref().unwrap().parse().unwrap();
        assert!((0.0..30.0).contains(&seconds) && rate > 1.0, "{prompt:?}");
    }
    let data = kept(&stand.space).await;
    assert_eq!(data.len(), 6, "a text and a record each: {:?}", data.keys());
    assert_eq!(Some(&data["prompt-1.txt"]), status.prompts[0].answer.as_ref());
    assert!(data["prompt-1.txt"].contains("Who are you?"));
    let whole = &data["prompt-2.txt"];
    assert!(whole.chars().count() > 1000 && whole.contains(&"x".repeat(40)));
    let start: String = whole.chars().take(900).collect();
    assert!(status.prompts[1].answer.as_ref().unwrap().starts_with(&start));
    assert!(
        status.prompts[1]
            .message
            .as_ref()
            .unwrap()
            .contains("prompt-2.txt"),
        "says where the rest is"
    );

    wait_phase(&stand.space, "demo", Phase::Ready).await;
    bed::wait_rest(&stand, std::time::Duration::from_secs(1)).await;
    let changes = stand.proxy.changes();
    wait_reconciles(&stand.operator, 4.0).await;
    stand.operator.process.kill9();
    stand.restart_with(&["--resync-period", "1s"]).await;
    wait_reconciles(&stand.operator, 4.0).await;
    assert_eq!(journal(&stand.space).await.prompts(), asked, "not again");
    assert_eq!(stand.proxy.changes(), changes, "nothing to write either");

    // A change that the Pod does not even notice.
    let more = format!("{}  serviceEnabled: true\n", prompts(&asked[..1]));
    stand.space.apply(&install("demo", POD, &more)).await;
    let status = wait_status(&stand.space, "demo", "answered for generation 2", |status| {
        status.prompts_generation == Some(2) && bed::states(status) == [Answered]
    })
    .await;
    assert_eq!(status.phase, Some(Phase::Ready));
    let journal = journal(&stand.space).await;
    assert_eq!(
        journal.prompts(),
        ["Who are you?", long.as_str(), odd, "Who are you?"]
    );
    assert_eq!(
        bed::pulled_and_loaded(&journal, "tinyllama"),
        (1, 1),
        "the Pod stayed"
    );
    assert_eq!(
        kept(&stand.space).await.len(),
        2,
        "what is no longer asked is no longer kept"
    );
}

/// Prompts that fail are told one by one, with what came of the answer, and stop no other.
/// Promises: S0-16
#[tokio::test]
async fn one_that_fails_stops_no_other() {
    let stand = bed::stand("failing").await;
    let (faults, pod) = (bed::faults().await, bed::pod(&stand.space));
    faults.fail_prompts(&pod, "broken", 500, "llama runner process has terminated");
    faults.cut_prompts(&pod, "half");
    let asked = ["first", "the broken one", "the half one", "last"];
    stand.space.apply(&install("demo", POD, &prompts(&asked))).await;
    let status = wait_prompts(&stand.space, "demo", asked.len()).await;
    assert_eq!(
        bed::states(&status),
        [Answered, Failed, Failed, Answered],
        "{status:?}"
    );
    let message = |place: usize| status.prompts[place].message.clone().unwrap_or_default();
    assert!(
        message(1).contains("llama runner process has terminated"),
        "{}",
        message(1)
    );
    assert!(!message(2).is_empty());
    assert!(
        status.prompts[2].answer.is_some(),
        "what came of it: {:?}",
        status.prompts[2]
    );
    let answered = condition(&status, "PromptsAnswered").unwrap();
    assert_eq!(
        (answered.status.as_str(), answered.reason.as_str()),
        ("False", "SomeFailed")
    );
    assert!(
        answered.message.contains("2 of 4") && answered.message.contains("prompt 2"),
        "{}",
        answered.message
    );
    assert_eq!(
        wait_phase(&stand.space, "demo", Phase::Ready)
            .await
            .reason
            .as_deref(),
        Some("ModelLoaded")
    );
    assert_eq!(
        journal(&stand.space).await.prompts(),
        asked,
        "each once, the failed ones too"
    );
    let data = kept(&stand.space).await;
    assert!(
        data["prompt-2.json"].contains("Failed") && data.contains_key("prompt-4.txt"),
        "{data:?}"
    );
}

/// A server that hangs and dies with a prompt: that one is told, and the next is asked of the server that comes after.
/// Promises: S0-16
#[tokio::test]
async fn one_that_hangs_ends_with_its_server() {
    let stand = bed::stand("hanging").await;
    let (faults, pod) = (bed::faults().await, bed::pod(&stand.space));
    faults.hang_prompts(&pod, "hangs");
    let asked = ["this hangs", "this does not"];
    stand.space.apply(&install("demo", POD, &prompts(&asked))).await;
    bed::wait_asked(&stand.space, asked[0]).await;
    let status = wait_status(&stand.space, "demo", "the first is on its way", |status| {
        bed::states(status) == [Sending]
    })
    .await;
    assert_eq!(
        status.phase,
        Some(Phase::Ready),
        "the model serves others meanwhile"
    );
    assert_eq!(condition(&status, "PromptsAnswered").unwrap().reason, "NotYet");

    assert_eq!(
        faults.crash(
            &pod.clone().container("ollama"),
            139,
            "SIGSEGV: segmentation violation"
        ),
        1
    );
    let status = wait_prompts(&stand.space, "demo", asked.len()).await;
    assert_eq!(bed::states(&status), [Failed, Answered], "{status:?}");
    assert_eq!(journal(&stand.space).await.prompts(), asked);
    wait_phase(&stand.space, "demo", Phase::Ready).await;
    let resource: NvidiaGpuLlm = stand.space.api().get("demo").await.unwrap();
    assert_eq!(resource.metadata.generation, Some(1));
}
