//! The operator killed after each of its changes: it ends in the state of a run without kills, and sends no prompt twice.
//!
//! Each scenario runs once undisturbed, which counts its changes; then once for each of them, in a namespace of its own:
//! `kill -9` when the API server has done it and before the operator knows, or when the operator knows and before its next
//! change is done; then a new operator.

mod end_state;
mod scenario;

use std::time::Duration;

use futures::StreamExt;
use testkit::plane::proxy::Moment;

use crate::{
    bed,
    common::{PATIENCE, stand::Stand},
};
use end_state::EndState;
use scenario::{DELETED, ENDS_AFTER_PROMPTS, HELD_DOWN, INSTALL, MODEL_CHANGED, Scenario};

/// Namespaces at the same time.
const AT_ONCE: usize = 5;
/// An operator that changes nothing more for this time is killed all the same.
const NEXT_CHANGE: Duration = Duration::from_millis(300);
/// Nothing is changed for this time: the end is reached.
const REST: Duration = Duration::from_millis(1500);

/// A run without kills.
struct Undisturbed {
    changes: u64,
    end: EndState,
}

async fn undisturbed(scenario: &Scenario) -> Undisturbed {
    let stand = bed::stand(scenario.name).await;
    scenario.prepare(&stand.space).await;
    bed::wait_rest(&stand, REST).await;
    let before = stand.proxy.changes();
    scenario.act(&stand.space).await;
    scenario.wait_end(&stand.space).await;
    bed::wait_rest(&stand, REST).await;
    let end = EndState::of(&stand.space).await;
    scenario.check_prompts(&stand.space, &end, true).await;
    Undisturbed {
        changes: stand.proxy.changes() - before,
        end,
    }
}

/// Kills at one change. Returns whether there was one.
async fn killed(scenario: &Scenario, expected: &Undisturbed, nth: u64, moment: Moment) -> bool {
    let mut stand = bed::stand(scenario.name).await;
    scenario.prepare(&stand.space).await;
    stand.proxy.halt_at(nth, "", moment);
    scenario.act(&stand.space).await;
    let reached = tokio::select! {
        () = stand.proxy.halted() => true,
        () = reaches(&stand, expected) => false,
    };
    if reached {
        if moment == Moment::AfterAnswer {
            let _ = tokio::time::timeout(NEXT_CHANGE, stand.proxy.halted_at_next()).await;
        }
        stand.operator.process.kill9();
        stand.proxy.clear();
        stand.restart().await;
        reaches(&stand, expected).await;
    }
    let end = EndState::of(&stand.space).await;
    scenario.check_prompts(&stand.space, &end, false).await;
    reached
}

async fn reaches(stand: &Stand, expected: &Undisturbed) {
    testkit::until("the end of the undisturbed run", PATIENCE, async || {
        EndState::of(&stand.space).await.compare(&expected.end)
    })
    .await
    .unwrap_or_else(|error| {
        panic!(
            "{}: {error}\n{}",
            stand.space.namespace,
            stand.operator.process.last_lines(40)
        )
    });
}

/// At which moments of a change the operator is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moments {
    /// One run each.
    Both,
    /// The one, at the next change the other: half the time.
    InTurn,
}

async fn kill_at_every_change(scenario: &Scenario, moments: Moments) {
    let expected = undisturbed(scenario).await;
    let both = [Moment::BeforeAnswer, Moment::AfterAnswer];
    let of = |nth: u64| both.into_iter().cycle().skip(usize::from(nth.is_multiple_of(2)));
    let each = if moments == Moments::Both { 2 } else { 1 };
    let cases = (1..=expected.changes).flat_map(|nth| of(nth).take(each).map(move |moment| (nth, moment)));
    let reached: Vec<bool> = futures::stream::iter(cases)
        .map(|(nth, moment)| killed(scenario, &expected, nth, moment))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let missed = reached.iter().filter(|reached| !**reached).count();
    assert!(
        missed * 4 <= reached.len(),
        "{missed} of {} kills found no change to kill at: the runs differ too much",
        reached.len()
    );
}

/// An install with Service, claim and three prompts.
/// Promises: S0-34
#[tokio::test]
async fn installing() {
    kill_at_every_change(&INSTALL, Moments::Both).await;
}

/// One that ends after its prompts.
#[tokio::test]
async fn ending_after_prompts() {
    kill_at_every_change(&ENDS_AFTER_PROMPTS, Moments::Both).await;
}

/// One that is held down.
#[tokio::test]
async fn holding_down() {
    kill_at_every_change(&HELD_DOWN, Moments::InTurn).await;
}

/// One that is deleted.
#[tokio::test]
async fn deleting() {
    kill_at_every_change(&DELETED, Moments::InTurn).await;
}

/// One whose model changes.
#[tokio::test]
async fn changing_the_model() {
    kill_at_every_change(&MODEL_CHANGED, Moments::InTurn).await;
}
