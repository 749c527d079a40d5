//! Writes that fail, for a while or for good.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::{apps::v1::ReplicaSet, core::v1::Service};
use kube::api::ListParams;
use testkit::plane::proxy::{Fault, Matching};

use crate::common::{
    PATIENCE, condition,
    scrape::scrape,
    stand::{Stand, small_deployments},
};

const ERRORS: &str = "llm_operator_reconcile_errors_total";

/// Conflicts, overload with and without `Retry-After`, and a server in trouble: every kind of write meets a burst of each,
/// and every resource serves in the end, with one set of children.
#[tokio::test]
async fn bursts_of_failures_on_writes() {
    let stand = Stand::new("bursts").await;
    stand.small_model().await;
    let bursts = [
        (409, None),
        (429, Some(Duration::from_secs(1))),
        (429, None),
        (500, None),
        (503, Some(Duration::from_secs(1))),
        (504, None),
    ];
    let mut names = Vec::new();
    for (status, retry_after) in bursts {
        let name = format!("burst-{status}-{}", u8::from(retry_after.is_some()));
        for part in ["networkpolicies", "services", "deployments", "llmdeployments"] {
            let path = format!("/{part}/{name}");
            stand.proxy.fail_next(1, "PATCH", &path, status, retry_after);
        }
        names.push(name);
    }
    stand
        .space
        .apply(&small_deployments(names.iter().map(String::as_str)))
        .await;
    for name in &names {
        let status = stand.space.wait_state(name, "Ready").await;
        assert_eq!(
            condition(&status, "Applied").map(|applied| applied.status.as_str()),
            Some("True"),
            "{name}"
        );
    }
    assert_eq!(stand.proxy.pending(), 0, "every failure was met");
    let sets = stand.space.api::<ReplicaSet>();
    let sets = sets.list(&ListParams::default()).await.unwrap().items;
    assert_eq!(sets.len(), 6, "no failure led to a second rollout");
    let scrape = scrape(&stand.operator).await;
    assert!(scrape.sum(ERRORS, &[("kind", "LLMDeployment"), ("reason", "ApiUnavailable")]) >= 6.0);
    for code in ["409", "429", "500", "503", "504"] {
        let found = scrape.sum(
            "llm_operator_api_requests_total",
            &[("verb", "apply"), ("code", code)],
        );
        assert!(found >= 2.0, "{code} was met {found} times");
    }
}

/// A write that the server did, of which the answer was lost: found out and not done twice.
#[tokio::test]
async fn lost_answers() {
    let stand = Stand::new("lost").await;
    stand.small_model().await;
    for part in ["networkpolicies", "services", "deployments", "llmdeployments"] {
        let matching = Matching::method("PATCH").path(&format!("/{part}/chat"));
        stand.proxy.order(1, matching, Fault::LostAnswer);
    }
    stand.space.apply(&small_deployments(["chat"])).await;
    let status = stand.space.wait_state("chat", "Ready").await;
    assert_eq!(stand.proxy.pending(), 0, "every answer was lost once");
    assert_eq!(
        condition(&status, "Applied").map(|applied| applied.status.as_str()),
        Some("True")
    );
    let sets = stand.space.api::<ReplicaSet>();
    let sets = sets.list(&ListParams::default()).await.unwrap().items;
    assert_eq!(sets.len(), 1, "{sets:?}");
}

