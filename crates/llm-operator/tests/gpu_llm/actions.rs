//! Several resources for one `llmName`, and one resource through several actions.

use api::infra_example_com::v1::{NvidiaGpuLlm, Phase};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Service};
use kube::ResourceExt;
use serde_json::json;

use crate::{
    common::Space,
    scene::{
        all_answered, assert_untouched, bed, edit, everything, journal, pod, pod_phase, served, successor,
        uid, wait_left,
    },
    seen::{install, resource, wait_phase, wait_reason, wait_status},
};

/// Creation times count in seconds: waits until the next object is newer than `name`.
async fn let_a_second_pass(space: &Space, name: &str) {
    let api = space.api::<NvidiaGpuLlm>();
    let created = api.get(name).await.unwrap().creation_timestamp().unwrap().0;
    testkit::until(
        format!("the second of {name} is over"),
        crate::common::PATIENCE,
        async || {
            let now = k8s_openapi::jiff::Timestamp::now();
            (now.as_second() > created.as_second()).then_some(())
        },
    )
    .await
    .unwrap();
}

fn uninstall(name: &str) -> String {
    resource(name, "uninstall", "llm", "")
}

/// What an install with everything leaves behind when it is held down: itself. It comes back when the uninstall goes, with
/// its prompts answered and not asked again.
/// Promises: S0-6, S0-33, S0-39
#[tokio::test]
async fn an_uninstall_holds_down_until_it_is_deleted() {
    let bed = bed().await;
    let space = bed.space("held").await;
    served(
        &space,
        "  serviceEnabled: true\n  persistentStorage: true\n  prompts: [one, two]",
    )
    .await;
    let answers = all_answered(&space, "demo").await.prompts;
    space.apply(&uninstall("cleanup")).await;
    let done = wait_phase(&space, "cleanup", Phase::Ready).await;
    assert_eq!(done.reason.as_deref(), Some("Removed"));
    let message = done.message.unwrap();
    assert!(message.contains("holds down NvidiaGpuLlm demo"), "{message}");
    assert_eq!(
        everything(&space).await,
        ["NvidiaGpuLlm cleanup", "NvidiaGpuLlm demo"]
    );
    let held = wait_reason(&space, "demo", "HeldDown").await;
    assert_eq!(
        (
            held.phase,
            held.pod_name,
            held.model_loaded,
            held.gpu_assigned,
            held.url
        ),
        (Some(Phase::Pending), None, None, Some(false), None)
    );
    let message = held.message.unwrap();
    assert!(
        message.contains("NvidiaGpuLlm cleanup") && message.contains("deleted"),
        "{message}"
    );

    // A change of an old install does not make it newer.
    edit(&space, "demo", json!({"serviceEnabled": false})).await;
    wait_reason(&space, "demo", "HeldDown").await;
    edit(&space, "demo", json!({"serviceEnabled": true})).await;
    wait_reason(&space, "demo", "HeldDown").await;
    assert_eq!(
        everything(&space).await,
        ["NvidiaGpuLlm cleanup", "NvidiaGpuLlm demo"]
    );

    space.delete::<NvidiaGpuLlm>("cleanup").await;
    let back = all_answered(&space, "demo").await;
    assert!(back.url.is_some());
    assert_eq!(back.prompts.len(), answers.len());
    assert_eq!(
        journal(bed, &space).prompts(),
        ["one", "two", "one", "two"],
        "a new spec, so once more"
    );
}

/// The same generation of an install comes back without asking its prompts again.
/// Promises: S0-33
#[tokio::test]
async fn what_comes_back_unchanged_asks_nothing_again() {
    let bed = bed().await;
    let space = bed.space("back").await;
    let before = served(&space, "  prompts: [one, two]").await;
    let answers = all_answered(&space, "demo").await.prompts;
    space.apply(&uninstall("cleanup")).await;
    wait_phase(&space, "cleanup", Phase::Ready).await;
    wait_reason(&space, "demo", "HeldDown").await;
    space.delete::<NvidiaGpuLlm>("cleanup").await;
    let back = all_answered(&space, "demo").await;
    assert_eq!(back.prompts, answers);
    assert_ne!(uid(&pod(&space, "llm").await), uid(&before));
    assert_eq!(journal(bed, &space).prompts(), ["one", "two"]);
}

