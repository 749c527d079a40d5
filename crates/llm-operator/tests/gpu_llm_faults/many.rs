//! Two hundred resources at once, and what they cost when nothing happens: nothing.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use api::infra_example_com::v1::{Phase, PromptState};
use kube::ResourceExt;

use crate::{
    bed,
    common::stand::Stand,
    seen::{condition, install, resource},
};

/// Sets of five: two of the example, one of each variation.
const SETS: usize = 40;
/// Time for all of them on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(4);

fn everything() -> String {
    let mut yaml = String::new();
    for set in 0..SETS {
        let small = "  memory: 2Gi\n  cpuCores: 100m\n";
        let prompt = bed::prompts(&[&format!("Who are you, number {set}?")]);
        let documents = [
            install(
                &format!("tiny-{set:02}"),
                &format!("tiny-pod-{set:02}"),
                &format!("{small}{prompt}"),
            ),
            install(
                &format!("large-{set:02}"),
                &format!("large-pod-{set:02}"),
                "  model: llama2:7b\n  memory: 8Gi\n  cpuCores: 100m\n  serviceEnabled: true\n  persistentStorage: true\n  storageSize: 20Gi\n",
            ),
            resource(
                &format!("check-{set:02}"),
                "status",
                &format!("tiny-pod-{set:02}"),
                "",
            ),
            install(&format!("held-{set:02}"), &format!("held-pod-{set:02}"), small),
            resource(
                &format!("cleanup-{set:02}"),
                "uninstall",
                &format!("held-pod-{set:02}"),
                "",
            ),
        ];
        for document in documents {
            write!(yaml, "---\n{document}").unwrap();
        }
    }
    yaml
}

fn wanted(name: &str) -> Phase {
    if name.starts_with("held-") {
        Phase::Pending
    } else {
        Phase::Ready
    }
}

/// Version and message of every resource.
type Seen = BTreeMap<String, (Option<String>, Option<String>)>;

async fn wait_all(stand: &Stand) -> Seen {
    testkit::until("all are as they will stay", PATIENCE, async || {
        let all = bed::all(&stand.space).await;
        let told: BTreeMap<String, String> = all
            .iter()
            .map(|one| {
                let message = one.status.as_ref().and_then(|status| status.message.clone());
                (one.name_any(), message.unwrap_or_default())
            })
            .collect();
        let late: Vec<String> = all
            .iter()
            .filter(|one| {
                let name = one.name_any();
                let status = one.status.clone().unwrap_or_default();
                // A report follows the words of what it reports on, and the last words on what goes come when it is gone.
                let tiny = name
                    .strip_prefix("check-")
                    .and_then(|set| told.get(&format!("tiny-{set}")));
                let behind = tiny.is_some_and(|tiny| !told[&name].contains(tiny.as_str()))
                    || told[&name].contains("is being deleted");
                let answered = condition(&status, "PromptsAnswered");
                let open = answered.is_some_and(|answered| answered.reason == "NotYet");
                let failed = status
                    .prompts
                    .iter()
                    .any(|prompt| prompt.state != PromptState::Answered);
                status.phase != Some(wanted(&name)) || open || failed || behind
            })
            .map(|one| format!("{}: {}", one.name_any(), told[&one.name_any()]))
            .collect();
        if all.len() == SETS * 5 && late.is_empty() {
            let seen = |one: &api::infra_example_com::v1::NvidiaGpuLlm| {
                let message = one.status.as_ref().and_then(|status| status.message.clone());
                (one.name_any(), (one.resource_version(), message))
            };
            Ok(all.iter().map(seen).collect())
        } else {
            Err(format!(
                "{} of {} are late: {:?}",
                late.len(),
                all.len(),
                late.first()
            ))
        }
    })
    .await
    .unwrap()
}

/// Everything is looked at twice.
async fn wait_rounds(stand: &Stand) {
    #[allow(clippy::cast_precision_loss, reason = "a small number")]
    let twice = (2 * SETS * 5) as f64;
    bed::wait_reconciles(&stand.operator, twice).await;
}

/// All examples of the document forty times, at once: all come to what they ask for; then nothing is written, in resyncs and
/// after a restart, and no message changes.
/// Promises: S0-33, S0-35
#[tokio::test]
async fn two_hundred_at_once() {
    let mut stand = bed::stand_with("crowd", &["--resync-period", "4s"]).await;
    stand.space.apply(&everything()).await;
    let first = wait_all(&stand).await;
    bed::wait_rest(&stand, Duration::from_secs(3)).await;
    let settled = wait_all(&stand).await;
    for (name, (_, message)) in &settled {
        assert_eq!(&first[name].1, message, "{name}");
    }

    let writes = stand.writes();
    wait_rounds(&stand).await;
    assert_eq!(stand.writes(), writes, "resyncs write nothing");
    stand.operator.process.kill9();
    stand.restart_with(&["--resync-period", "4s"]).await;
    wait_rounds(&stand).await;
    assert_eq!(stand.writes(), writes, "a restart writes nothing");
    assert_eq!(
        wait_all(&stand).await,
        settled,
        "neither versions nor messages have changed"
    );
    let journal = bed::journal(&stand.space).await;
    for set in 0..SETS {
        assert_eq!(journal.times_asked(&format!("Who are you, number {set}?")), 1);
    }
}
