//! `keepAlive: false`: a Pod that ends after its prompts, and what makes it run again.

use api::infra_example_com::v1::{NvidiaGpuLlm, Phase, PromptState};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{Api, ResourceExt, api::ListParams};
use serde_json::json;

use crate::{
    common::{PATIENCE, Space},
    scene::{bed, edit, event_reasons, faults, journal, merge, pod, pod_phase, successor, target, uid},
    seen::{condition, install, wait_phase, wait_reason, wait_status},
};

const ENDS: &str = "  keepAlive: false\n";

/// Installs `demo` with these prompts and waits until it has finished. Returns its Pod.
async fn finished(space: &Space, prompts: &str) -> Pod {
    space
        .apply(&install("demo", "llm", &format!("{ENDS}{prompts}")))
        .await;
    let status = wait_reason(space, "demo", "Finished").await;
    assert_eq!(
        (status.phase, status.gpu_assigned, status.pod_name.as_deref()),
        (Some(Phase::Ready), Some(false), Some("llm"))
    );
    assert_eq!(status.finished_generation, Some(1));
    let pod = pod(space, "llm").await;
    assert_eq!(pod_phase(&pod), "Succeeded");
    assert_eq!(pod.metadata.deletion_timestamp, None, "kept, for its log");
    pod
}

/// Waits until another resource has been served from start to end: whatever the operator still had to do for `demo` is done.
async fn others_are_served(space: &Space, name: &str) {
    space.apply(&install(name, name, "")).await;
    wait_phase(space, name, Phase::Ready).await;
}

/// With none, one and three prompts the Pod ends by itself, is kept, and its GPU is free: the scheduler counts it no more.
/// Promises: S0-16, S0-19, S0-24, S0-28
#[tokio::test]
async fn after_its_prompts_the_pod_ends() {
    let bed = bed().await;
    for (prefix, prompts, asked) in [
        ("none", "", vec![]),
        ("one", "  prompts: [one]", vec!["one"]),
        (
            "three",
            "  prompts: [one, two, three]",
            vec!["one", "two", "three"],
        ),
    ] {
        let space = bed.space(prefix).await;
        let ended = finished(&space, prompts).await;
        assert_eq!(journal(bed, &space).prompts(), asked);
        assert_eq!(
            journal(bed, &space).loads("tinyllama:latest"),
            1,
            "{prefix}: it was loaded"
        );
        let resource = space.api::<NvidiaGpuLlm>().get("demo").await.unwrap();
        let status = resource.status.unwrap();
        assert_eq!(status.prompts.len(), asked.len());
        assert!(
            status
                .prompts
                .iter()
                .all(|prompt| prompt.state == PromptState::Answered)
        );
        assert_eq!(condition(&status, "PromptsAnswered").unwrap().status, "True");
        let terminated = ended.status.unwrap().container_statuses.unwrap()[0]
            .state
            .clone()
            .unwrap()
            .terminated;
        assert_eq!(terminated.unwrap().exit_code, 0);
        space.delete::<NvidiaGpuLlm>("demo").await;
        space.wait_gone::<NvidiaGpuLlm>("demo").await;
        space.wait_gone::<Pod>("llm").await;
    }
}

/// The GPUs of a Pod that has ended are another's: on a node with two, two finish one after the other.
/// Promises: S0-19, S0-24
#[tokio::test]
async fn its_gpus_are_free() {
    let bed = bed().await;
    let space = bed.space("free").await;
    let node = testkit::NodeSpec::h100("small-box", 2)
        .label("box", "small")
        .taint("box", "small", "NoSchedule");
    bed.cluster.nodes().unwrap().add(node).await.unwrap();
    let there =
        "  gpuCount: 2\n  nodeSelector: {box: small}\n  tolerations: [{key: box, operator: Exists}]\n";
    finished(&space, &format!("{there}  prompts: [one]")).await;
    space.apply(&install("next", "next", there)).await;
    let status = wait_phase(&space, "next", Phase::Ready).await;
    assert_eq!(status.gpu_assigned, Some(true));
    let nodes: Api<Node> = Api::all(space.client.clone());
    assert!(nodes.get("small-box").await.is_ok());
    let on = ListParams::default().fields("spec.nodeName=small-box");
    let pods = space.api::<Pod>().list(&on).await.unwrap();
    assert_eq!(pods.items.len(), 2, "the one that has ended is still there");
}

