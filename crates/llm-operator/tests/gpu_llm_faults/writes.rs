//! Writes that fail, answers that are lost, an API server that is away: it ends as if nothing had been, prompts sent once.

use std::time::Duration;

use api::infra_example_com::v1::{Phase, PromptState};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use testkit::plane::proxy::{Fault, Matching};

use crate::{
    bed::{self, journal, prompts, wait_prompts},
    common::{PATIENCE, stand::Stand},
    seen::{condition, install, wait_phase},
};

/// What it writes for a resource, by the paths.
const WRITES: [(&str, &str); 6] = [
    ("networkpolicies", ""),
    ("persistentvolumeclaims", ""),
    ("services", ""),
    ("pods", ""),
    ("configmaps", "-answers"),
    ("nvidiagpullms", ""),
];
const PROMPTS: [&str; 2] = ["Who are you?", "Why is the sky blue?"];

fn everything(name: &str) -> String {
    let more = format!(
        "  serviceEnabled: true\n  persistentStorage: true\n{}",
        prompts(&PROMPTS)
    );
    install(name, name, &more)
}

async fn check(stand: &Stand, name: &str) {
    let status = wait_prompts(&stand.space, name, 2).await;
    assert_eq!(
        bed::states(&status),
        [PromptState::Answered; 2],
        "{name}: {status:?}"
    );
    let status = wait_phase(&stand.space, name, Phase::Ready).await;
    assert_eq!(condition(&status, "Applied").unwrap().status, "True", "{name}");
    let received = journal(&stand.space)
        .await
        .of_container(&stand.space.namespace, name, "ollama");
    assert_eq!(received.prompts(), PROMPTS, "{name}");
    let pod: Pod = stand.space.api().get(name).await.unwrap();
    // Kubernetes counts them since 1.33.
    let generation = pod.metadata.generation.unwrap_or(1);
    assert_eq!(generation, 1, "{name}: the Pod was made once, and never changed");
}

/// Every kind of write meets conflicts, overload and a server in trouble, once each; later on writes of any kind do,
/// one after every two that work.
/// Promises: S0-28
#[tokio::test]
async fn bursts_of_failures() {
    let stand = bed::stand("bursts").await;
    let bursts = [
        (409, None),
        (429, Some(Duration::from_secs(1))),
        (429, None),
        (500, None),
        (503, None),
        (504, None),
    ];
    let mut names = Vec::new();
    for (status, retry_after) in bursts {
        let name = format!("burst-{status}-{}", u8::from(retry_after.is_some()));
        for (kind, suffix) in WRITES {
            let path = format!("/{kind}/{name}{suffix}");
            stand.proxy.fail_next(1, "PATCH", &path, status, retry_after);
        }
        names.push(name);
    }
    for name in &names {
        stand.space.apply(&everything(name)).await;
    }
    let checks = async {
        for name in &names {
            check(&stand, name).await;
        }
    };
    tokio::select! {
        () = rain(&stand) => {}
        () = checks => {}
    }
    stand.proxy.clear();
}

/// One failure more each time the last one was met.
async fn rain(stand: &Stand) {
    for status in [409, 429, 500, 503, 504].into_iter().cycle() {
        // Ended by whoever waits for the outcome: a time-out here is none of the test.
        let _ = testkit::until("the failures before were met", PATIENCE, async || {
            (stand.proxy.pending() == 0).then_some(())
        })
        .await;
        stand
            .proxy
            .fail_next(1, "PATCH", &stand.space.namespace, status, None);
        let before = stand.proxy.changes();
        let _ = testkit::until("two changes", PATIENCE, async || {
            (stand.proxy.changes() >= before + 2).then_some(())
        })
        .await;
    }
}

/// The API server did it, and the operator does not know.
/// Promises: S0-28
#[tokio::test]
async fn lost_answers() {
    let stand = bed::stand("lost").await;
    for (kind, suffix) in WRITES {
        let matching = Matching::method("PATCH").path(&format!("/{kind}/demo{suffix}"));
        // Of the resource itself: its finalizer and every status until it waits for its Pod.
        let times = if kind == "nvidiagpullms" { 4 } else { 1 };
        stand.proxy.order(times, matching, Fault::LostAnswer);
    }
    stand.space.apply(&everything("demo")).await;
    let uid = stand.space.wait::<Pod>("is made", "demo", |_| true).await.uid();
    check(&stand, "demo").await;
    assert_eq!(stand.space.api::<Pod>().get("demo").await.unwrap().uid(), uid);
    assert_eq!(stand.proxy.pending(), 0, "every answer was lost");
}

/// The API server goes away while prompts are answered, and for so long that the answers wait for it.
/// Promises: S0-28
#[tokio::test]
async fn the_api_server_is_away_while_prompts_are_answered() {
    let stand = bed::stand("away").await;
    stand.space.apply(&everything("demo")).await;
    bed::wait_asked(&stand.space, PROMPTS[0]).await;
    stand.proxy.set_unreachable(true);
    // As long as an outage that is to be survived, not waited for.
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(
        journal(&stand.space).await.prompts(),
        PROMPTS[..1],
        "nothing is sent whose intent cannot be stored"
    );
    stand.proxy.set_unreachable(false);
    check(&stand, "demo").await;
}
