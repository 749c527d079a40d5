//! Watches that break, and what happens while they are broken.

use api::llm_example_com::v1alpha1::LLMDeployment;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Service, networking::v1::NetworkPolicy};

use crate::common::{
    PATIENCE, page,
    scrape::scrape,
    stand::{Stand, small_deployments},
};

/// Every watch is cut, again and again: changes in between arrive all the same.
#[tokio::test]
async fn watches_are_cut() {
    let stand = Stand::new("cut").await;
    stand.small_model().await;
    stand.space.apply(&small_deployments(["chat"])).await;
    stand.space.wait_state("chat", "Ready").await;
    let all = stand.proxy.open_watches();
    for round in 1..=3 {
        stand.proxy.cut_watches();
        stand.space.delete::<Service>("chat").await;
        let name = format!("chat-{round}");
        stand.space.apply(&small_deployments([name.as_str()])).await;
        stand
            .space
            .wait::<Service>("was repaired", "chat", |_| true)
            .await;
        stand.space.wait_state(&name, "Ready").await;
        testkit::until("all watches are open again", PATIENCE, async || {
            let open = stand.proxy.open_watches();
            (open == all).then_some(()).ok_or(format!("{open} of {all}"))
        })
        .await
        .unwrap();
    }
}

/// The operator is cut off while children and resources are deleted, and then finds its resource versions expired: it
/// lists again and notices every deletion.
#[tokio::test]
async fn deletions_during_a_gap_that_ends_with_410() {
    let stand = Stand::new("gone").await;
    stand.small_model().await;
    stand
        .space
        .apply(&small_deployments(["kept", "deleted", "moved"]))
        .await;
    for name in ["kept", "deleted", "moved"] {
        stand.space.wait_state(name, "Ready").await;
    }
    let counted = |ready: f64| {
        let operator = &stand.operator;
        async move {
            let found = scrape(operator).await.sum(
                "llm_operator_resources",
                &[("kind", "LLMDeployment"), ("state", "Ready")],
            );
            (found - ready)
                .abs()
                .le(&f64::EPSILON)
                .then_some(())
                .ok_or(format!("{found}"))
        }
    };
    testkit::until("three are counted", PATIENCE, async || counted(3.0).await)
        .await
        .unwrap();

    stand.proxy.set_unreachable(true);
    stand.space.delete::<LLMDeployment>("deleted").await;
    stand.space.delete::<Service>("kept").await;
    stand.space.delete::<NetworkPolicy>("kept").await;
    stand.space.delete::<Deployment>("moved").await;
    stand.space.wait_gone::<Deployment>("moved").await;
    for resource in [
        "/llmdeployments",
        "/services",
        "/networkpolicies",
        "/deployments",
        "/pods",
    ] {
        stand.proxy.expire_next_watch(resource);
    }
    stand.proxy.set_unreachable(false);

    stand
        .space
        .wait::<Service>("was made again", "kept", |_| true)
        .await;
    stand
        .space
        .wait::<NetworkPolicy>("was made again", "kept", |_| true)
        .await;
    stand
        .space
        .wait::<Deployment>("was made again", "moved", |_| true)
        .await;
    stand.space.wait_state("moved", "Ready").await;
    testkit::until("two are counted", PATIENCE, async || counted(2.0).await)
        .await
        .unwrap();
    testkit::until("every 410 was met", PATIENCE, async || {
        let left = stand.proxy.pending();
        (left == 0).then_some(()).ok_or(format!("{left} left"))
    })
    .await
    .unwrap();
    // After the last 410 the caches are whole again: a change still arrives.
    stand.space.delete::<Service>("kept").await;
    stand
        .space
        .wait::<Service>("was made again", "kept", |_| true)
        .await;
}

/// A watch that is refused for a while is told on `/readyz`, and its note goes when it works again.
#[tokio::test]
async fn readyz_tells_of_a_watch_in_trouble() {
    let stand = Stand::new("notes").await;
    let url = format!("{}/readyz", stand.operator.url);
    stand.proxy.set_unreachable(true);
    let text = testkit::until("a note", PATIENCE, async || {
        let (_, text) = page(&url).await;
        if text.contains("note: services: watch failed") {
            Ok(text)
        } else {
            Err(text)
        }
    })
    .await
    .unwrap();
    assert!(
        text.starts_with("ok\nrole: leader"),
        "work goes on with what is known: {text}"
    );
    stand.proxy.set_unreachable(false);
    testkit::until("no note", PATIENCE, async || {
        let (_, text) = page(&url).await;
        if text.contains("note:") { Err(text) } else { Ok(()) }
    })
    .await
    .unwrap();
}
