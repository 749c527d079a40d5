//! What others break, and what becomes of it.

use std::time::Duration;

use api::infra_example_com::v1::Phase;
use k8s_openapi::api::{
    core::v1::{ConfigMap, Pod, Service},
    networking::v1::NetworkPolicy,
};
use kube::ResourceExt;
use serde_json::json;

use crate::{
    common::{Bed, PATIENCE, Space},
    scene::{
        all_answered, assert_untouched, bed, faults, journal, merge, pod, restarts, served, successor,
        target, told, uid,
    },
    seen::{install, wait_phase, wait_reason, wait_status},
};

/// Longer than the minute after which a server that serves is looked at again.
const OVER_A_MINUTE: Duration = Duration::from_mins(2);

/// Waits until engines have loaded the model so often; a status that was ready before may not know of the loss yet.
async fn loaded(bed: &Bed, space: &Space, times: usize) {
    let loads = async || {
        let seen = journal(bed, space).loads("tinyllama:latest");
        if seen >= times { Ok(()) } else { Err(seen) }
    };
    testkit::until(format!("the model is loaded {times} times"), PATIENCE, loads)
        .await
        .unwrap();
}

/// A Pod that was deleted, killed at once or evicted is made anew; its prompts are not sent again, and the claim's model is
/// not pulled again.
/// Promises: S0-28, S0-33
#[tokio::test]
async fn a_lost_pod_is_made_anew() {
    let bed = bed().await;
    let space = bed.space("lost").await;
    let first = served(&space, "  persistentStorage: true\n  prompts: [one]").await;
    let answers = all_answered(&space, "demo").await.prompts;

    space.delete::<Pod>("llm").await;
    let second = successor(&space, "llm", &first).await;
    loaded(bed, &space, 2).await;
    let now = kube::api::DeleteParams::default().grace_period(0);
    space.api::<Pod>().delete("llm", &now).await.unwrap();
    let third = successor(&space, "llm", &second).await;
    loaded(bed, &space, 3).await;
    assert_eq!(faults(bed).evict(&target(&space, "llm")), 1);
    let fourth = successor(&space, "llm", &third).await;
    loaded(bed, &space, 4).await;
    let status = wait_status(&space, "demo", "ready on the fourth", |status| {
        status.phase == Some(Phase::Ready) && status.gpu_assigned == Some(true)
    })
    .await;
    assert_eq!(status.prompts, answers);
    assert_eq!(uid(&pod(&space, "llm").await), uid(&fourth));
    let records = journal(bed, &space);
    assert_eq!(
        (records.prompts(), records.downloads("tinyllama:latest")),
        (vec!["one"], 1)
    );
    assert_eq!(records.loads("tinyllama:latest"), 4);
}

/// A container that crashes restarts in its Pod: the model is loaded again, and nothing is sent again.
/// Promises: S0-28, S0-33
#[tokio::test]
async fn a_crash_restarts_in_place() {
    let bed = bed().await;
    let space = bed.space("restart").await;
    let before = served(&space, "  prompts: [one]").await;
    all_answered(&space, "demo").await;
    assert_eq!(
        faults(bed).crash(&target(&space, "llm").container("ollama"), 2, "boom"),
        1
    );
    space
        .wait("has restarted", "llm", |pod: &Pod| {
            restarts(pod) > restarts(&before)
        })
        .await;
    loaded(bed, &space, 2).await;
    all_answered(&space, "demo").await;
    assert_eq!(uid(&pod(&space, "llm").await), uid(&before));
    assert_eq!(journal(bed, &space).prompts(), ["one"]);
}

