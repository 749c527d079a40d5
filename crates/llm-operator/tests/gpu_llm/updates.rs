//! Changes of a spec: what changes in place, what makes the Pod anew, and what stays.

use api::infra_example_com::v1::Phase;
use k8s_openapi::{
    api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service},
    apimachinery::pkg::{api::resource::Quantity, util::intstr::IntOrString},
};
use serde_json::json;

use crate::{
    common::{Space, repository_file},
    scene::{
        all_answered, assert_untouched, bed, edit, journal, pod, pod_phase, served, successor, try_edit, uid,
    },
    seen::{condition, wait_phase, wait_reason, wait_status},
};

fn limit(pod: &Pod, resource: &str) -> Option<Quantity> {
    let resources = pod.spec.as_ref().unwrap().containers[0]
        .resources
        .as_ref()
        .unwrap();
    resources.limits.as_ref().unwrap().get(resource).cloned()
}

/// The document's first example through changes of its model, GPUs, memory and cores: each makes the Pod anew, the new one
/// answers the prompt, and no Pod that goes is asked anything.
/// Promises: S0-6, S0-11, S0-12, S0-16, S0-23, S0-34
#[tokio::test]
async fn what_a_pod_cannot_change_makes_it_anew() {
    let bed = bed().await;
    let space = bed.space("anew").await;
    space
        .apply(&repository_file("manifest-controller/nvidia-gpu-llm-cr.yaml"))
        .await;
    let prompt = all_answered(&space, "tinyllama-demo").await.prompts[0]
        .prompt
        .clone();
    let mut before = pod(&space, "gpu-llm-pod").await;
    let mut asked = vec![uid(&before)];
    assert_eq!(limit(&before, "nvidia.com/gpu"), Some(Quantity("1".into())));
    assert_eq!(limit(&before, "memory"), Some(Quantity("4Gi".into())));
    for (change, model) in [
        (json!({"model": "phi"}), "phi"),
        (json!({"gpuCount": 2}), "phi"),
        (json!({"gpuCount": 0, "memory": "6Gi"}), "phi"),
        (json!({"cpuCores": 3}), "phi"),
    ] {
        edit(&space, "tinyllama-demo", change.clone()).await;
        let after = successor(&space, "gpu-llm-pod", &before).await;
        let status = all_answered(&space, "tinyllama-demo").await;
        assert_eq!(status.model_loaded.as_deref(), Some(model), "{change}");
        assert_eq!(status.prompts.len(), 1);
        before = pod(&space, "gpu-llm-pod").await;
        assert_eq!(uid(&before), uid(&after), "{change}: once");
        asked.push(uid(&before));
    }
    assert_eq!(limit(&before, "nvidia.com/gpu"), None);
    assert_eq!(limit(&before, "memory"), Some(Quantity("6Gi".into())));
    let requests = before.spec.as_ref().unwrap().containers[0]
        .resources
        .clone()
        .unwrap()
        .requests
        .unwrap();
    assert_eq!(requests["cpu"], Quantity("3".into()));
    let records = journal(bed, &space);
    assert_eq!(records.times_asked(&prompt), asked.len());
    for uid in &asked {
        assert_eq!(records.of_uid(uid).prompts(), [prompt.as_str()], "each Pod once");
    }
    let downloads = (
        records.downloads("tinyllama:latest"),
        records.downloads("phi:latest"),
    );
    assert_eq!(
        downloads,
        (1, 4),
        "once per Pod, and never into the one that goes"
    );
}

fn service_port(service: &Service) -> i32 {
    service.spec.as_ref().unwrap().ports.as_ref().unwrap()[0].port
}

/// The document's second example: Service and port change beside a Pod that serves on.
/// Promises: S0-6, S0-14, S0-15, S0-34, S0-37
#[tokio::test]
async fn the_service_changes_and_the_pod_serves_on() {
    let space = bed().await.space("service").await;
    space
        .apply(&repository_file("examples/infra/llama2-service.yaml"))
        .await;
    wait_phase(&space, "llama2-service", Phase::Ready).await;
    let before = pod(&space, "llama2-pod").await;
    let service: Service = space.api().get("llama2-pod").await.unwrap();

    edit(&space, "llama2-service", json!({"servicePort": 8080})).await;
    let status = wait_status(&space, "llama2-service", "the new port", |status| {
        let url = status.url.as_deref().unwrap_or_default();
        status.phase == Some(Phase::Ready) && url.ends_with(":8080")
    })
    .await;
    assert_eq!(
        status.url.unwrap(),
        format!("http://llama2-pod.{}.svc:8080", space.namespace)
    );
    let changed: Service = space.api().get("llama2-pod").await.unwrap();
    assert_eq!((uid(&changed), service_port(&changed)), (uid(&service), 8080));
    let ports = changed.spec.unwrap().ports.unwrap();
    assert_eq!(
        (ports.len(), ports[0].target_port.clone()),
        (1, Some(IntOrString::String("http".into())))
    );
    assert_untouched(&space, &before).await;

    edit(&space, "llama2-service", json!({"serviceEnabled": false})).await;
    space.wait_gone::<Service>("llama2-pod").await;
    let status = wait_phase(&space, "llama2-service", Phase::Ready).await;
    assert_eq!(status.url, None);
    edit(
        &space,
        "llama2-service",
        json!({"serviceEnabled": true, "servicePort": null}),
    )
    .await;
    let again: Service = space.wait("exists", "llama2-pod", |_: &Service| true).await;
    assert_eq!(service_port(&again), 11434, "the default");
    wait_phase(&space, "llama2-service", Phase::Ready).await;
    assert_untouched(&space, &before).await;
}

