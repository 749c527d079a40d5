//! The end of resources, and of what was made for them.

use std::time::{Duration, Instant};

use api::infra_example_com::v1::{NvidiaGpuLlm, Phase};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::{Api, ResourceExt, api::DeleteParams};
use serde_json::json;

use crate::{
    common::{PATIENCE, Space, stand::Stand},
    scene::{all_answered, bed, everything, journal, merge, pod, served, told, uid, wait_left},
    seen::{install, resource, wait_phase, wait_reason},
};

const FULL: &str = "  serviceEnabled: true\n  persistentStorage: true\n  prompts: [one]";
/// The longest that a deletion may wait for what does not go, with some room for a loaded machine.
const NOT_LONGER: Duration = Duration::from_secs(25);

/// Waits for the phase `Terminating`; the status of a resource on its way out may be of any generation.
async fn terminating(space: &Space, name: &str) -> String {
    let resource: NvidiaGpuLlm = space
        .wait("Terminating", name, |resource: &NvidiaGpuLlm| {
            let status = resource.status.as_ref();
            status.is_some_and(|status| status.phase == Some(Phase::Terminating))
        })
        .await;
    resource.status.unwrap().message.unwrap()
}

/// The resource says `Terminating`, and what goes first, until everything that it made is gone; then it goes too.
/// Promises: S0-6, S0-20, S0-31, S0-34
#[tokio::test]
async fn everything_goes_first_and_the_resource_last() {
    let space = bed().await.space("gone").await;
    served(&space, FULL).await;
    all_answered(&space, "demo").await;
    let all = [
        "ConfigMap llm-answers",
        "NetworkPolicy llm",
        "NvidiaGpuLlm demo",
        "PersistentVolumeClaim llm",
        "Pod llm",
        "Service llm",
    ];
    assert_eq!(everything(&space).await, all);
    // Held until that was read: what goes first may be gone before anybody has looked.
    let held = json!({"metadata": {"finalizers": ["example.com/held"]}});
    merge::<Pod>(&space, "llm", held).await.unwrap();
    let begun = Instant::now();
    space.delete::<NvidiaGpuLlm>("demo").await;
    let message = terminating(&space, "demo").await;
    assert!(message.contains("Pod llm"), "{message}");
    merge::<Pod>(&space, "llm", json!({"metadata": {"finalizers": null}}))
        .await
        .unwrap();
    testkit::until("the resource goes last", PATIENCE, async || {
        let left = everything(&space).await;
        if left.is_empty() {
            return Ok(());
        }
        assert!(
            left.contains(&"NvidiaGpuLlm demo".to_owned()),
            "it went before {left:?}"
        );
        Err(format!("{left:?}"))
    })
    .await
    .unwrap();
    assert!(begun.elapsed() < NOT_LONGER, "{:?}", begun.elapsed());
}

/// Deleted while no operator runs, it waits for one, and then goes with everything.
/// Promises: S0-6, S0-31
#[tokio::test]
async fn deleted_while_no_operator_runs() {
    let mut stand = Stand::new("off").await;
    served(&stand.space, FULL).await;
    all_answered(&stand.space, "demo").await;
    stand.operator.process.kill9();
    stand.space.delete::<NvidiaGpuLlm>("demo").await;
    let waits = stand.space.api::<NvidiaGpuLlm>().get("demo").await.unwrap();
    assert_eq!(waits.finalizers(), ["infra.example.com/gpu-llm"]);
    let before = pod(&stand.space, "llm").await;
    assert_eq!(before.metadata.deletion_timestamp, None);
    let begun = Instant::now();
    stand.restart().await;
    wait_left(&stand.space, &[]).await;
    assert!(begun.elapsed() < NOT_LONGER, "{:?}", begun.elapsed());
}

/// A Pod that does not go holds the deletion up for seconds, not for ever: the resource goes, and an Event says what is left.
/// Promises: S0-31
#[tokio::test]
async fn a_stuck_pod_does_not_hold_the_resource() {
    let space = bed().await.space("stuck").await;
    served(&space, "").await;
    merge::<Pod>(
        &space,
        "llm",
        json!({"metadata": {"finalizers": ["example.com/stuck"]}}),
    )
    .await
    .unwrap();
    let begun = Instant::now();
    space.delete::<NvidiaGpuLlm>("demo").await;
    let message = terminating(&space, "demo").await;
    assert!(message.contains("Pod llm"), "{message}");
    space.wait_gone::<NvidiaGpuLlm>("demo").await;
    assert!(begun.elapsed() < NOT_LONGER, "{:?}", begun.elapsed());
    let note = told(&space, "demo", "ObjectsLeft").await;
    assert!(note.contains("Pod llm"), "{note}");
    assert!(pod(&space, "llm").await.metadata.deletion_timestamp.is_some());

    // A successor of the same name waits for the Pod, and then makes its own.
    space.apply(&install("demo", "llm", "")).await;
    let stuck = wait_phase_of_new(&space).await;
    merge::<Pod>(&space, "llm", json!({"metadata": {"finalizers": null}}))
        .await
        .unwrap();
    wait_phase(&space, "demo", Phase::Ready).await;
    assert_ne!(uid(&pod(&space, "llm").await), stuck);
}