/// The Pod of a finished run may be deleted: it stays away, and nothing is sent again, until the spec changes.
/// Promises: S0-19, S0-33
#[tokio::test]
async fn a_finished_pod_that_is_deleted_stays_away() {
    let bed = bed().await;
    let space = bed.space("away").await;
    let ended = finished(&space, "  prompts: [one, two]").await;
    let answers = space
        .api::<NvidiaGpuLlm>()
        .get("demo")
        .await
        .unwrap()
        .status
        .unwrap()
        .prompts;
    space.delete::<Pod>("llm").await;
    let status = wait_status(&space, "demo", "without a Pod", |status| {
        status.pod_name.is_none()
    })
    .await;
    assert_eq!(
        (status.phase, status.reason.as_deref(), status.gpu_assigned),
        (Some(Phase::Ready), Some("Finished"), Some(false))
    );
    assert_eq!(status.prompts, answers);
    others_are_served(&space, "other").await;
    assert!(space.api::<Pod>().get_opt("llm").await.unwrap().is_none());
    assert_eq!(journal(bed, &space).prompts(), ["one", "two"]);

    edit(&space, "demo", json!({"prompts": ["three"]})).await;
    let status = wait_status(&space, "demo", "finished again", |status| {
        status.reason.as_deref() == Some("Finished") && status.finished_generation == Some(2)
    })
    .await;
    assert_eq!(status.prompts.len(), 1);
    assert_ne!(uid(&pod(&space, "llm").await), uid(&ended));
    assert_eq!(journal(bed, &space).prompts(), ["one", "two", "three"]);
}

/// A change of the spec runs a finished one again, in a new Pod, once.
/// Promises: S0-6, S0-19, S0-33
#[tokio::test]
async fn a_change_runs_it_again() {
    let bed = bed().await;
    let space = bed.space("rerun").await;
    let first = finished(&space, "  persistentStorage: true\n  prompts: [one]").await;
    edit(&space, "demo", json!({"memory": "5Gi"})).await;
    successor(&space, "llm", &first).await;
    wait_status(&space, "demo", "finished again", |status| {
        status.reason.as_deref() == Some("Finished") && status.finished_generation == Some(2)
    })
    .await;
    let second = pod(&space, "llm").await;
    assert_eq!(pod_phase(&second), "Succeeded");
    let records = journal(bed, &space);
    for pod in [&first, &second] {
        assert_eq!(records.of_uid(&uid(pod)).prompts(), ["one"]);
    }
    assert_eq!(records.downloads("tinyllama:latest"), 1, "the claim has it");
}

/// A Pod that is lost while prompts are left is made anew, and goes on with those that are left.
/// Promises: S0-16, S0-19
#[tokio::test]
async fn lost_in_the_middle_it_goes_on_where_it_was() {
    let bed = bed().await;
    let space = bed.space("middle").await;
    let llm = target(&space, "llm");
    faults(bed).hang_prompts(&llm, "two");
    space
        .apply(&install(
            "demo",
            "llm",
            &format!("{ENDS}  prompts: [one, two, three]"),
        ))
        .await;
    let first = testkit::until("the second prompt hangs", PATIENCE, async || {
        journal(bed, &space).prompts().contains(&"two").then_some(())
    });
    first.await.unwrap();
    let before = pod(&space, "llm").await;
    faults(bed).heal(&llm);
    let now = kube::api::DeleteParams::default().grace_period(0);
    space.api::<Pod>().delete("llm", &now).await.unwrap();
    let status = wait_reason(&space, "demo", "Finished").await;
    let ends: Vec<PromptState> = status.prompts.iter().map(|prompt| prompt.state).collect();
    assert_eq!(
        ends,
        [PromptState::Answered, PromptState::Failed, PromptState::Answered]
    );
    let told = condition(&status, "PromptsAnswered").unwrap();
    assert_eq!(
        (told.status.as_str(), told.reason.as_str()),
        ("False", "SomeFailed")
    );
    let after = pod(&space, "llm").await;
    let records = journal(bed, &space);
    assert_eq!(records.of_uid(&uid(&before)).prompts(), ["one", "two"]);
    assert_eq!(
        records.of_uid(&uid(&after)).prompts(),
        ["three"],
        "what was answered is not sent again"
    );
}