async fn claim(space: &Space, name: &str) -> PersistentVolumeClaim {
    space.api().get(name).await.unwrap()
}

fn mounts_claim(pod: &Pod) -> bool {
    let volumes = pod.spec.as_ref().unwrap().volumes.iter().flatten();
    volumes
        .filter_map(|volume| volume.persistent_volume_claim.as_ref())
        .any(|claim| claim.claim_name == "llm")
}

/// The claim outlives changes of the model and its own being switched off, and keeps every model that was pulled to it.
/// Promises: S0-17, S0-18, S0-23
#[tokio::test]
async fn the_claim_keeps_what_was_pulled() {
    let bed = bed().await;
    let space = bed.space("claim").await;
    let first = served(&space, "  persistentStorage: true").await;
    let bound = claim(&space, "llm").await;
    assert!(mounts_claim(&first));

    edit(&space, "demo", json!({"model": "phi"})).await;
    let second = successor(&space, "llm", &first).await;
    let status = wait_phase(&space, "demo", Phase::Ready).await;
    assert_eq!(status.model_loaded.as_deref(), Some("phi"));
    edit(&space, "demo", json!({"model": "tinyllama"})).await;
    let third = successor(&space, "llm", &second).await;
    let status = wait_phase(&space, "demo", Phase::Ready).await;
    assert_eq!(status.model_loaded.as_deref(), Some("tinyllama"));
    assert_eq!(uid(&claim(&space, "llm").await), uid(&bound));
    let pulled = journal(bed, &space);
    assert_eq!(
        (
            pulled.downloads("tinyllama:latest"),
            pulled.downloads("phi:latest")
        ),
        (1, 1)
    );

    edit(&space, "demo", json!({"persistentStorage": false})).await;
    let fourth = successor(&space, "llm", &third).await;
    wait_phase(&space, "demo", Phase::Ready).await;
    assert!(!mounts_claim(&fourth));
    let kept = claim(&space, "llm").await;
    assert_eq!(
        (uid(&kept), kept.metadata.deletion_timestamp),
        (uid(&bound), None)
    );
    assert_eq!(
        journal(bed, &space).downloads("tinyllama:latest"),
        2,
        "onto its own disk"
    );

    edit(
        &space,
        "demo",
        json!({"persistentStorage": true, "storageSize": "12Gi"}),
    )
    .await;
    let fifth = successor(&space, "llm", &fourth).await;
    wait_phase(&space, "demo", Phase::Ready).await;
    assert!(mounts_claim(&fifth));
    let used = claim(&space, "llm").await;
    assert_eq!(uid(&used), uid(&bound));
    assert_eq!(
        used.spec.unwrap().resources.unwrap().requests.unwrap()["storage"].0,
        "12Gi"
    );
    assert_eq!(
        journal(bed, &space).downloads("tinyllama:latest"),
        2,
        "it is there"
    );
}

/// A larger claim is the same claim, and the Pod on it serves on. A smaller one, or another class, is refused at once.
/// Promises: S0-18
#[tokio::test]
async fn a_claim_grows_under_its_pod() {
    let space = bed().await.space("grow").await;
    let before = served(&space, "  persistentStorage: true\n  storageSize: 5Gi").await;
    let bound = claim(&space, "llm").await;
    edit(&space, "demo", json!({"storageSize": "8Gi"})).await;
    let grown: PersistentVolumeClaim = space
        .wait("asks for 8Gi", "llm", |claim: &PersistentVolumeClaim| {
            let requests = claim
                .spec
                .as_ref()
                .and_then(|spec| spec.resources.as_ref()?.requests.clone());
            requests.is_some_and(|requests| requests["storage"].0 == "8Gi")
        })
        .await;
    assert_eq!(uid(&grown), uid(&bound));
    wait_phase(&space, "demo", Phase::Ready).await;
    assert_untouched(&space, &before).await;
    for refused in [
        json!({"storageSize": "7Gi"}),
        json!({"storageClassName": "shared"}),
    ] {
        let error = try_edit(&space, "demo", refused).await.unwrap_err().to_string();
        assert!(error.contains("claim"), "{error}");
    }
}