/// Service and NetworkPolicy that were deleted or edited are as before, beside a Pod that serves on.
/// Promises: S0-14, S0-28
#[tokio::test]
async fn deleted_and_edited_objects_are_put_back() {
    let space = bed().await.space("back").await;
    let before = served(
        &space,
        "  serviceEnabled: true\n  access: {from: [{ipBlock: {cidr: 10.0.0.0/8}}]}",
    )
    .await;
    let service: Service = space.api().get("llm").await.unwrap();
    let policy: NetworkPolicy = space.api().get("llm").await.unwrap();
    space.delete::<Service>("llm").await;
    space.delete::<NetworkPolicy>("llm").await;
    let service = space
        .wait("is back", "llm", |new: &Service| new.uid() != service.uid())
        .await;
    let policy = space
        .wait("is back", "llm", |new: &NetworkPolicy| new.uid() != policy.uid())
        .await;

    let stray = json!({"spec": {"selector": {"llm-operator.io/name": "nobody"}, "ports": [{"name": "http", "port": 11434, "targetPort": 1}]}});
    merge::<Service>(&space, "llm", stray).await.unwrap();
    merge::<NetworkPolicy>(&space, "llm", json!({"spec": {"ingress": [{}]}}))
        .await
        .unwrap();
    let (spec, rules) = (service.spec.unwrap(), policy.spec.unwrap());
    space
        .wait("is as it was", "llm", |now: &Service| {
            let now = now.spec.as_ref().unwrap();
            now.selector == spec.selector && now.ports == spec.ports
        })
        .await;
    space
        .wait("is as it was", "llm", |now: &NetworkPolicy| {
            now.spec.as_ref() == Some(&rules)
        })
        .await;
    wait_phase(&space, "demo", Phase::Ready).await;
    assert_untouched(&space, &before).await;
    let note = told(&space, "demo", "Repaired").await;
    assert!(note.contains("llm had been changed"), "{note}");
}

/// Labels and image of the Pod that were edited are put right in place; it is not replaced for what somebody else did.
/// Promises: S0-28
#[tokio::test]
async fn an_edited_pod_is_put_right_in_place() {
    let bed = bed().await;
    let space = bed.space("edited-pod").await;
    let before = served(&space, "  serviceEnabled: true").await;
    let labels = before.labels().clone();
    for lost in [
        "app.kubernetes.io/managed-by",
        "llm-operator.io/name",
        "llm-operator.io/kind",
    ] {
        assert!(labels.contains_key(lost), "{lost}");
        merge::<Pod>(&space, "llm", json!({"metadata": {"labels": {lost: null}}}))
            .await
            .unwrap();
        space
            .wait(&format!("has {lost} again"), "llm", |pod: &Pod| {
                *pod.labels() == labels
            })
            .await;
    }
    merge::<Pod>(
        &space,
        "llm",
        json!({"metadata": {"labels": {"llm-operator.io/name": "nobody", "mine": "stays"}}}),
    )
    .await
    .unwrap();
    space
        .wait("has its name again", "llm", |pod: &Pod| {
            pod.labels()["llm-operator.io/name"] == "demo" && pod.labels()["mine"] == "stays"
        })
        .await;
    wait_phase(&space, "demo", Phase::Ready).await;
    let after = pod(&space, "llm").await;
    assert_eq!(
        (uid(&after), after.metadata.deletion_timestamp),
        (uid(&before), None)
    );
}

/// Another image by hand: the Pod that serves in the end has the one that is asked for, and its prompts are not sent again.
/// Promises: S0-28, S0-33
#[tokio::test]
async fn an_image_edited_by_hand_is_put_right() {
    let bed = bed().await;
    let space = bed.space("image").await;
    let before = served(&space, "  prompts: [one]").await;
    all_answered(&space, "demo").await;
    let wanted = before.spec.unwrap().containers[0].image.clone();
    let image = json!({"spec": {"containers": [{"name": "ollama", "image": "ollama/ollama:0.1.0"}]}});
    let patch = kube::api::Patch::Strategic(image);
    space
        .api::<Pod>()
        .patch("llm", &kube::api::PatchParams::default(), &patch)
        .await
        .unwrap();
    space
        .wait("runs the image that is asked for", "llm", |pod: &Pod| {
            let status = pod.status.as_ref().unwrap();
            let running = status.container_statuses.as_ref().is_some_and(|all| all[0].ready);
            let image = &pod.spec.as_ref().unwrap().containers[0].image;
            pod.metadata.deletion_timestamp.is_none() && running && *image == wanted
        })
        .await;
    all_answered(&space, "demo").await;
    assert_eq!(journal(bed, &space).prompts(), ["one"]);
}

