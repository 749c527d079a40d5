//! How many replicas there should be.
//!
//! In: snapshots. Out: a [`Decision`] each. It must not talk to anybody or read a clock, and must not take a replica away
//! that it cannot see to be idle.
//!
//! Enough for the rate that will have come by the time a new replica serves; never fewer than what is inside already
//! needs; fewer only after fewer have been enough for a while.

mod decision;
mod window;

pub use decision::{Decision, Inputs, Reason};

use std::time::Duration;

use crate::{
    estimate::{Capacity, Estimator, Expected, Startup},
    forecast::Forecaster,
    num,
    observe::{Fleet, Interval, Phase, Snapshot},
    targets::Targets,
};
pub(crate) use window::Window;

/// How many replicas there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Fewest.
    pub min: u32,
    /// Most that are allowed, and for which there are quota and GPUs. Counts before `min`.
    pub max: u32,
}

impl Bounds {
    fn apply(self, replicas: u32) -> u32 {
        replicas.max(self.min).min(self.max)
    }
}

/// What a planner is told once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// What was promised.
    pub targets: Targets,
    /// What is expected of the model on its GPUs.
    pub expected: Expected,
    /// Expected start-up time of a replica.
    pub startup: Duration,
    /// How long a decision takes at most until somebody acts on it (the `HorizontalPodAutoscaler`'s period).
    pub lead: Duration,
    /// How often the rate may exceed what was prepared for: the one knob. 0.05 unless told; less costs more.
    pub risk: f64,
}

/// How often the rate may exceed what was prepared for, unless told.
pub const DEFAULT_RISK: f64 = 0.05;
/// For how long fewer replicas must have been enough: half the start-up time, but within these.
const SHRINK_AFTER: (Duration, Duration) = (Duration::from_secs(45), Duration::from_mins(5));
/// How many times the need is kept before forecasts were judged.
const UNJUDGED: f64 = 1.5;
/// Seconds of start-up for which the usual risk is meant, and by which power of longer ones it falls: a shortage lasts as long
/// as a start-up.
const RISK_FALLS: (f64, f64) = (60.0, 0.45);
/// Never more is risked.
const MOST_RISK: f64 = 0.5;
/// Share of the allowance that counts as spent even when nobody was late.
const LEAST_SPENT: f64 = 0.1;
/// Largest margin on a forecast at the usual risk.
const MARGIN: f64 = 0.2;
/// Seconds in which requests that wait should be worked off.
const WORK_OFF: f64 = 60.0;

/// Everything remembered between two decisions.
#[derive(Clone, Debug)]
pub struct Planner {
    config: Config,
    fleet: Fleet,
    estimator: Estimator,
    startup: Startup,
    forecaster: Forecaster,
    /// Needs once forecasts were judged, and before.
    window: Window,
    cautious: Window,
    latency_seen: bool,
}