/// New prompts, fewer prompts and none beside a Pod that serves on: each generation's once, and the ConfigMap has what the
/// status has.
/// Promises: S0-16, S0-33
#[tokio::test]
async fn new_prompts_go_to_the_pod_that_is_there() {
    let bed = bed().await;
    let space = bed.space("prompts").await;
    let before = served(&space, "  prompts: [one, two]").await;
    assert_eq!(all_answered(&space, "demo").await.prompts.len(), 2);
    edit(&space, "demo", json!({"prompts": ["three"]})).await;
    let status = all_answered(&space, "demo").await;
    assert_eq!(status.prompts.len(), 1);
    assert_eq!(status.prompts[0].prompt, "three");
    let answers: ConfigMap = space.api().get("llm-answers").await.unwrap();
    let kept: Vec<String> = answers.data.unwrap_or_default().into_keys().collect();
    assert_eq!(
        kept,
        ["prompt-1.json", "prompt-1.txt"],
        "none of the generation before"
    );
    edit(&space, "demo", json!({"prompts": null})).await;
    space.wait_gone::<ConfigMap>("llm-answers").await;
    let status = wait_status(&space, "demo", "no prompts", |status| {
        condition(status, "PromptsAnswered").is_some_and(|one| one.reason == "NoPrompts")
    })
    .await;
    assert!(
        status.prompts.is_empty() && status.prompts_generation.is_none(),
        "{status:?}"
    );
    assert_untouched(&space, &before).await;
    assert_eq!(journal(bed, &space).prompts(), ["one", "two", "three"]);
}

/// Another image is the one that runs and that the status names; the prompts are sent again since the spec has changed, and
/// to nobody but the new image's server.
/// Promises: S0-6, S0-33
#[tokio::test]
async fn another_image_runs_instead() {
    let bed = bed().await;
    let space = bed.space("image").await;
    served(&space, "  persistentStorage: true\n  prompts: [one]").await;
    all_answered(&space, "demo").await;
    edit(
        &space,
        "demo",
        json!({"image": "ollama/ollama:0.17.3", "prompts": ["two"]}),
    )
    .await;
    let status = all_answered(&space, "demo").await;
    assert_eq!(status.image.as_deref(), Some("ollama/ollama:0.17.3"));
    let after = pod(&space, "llm").await;
    let running = after.status.unwrap().container_statuses.unwrap();
    assert!(running[0].image.contains("0.17.3"), "{running:?}");
    let records = journal(bed, &space);
    assert_eq!(records.prompts(), ["one", "two"]);
    assert_eq!(records.downloads("tinyllama:latest"), 1, "it is on the claim");
    assert_eq!(records.loads("tinyllama:latest"), 2, "by each server");
}

/// What the API server would refuse does not cost the Pod that runs; the status says what is wrong, and the way back is short.
/// Promises: S0-28, S0-35
#[tokio::test]
async fn a_pod_that_would_be_refused_does_not_cost_the_one_that_runs() {
    let bed = bed().await;
    let space = bed.space("refused").await;
    let before = served(&space, "  prompts: [one]").await;
    all_answered(&space, "demo").await;
    for (refused, restored, words) in [
        (
            json!({"runtimeClassName": "nowhere"}),
            json!({"runtimeClassName": null}),
            "nowhere",
        ),
        (
            json!({"nodeSelector": {"disk": "no such value!"}}),
            json!({"nodeSelector": null}),
            "no such value!",
        ),
    ] {
        edit(&space, "demo", refused.clone()).await;
        let status = wait_status(&space, "demo", "the refusal", |status| {
            let applied = condition(status, "Applied");
            let message = status.message.as_deref().unwrap_or_default();
            applied.is_some_and(|applied| applied.status == "False") && message.contains(words)
        })
        .await;
        assert!(
            matches!(status.phase, Some(Phase::Failed | Phase::Pending)),
            "{status:?}"
        );
        assert_untouched(&space, &before).await;
        edit(&space, "demo", restored).await;
        all_answered(&space, "demo").await;
        assert_untouched(&space, &before).await;
    }
    assert_eq!(
        journal(bed, &space).prompts(),
        ["one", "one", "one"],
        "none for what was refused"
    );
}

/// Between a Pod that serves on and one that ends: it is made anew, both ways.
/// Promises: S0-19
#[tokio::test]
async fn keep_alive_is_switched() {
    let bed = bed().await;
    let space = bed.space("switched").await;
    let first = served(&space, "  prompts: [one]").await;
    all_answered(&space, "demo").await;
    edit(&space, "demo", json!({"keepAlive": false})).await;
    let finished = wait_reason(&space, "demo", "Finished").await;
    assert_eq!(
        (finished.phase, finished.gpu_assigned),
        (Some(Phase::Ready), Some(false))
    );
    let second = pod(&space, "llm").await;
    assert_ne!(uid(&second), uid(&first));
    assert_eq!(pod_phase(&second), "Succeeded");
    edit(&space, "demo", json!({"keepAlive": true})).await;
    let third = successor(&space, "llm", &second).await;
    let status = all_answered(&space, "demo").await;
    assert_eq!(
        (status.reason.as_deref(), status.gpu_assigned),
        (Some("ModelLoaded"), Some(true))
    );
    assert_eq!(uid(&pod(&space, "llm").await), uid(&third));
    for pod in [&first, &second, &third] {
        assert_eq!(journal(bed, &space).of_uid(&uid(pod)).prompts(), ["one"]);
    }
}