/// Both in one second: the uninstall wins, whichever came first.
/// Promises: S0-39
#[tokio::test]
async fn on_a_tie_the_uninstall_wins() {
    let space = bed().await.space("tie").await;
    // One call, both within a second; again until they are.
    for attempt in 0.. {
        assert!(attempt < 20, "never in one second");
        let (cleanup, demo) = (format!("cleanup-{attempt}"), format!("demo-{attempt}"));
        let llm = format!("llm-{attempt}");
        let both = [
            resource(&cleanup, "uninstall", &llm, ""),
            install(&demo, &llm, ""),
        ]
        .join("---\n");
        space.apply(&both).await;
        let api = space.api::<NvidiaGpuLlm>();
        let (cleanup, of_demo) = (api.get(&cleanup).await.unwrap(), api.get(&demo).await.unwrap());
        if cleanup.creation_timestamp() == of_demo.creation_timestamp() {
            wait_reason(&space, &demo, "HeldDown").await;
            wait_reason(&space, &cleanup.name_any(), "Removed").await;
            assert!(space.api::<Pod>().get_opt(&llm).await.unwrap().is_none());
            return;
        }
    }
}

/// An install made after the uninstall runs beside it; the older install stays down. When the newer one goes nothing runs,
/// and when the uninstall goes too the older one is back.
/// Promises: S0-6, S0-39
#[tokio::test]
async fn a_newer_install_runs_beside_an_uninstall() {
    let space = bed().await.space("newer").await;
    space.apply(&install("old", "llm", "")).await;
    let_a_second_pass(&space, "old").await;
    space.apply(&uninstall("cleanup")).await;
    wait_reason(&space, "cleanup", "Removed").await;
    let_a_second_pass(&space, "cleanup").await;
    space.apply(&install("new", "llm", "  model: phi")).await;
    let status = wait_phase(&space, "new", Phase::Ready).await;
    assert_eq!(status.model_loaded.as_deref(), Some("phi"));
    let before = pod(&space, "llm").await;
    let superseded = wait_reason(&space, "cleanup", "Superseded").await;
    assert_eq!(superseded.phase, Some(Phase::Ready));
    assert!(superseded.message.unwrap().contains("NvidiaGpuLlm new"));
    wait_reason(&space, "old", "HeldDown").await;
    assert_untouched(&space, &before).await;

    space.delete::<NvidiaGpuLlm>("new").await;
    space.wait_gone::<NvidiaGpuLlm>("new").await;
    wait_reason(&space, "cleanup", "Removed").await;
    wait_reason(&space, "old", "HeldDown").await;
    assert!(space.api::<Pod>().get_opt("llm").await.unwrap().is_none());
    space.delete::<NvidiaGpuLlm>("cleanup").await;
    let status = wait_phase(&space, "old", Phase::Ready).await;
    assert_eq!(status.model_loaded.as_deref(), Some("tinyllama"));
}

/// Two installs of one name: the older has it, the younger says who, makes nothing, and takes over when the older goes.
/// Promises: S0-6, S0-8
#[tokio::test]
async fn of_two_installs_the_older_has_the_name() {
    let space = bed().await.space("two").await;
    let before = served(&space, "").await;
    let_a_second_pass(&space, "demo").await;
    space
        .apply(&install("a-later", "llm", "  model: phi\n  serviceEnabled: true"))
        .await;
    let waiting = wait_reason(&space, "a-later", "NameTaken").await;
    assert_eq!((waiting.phase, waiting.pod_name), (Some(Phase::Pending), None));
    assert!(waiting.message.unwrap().contains("NvidiaGpuLlm demo"));
    wait_phase(&space, "demo", Phase::Ready).await;
    assert_untouched(&space, &before).await;
    assert!(space.api::<Service>().get_opt("llm").await.unwrap().is_none());

    space.delete::<NvidiaGpuLlm>("demo").await;
    let status = wait_phase(&space, "a-later", Phase::Ready).await;
    assert_eq!(
        (status.model_loaded.as_deref(), status.url.is_some()),
        (Some("phi"), true)
    );
    let owner = pod(&space, "llm").await.metadata.owner_references.unwrap();
    assert_eq!((owner.len(), owner[0].name.as_str()), (1, "a-later"));
}

