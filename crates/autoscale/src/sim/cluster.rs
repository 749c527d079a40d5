//! A deployment in simulated time: replicas that start, serve and drain, a router before them, and a policy that sees
//! scrapes and says how many there should be.
//!
//! In: a workload, an engine, start-up times, a policy. Out: what every request experienced and how many replicas there
//! were when. It must not help a policy: all see the same scrapes at the same times.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::{
    engine::{Outcome, Replica},
    meters::Engine,
    policy::Policy,
    rng::Rng,
    trace::Request,
    workload::Workload,
};
use crate::{
    num,
    observe::{self, Phase, Scrape, Snapshot},
};

/// Who gets the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Router {
    /// The replica with the fewest requests inside (a gateway).
    Least,
    /// The better of two at random.
    TwoChoices,
    /// Any (a Kubernetes Service).
    Random,
}

/// What does not depend on the policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setup {
    /// The engine of every replica.
    pub engine: Engine,
    /// GPUs of one replica.
    pub gpus: u32,
    /// Mean time from ordering a replica to serving, in seconds. Single start-ups vary by an eighth either way.
    pub startup: f64,
    /// Time between scrapes, in seconds.
    pub scrape_every: f64,
    /// Replicas that serve at the beginning.
    pub initial: u32,
    /// Most replicas there may be.
    pub max: u32,
    /// Who gets the next request.
    pub router: Router,
    /// Seed of start-up times and routing.
    pub seed: u64,
}

/// The part of [`Setup::startup`] by which single start-ups vary, either way.
pub const STARTUP_VARIATION: f64 = 0.125;

/// What happened.
#[derive(Clone, Debug)]
pub struct Run {
    /// Per request of the workload; `None`: not answered within an hour after the end.
    pub outcomes: Vec<Option<Outcome>>,
    /// Seconds of replicas from order to end, start-up and drain included, until the workload's end.
    pub replica_seconds: f64,
    /// Per scrape: seconds, replicas that serve, replicas that exist and do not drain.
    pub timeline: Vec<(f64, u32, u32)>,
}

/// The policies' clock; the simulation begins an hour after it, so that replicas can have been ordered before.
pub const BEGIN: f64 = 3600.0;

fn clock(seconds: f64) -> Duration {
    Duration::from_secs_f64((BEGIN + seconds).max(0.0))
}

struct Slot {
    id: Arc<str>,
    phase: Phase,
    /// When it was ordered.
    began: f64,
    /// From when on it is paid for; not before the simulation begins.
    created: f64,
    ready: f64,
    replica: Replica,
}

struct Cluster<'a> {
    setup: &'a Setup,
    slots: Vec<Slot>,
    held: VecDeque<(usize, Request)>,
    outcomes: Vec<Option<Outcome>>,
    replica_seconds: f64,
    ordered: u64,
    rng: Rng,
}

/// Replays a workload under a policy.
pub fn run(workload: &Workload, setup: &Setup, policy: &mut dyn Policy) -> Run {
    let mut cluster = Cluster {
        setup,
        slots: Vec::new(),
        held: VecDeque::new(),
        outcomes: vec![None; workload.requests.len()],
        replica_seconds: 0.0,
        ordered: 0,
        rng: Rng::new(setup.seed),
    };
    for _ in 0..setup.initial {
        let startup = cluster.some_startup();
        cluster.order(-startup, startup);
    }
    cluster.start_up(0.0);
    let mut timeline = Vec::new();
    let mut next = 0;
    let mut now = 0.0;
    while now < workload.seconds {
        let desired = policy.desired(&cluster.snapshot(now)).min(setup.max);
        cluster.scale(desired, now);
        timeline.push((now, cluster.count(Phase::Serving), cluster.wanted()));
        let until = now + setup.scrape_every;
        while let Some(request) = workload.requests.get(next).filter(|request| request.at < until) {
            cluster.start_up(request.at);
            cluster.route(next, *request);
            next += 1;
        }
        now = until;
        cluster.start_up(now);
        cluster.advance(now);
        cluster.remove_drained(now.min(workload.seconds));
    }
    for slot in &cluster.slots {
        cluster.replica_seconds += workload.seconds - slot.created;
    }
    cluster.start_up(f64::INFINITY);
    cluster.advance(now + 3600.0);
    Run {
        outcomes: cluster.outcomes,
        replica_seconds: cluster.replica_seconds,
        timeline,
    }
}

