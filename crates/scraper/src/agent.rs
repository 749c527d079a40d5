//! One target's life: asked at its moments until it goes.
//!
//! In: the target, its group's gate and what all share. Out: outcomes, reported one by one. It must not keep an outcome.

use std::sync::Arc;

use engine_metrics::Reading;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep_until},
};

use crate::{
    Cause, Target,
    asker::{Asker, Kept, Question},
    slots::Slots,
};

/// Asks for ever; dropped when the target goes, and its connection with it.
pub(crate) async fn run(
    target: Target,
    asker: Arc<Asker>,
    gate: Arc<Semaphore>,
    report: impl Fn(Result<Reading, Cause>),
) {
    let slots = Slots::new(&target.id, asker.options.period);
    let mut engine = target.engine;
    let question = match Question::new(target) {
        Ok(question) => question,
        Err(cause) => return report(Err(cause)),
    };
    let mut kept = None;
    let mut failures = 0_u32;
    loop {
        let next = slots.next(asker.now(), failures);
        pause(asker.moment(next), &mut kept).await;
        let turn = gate.acquire().await;
        let outcome = asker.ask(&question, engine, &mut kept).await;
        drop(turn);
        match &outcome {
            Ok(reading) => {
                failures = 0;
                engine = engine.or(reading.engine);
            }
            Err(_) => failures = failures.saturating_add(1),
        }
        report(outcome);
    }
}

/// Waits for the moment; lets go of a connection that the other side ends meanwhile.
async fn pause(moment: Instant, kept: &mut Option<Kept>) {
    if let Some(connection) = kept {
        tokio::select! {
            () = sleep_until(moment) => return,
            () = connection.ended() => {}
        }
        *kept = None;
    }
    sleep_until(moment).await;
}
