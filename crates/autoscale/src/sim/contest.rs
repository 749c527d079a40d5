//! All policies on one workload.
//!
//! In: a workload, a setup, the promises, how wrong the estimator begins. Out: figures per policy, and per policy a curve of
//! attainment over cost, made by turning its one knob. It must not give any policy more than the others: all begin with the
//! same replicas, see the same scrapes, and are acted on every 15 s; only the clairvoyant knows what comes.

use std::time::Duration;

use super::{
    causal::{self, Best},
    clairvoyant::{self, Found},
    cluster::{self, Run, Setup},
    policy::{Fixed, Hpa, Kpa, Load, Ours, Policy, Saturation, Synced},
    score::{Goal, Score, score},
    workload::Workload,
};
use crate::{
    Bounds, Config, Targets,
    decide::DEFAULT_RISK,
    estimate::{Expected, StepTime},
    num,
};

/// Seconds between two looks of whoever acts on decisions (the `HorizontalPodAutoscaler`'s default).
const PERIOD: f64 = 15.0;
/// More replicas than the clairvoyant's peak, by which factor, nobody may have (GPUs are finite).
const MOST: u32 = 3;

/// A policy and its knob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// The operator's planner; knob: risk.
    Ours,
    /// A fixed number; knob: replicas as a multiple of the clairvoyant's mean.
    Fixed,
    /// HPA on waiting requests; knob: waiting per replica.
    Hpa,
    /// Requests inside; knob: per replica.
    Kpa,
    /// llm-d's rule; knob: threshold for the cache.
    Saturation,
    /// Dynamo's rule; knob: multiple of the targets.
    Load,
}

impl Contender {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Ours,
        Self::Fixed,
        Self::Hpa,
        Self::Kpa,
        Self::Saturation,
        Self::Load,
    ];

    /// How it is called in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Fixed => "fixed at peak",
            Self::Hpa => "HPA on waiting",
            Self::Kpa => "concurrency (KPA)",
            Self::Saturation => "saturation (llm-d)",
            Self::Load => "load (Dynamo)",
        }
    }

    /// The knob as its documentation has it; `peak` is the clairvoyant's highest number over its mean.
    fn default_knob(self, peak: f64) -> f64 {
        match self {
            Self::Ours => DEFAULT_RISK,
            Self::Fixed => peak,
            Self::Hpa => 5.0,
            Self::Kpa => 70.0,
            Self::Saturation => 0.8,
            Self::Load => 1.0,
        }
    }

    /// Knobs of the curve, from spending most to spending least.
    fn knobs(self) -> &'static [f64] {
        match self {
            Self::Ours => &[0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8],
            Self::Fixed => &[2.0, 1.8, 1.6, 1.5, 1.4, 1.3, 1.2, 1.1, 1.0],
            Self::Hpa => &[0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0],
            Self::Kpa => &[4.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 70.0, 100.0],
            Self::Saturation => &[0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8],
            Self::Load => &[0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0],
        }
    }
}

/// What stays the same for all.
#[derive(Clone, Debug)]
pub struct Contest<'a> {
    workload: &'a Workload,
    setup: Setup,
    goal: Goal,
    wrong: f64,
    /// The clairvoyant.
    pub clairvoyant: Found,
}

/// One policy's run.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Whose.
    pub contender: Contender,
    /// Its knob.
    pub knob: f64,
    /// Its figures.
    pub score: Score,
    /// The run.
    pub run: Run,
}

impl<'a> Contest<'a> {
    /// Finds the clairvoyant's schedule; `None` when no schedule reaches the goal. `wrong` multiplies everything that our
    /// estimator expects: step times and start-up time. All begin with the clairvoyant's mean number of replicas.
    pub fn new(workload: &'a Workload, setup: &Setup, goal: &Goal, wrong: f64) -> Option<Self> {
        let clairvoyant = clairvoyant::search(workload, setup, goal)?;
        let peak = clairvoyant
            .run
            .timeline
            .iter()
            .map(|(_, _, exist)| *exist)
            .max()
            .unwrap_or(1);
        let mean = num::whole_replicas(clairvoyant.run.replica_seconds / workload.seconds);
        let setup = Setup {
            initial: mean,
            max: setup.max.min(MOST * peak),
            ..*setup
        };
        Some(Self {
            workload,
            setup,
            goal: *goal,
            wrong,
            clairvoyant,
        })
    }

    /// Runs a policy with its usual knob.
    pub fn usual(&self, contender: Contender) -> Entry {
        let most = self
            .clairvoyant
            .run
            .timeline
            .iter()
            .map(|(_, _, exist)| *exist)
            .max()
            .unwrap_or(1);
        self.enter(
            contender,
            contender.default_knob(f64::from(most) / f64::from(self.setup.initial.max(1))),
        )
    }

    /// Runs a policy with every knob of its curve.
    pub fn curve(&self, contender: Contender) -> Vec<Entry> {
        contender
            .knobs()
            .iter()
            .map(|knob| self.enter(contender, *knob))
            .collect()
    }

    /// Runs a policy.
    pub fn enter(&self, contender: Contender, knob: f64) -> Entry {
        let mut setup = self.setup;
        let mut policy: Box<dyn Policy> = match contender {
            Contender::Ours => Box::new(Synced::new(Ours::new(self.config(knob), self.bounds()), PERIOD)),
            Contender::Fixed => {
                setup.initial = num::whole_replicas(knob * f64::from(self.setup.initial));
                Box::new(Fixed(setup.initial))
            }
            Contender::Hpa => Box::new(Synced::new(Hpa::new(knob), PERIOD)),
            Contender::Kpa => Box::new(Synced::new(Kpa::new(knob), PERIOD)),
            Contender::Saturation => Box::new(Synced::new(Saturation::new(knob), PERIOD)),
            Contender::Load => Box::new(Synced::new(
                Load::new(knob * self.goal.ttft, knob * self.goal.per_token),
                PERIOD,
            )),
        };
        let run = cluster::run(self.workload, &setup, policy.as_mut());
        Entry {
            contender,
            knob,
            score: score(&run, &self.goal, setup.gpus),
            run,
        }
    }

    /// The best policy in hindsight that sees no future, from where all begin; `None` when it does not reach the goal.
    pub fn causal(&self) -> Option<Best> {
        causal::search(self.workload, &self.setup, &self.goal)
    }

    /// Figures of the clairvoyant.
    pub fn clairvoyant_score(&self) -> Score {
        score(&self.clairvoyant.run, &self.goal, self.setup.gpus)
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            min: 1,
            max: self.setup.max,
        }
    }

    fn config(&self, risk: f64) -> Config {
        let engine = &self.setup.engine;
        let step_time = StepTime {
            base: engine.base,
            per_request: engine.per_request,
            per_context_token: engine.per_context_token,
            per_prompt_token: engine.per_prompt_token,
        };
        Config {
            targets: Targets {
                ttft: Some(Duration::from_secs_f64(self.goal.ttft)),
                per_token: Some(Duration::from_secs_f64(self.goal.per_token)),
                throughput: None,
                attainment: self.goal.attainment,
            },
            expected: Expected {
                step_time: step_time.scaled(self.wrong),
                prompt_tokens: 1000.0,
                output_tokens: 200.0,
                max_sequences: u32::try_from(engine.max_sequences).ok(),
            },
            startup: Duration::from_secs_f64(self.setup.startup * self.wrong),
            lead: Duration::from_secs_f64(PERIOD),
            risk,
        }
    }
}