impl Cluster<'_> {
    fn order(&mut self, now: f64, startup: f64) {
        self.ordered += 1;
        self.slots.push(Slot {
            id: Arc::from(format!("replica-{}", self.ordered)),
            phase: Phase::Starting,
            began: now,
            created: now.max(0.0),
            ready: now + startup,
            replica: Replica::new(self.setup.engine, now + startup),
        });
    }

    fn some_startup(&mut self) -> f64 {
        self.setup.startup * (1.0 + self.rng.between(-STARTUP_VARIATION, STARTUP_VARIATION))
    }

    fn count(&self, phase: Phase) -> u32 {
        u32::try_from(self.slots.iter().filter(|slot| slot.phase == phase).count()).unwrap_or(u32::MAX)
    }

    fn wanted(&self) -> u32 {
        self.count(Phase::Starting) + self.count(Phase::Serving)
    }

    /// Replicas whose start-up is over serve; what was held goes to them.
    fn start_up(&mut self, now: f64) {
        let mut any = false;
        for slot in &mut self.slots {
            if slot.phase == Phase::Starting && slot.ready <= now {
                slot.phase = Phase::Serving;
                any = true;
            }
        }
        if any {
            for (id, request) in std::mem::take(&mut self.held) {
                self.route(id, request);
            }
        }
    }

    fn route(&mut self, id: usize, request: Request) {
        let at = request.at;
        self.advance(at);
        let serving: Vec<usize> = (0..self.slots.len())
            .filter(|index| self.slots[*index].phase == Phase::Serving)
            .collect();
        let load = |index: &usize| self.slots[*index].replica.in_flight();
        let pick =
            |rng: &mut Rng| serving.get(num::index(rng.unit() * num::float(serving.len()), serving.len()));
        let chosen = match self.setup.router {
            Router::Least => serving.iter().min_by_key(|index| load(index)),
            Router::Random => pick(&mut self.rng),
            Router::TwoChoices => {
                let pair = [pick(&mut self.rng), pick(&mut self.rng)];
                pair.into_iter().flatten().min_by_key(|index| load(index))
            }
        };
        match chosen {
            Some(index) => {
                let slot = &mut self.slots[*index];
                slot.replica.accept(id, request, at.max(slot.ready));
            }
            None => self.held.push_back((id, request)),
        }
    }

    fn advance(&mut self, until: f64) {
        let outcomes = &mut self.outcomes;
        for slot in &mut self.slots {
            if slot.phase != Phase::Starting {
                slot.replica
                    .advance(until, &mut |id, outcome| outcomes[id] = Some(outcome));
            }
        }
    }

    /// Orders what is missing; lets go what is too much: first what does not serve yet, then who has least to finish.
    fn scale(&mut self, desired: u32, now: f64) {
        for _ in self.wanted()..desired {
            let startup = self.some_startup();
            self.order(now, startup);
        }
        for _ in desired..self.wanted() {
            let leaves = |slot: &Slot| match slot.phase {
                Phase::Starting => Some((0, 0)),
                Phase::Serving => Some((1, slot.replica.in_flight())),
                Phase::Draining => None,
            };
            let candidate = self
                .slots
                .iter_mut()
                .filter_map(|slot| leaves(slot).map(|cost| (cost, slot)))
                .min_by_key(|(cost, _)| *cost);
            if let Some((_, slot)) = candidate {
                slot.phase = Phase::Draining;
            }
        }
        self.remove_drained(now);
    }

    fn remove_drained(&mut self, now: f64) {
        let seconds = &mut self.replica_seconds;
        self.slots.retain(|slot| {
            let gone = slot.phase == Phase::Draining && slot.replica.in_flight() == 0;
            if gone {
                *seconds += (now - slot.created).max(0.0);
            }
            !gone
        });
    }

    fn snapshot(&self, now: f64) -> Snapshot {
        Snapshot {
            now: clock(now),
            replicas: self.slots.iter().map(|slot| slot.observed(now)).collect(),
            held: num::float(self.held.len()),
        }
    }
}

impl Slot {
    fn observed(&self, now: f64) -> observe::Replica {
        observe::Replica {
            id: Arc::clone(&self.id),
            phase: self.phase,
            created: clock(self.began),
            ready: (self.phase != Phase::Starting).then(|| clock(self.ready.min(now))),
            scrape: (self.phase != Phase::Starting).then(|| self.scrape(now)),
        }
    }

    fn scrape(&self, now: f64) -> Scrape {
        let meters = self.replica.meters();
        Scrape {
            at: clock(now),
            finished: Some(meters.finished),
            prompt_tokens: Some(meters.prompt_tokens),
            generation_tokens: Some(meters.generation_tokens),
            running: Some(num::float(self.replica.running())),
            waiting: Some(num::float(self.replica.waiting())),
            cache_use: Some(self.replica.cache_use()),
            ttft: Some(meters.ttft.clone()),
            per_token: Some(meters.per_token.clone()),
            inter_token: Some(meters.inter_token.clone()),
        }
    }
}