/// The uid of the stuck Pod, once the new resource has met it.
async fn wait_phase_of_new(space: &Space) -> String {
    let resource: NvidiaGpuLlm = space
        .wait("has met the Pod", "demo", |resource: &NvidiaGpuLlm| {
            let status = resource.status.as_ref();
            status.is_some_and(|status| status.reason.as_deref() != Some("Begun"))
        })
        .await;
    let status = resource.status.unwrap();
    assert_ne!(status.phase, Some(Phase::Ready), "{status:?}");
    uid(&pod(space, "llm").await)
}

/// Deleted in the middle of things: while its image or model is pulled, while it waits for GPUs, while a prompt is answered,
/// when it was never accepted, held down, finished.
/// Promises: S0-31
#[tokio::test]
async fn deleted_in_every_state() {
    let bed = bed().await;
    let space = bed.space("states").await;
    let faults = crate::scene::faults(bed);
    faults.stall_load(&crate::scene::target(&space, "pulling"));
    faults.hang_prompts(&crate::scene::target(&space, "asking"), "one");
    for (name, more) in [
        ("pulling", ""),
        ("waiting", "  gpuCount: 64"),
        ("asking", "  prompts: [one]"),
        ("wrong", "  nodeSelector: {disk: \"no such value!\"}"),
        ("finished", "  keepAlive: false"),
        ("down", ""),
    ] {
        space.apply(&install(name, name, more)).await;
    }
    space.apply(&resource("cleanup", "uninstall", "down", "")).await;
    space.apply(&resource("look", "status", "asking", "")).await;
    wait_phase(&space, "waiting", Phase::Pending).await;
    wait_phase(&space, "wrong", Phase::Failed).await;
    wait_reason(&space, "finished", "Finished").await;
    wait_reason(&space, "down", "HeldDown").await;
    testkit::until("the prompt is asked", PATIENCE, async || {
        (journal(bed, &space).prompts() == ["one"]).then_some(())
    })
    .await
    .unwrap();
    space
        .wait("pulls", "pulling", |pod: &Pod| {
            let status = pod
                .status
                .as_ref()
                .and_then(|status| status.init_container_statuses.as_ref());
            let state = status.and_then(|statuses| statuses[0].state.as_ref());
            state.is_some_and(|state| state.running.is_some())
        })
        .await;
    let begun = Instant::now();
    let api = space.api::<NvidiaGpuLlm>();
    api.delete_collection(&DeleteParams::default(), &kube::api::ListParams::default())
        .await
        .unwrap();
    wait_left(&space, &[]).await;
    assert!(begun.elapsed() < NOT_LONGER, "{:?}", begun.elapsed());
    assert!(!space.events("asking").await.contains_key("ObjectsLeft"));
}

/// Deleted and made again under the same name: the new one has a Pod of its own, and its prompts are its own.
/// Promises: S0-31, S0-34
#[tokio::test]
async fn a_successor_of_the_same_name_begins_anew() {
    let bed = bed().await;
    let space = bed.space("successor").await;
    let before = served(&space, FULL).await;
    all_answered(&space, "demo").await;
    let (worked, said) = space
        .kubectl(&["delete", "gpullm", "demo", "--timeout=50s"])
        .await;
    assert!(worked, "{said}");
    let after = served(&space, FULL).await;
    all_answered(&space, "demo").await;
    assert_ne!(uid(&after), uid(&before));
    for pod in [&before, &after] {
        assert_eq!(journal(bed, &space).of_uid(&uid(pod)).prompts(), ["one"]);
    }
    assert_eq!(
        journal(bed, &space).downloads("tinyllama:latest"),
        2,
        "the claim went too"
    );
}

/// A namespace goes with everything in it, and hangs on nothing.
/// Promises: S0-31
#[tokio::test]
async fn a_namespace_goes_without_hanging() {
    let space = bed().await.space("nogo").await;
    served(&space, FULL).await;
    space.apply(&install("more", "more", "  keepAlive: false")).await;
    wait_reason(&space, "more", "Finished").await;
    space.apply(&install("late", "late", "  gpuCount: 64")).await;
    space.apply(&resource("look", "status", "llm", "")).await;
    space.apply(&resource("cleanup", "uninstall", "more", "")).await;
    let namespaces: Api<Namespace> = Api::all(space.client.clone());
    let begun = Instant::now();
    namespaces
        .delete(&space.namespace, &DeleteParams::default())
        .await
        .unwrap();
    testkit::until("the namespace is gone", PATIENCE, async || {
        match namespaces.get_opt(&space.namespace).await.unwrap() {
            None => Ok(()),
            Some(left) => Err(format!("{:?}", left.status)),
        }
    })
    .await
    .unwrap();
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    // The operator goes on elsewhere.
    let next = bed().await.space("next").await;
    served(&next, "").await;
}