impl Planner {
    /// Knows nothing but what it is told.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            fleet: Fleet::default(),
            estimator: Estimator::new(config.expected, slow_share(&config)),
            startup: Startup::new(config.startup),
            forecaster: Forecaster::new(config.startup.as_secs_f64()),
            window: Window::default(),
            cautious: Window::default(),
            latency_seen: false,
        }
    }

    /// Looks at a snapshot and decides.
    pub fn decide(&mut self, snapshot: &Snapshot, bounds: Bounds) -> Decision {
        let interval = self.fleet.observe(snapshot);
        self.startup.observe(snapshot);
        self.estimator.learn(&interval, &self.config.targets);
        self.latency_seen |= interval
            .active
            .iter()
            .any(|activity| activity.token_seconds.is_some());
        let capacity = self.estimator.capacity(&self.config.targets);
        let inputs = self.inputs(snapshot, &interval, &capacity);
        let (replicas, reason) = self.choose(snapshot.now, &interval, &inputs, &capacity, bounds);
        Decision {
            replicas,
            reason,
            message: String::new(),
            capacity,
            latency_observable: self.latency_seen,
            inputs,
        }
        .explain()
    }

    /// How often the rate may exceed what is prepared for. While fewer requests are late than may be, more is risked; the
    /// allowance is there to be used.
    fn risk(&self) -> f64 {
        let allowance = self.config.targets.allowance();
        let spent = self.estimator.late(&self.config.targets) / allowance;
        let (usual, power) = RISK_FALLS;
        let lasting = (usual / self.startup.seconds().max(usual)).powf(power);
        (knob(&self.config) * lasting / (spent + LEAST_SPENT)).clamp(0.001, MOST_RISK)
    }

    /// The factor that margins stay below: beyond it, idle replicas cost more than a burst that comes now and then.
    fn most_margin(&self) -> f64 {
        1.0 + MARGIN * (DEFAULT_RISK / knob(&self.config)).sqrt()
    }

    /// Learns the rate and puts together what the decision is made from. Of an engine that counts nothing, requests inside over
    /// the time that one is expected to stay are the rate.
    fn inputs(&mut self, snapshot: &Snapshot, interval: &Interval, capacity: &Capacity) -> Inputs {
        let lead = self.config.lead.as_secs_f64();
        let startup = self.startup.seconds();
        let from_inside = interval.in_flight / capacity.concurrency * capacity.rate;
        // Where there is nobody, nobody is asked: what came before is forgotten as time goes by.
        let nobody = snapshot.replicas.is_empty().then_some(0.0);
        let arrivals = interval
            .arrivals
            .or((interval.scraped > 0 && !interval.counting).then_some(from_inside))
            .or(nobody);
        if let Some(rate) = arrivals {
            self.forecaster.learn(interval.seconds, rate, lead, startup);
        }
        let outlook = self
            .forecaster
            .outlook(lead, startup, self.risk(), self.most_margin());
        let (prompt_tokens, output_tokens) = self.estimator.lengths();
        let (unloaded_step_seconds, utilization) = self.estimator.load();
        let throughput = self
            .config
            .targets
            .throughput
            .and_then(num::amount)
            .unwrap_or(0.0);
        Inputs {
            current: snapshot.count(Phase::Starting) + snapshot.count(Phase::Serving),
            scraped: interval.scraped,
            unseen: interval.unseen,
            arrivals: outlook.present,
            ready_for: outlook.ready_for,
            in_flight: interval.in_flight,
            waiting: interval.waiting,
            startup_seconds: startup,
            prompt_tokens,
            output_tokens,
            unloaded_step_seconds,
            utilization,
            for_rate: outlook.ready_for / capacity.rate,
            for_queue: for_queue(interval, capacity),
            for_throughput: throughput / (capacity.rate * output_tokens),
        }
    }

    fn choose(
        &mut self,
        now: Duration,
        interval: &Interval,
        inputs: &Inputs,
        capacity: &Capacity,
        bounds: Bounds,
    ) -> (u32, Reason) {
        let current = inputs.current;
        if let Some(reason) = holds(interval, current) {
            // What a throughput needs is known without having seen anything.
            let for_throughput = num::whole_replicas(inputs.for_throughput);
            return (bounds.apply(current.max(for_throughput)), reason);
        }
        let for_rate = num::whole_replicas(inputs.for_rate.max(inputs.for_throughput));
        let for_queue = num::whole_replicas(inputs.for_queue);
        let needed = for_rate.max(for_queue).max(1);
        let startup = Duration::from_secs_f64(inputs.startup_seconds.min(3600.0));
        let enough_for = (startup / 2).clamp(SHRINK_AFTER.0, SHRINK_AFTER.1);
        // Forecasts for the whole horizon were judged for as long as the horizon: before, nobody knows whom to believe.
        let horizon = startup + self.config.lead;
        let judged = self.window.highest(now, enough_for, 2 * horizon, needed);
        let more = UNJUDGED * inputs.for_rate.max(inputs.for_throughput).max(inputs.for_queue);
        let unjudged = self
            .cautious
            .highest(now, enough_for, horizon, num::whole_replicas(more));
        let lately = judged.min(unjudged.max(1));
        let wanted = if needed >= current {
            needed
        } else {
            lately.min(current)
        };
        let replicas = bounds.apply(if inputs.unseen > 0 {
            wanted.max(current)
        } else {
            wanted
        });
        let reason = if capacity.unreachable.is_some() {
            Reason::Unreachable
        } else if needed > bounds.max {
            Reason::Limited
        } else if replicas > current && for_queue > for_rate {
            Reason::QueueGrows
        } else if replicas > current {
            Reason::RateRises
        } else if replicas < current {
            Reason::RateFalls
        } else if inputs.unseen > 0 {
            Reason::ScrapeFailed
        } else if needed < current && current > bounds.min {
            Reason::WaitsToShrink
        } else {
            Reason::Enough
        };
        (replicas, reason)
    }
}

/// Why nothing can be decided, if so.
fn holds(interval: &Interval, current: u32) -> Option<Reason> {
    if interval.scraped == 0 && current > 0 {
        let failed = interval.unseen > 0;
        return Some(if failed {
            Reason::ScrapeFailed
        } else {
            Reason::Enough
        });
    }
    if interval.scraped > 0 && interval.telling == 0 {
        return Some(Reason::NotObservable);
    }
    (interval.seconds <= 0.0).then_some(Reason::Enough)
}

/// The one knob, made safe.
fn knob(config: &Config) -> f64 {
    let risk = if config.risk.is_finite() {
        config.risk
    } else {
        DEFAULT_RISK
    };
    risk.clamp(1e-4, 1.0)
}

/// Share of requests that may be slow while the load is as expected: the allowance, less of it when less is risked.
fn slow_share(config: &Config) -> f64 {
    config.targets.allowance() * (knob(config) / DEFAULT_RISK).min(1.0)
}

/// Replicas for what is inside: those that run prove how busy replicas are, those that wait come on top.
fn for_queue(interval: &Interval, capacity: &Capacity) -> f64 {
    let replicas = f64::from(interval.scraped + interval.unseen);
    let running = (interval.in_flight - interval.waiting).max(0.0) / f64::from(interval.scraped.max(1));
    let busy = replicas * capacity.proven_utilization(running) / capacity.utilization;
    busy + interval.waiting / (WORK_OFF * capacity.rate)
}