/// A status before, beside and after an install. It makes nothing and changes nothing.
/// Promises: S0-22, S0-23, S0-24, S0-38
#[tokio::test]
async fn a_status_tells_and_makes_nothing() {
    let space = bed().await.space("status").await;
    space.apply(&resource("look", "status", "llm", "")).await;
    let nothing = wait_reason(&space, "look", "PodNotFound").await;
    assert_eq!(
        (
            nothing.phase,
            nothing.pod_name,
            nothing.model_loaded,
            nothing.gpu_assigned
        ),
        (Some(Phase::Pending), None, None, Some(false))
    );
    assert_eq!(everything(&space).await, ["NvidiaGpuLlm look"]);

    let before = served(&space, "").await;
    let told = wait_phase(&space, "look", Phase::Ready).await;
    assert_eq!(
        (
            told.pod_name.as_deref(),
            told.model_loaded.as_deref(),
            told.gpu_assigned
        ),
        (Some("llm"), Some("tinyllama"), Some(true))
    );
    assert!(told.message.unwrap().contains("installed by NvidiaGpuLlm demo"));
    edit(&space, "demo", json!({"model": "phi"})).await;
    successor(&space, "llm", &before).await;
    wait_status(&space, "look", "phi", |status| {
        status.phase == Some(Phase::Ready) && status.model_loaded.as_deref() == Some("phi")
    })
    .await;

    space.delete::<NvidiaGpuLlm>("demo").await;
    wait_reason(&space, "look", "PodNotFound").await;
    wait_left(&space, &["NvidiaGpuLlm look"]).await;
    let look = space.api::<NvidiaGpuLlm>().get("look").await.unwrap();
    assert!(look.finalizers().is_empty(), "it has nothing to wait for");
}

/// A Pod with a GPU that a person made.
async fn by_hand(space: &Space, name: &str) -> Pod {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "mine", "image": "ollama/ollama:0.17.4",
                "resources": {"limits": {"nvidia.com/gpu": 1}},
            }],
        },
    });
    space.apply(&pod.to_string()).await;
    space
        .wait("runs", name, |pod: &Pod| pod_phase(pod) == "Running")
        .await
}

/// A status of a Pod made by hand tells of it, and leaves everything as it is.
/// Promises: S0-22, S0-24, S0-38
#[tokio::test]
async fn a_status_of_a_pod_made_by_hand() {
    let space = bed().await.space("hand").await;
    let mine = by_hand(&space, "llm").await;
    space.apply(&resource("look", "status", "llm", "")).await;
    let told = wait_phase(&space, "look", Phase::Ready).await;
    assert_eq!(
        (
            told.reason.as_deref(),
            told.pod_name.as_deref(),
            told.gpu_assigned,
            told.model_loaded
        ),
        (Some("PodReady"), Some("llm"), Some(true), None)
    );
    assert!(told.message.unwrap().contains("was not made by an NvidiaGpuLlm"));
    assert_eq!(everything(&space).await, ["NvidiaGpuLlm look", "Pod llm"]);
    let now = pod(&space, "llm").await;
    assert_eq!(
        (now.uid(), &now.metadata.labels, now.owner_references()),
        (mine.uid(), &None, &[][..])
    );
}

/// What others have under the name is not ours: an uninstall leaves it, an install waits for it and says so.
/// Promises: S0-8, S0-28, S0-39
#[tokio::test]
async fn what_others_have_under_the_name_is_left_alone() {
    let space = bed().await.space("foreign").await;
    by_hand(&space, "llm").await;
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "llm"}, "spec": {"ports": [{"port": 80}]},
    });
    space.apply(&service.to_string()).await;
    space.apply(&uninstall("cleanup")).await;
    wait_reason(&space, "cleanup", "Removed").await;
    assert_eq!(
        everything(&space).await,
        ["NvidiaGpuLlm cleanup", "Pod llm", "Service llm"]
    );
    space.delete::<NvidiaGpuLlm>("cleanup").await;
    space.wait_gone::<NvidiaGpuLlm>("cleanup").await;

    space.apply(&install("demo", "llm", "")).await;
    let taken = wait_reason(&space, "demo", "NameTaken").await;
    assert_eq!(
        (taken.phase, taken.gpu_assigned, taken.pod_name),
        (Some(Phase::Pending), Some(false), None)
    );
    let message = taken.message.unwrap();
    assert!(message.contains("Pod") && message.contains("llm"), "{message}");
    space.delete::<Pod>("llm").await;
    // Its going is not watched: it is looked for every 20 seconds.
    let status = wait_phase(&space, "demo", Phase::Ready).await;
    assert_eq!(status.gpu_assigned, Some(true));
    assert_eq!(pod(&space, "llm").await.owner_references()[0].name, "demo");
    space.api::<Service>().get("llm").await.unwrap();
}

