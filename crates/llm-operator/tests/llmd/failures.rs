//! Charts that fail: what is told of it, what is left of it, how often it is tried.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use api::opendatahub_io::components::v1alpha1::Llmd;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, ResourceExt, api::ListParams};
use serde_json::{Value, json};
use testkit::until;

use crate::{
    bed::{Bed, PATIENCE, condition, message},
    faults::{RELEASE, in_sync, left, nothing_left, plain, revisions, values},
};

fn is_stalled(llmd: &Llmd) -> bool {
    condition(llmd, "Stalled") == ("True".to_owned(), "RetriesExhausted".to_owned())
}

async fn stalled(bed: &Bed, error: &str) -> Llmd {
    let stalled = |llmd: &Llmd| is_stalled(llmd) && message(llmd, "Stalled").contains(error);
    bed.wait("Stalled", stalled).await
}

async fn retry(bed: &Bed, value: &str) {
    let annotation = format!("llm-operator.io/retry={value}");
    bed.kubectl(&["annotate", "--overwrite", "llmd", "default-llm-d", &annotation])
        .await;
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    { conditions }.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

async fn pods(client: &Client) -> Vec<Pod> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), "llm-d");
    let release = ListParams::default().labels(&format!("app.kubernetes.io/instance={RELEASE}"));
    pods.list(&release).await.unwrap().items
}

/// The one Pod, once it is ready.
async fn the_pod(bed: &Bed) -> String {
    until("one Pod that serves", PATIENCE, async || {
        let pods = pods(&bed.client).await;
        match &pods[..] {
            [pod] if is_ready(pod) => Ok(pod.uid().unwrap()),
            _ => Err(format!("{} Pods", pods.len())),
        }
    })
    .await
    .unwrap()
}

