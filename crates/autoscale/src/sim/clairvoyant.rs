//! The clairvoyant: knows every arrival, pays every start-up.
//!
//! In: a workload and a setup. Out: a schedule with as few GPU-hours as this search finds, whose simulated attainment is at
//! least the goal. It must not be unfair to itself: replicas are ordered early enough, never let go over a gap that is shorter
//! than a start-up, and the requests that may be late are used up.
//!
//! Replicas that serve in a step are the work arriving around it over the share of time that a replica may be busy. That
//! share is one number at first, found by bisection over several widths of "around"; then each minute gets its own, moved
//! until all minutes have the same share of late requests (where one replica less makes as many late everywhere, nothing
//! is gained by moving one). The best schedule of all that were tried is kept.

use super::{
    cluster::{self, Run, STARTUP_VARIATION, Setup},
    policy::{Fixed, Schedule},
    score::{Goal, attainment, good},
    workload::Workload,
};
use crate::num;

/// Widths of "around", in seconds.
const WIDTHS: [f64; 3] = [20.0, 60.0, 180.0];
/// Steps of bisection.
const BISECTION: u32 = 7;
/// Rounds in which minutes move.
const ROUNDS: u32 = 16;
/// Seconds of the parts that have a share of their own.
const PART: f64 = 60.0;

struct Search<'a> {
    workload: &'a Workload,
    setup: &'a Setup,
    goal: &'a Goal,
    best: Option<Found>,
}

/// A schedule and what came of it.
#[derive(Clone, Debug)]
pub struct Found {
    /// Replicas that exist when; those of the first step serve at once.
    pub schedule: Schedule,
    /// The run.
    pub run: Run,
    /// Share of requests that were good.
    pub attainment: f64,
}

/// Searches. `None` when no schedule reaches the goal.
pub fn search(workload: &Workload, setup: &Setup, goal: &Goal) -> Option<Found> {
    let mut search = Search {
        workload,
        setup,
        goal,
        best: None,
    };
    let mut best_start: Option<(f64, f64, f64)> = None;
    for width in WIDTHS {
        let demand = search.demand(width);
        let (mut low, mut high) = (0.2, 1.1);
        for _ in 0..BISECTION {
            let middle = f64::midpoint(low, high);
            let (reached, cost) = search.attempt(&demand, &vec![middle; search.parts()]);
            if reached {
                low = middle;
                if best_start.is_none_or(|(_, _, least)| cost < least) {
                    best_start = Some((width, middle, cost));
                }
            } else {
                high = middle;
            }
        }
    }
    if let Some((width, share, _)) = best_start {
        search.refine(&search.demand(width), share);
    }
    search.fixed();
    search.best
}