/// One resource: installed, removed, installed again, and only looked at. The Pod of a status stays and is told as its own.
/// Promises: S0-5, S0-6, S0-34, S0-38, S0-39
#[tokio::test]
async fn one_resource_through_all_actions() {
    let bed = bed().await;
    let space = bed.space("edited").await;
    served(
        &space,
        "  persistentStorage: true\n  serviceEnabled: true\n  prompts: [one]",
    )
    .await;
    all_answered(&space, "demo").await;
    edit(&space, "demo", json!({"action": "uninstall"})).await;
    let removed = wait_reason(&space, "demo", "Removed").await;
    assert_eq!(
        (removed.phase, removed.pod_name, removed.gpu_assigned),
        (Some(Phase::Ready), None, Some(false))
    );
    assert_eq!(everything(&space).await, ["NvidiaGpuLlm demo"]);
    edit(&space, "demo", json!({"action": "install"})).await;
    all_answered(&space, "demo").await;
    let before = pod(&space, "llm").await;
    assert_eq!(journal(bed, &space).prompts(), ["one", "one"]);

    edit(&space, "demo", json!({"action": "status"})).await;
    let told = wait_reason(&space, "demo", "PodReady").await;
    assert_eq!(
        (told.pod_name.as_deref(), told.gpu_assigned),
        (Some("llm"), Some(true))
    );
    let message = told.message.unwrap();
    assert!(message.contains("made by NvidiaGpuLlm demo"), "{message}");
    assert_untouched(&space, &before).await;
    edit(&space, "demo", json!({"action": "install"})).await;
    all_answered(&space, "demo").await;
    assert_untouched(&space, &before).await;
    space.delete::<NvidiaGpuLlm>("demo").await;
    wait_left(&space, &[]).await;
}

/// Another `llmName` moves everything but the claim, which an uninstall of the old name removes.
/// Promises: S0-6, S0-8, S0-39
#[tokio::test]
async fn another_name_moves_the_pod() {
    let space = bed().await.space("renamed").await;
    served(&space, "  persistentStorage: true\n  serviceEnabled: true").await;
    edit(&space, "demo", json!({"llmName": "other"})).await;
    let status = wait_phase(&space, "demo", Phase::Ready).await;
    assert_eq!(status.pod_name.as_deref(), Some("other"));
    let moved = [
        "NetworkPolicy other",
        "NvidiaGpuLlm demo",
        "PersistentVolumeClaim llm",
        "PersistentVolumeClaim other",
        "Pod other",
        "Service other",
    ];
    wait_left(&space, &moved).await;
    let before = pod(&space, "other").await;
    space.apply(&uninstall("cleanup")).await;
    wait_reason(&space, "cleanup", "Removed").await;
    space.wait_gone::<PersistentVolumeClaim>("llm").await;
    assert_untouched(&space, &before).await;
    space.api::<PersistentVolumeClaim>().get("other").await.unwrap();
}

/// An uninstall of what a resource has left that only looks now, and of what is not there at all.
/// Promises: S0-39
#[tokio::test]
async fn an_uninstall_removes_what_nobody_runs_any_more() {
    let space = bed().await.space("nobody").await;
    space.apply(&resource("early", "uninstall", "nothing", "")).await;
    let done = wait_phase(&space, "early", Phase::Ready).await;
    assert_eq!(
        (done.reason.as_deref(), done.gpu_assigned),
        (Some("Removed"), Some(false))
    );
    served(&space, "  persistentStorage: true").await;
    edit(&space, "demo", json!({"action": "status"})).await;
    wait_reason(&space, "demo", "PodReady").await;
    space.apply(&uninstall("cleanup")).await;
    wait_reason(&space, "cleanup", "Removed").await;
    wait_reason(&space, "demo", "PodNotFound").await;
    assert_eq!(
        everything(&space).await,
        ["NvidiaGpuLlm cleanup", "NvidiaGpuLlm demo", "NvidiaGpuLlm early"]
    );
    for name in ["cleanup", "demo", "early"] {
        space.delete::<NvidiaGpuLlm>(name).await;
    }
    wait_left(&space, &[]).await;
}
