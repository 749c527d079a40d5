//! The best policy that we can make without the future: how far a bound is out of reach for anybody who cannot see it.
//!
//! In: a workload, a setup, a goal. Out: the cheapest run that reaches the goal, of a family of policies that see the past only.
//! It must not be a policy for use: it knows the engine, the exact work of each request the moment it arrives, and above all
//! its parameters are chosen in hindsight, for this very workload.
//!
//! Replicas are the work arriving per second, as a level or a line through the past, with or without a trend to the end of a
//! start-up, its highest of the last while, times a factor; and never fewer than a floor. A fixed number is one of them.

use super::{
    cluster::{self, STARTUP_VARIATION, Setup},
    policy::Schedule,
    score::{Goal, Score, attainment, score},
    workload::Workload,
};
use crate::{forecast::Expert, num};

/// Half-lives of the memory, in seconds.
const HALF_LIVES: [f64; 4] = [10.0, 30.0, 100.0, 400.0];
/// Shares of the start-up that trends are followed for.
const TRENDS: [f64; 3] = [0.0, 0.5, 1.0];
/// Seconds for which the highest counts.
const HOLDS: [f64; 6] = [15.0, 60.0, 150.0, 300.0, 600.0, 1200.0];
/// Floors, as shares of the replicas at the beginning.
const FLOORS: [f64; 7] = [0.0, 0.5, 0.7, 0.85, 1.0, 1.15, 1.3];
/// Steps of bisection of the factor.
const BISECTION: u32 = 6;
/// How often each parameter is chosen anew.
const ROUNDS: u32 = 2;

/// What is chosen in hindsight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// Half-life of the memory, in seconds.
    pub half_life: f64,
    /// Share of the start-up that the trend is followed for; 0: a level.
    pub trend: f64,
    /// Seconds for which the highest counts.
    pub hold: f64,
    /// Fewest replicas.
    pub floor: u32,
    /// Replicas per unit of work that arrives per second.
    pub factor: f64,
}

/// The best that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// Its parameters.
    pub parameters: Parameters,
    /// Its figures.
    pub score: Score,
}

struct Search<'a> {
    workload: &'a Workload,
    setup: &'a Setup,
    goal: &'a Goal,
    /// Work that arrived in each step, in seconds of a replica's time.
    arrived: Vec<f64>,
    best: Option<Best>,
}

/// Searches, from `setup.initial` replicas on; `None` when nothing reaches the goal.
pub fn search(workload: &Workload, setup: &Setup, goal: &Goal) -> Option<Best> {
    let step = setup.scrape_every;
    let mut arrived = vec![0.0; num::index(workload.seconds / step, usize::MAX) + 1];
    let last = arrived.len();
    for request in &workload.requests {
        arrived[num::index(request.at / step, last)] += setup.engine.work(request);
    }
    let mut search = Search {
        workload,
        setup,
        goal,
        arrived,
        best: None,
    };
    let mut chosen = Parameters {
        half_life: 60.0,
        trend: 0.0,
        hold: 120.0,
        floor: 0,
        factor: 1.0,
    };
    let initial = f64::from(setup.initial);
    for _ in 0..ROUNDS {
        let before = search.best;
        for half_life in HALF_LIVES {
            for trend in TRENDS {
                search.attempt(Parameters {
                    half_life,
                    trend,
                    ..chosen
                });
            }
        }
        chosen = search.best.map_or(chosen, |best| best.parameters);
        for hold in HOLDS {
            search.attempt(Parameters { hold, ..chosen });
        }
        chosen = search.best.map_or(chosen, |best| best.parameters);
        for share in FLOORS {
            let floor = num::whole_replicas(share * initial);
            search.attempt(Parameters { floor, ..chosen });
        }
        chosen = search.best.map_or(chosen, |best| best.parameters);
        if search.best == before {
            break;
        }
    }
    search.best
}

impl Search<'_> {
    /// The least factor that reaches the goal, if any does.
    fn attempt(&mut self, parameters: Parameters) {
        let (mut low, mut high) = (0.0, 3.0);
        for _ in 0..BISECTION {
            let factor = f64::midpoint(low, high);
            if self.run(Parameters { factor, ..parameters }) {
                high = factor;
            } else {
                low = factor;
            }
        }
    }

    fn run(&mut self, parameters: Parameters) -> bool {
        let mut schedule = Schedule {
            step: self.setup.scrape_every,
            replicas: self.replicas(&parameters),
        };
        let run = cluster::run(self.workload, self.setup, &mut schedule);
        let reached = attainment(&run, self.goal) >= self.goal.attainment;
        let score = score(&run, self.goal, self.setup.gpus);
        if reached
            && self
                .best
                .is_none_or(|best| score.gpu_hours < best.score.gpu_hours)
        {
            self.best = Some(Best { parameters, score });
        }
        reached
    }

    /// A number per step, each from what arrived before it.
    fn replicas(&self, parameters: &Parameters) -> Vec<u32> {
        let step = self.setup.scrape_every;
        let ahead = parameters.trend * self.setup.startup * (1.0 + STARTUP_VARIATION);
        let mut expert = Expert::new(parameters.half_life, parameters.trend > 0.0);
        let held = num::index(parameters.hold / step, usize::MAX).max(1);
        let mut needs: Vec<f64> = Vec::new();
        let mut replicas = vec![self.setup.initial];
        for work in &self.arrived {
            expert.learn(step, work / step);
            needs.push(expert.predict(ahead));
            let lately = &needs[needs.len().saturating_sub(held)..];
            let highest = lately.iter().copied().fold(0.0, f64::max);
            let need = num::whole_replicas(parameters.factor * highest);
            replicas.push(need.max(parameters.floor).clamp(1, self.setup.max));
        }
        replicas
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Engine, Shape, cluster::Router, rng::Rng, trace::Request};

    /// Steady load needs no future: hindsight comes to about what the clairvoyant needs, and the goal is reached.
    #[test]
    fn steady_load_costs_about_what_the_clairvoyant_pays() {
        let mut rng = Rng::new(3);
        let mut requests = Vec::new();
        let mut at = 0.0;
        while at < 400.0 {
            at += rng.exponential(40.0);
            requests.push(Request {
                at,
                prompt: 1000,
                output: 100,
            });
        }
        let workload = Workload::new(&requests, &Shape::default());
        let goal = Goal {
            ttft: 1.0,
            per_token: 0.05,
            attainment: 0.99,
        };
        let setup = Setup {
            engine: Engine::default(),
            gpus: 1,
            startup: 20.0,
            scrape_every: 5.0,
            initial: 3,
            max: 20,
            router: Router::Least,
            seed: 1,
        };
        let best = search(&workload, &setup, &goal).expect("it is reached");
        assert!(best.score.attainment >= 0.99, "{best:?}");
        let clairvoyant = crate::sim::clairvoyant::search(&workload, &setup, &goal).expect("it is reached");
        let ratio = best.score.gpu_hours * 3600.0 / clairvoyant.run.replica_seconds;
        assert!((0.95..1.3).contains(&ratio), "{ratio}: {best:?}");
    }
}