impl Search<'_> {
    fn steps(&self) -> usize {
        num::index(self.workload.seconds / self.setup.scrape_every, usize::MAX) + 1
    }

    fn parts(&self) -> usize {
        num::index(self.workload.seconds / PART, usize::MAX) + 1
    }

    /// Work arriving per second around each step, in replicas' time.
    fn demand(&self, width: f64) -> Vec<f64> {
        let step = self.setup.scrape_every;
        let steps = self.steps();
        let mut arriving = vec![0.0; steps];
        for request in &self.workload.requests {
            arriving[num::index(request.at / step, steps)] += self.setup.engine.work(request);
        }
        let half = num::index(width / 2.0 / step, steps).max(1);
        (0..steps)
            .map(|at| {
                let around = &arriving[at.saturating_sub(half)..(at + half).min(steps)];
                around.iter().sum::<f64>() / (num::float(around.len()) * step)
            })
            .collect()
    }

    /// Runs the schedule for these shares of time; whether the goal was reached, and the cost.
    fn attempt(&mut self, demand: &[f64], shares: &[f64]) -> (bool, f64) {
        let step = self.setup.scrape_every;
        let serving: Vec<u32> = demand
            .iter()
            .enumerate()
            .map(|(at, work)| {
                let share = shares[num::index(num::float(at) * step / PART, shares.len())];
                num::whole_replicas(work / share).clamp(1, self.setup.max)
            })
            .collect();
        self.run(&serving)
    }

    fn run(&mut self, serving: &[u32]) -> (bool, f64) {
        let schedule = Schedule {
            step: self.setup.scrape_every,
            replicas: with_lead(serving, self.setup),
        };
        let setup = Setup {
            initial: schedule.replicas.first().copied().unwrap_or(1),
            ..*self.setup
        };
        let run = cluster::run(self.workload, &setup, &mut schedule.clone());
        let attainment = attainment(&run, self.goal);
        let (reached, cost) = (attainment >= self.goal.attainment, run.replica_seconds);
        if reached
            && self
                .best
                .as_ref()
                .is_none_or(|best| cost < best.run.replica_seconds)
        {
            self.best = Some(Found {
                schedule,
                run,
                attainment,
            });
        }
        (reached, cost)
    }

    /// Moves each part's share until all have the same share of late requests, the whole just reaching the goal.
    fn refine(&mut self, demand: &[f64], share: f64) {
        let mut shares = vec![share; self.parts()];
        let mut late = self.late_per_part();
        let allowed = 1.0 - self.goal.attainment;
        for round in 0..ROUNDS {
            let gain = 0.06 / (1.0 + f64::from(round) / 4.0);
            for (share, late) in shares.iter_mut().zip(&late) {
                let distance = ((late + 1e-4) / (allowed + 1e-4)).ln().clamp(-2.0, 2.0);
                *share = (*share * (1.0 - gain * distance)).clamp(0.1, 1.3);
            }
            let (reached, _) = self.attempt(demand, &shares);
            // What was tried last tells where it hurts, also when it was worse.
            late = self.late_per_part();
            if !reached {
                for share in &mut shares {
                    *share *= 1.0 - 0.2 * gain;
                }
            }
        }
    }

    fn late_per_part(&self) -> Vec<f64> {
        let parts = self.parts();
        let mut all = vec![0.0; parts];
        let mut late = vec![0.0; parts];
        let Some(best) = &self.best else { return late };
        for (request, outcome) in self.workload.requests.iter().zip(&best.run.outcomes) {
            let part = num::index(request.at / PART, parts);
            all[part] += 1.0;
            if !good(outcome.as_ref(), self.goal) {
                late[part] += 1.0;
            }
        }
        late.iter()
            .zip(&all)
            .map(|(late, all): (&f64, &f64)| late / all.max(1.0))
            .collect()
    }

    /// A fixed number is a schedule, too.
    fn fixed(&mut self) {
        let most = self.best.as_ref().map_or(self.setup.max, |best| {
            num::whole_replicas(best.run.replica_seconds / self.workload.seconds)
        });
        let setup = Setup {
            initial: most,
            ..*self.setup
        };
        let run = cluster::run(self.workload, &setup, &mut Fixed(most));
        let attainment = attainment(&run, self.goal);
        let cheaper = self
            .best
            .as_ref()
            .is_none_or(|best| run.replica_seconds < best.run.replica_seconds);
        if attainment >= self.goal.attainment && cheaper {
            let schedule = Schedule {
                step: self.setup.scrape_every,
                replicas: vec![most],
            };
            self.best = Some(Found {
                schedule,
                run,
                attainment,
            });
        }
    }
}

/// Replicas that must exist so that these serve: each from a slow start-up before it is needed.
fn with_lead(serving: &[u32], setup: &Setup) -> Vec<u32> {
    let lead = num::index(
        setup.startup * (1.0 + STARTUP_VARIATION) / setup.scrape_every,
        usize::MAX,
    ) + 1;
    (0..serving.len())
        .map(|at| {
            serving[at..(at + lead + 1).min(serving.len())]
                .iter()
                .copied()
                .max()
                .unwrap_or(1)
        })
        .collect()
}