/// A server that crashes makes it `Failed`, with its last words, and so it stays until somebody deletes the Pod; what was
/// answered before is not asked again.
/// Promises: S0-19, S0-28, S0-33
#[tokio::test]
async fn a_crash_stays_until_somebody_acts() {
    let bed = bed().await;
    let space = bed.space("crash").await;
    let llm = target(&space, "llm").container("ollama");
    faults(bed).hang_prompts(&llm, "two");
    space
        .apply(&install(
            "demo",
            "llm",
            &format!("{ENDS}  prompts: [one, two, three]"),
        ))
        .await;
    let second = testkit::until("the second prompt hangs", PATIENCE, async || {
        journal(bed, &space).prompts().contains(&"two").then_some(())
    });
    second.await.unwrap();
    let crashed = pod(&space, "llm").await;
    faults(bed).crash(&llm, 2, "CUDA error: an illegal memory access was encountered");
    faults(bed).heal(&llm);
    let failed = wait_phase(&space, "demo", Phase::Failed).await;
    let message = failed.message.clone().unwrap();
    assert!(message.contains("illegal memory access"), "{message}");
    assert_eq!(failed.gpu_assigned, Some(false));
    others_are_served(&space, "other").await;
    let still = space
        .api::<NvidiaGpuLlm>()
        .get("demo")
        .await
        .unwrap()
        .status
        .unwrap();
    assert_eq!(
        (still.phase, still.reason.clone()),
        (Some(Phase::Failed), failed.reason)
    );
    assert_eq!(uid(&pod(&space, "llm").await), uid(&crashed));
    assert_eq!(journal(bed, &space).prompts(), ["one", "two"]);

    space.delete::<Pod>("llm").await;
    let status = wait_reason(&space, "demo", "Finished").await;
    assert_eq!(status.phase, Some(Phase::Ready));
    assert_eq!(journal(bed, &space).prompts(), ["one", "two", "three"]);
    assert!(
        !event_reasons(&space, "demo")
            .await
            .contains(&"Repaired".to_owned())
    );
}

/// The same, ended by a change of the spec, which runs all of it again.
/// Promises: S0-6, S0-19, S0-28
#[tokio::test]
async fn a_crash_is_over_with_a_new_spec() {
    let bed = bed().await;
    let space = bed.space("crashed").await;
    let llm = target(&space, "llm").container("ollama");
    faults(bed).crash_at_start(&llm, 2, "boom");
    space
        .apply(&install("demo", "llm", &format!("{ENDS}  prompts: [one]")))
        .await;
    wait_phase(&space, "demo", Phase::Failed).await;
    let crashed = pod(&space, "llm").await;
    faults(bed).heal(&llm);
    merge::<NvidiaGpuLlm>(&space, "demo", json!({"metadata": {"labels": {"no": "change"}}}))
        .await
        .unwrap();
    others_are_served(&space, "other").await;
    assert_eq!(
        uid(&pod(&space, "llm").await),
        uid(&crashed),
        "no change of the spec"
    );
    edit(&space, "demo", json!({"memory": "5Gi"})).await;
    wait_reason(&space, "demo", "Finished").await;
    assert_ne!(pod(&space, "llm").await.uid(), crashed.uid());
    assert_eq!(journal(bed, &space).prompts(), ["one"]);
}

/// An evicted Pod did not fail by itself: with prompts left it is made anew.
/// Promises: S0-19
#[tokio::test]
async fn evicted_with_prompts_left_it_is_made_anew() {
    let bed = bed().await;
    let space = bed.space("evicted-end").await;
    let llm = target(&space, "llm");
    faults(bed).hang_prompts(&llm, "one");
    space
        .apply(&install("demo", "llm", &format!("{ENDS}  prompts: [one, two]")))
        .await;
    let asked = testkit::until("the first prompt hangs", PATIENCE, async || {
        journal(bed, &space).prompts().contains(&"one").then_some(())
    });
    asked.await.unwrap();
    let before = pod(&space, "llm").await;
    faults(bed).heal(&llm);
    assert_eq!(faults(bed).evict(&llm), 1);
    successor(&space, "llm", &before).await;
    wait_reason(&space, "demo", "Finished").await;
    assert_eq!(journal(bed, &space).prompts(), ["one", "two"]);
}
