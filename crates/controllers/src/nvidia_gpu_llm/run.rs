//! What becomes of the Pod: applied, made anew, or left as the record of a run that is over.
//!
//! In: the Pod as it is, and what the spec asks for. Out: a [`Step`]. Pure.
//!
//! A Pod that goes on serving is made anew whenever it has ended or is gone. One that ends after its prompts
//! (`keepAlive: false`) is made anew when it was lost before it was done, and when it was made for an older spec; when it
//! failed by itself it stays, and its failure is the answer until the spec changes or somebody deletes it.

use std::time::Duration;

use diagnosis::facts::{ContainerFacts, ContainerRole, ContainerState, PodFacts, PodPhase};

/// The first pause between the end of a Pod and its successor.
const BREATH: Duration = Duration::from_secs(10);
/// The longest.
const LONGEST_BREATH: Duration = Duration::from_mins(5);

/// The pause after so many losses in a row: twice as long after each.
pub(super) fn breath(losses: u32) -> Duration {
    BREATH.saturating_mul(1 << losses.min(16)).min(LONGEST_BREATH)
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Make it as asked for.
    Apply,
    /// It is on its way out; wait until it is gone.
    Wait,
    /// It has ended, and is deleted to be made anew.
    Replace,
    /// As [`Self::Replace`], but not yet.
    ReplaceLater,
    /// It has ended as it should, or its failure stands; it is left as it is.
    Keep,
}

/// How long the Pod is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    /// For ever.
    Serves,
    /// Until its prompts are done.
    Ends(Progress),
}

/// How far the run of this generation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Prompts are left.
    Open,
    /// All prompts have ended.
    Done,
    /// The Pod has ended after them, and that is stored.
    Finished,
}

/// What is to be done with the Pod. `current`: it was made for this generation's spec; `rested`: it ended long enough ago.
pub(super) fn step(pod: Option<&PodFacts>, run: Run, current: bool, rested: bool) -> Step {
    let over = run == Run::Ends(Progress::Finished);
    let go_on = if over { Step::Keep } else { Step::Apply };
    let Some(pod) = pod else { return go_on };
    if pod.deleting {
        return Step::Wait;
    }
    let stays = match (pod.phase, run) {
        (PodPhase::Pending | PodPhase::Running | PodPhase::Unknown, _) => return go_on,
        (_, Run::Serves) => false,
        // Whatever this operator would make of the spec today: the run is over.
        (_, Run::Ends(Progress::Finished)) => return Step::Keep,
        (PodPhase::Succeeded, Run::Ends(progress)) => progress == Progress::Done,
        (PodPhase::Failed, Run::Ends(_)) => failed_by_itself(pod),
    };
    if stays && current {
        return Step::Keep;
    }
    if rested || !current {
        Step::Replace
    } else {
        Step::ReplaceLater
    }
}

/// The kubelet names a reason when a node gave the Pod up: evicted, shut down, refused. A pull that failed is the registry's
/// or the network's doing.
fn failed_by_itself(pod: &PodFacts) -> bool {
    let failed = |container: &ContainerFacts| matches!(&container.state, ContainerState::Terminated(ending) if ending.exit_code != 0);
    let mut init = pod
        .containers
        .iter()
        .filter(|one| one.role == ContainerRole::Init);
    pod.reason.is_none() && !init.any(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(phase: PodPhase, reason: Option<&str>) -> PodFacts {
        PodFacts {
            phase,
            reason: reason.map(Into::into),
            ..PodFacts::default()
        }
    }

    #[test]
    fn every_case() {
        use PodPhase::{Failed, Pending, Running, Succeeded};
        let serves = (Run::Serves, true);
        let [open, done, finished] =
            [Progress::Open, Progress::Done, Progress::Finished].map(|progress| (Run::Ends(progress), true));
        let older = |(run, _): (Run, bool)| (run, false);
        let cases = [
            (None, serves, Step::Apply),
            (None, open, Step::Apply),
            (None, done, Step::Apply),
            (None, finished, Step::Keep),
            (Some(pod(Pending, None)), serves, Step::Apply),
            (Some(pod(Running, None)), serves, Step::Apply),
            (Some(pod(Running, None)), done, Step::Apply),
            (Some(pod(Failed, Some("Evicted"))), serves, Step::Replace),
            (Some(pod(Failed, None)), serves, Step::Replace),
            (Some(pod(Succeeded, None)), serves, Step::Replace),
            (Some(pod(Succeeded, None)), open, Step::Replace),
            (Some(pod(Succeeded, None)), done, Step::Keep),
            (Some(pod(Succeeded, None)), finished, Step::Keep),
            (Some(pod(Failed, None)), open, Step::Keep),
            (Some(pod(Failed, None)), done, Step::Keep),
            (Some(pod(Failed, Some("Evicted"))), open, Step::Replace),
            (Some(pod(Failed, Some("Evicted"))), finished, Step::Keep),
            (Some(pod(Failed, None)), older(open), Step::Replace),
            (Some(pod(Succeeded, None)), older(open), Step::Replace),
        ];
        for (pod, (run, current), expected) in cases {
            let told = step(pod.as_ref(), run, current, true);
            assert_eq!(told, expected, "{pod:?} {run:?} {current}");
        }
    }

    #[test]
    fn one_that_goes_is_waited_for_and_one_that_ended_at_once_gets_a_breath() {
        let going = PodFacts {
            deleting: true,
            ..pod(PodPhase::Running, None)
        };
        assert_eq!(step(Some(&going), Run::Serves, true, true), Step::Wait);
        let ended = pod(PodPhase::Failed, Some("OutOfmemory"));
        assert_eq!(step(Some(&ended), Run::Serves, true, false), Step::ReplaceLater);
        assert_eq!(
            step(Some(&ended), Run::Ends(Progress::Open), false, false),
            Step::Replace
        );
    }

    #[test]
    fn pauses_double_and_end() {
        let seconds = [0, 1, 2, 5, 60].map(|losses| breath(losses).as_secs());
        assert_eq!(seconds, [10, 20, 40, 300, 300]);
    }
}
