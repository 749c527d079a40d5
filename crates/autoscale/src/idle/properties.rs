//! What holds whatever happens.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;

use super::{
    tests::{AFTER, LOOKS, replica},
    *,
};
use crate::observe::Replica;

/// One look of a story: how much later, replicas as (identity, seen, finished, running, phase), and what else there is.
type Step = (u64, bool, Vec<(u8, bool, u8, u8, u8)>, bool, bool);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let replica = (
        0_u8..3,
        proptest::bool::weighted(0.95),
        0_u8..2,
        prop_oneof![9 => Just(0_u8), 1 => Just(1_u8)],
        0_u8..3,
    );
    let step = (
        prop_oneof![9 => Just(15_u64), 1 => 0_u64..100_000],
        proptest::bool::weighted(0.02),
        proptest::collection::vec(replica, 1..3),
        proptest::bool::weighted(0.03),
        proptest::bool::weighted(0.03),
    );
    // Most looks see what the one before saw.
    proptest::collection::vec((step, 1_usize..60), 1..12).prop_map(|steps| {
        steps
            .into_iter()
            .flat_map(|(step, times)| std::iter::repeat_n(step, times))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever happens: to zero only when the looks of the whole time before saw every replica, and none of them did anything.
    #[test]
    fn never_to_zero_while_busy_or_blind(steps in steps()) {
        let mut idle = Idle::awake(true);
        let mut now = Duration::from_hours(1000);
        // How long nothing happened, by the book: since when every look saw the same.
        let (mut proven, mut before) = (Duration::ZERO, None);
        for (gap, back, replicas, unasked, held) in steps {
            let gap = Duration::from_secs(gap);
            now = if back { now.saturating_sub(gap) } else { now + gap };
            let replicas: Vec<Replica> = replicas.iter().map(|(id, seen, finished, running, phase)| {
                let one = replica(&id.to_string(), f64::from(*finished), f64::from(*running));
                let phase = [Phase::Starting, Phase::Serving, Phase::Draining][usize::from(*phase)];
                Replica { phase, scrape: one.scrape.clone().filter(|_| *seen), ..one }
            }).collect();
            let snapshot = Snapshot { now, replicas, held: if held { 1.0 } else { 0.0 } };
            let course = idle.look(&Look {
                snapshot: &snapshot, unasked, told: Some(1), wake: None, after: Some(AFTER), least: 1,
            });
            let running: Vec<_> = snapshot.replicas.iter().filter(|one| one.phase != Phase::Starting).collect();
            let blind = running.iter().any(|one| one.scrape.is_none());
            let busy = running.iter().filter_map(|one| one.scrape.as_ref()).any(|one| one.running > Some(0.0));
            let serves = running.iter().any(|one| one.phase == Phase::Serving);
            let state: BTreeMap<Arc<str>, Option<f64>> = running
                .iter()
                .map(|one| (Arc::clone(&one.id), one.scrape.as_ref().and_then(|one| one.finished)))
                .collect();
            let same = before.as_ref().is_some_and(|before: &BTreeMap<Arc<str>, Option<f64>>| {
                state.iter().all(|(id, finished)| before.get(id) == Some(finished))
            });
            let idles = same && !blind && !busy && serves && !unasked && !held;
            proven = if idles { proven + gap } else { Duration::ZERO };
            before = Some(state);
            if let Course::Sleep(_) = course {
                prop_assert!(idles, "{snapshot:?}");
                prop_assert!(proven >= AFTER.saturating_sub(Duration::from_secs(15)), "{proven:?}");
            }
        }
        // And whatever happened, it goes once nothing does any more.
        let slept = (0..=LOOKS).any(|_| {
            now += Duration::from_secs(15);
            let snapshot = Snapshot { now, replicas: vec![replica("z", 1.0, 0.0)], held: 0.0 };
            let look = Look { snapshot: &snapshot, unasked: false, told: Some(1), wake: None, after: Some(AFTER), least: 1 };
            matches!(idle.look(&look), Course::Sleep(_))
        });
        prop_assert!(slept);
    }

    /// Whatever was seen, whoever asks wakes it, and nobody else does.
    #[test]
    fn only_who_asks_wakes(told in proptest::collection::vec(proptest::option::of(Just(0_u32)), 1..40), word in "[a-z]{0,3}") {
        let mut idle = Idle::zero(Memory { wake: Some("was".into()), least: 1 });
        let look = |idle: &mut Idle, number: usize, told, wake: &str| {
            let now = Duration::from_secs(15 * u64::try_from(number).unwrap());
            let snapshot = Snapshot { now, ..Snapshot::default() };
            idle.look(&Look { snapshot: &snapshot, unasked: false, told, wake: Some(wake), after: Some(AFTER), least: 1 })
        };
        for (number, told) in told.iter().enumerate() {
            prop_assert_eq!(look(&mut idle, number, *told, "was"), Course::Zero);
        }
        let course = look(&mut idle, 1000, None, &word);
        prop_assert_eq!(course, if word == "was" { Course::Zero } else { Course::Wake(1, Wanted::Asked) });
    }
}
