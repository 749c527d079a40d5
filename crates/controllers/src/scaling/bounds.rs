//! How many replicas there may be, and what sets the limit.
//!
//! In: the plan, what room there is, what was ordered. Out: bounds with words for the upper one. It must not take away what runs: GPUs
//! that are gone lower nobody below what was ordered (the Pod that has lost its node waits, and others serve on), and nothing lowers
//! anybody below the least.

use autoscale::Bounds;
use serving::plan::ScalingPlan;

use super::Room;

/// What limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The plan.
    Most,
    /// GPUs that exist and are not taken by others.
    Gpus,
    /// The namespace's quota, in the API server's words.
    Quota(String),
}

/// Bounds and what they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounded {
    /// For the planner.
    pub bounds: Bounds,
    /// What sets the upper one.
    pub limit: Limit,
}

impl Bounded {
    /// The limit in words, to follow a decision that it cut.
    pub fn words(&self) -> String {
        let most = self.bounds.max;
        let replicas = if most == 1 { "replica" } else { "replicas" };
        match &self.limit {
            Limit::Most => format!("the most is {most} {replicas}; raise it if the load is to be met"),
            Limit::Gpus => {
                format!("free GPUs that exist are enough for {most} {replicas}; add nodes or free some")
            }
            Limit::Quota(words) => {
                format!(
                    "the namespace's quota admits {most} {replicas} ({words}); raise it or free some of it"
                )
            }
        }
    }
}

/// The bounds of a plan in the room that there is; `ordered`: replicas that its workload is told to have.
pub fn bounded(plan: &ScalingPlan, room: &Room, ordered: u32) -> Bounded {
    let number = |replicas: i32| u32::try_from(replicas).unwrap_or_default();
    let (least, most) = (number(plan.least), number(plan.most));
    let mut bounded = Bounded {
        bounds: Bounds {
            min: least,
            max: most.max(least),
        },
        limit: Limit::Most,
    };
    let quota = room
        .quota
        .as_ref()
        .map(|(replicas, words)| (*replicas, Limit::Quota(words.clone())));
    let gpus = room.gpus.map(|replicas| (replicas.max(ordered), Limit::Gpus));
    for (replicas, limit) in gpus.into_iter().chain(quota) {
        if replicas.max(least) < bounded.bounds.max {
            bounded.bounds.max = replicas.max(least);
            bounded.limit = limit;
        }
    }
    bounded
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serving::plan::Promise;

    use super::*;

    #[test]
    fn the_narrowest_limits_but_never_below_the_least() {
        let promise = Promise {
            time_to_first_token: None,
            time_per_output_token: Some(Duration::from_millis(100)),
            output_tokens_per_second: None,
            attainment_ppm: 990_000,
        };
        let plan = ScalingPlan {
            least: 3,
            most: 12,
            idle_after: None,
            promise,
        };
        let quota = || Some((5, "exceeded quota: gpus".to_owned()));
        for (gpus, quota, max, told) in [
            (None, None, 12, "the most is 12"),
            (Some(40), None, 12, "the most is 12"),
            (Some(12), None, 12, "the most is 12"),
            (Some(8), None, 8, "GPUs that exist are enough for 8"),
            (
                Some(8),
                quota(),
                5,
                "quota admits 5 replicas (exceeded quota: gpus)",
            ),
            (Some(4), quota(), 4, "GPUs that exist are enough for 4"),
            (Some(0), None, 3, "GPUs that exist are enough for 3"),
        ] {
            let room = Room {
                gpus,
                quota,
                ..Room::default()
            };
            let bounded = bounded(&plan, &room, 0);
            assert_eq!((bounded.bounds.min, bounded.bounds.max), (3, max), "{room:?}");
            assert!(bounded.words().contains(told), "{}", bounded.words());
        }
        let lost_a_node = Room {
            gpus: Some(7),
            ..Room::default()
        };
        assert_eq!(
            bounded(&plan, &lost_a_node, 8).bounds.max,
            8,
            "nobody else has to go"
        );
        assert_eq!(bounded(&plan, &lost_a_node, 20).bounds.max, 12);
    }
}