/// One resource that may not be written for good: it says so, is tried less and less often, and twenty others do not
/// notice. When the obstacle is gone, it serves without being touched.
#[tokio::test]
async fn one_that_never_works_delays_no_other() {
    let stand = Stand::new("forbidden").await;
    stand.small_model().await;
    let refused = Fault::Status {
        status: 403,
        retry_after: None,
    };
    stand
        .proxy
        .order_always(Matching::method("PATCH").path("/services/broken"), refused);
    stand.space.apply(&small_deployments(["broken"])).await;
    let status = stand
        .space
        .wait_status("broken", "Applied is False", |status| {
            condition(status, "Applied").is_some_and(|applied| applied.status == "False")
        })
        .await;
    let applied = condition(&status, "Applied").unwrap();
    assert!(
        applied.message.contains("Service broken"),
        "names the object: {}",
        applied.message
    );
    assert_eq!(status.state.map(api::shared::State::as_str), Some("Blocked"));

    let names: Vec<String> = (0..20).map(|number| format!("fine-{number:02}")).collect();
    let start = Instant::now();
    stand
        .space
        .apply(&small_deployments(names.iter().map(String::as_str)))
        .await;
    for name in &names {
        stand.space.wait_state(name, "Ready").await;
    }
    // Alone they take about two seconds; the back-off of the broken one has passed eight by then.
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?} for the twenty others",
        start.elapsed()
    );

    let pauses = pauses_after_failures(&stand).await;
    // The first is cut short by what was just made, and by the status.
    let pauses = &pauses[1..];
    assert!(
        pauses.windows(2).all(|pair| pair[1].told > pair[0].told * 1.4),
        "each pause is longer than the one before: {pauses:?}"
    );
    // A loaded machine makes pauses longer by what it likes, and none shorter than was told; the second may be cut short as the first.
    assert!(
        pauses[1..].iter().all(|pause| pause.taken > pause.told * 0.7),
        "each pause is kept: {pauses:?}"
    );
    let scrape = scrape(&stand.operator).await;
    assert!(
        scrape.has(
            "llm_operator_resources",
            &[("kind", "LLMDeployment"), ("state", "Blocked")]
        ),
        "the broken one is counted by its state"
    );

    stand.proxy.clear();
    stand.space.wait_state("broken", "Ready").await;
    stand.space.wait::<Service>("is made", "broken", |_| true).await;
}

/// Seconds between two failures.
#[derive(Debug)]
struct Pause {
    /// As the log has them in `again_in`.
    told: f64,
    /// By the times of its lines.
    taken: f64,
}

/// The pauses between the first seven failures of the resource `broken`, from the log.
async fn pauses_after_failures(stand: &Stand) -> Vec<Pause> {
    let object = format!("object=LLMDeployment {}/broken ", stand.space.namespace);
    let failures = testkit::until("seven failures", PATIENCE, async || {
        let log = stand.operator.process.log();
        let failures = log
            .lines()
            .filter(|line| line.contains("reconcile failed") && line.contains(&object));
        let failures: Vec<(Timestamp, f64)> = failures
            .map(|line| {
                let time = line.split_whitespace().next().unwrap().parse().unwrap();
                let (_, rest) = line.split_once("again_in=\"").unwrap();
                let (seconds, _) = rest.split_once("s\"").unwrap();
                (time, seconds.parse().unwrap())
            })
            .collect();
        (failures.len() >= 7)
            .then_some(failures)
            .ok_or(format!("the log:\n{log}"))
    })
    .await
    .unwrap();
    failures[..7]
        .windows(2)
        .map(|pair| Pause {
            told: pair[0].1,
            taken: pair[1].0.duration_since(pair[0].0).as_secs_f64(),
        })
        .collect()
}

/// An API server that answers one write only after the operator's patience ended: that resource is late, no other is.
#[tokio::test]
async fn slow_answers_delay_only_whom_they_concern() {
    let stand = Stand::new("slow").await;
    stand.small_model().await;
    let slow = Fault::Delay(Duration::from_secs(40));
    stand
        .proxy
        .order(1, Matching::method("PATCH").path("/services/slow"), slow);
    stand.space.apply(&small_deployments(["slow"])).await;
    testkit::until("the slow write is under way", PATIENCE, async || {
        (stand.proxy.pending() == 0).then_some(())
    })
    .await
    .unwrap();
    let start = Instant::now();
    stand.space.apply(&small_deployments(["quick"])).await;
    stand.space.wait_state("quick", "Ready").await;
    assert!(
        start.elapsed() < Duration::from_secs(12),
        "{:?} beside a write that hangs",
        start.elapsed()
    );
    stand.space.wait_state("slow", "Ready").await;
    assert!(
        start.elapsed() < Duration::from_secs(35),
        "the hanging write was given up: {:?}",
        start.elapsed()
    );
    let scrape = scrape(&stand.operator).await;
    assert!(
        scrape.has(
            "llm_operator_api_requests_total",
            &[("code", "timeout"), ("resource", "services")]
        ),
        "the timeout is counted"
    );
}