/// Looks all the while whether a Pod serves.
struct Watched {
    missed: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Watched {
    fn new(client: &Client, uid: String) -> Self {
        let (missed, client) = (Arc::new(AtomicBool::new(false)), client.clone());
        let seen = missed.clone();
        let task = tokio::spawn(async move {
            loop {
                let all = pods(&client).await;
                if !all
                    .iter()
                    .any(|pod| pod.uid().as_ref() == Some(&uid) && is_ready(pod))
                {
                    seen.store(true, Ordering::SeqCst);
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        });
        Self { missed, task }
    }

    fn end(self) {
        assert!(!self.task.is_finished(), "it looked until now");
        self.task.abort();
        assert!(
            !self.missed.load(Ordering::SeqCst),
            "the old Pod served all the while"
        );
    }
}

fn status_of(all: &[(u32, String)]) -> Vec<&str> {
    all.iter().map(|(_, status)| status.as_str()).collect()
}

/// A refused object, and Pods that never serve: each time back on the old revision while its Pod serves, with the chart's own error in the
/// status, as often as asked for and no more, restarts included. A new value of the annotation tries again, and a correction heals.
/// Promises: S1-30
#[tokio::test]
async fn an_upgrade_that_fails_is_back_on_the_old_revision() {
    let mut bed = Bed::with(&[]).await;
    let spec = json!({"timeout": "1m", "remediation": {"retries": 1}});
    let with_pods = json!({"deployment": {"create": true}});
    bed.apply(&plain(&bed, &with_pods, &spec)).await;
    in_sync(&bed, "hello").await;
    let pod = the_pod(&bed).await;
    let watched = Watched::new(&bed.client, pod.clone());

    values(
        &bed,
        &json!({"message": "two", "faults": {"refused": "on-upgrade"}}),
    )
    .await;
    let told = bed
        .wait("the first failure", |llmd| {
            condition(llmd, "ProvisioningSucceeded").1 == "StepFailed"
                && message(llmd, "ProvisioningSucceeded").contains("99999")
        })
        .await;
    assert_eq!(condition(&told, "Stalled").0, "", "one try is left");
    assert_eq!(condition(&told, "Ready").0, "False");
    let llmd = stalled(&bed, "99999").await;
    let text = message(&llmd, "Stalled");
    assert!(
        text.contains("2 tries") && text.contains("revision 5 with version 1.0.0 is deployed"),
        "{text}"
    );
    let history = ["superseded", "failed", "superseded", "failed", "deployed"];
    assert_eq!(status_of(&revisions(&bed).await), history);
    let release = &llmd.status.as_ref().unwrap().releases[0];
    assert_eq!(release.revision, Some(5));
    assert_eq!(release.version.as_deref(), Some("1.0.0"));
    let descriptions: Vec<&str> = { release.history.iter() }
        .map(|revision| revision.description.as_deref().unwrap())
        .collect();
    assert!(
        descriptions[0].contains("Rollback to 3") || descriptions[0].contains("Rollback to 1"),
        "{descriptions:?}"
    );
    assert!(descriptions[1].contains("99999"), "{descriptions:?}");

    bed.start("second").await;
    bed.kubectl(&["annotate", "llmd", "default-llm-d", "example.com/nothing=1"])
        .await;
    stalled(&bed, "99999").await;
    assert_eq!(status_of(&revisions(&bed).await), history, "no more tries");

    retry(&bed, "once-more").await;
    bed.wait("another try", |llmd| {
        !is_stalled(llmd) && message(llmd, "Ready").contains("try 1")
    })
    .await;
    stalled(&bed, "99999").await;
    let all = revisions(&bed).await;
    assert_eq!(all.last().unwrap().0, 9, "{all:?}");
    assert_eq!(the_pod(&bed).await, pod);
    watched.end();

    values(&bed, &json!({"faults": {"refused": "never"}})).await;
    let llmd = in_sync(&bed, "two").await;
    assert_eq!(condition(&llmd, "Stalled").0, "", "it goes");

    // Pods that never serve.
    let pod = the_pod(&bed).await;
    let watched = Watched::new(&bed.client, pod.clone());
    let broken: Value = json!({"spec": {"timeout": "10s", "remediation": {"retries": 0},
        "infra": {"values": {"message": "three", "faults": {"unready": "on-upgrade"}}}}});
    bed.patch(broken).await;
    let llmd = stalled(&bed, RELEASE).await;
    let text = message(&llmd, "Stalled");
    assert!(
        text.contains("longer than 10s") && text.contains("is deployed"),
        "{text}"
    );
    assert_eq!(the_pod(&bed).await, pod, "the new one is gone");
    watched.end();
    bed.patch(json!({"spec": {"timeout": "1m", "infra": {"values": {"faults": {"unready": "never"}}}}}))
        .await;
    in_sync(&bed, "three").await;
}

/// An installation that fails, by a refused object or a hook that never ends, is removed, tried again as often as asked for and no more;
/// nothing is left of it. A new value of the annotation tries again, and a correction heals.
/// Promises: S1-30
#[tokio::test]
async fn an_installation_that_fails_leaves_nothing() {
    let bed = Bed::with(&[]).await;
    let spec = json!({"timeout": "10s", "remediation": {"retries": 1}});
    let all = json!({"deployment": {"create": true}, "faults": {"refused": "always"}});
    bed.apply(&plain(&bed, &all, &spec)).await;
    let llmd = stalled(&bed, "99999").await;
    let text = message(&llmd, "Stalled");
    assert!(
        text.contains("2 tries") && text.contains("nothing of it is deployed"),
        "{text}"
    );
    until("nothing to be left", PATIENCE, async || {
        let left = left(&bed).await;
        if left.is_empty() { Ok(()) } else { Err(left) }
    })
    .await
    .unwrap();
    retry(&bed, "1").await;
    bed.wait("another try", |llmd| {
        !is_stalled(llmd) && message(llmd, "Ready").contains("try 1")
    })
    .await;
    stalled(&bed, "99999").await;

    // A hook that never ends, with all objects there.
    let broken = json!({"spec": {"remediation": {"retries": 0},
        "infra": {"values": {"faults": {"refused": "never", "hang": "post-install"}}}}});
    bed.patch(broken).await;
    let llmd = stalled(&bed, "longer than 10s").await;
    assert!(message(&llmd, "Stalled").contains("1 tries") || message(&llmd, "Stalled").contains("1 try"));
    // Also what its hooks have made. Its Pods carry the label too, and are collected after their Deployment.
    nothing_left(&bed).await;

    values(&bed, &json!({"faults": {"hang": ""}})).await;
    let llmd = in_sync(&bed, "hello").await;
    assert_eq!(condition(&llmd, "Stalled").0, "");
    assert_eq!(revisions(&bed).await, [(1, "deployed".to_owned())]);
}