/// The answers of prompts that somebody deleted are not asked for again.
/// Promises: S0-33
#[tokio::test]
async fn deleted_answers_are_not_asked_for_again() {
    let bed = bed().await;
    let space = bed.space("answers").await;
    let before = served(&space, "  prompts: [one, two]").await;
    let answers = all_answered(&space, "demo").await.prompts;
    space.delete::<ConfigMap>("llm-answers").await;
    space.delete::<Pod>("llm").await;
    successor(&space, "llm", &before).await;
    let status = all_answered(&space, "demo").await;
    assert_eq!(status.prompts, answers);
    assert_eq!(journal(bed, &space).prompts(), ["one", "two"]);
}

async fn ollama(pod: &Pod, method: &str, path: &str, body: &str) -> String {
    let address = pod.status.as_ref().unwrap().pod_ip.clone().unwrap();
    let url = format!("http://{address}:11434{path}");
    let output = tokio::process::Command::new("curl")
        .args(["-sS", "-f", "-m", "10", "-X", method, "-d", body, &url])
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{method} {url}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Somebody removes the model from the server: within about a minute it is missed, pulled again and served, by the same Pod.
/// Promises: S0-23, S0-27, S0-28
#[tokio::test]
async fn a_model_that_was_removed_is_pulled_again() {
    let bed = bed().await;
    let space = bed.space("removed").await;
    let before = served(&space, "  prompts: [one]").await;
    all_answered(&space, "demo").await;
    ollama(&before, "DELETE", "/api/delete", r#"{"model": "tinyllama"}"#).await;
    assert!(
        !ollama(&before, "GET", "/api/tags", "")
            .await
            .contains("tinyllama")
    );
    testkit::until("the model is there again", OVER_A_MINUTE, async || {
        ollama(&before, "GET", "/api/tags", "")
            .await
            .contains("tinyllama")
            .then_some(())
    })
    .await
    .unwrap();
    assert_eq!(journal(bed, &space).downloads("tinyllama:latest"), 2);
    let status = wait_phase(&space, "demo", Phase::Ready).await;
    assert_eq!(status.model_loaded.as_deref(), Some("tinyllama"));
    assert_untouched(&space, &before).await;
    assert_eq!(journal(bed, &space).prompts(), ["one"]);
}

/// A node that does not answer any more is told by its name; when it is back, so is the model.
/// Promises: S0-20, S0-21, S0-28
#[tokio::test]
async fn a_lost_node_is_told() {
    let bed = bed().await;
    let space = bed.space("node").await;
    let node = testkit::NodeSpec::h100("frail-box", 1)
        .label("box", "frail")
        .taint("box", "frail", "NoSchedule");
    bed.cluster.nodes().unwrap().add(node).await.unwrap();
    let there = "  nodeSelector: {box: frail}\n  tolerations: [{key: box, operator: Exists}]";
    let before = served(&space, there).await;
    faults(bed).cut_off("frail-box", true);
    let lost = wait_reason(&space, "demo", "NodeLost").await;
    assert_eq!(lost.phase, Some(Phase::Pending));
    assert!(lost.message.unwrap().contains("frail-box"));
    faults(bed).cut_off("frail-box", false);
    wait_phase(&space, "demo", Phase::Ready).await;
    assert_untouched(&space, &before).await;
}

/// A pull that fails is told in the library's words, and goes on when the library does.
/// Promises: S0-21, S0-28
#[tokio::test]
async fn a_pull_that_fails_heals() {
    let bed = bed().await;
    let space: Space = bed.space("pull").await;
    let llm = target(&space, "llm");
    faults(bed).fail_model_pull(&llm, "pull model manifest: file does not exist");
    space.apply(&install("demo", "llm", "  model: llama2:7b")).await;
    let status = wait_status(&space, "demo", "the pull's words", |status| {
        status
            .message
            .as_deref()
            .is_some_and(|message| message.contains("file does not exist"))
    })
    .await;
    assert_eq!((status.phase, status.model_loaded), (Some(Phase::Failed), None));
    faults(bed).heal(&llm);
    let status = wait_phase(&space, "demo", Phase::Ready).await;
    assert_eq!(status.model_loaded.as_deref(), Some("llama2:7b"));
}
