//! What the planner sees: Pods and scrapes as replicas in their phases.
//!
//! In: facts of the Pods, the scraper's newest, both clocks, and how many replicas were ordered. Out: a [`Snapshot`] of exactly that
//! many replicas that do not go, and what could not be seen. It must not use an old scrape, or one twice.

use std::{sync::Arc, time::Duration};

use autoscale::observe::{Phase, Replica, Scrape, Snapshot};
use diagnosis::facts::{PodFacts, PodPhase};
use scraper::Latest;

use super::{Clocks, lives::Lives};

/// A start that takes longer is no start any more: a Pod that finds no node, or crashes.
const LONGEST_START: Duration = Duration::from_mins(15);

/// What a snapshot is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub pods: &'a [Arc<PodFacts>],
    /// Of the scraper; `None` when the engine exports nothing.
    pub latest: Option<&'a [Latest]>,
    pub clocks: Clocks,
    /// Replicas that were last ordered.
    pub ordered: u32,
    /// Older scrapes are none.
    pub freshness: Duration,
    /// When the last snapshot was made, on the scraper's clock: only later scrapes tell anything new.
    pub last: Option<Duration>,
    /// Expected start-up time.
    pub startup: Duration,
}

/// What could not be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Replicas that were asked for metrics.
    pub asked: u32,
    /// Of them, those without a usable answer.
    pub failed: u32,
    /// Why the first of them (by name) has none.
    pub reason: Option<String>,
}

/// Makes the snapshot.
pub(crate) fn snapshot(seen: &Seen<'_>, lives: &mut Lives) -> (Snapshot, Sight) {
    let mut sight = Sight::default();
    let mut pods: Vec<&PodFacts> = seen.pods.iter().map(|pod| &**pod).collect();
    pods.sort_by(|a, b| a.name.cmp(&b.name));
    let living = pods
        .into_iter()
        .filter(|pod| !matches!(pod.phase, PodPhase::Succeeded | PodPhase::Failed));
    let mut replicas: Vec<Replica> = living
        .filter_map(|pod| replica(pod, seen, lives, &mut sight))
        .collect();
    lives.forget();
    as_ordered(&mut replicas, seen.ordered, seen.clocks.now());
    let snapshot = Snapshot {
        now: seen.clocks.now(),
        replicas,
        held: 0.0,
    };
    (snapshot, sight)
}

/// A Pod as a replica; `None` when it goes before it ever served.
fn replica(pod: &PodFacts, seen: &Seen<'_>, lives: &mut Lives, sight: &mut Sight) -> Option<Replica> {
    let (clocks, longest) = (seen.clocks, LONGEST_START.max(seen.startup * 2));
    let now = clocks.now();
    let (served, ready) = lives.look(pod, clocks, longest);
    let created = pod.created.map_or(now, |created| clocks.of_day(created));
    let replica = |phase, created, ready, scrape| Replica {
        id: Arc::from(&*pod.uid),
        phase,
        created,
        ready,
        scrape,
    };
    if !served {
        let created = created.max(now.saturating_sub(longest));
        return (!pod.deleting).then(|| replica(Phase::Starting, created, None, None));
    }
    let phase = if pod.deleting {
        Phase::Draining
    } else {
        Phase::Serving
    };
    let Some(all) = seen.latest else {
        let nothing = Scrape {
            at: now,
            ..Scrape::default()
        };
        return Some(replica(phase, created, ready, Some(nothing)));
    };
    let latest = all
        .iter()
        .find(|latest| *latest.id == *pod.uid)
        .filter(|latest| latest.scrape.is_some() || latest.failure.is_some());
    let Some(latest) = latest else {
        // Nobody has asked it yet.
        return (!pod.deleting).then(|| replica(Phase::Starting, now, None, None));
    };
    let fresh = latest.fresh(clocks.scraper, seen.freshness);
    let scrape = fresh.filter(|scrape| seen.last.is_none_or(|last| scrape.at > last));
    let scrape = scrape.map(|scrape| Scrape {
        at: Clocks::of_scraper(scrape.at),
        ..(**scrape).clone()
    });
    if pod.deleting && scrape.is_none() {
        // Its server has ended; what it held is over.
        return None;
    }
    sight.asked += 1;
    if scrape.is_none() {
        sight.failed += 1;
        let why = latest.failure.as_ref().map_or_else(
            || "no answer for a while".to_owned(),
            |failure| failure.cause.to_string(),
        );
        sight.reason.get_or_insert_with(|| format!("{}: {why}", pod.name));
    }
    Some(replica(phase, created, ready, scrape))
}

/// As many replicas that do not go as were ordered: the planner changes an order, and Pods follow it late, or in a rollout come on top.
fn as_ordered(replicas: &mut Vec<Replica>, ordered: u32, now: Duration) {
    let ordered = usize::try_from(ordered).unwrap_or(usize::MAX);
    let stays = |replica: &Replica| replica.phase != Phase::Draining;
    let mut count = replicas.iter().filter(|replica| stays(replica)).count();
    // The youngest go first, and those that start before those that serve.
    replicas.sort_by_key(|replica| (replica.phase == Phase::Starting, replica.created));
    while count > ordered && replicas.last().is_some_and(|last| last.phase == Phase::Starting) {
        replicas.pop();
        count -= 1;
    }
    for replica in replicas.iter_mut().rev().filter(|replica| stays(replica)) {
        if count <= ordered {
            break;
        }
        replica.phase = Phase::Draining;
        count -= 1;
    }
    for missing in count..ordered {
        replicas.push(Replica {
            id: format!("ordered/{missing}").into(),
            phase: Phase::Starting,
            created: now,
            ready: None,
            scrape: None,
        });
    }
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
