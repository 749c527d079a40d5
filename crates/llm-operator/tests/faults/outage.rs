//! The API server itself is gone for a while.

use std::time::Duration;

use api::llm_example_com::v1alpha1::{LLMDeployment, LLMDeploymentStatus};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Service};
use testkit::{Cluster, NodeSpec};

use crate::common::{
    PATIENCE, Space, condition, install, operator_access, page,
    scrape::scrape,
    stand::{SMALL_MODEL, small_deployments},
    start_operator,
};

const OUTAGE: Duration = Duration::from_secs(20);

/// Killed API server, twenty seconds of silence, then everything at once: the operator lives through it under the same
/// process, and takes up work by itself, what was in flight included.
#[tokio::test]
async fn the_api_server_is_gone_for_twenty_seconds() {
    let cluster = Cluster::builder()
        .node(NodeSpec::cpu("cpu-0").room_for(100))
        .start()
        .await
        .unwrap();
    let cluster: &'static Cluster = Box::leak(Box::new(cluster));
    install(cluster, true).await;
    let access = operator_access(cluster).await;
    let mut operator = start_operator(&access, "outage", &["--leader-elect", "false"]).await;
    let space = Space::of(cluster, "outage").await;
    space.apply(SMALL_MODEL).await;
    space.apply(&small_deployments(["kept", "deleted"])).await;
    space.wait_state("kept", "Ready").await;
    space.wait_state("deleted", "Ready").await;

    // Some of these are in the middle of being made when the server dies.
    let names: Vec<String> = (0..20).map(|number| format!("late-{number:02}")).collect();
    space
        .apply(&small_deployments(names.iter().map(String::as_str)))
        .await;
    cluster.stop_apiserver();
    tokio::time::sleep(OUTAGE).await;
    assert_eq!(operator.process.exit_code(), None, "it waits for the server");
    let (code, _) = page(&format!("{}/healthz", operator.url)).await;
    assert_eq!(code, 200, "alive all the time");
    cluster.start_apiserver().await.unwrap();

    space.delete::<LLMDeployment>("deleted").await;
    space.delete::<Service>("kept").await;
    space.apply(&small_deployments(["new"])).await;
    // The operator's part: everything is made within a minute.
    let all = names.iter().map(String::as_str).chain(["kept", "new"]);
    for name in all.clone() {
        let made = |status: &LLMDeploymentStatus| {
            condition(status, "Applied").is_some_and(|applied| applied.status == "True")
        };
        space.wait_status(name, "Applied", made).await;
    }
    space.wait::<Service>("was made again", "kept", |_| true).await;
    space.wait_gone::<Deployment>("deleted").await;
    // The control plane's part takes longer: its controllers have back-offs of their own, and the node was given up.
    for name in all {
        let resource = format!("llmdeployment/{name}");
        let ready = [
            "wait",
            resource.as_str(),
            "--for=condition=Ready",
            "--timeout=240s",
        ];
        let (worked, said) = space.kubectl(&ready).await;
        assert!(worked, "{name}: {said}");
    }
    testkit::until("readyz has no note left", PATIENCE, async || {
        let (_, text) = page(&format!("{}/readyz", operator.url)).await;
        if text.contains("note:") { Err(text) } else { Ok(()) }
    })
    .await
    .unwrap();
    // The condition may be True while the word of state, by which they are counted, still follows.
    testkit::until("all are counted as Ready", PATIENCE, async || {
        let found = scrape(&operator).await.sum(
            "llm_operator_resources",
            &[("kind", "LLMDeployment"), ("state", "Ready")],
        );
        ((found - 22.0).abs() < 0.5)
            .then_some(())
            .ok_or(format!("{found} are counted"))
    })
    .await
    .unwrap();
    assert_eq!(operator.process.terminate(PATIENCE).await.unwrap(), 0);
}
