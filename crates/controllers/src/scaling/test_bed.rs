//! What the tests of this folder share: a subject, Pods, scrapes and a decision.

use std::{sync::Arc, time::Duration};

use api::shared::ScalingStatus;
use autoscale::{
    Bounds, Decision, Inputs, Reason,
    estimate::{Bound, Capacity},
    idle::Course,
    observe::{Histogram, Scrape},
};
use diagnosis::facts::{PodFacts, PodPhase};
use jiff::Timestamp;
use reconcile::ObjectKey;
use scraper::{Cause, Latest, ScrapeError};
use serving::plan::{Promise, ScalingPlan};

use super::{Decided, Expectation, Latency, MetricsSource, Subject, snapshot::Sight};
use crate::workload::WorkloadKind;

/// The time of day at which the scraper started.
pub const DAY: i64 = 1_800_000_000;

pub fn subject(least: i32, most: i32, stored: Option<i32>) -> Subject {
    let promise = Promise {
        time_to_first_token: None,
        time_per_output_token: Some(Duration::from_millis(50)),
        output_tokens_per_second: None,
        attainment_ppm: 990_000,
    };
    Subject {
        key: ObjectKey::new("ModelDeployment", "n", "chat"),
        owner: "modeldeployment.ai.example.com",
        made_by: WorkloadKind::Deployment,
        workload: "chat".into(),
        plan: ScalingPlan {
            least,
            most,
            idle_after: None,
            promise,
        },
        expectation: Expectation::default(),
        need: None,
        tolerated: Vec::new(),
        metrics: Some(MetricsSource {
            port: 8000,
            path: "/metrics".into(),
            engine: None,
        }),
        wake: None,
        stored: stored.map(|stored| ScalingStatus {
            desired_replicas: Some(stored),
            ..ScalingStatus::default()
        }),
    }
}

/// Ready Pods `pod-0`, `pod-1`, … that are older than the operator.
pub fn pods(count: usize) -> Vec<Arc<PodFacts>> {
    let pod = |n: usize| PodFacts {
        namespace: "n".into(),
        name: format!("pod-{n}").into(),
        uid: format!("pod-{n}").into(),
        phase: PodPhase::Running,
        created: Timestamp::from_second(DAY - 300).ok(),
        ready: true,
        ready_since: Timestamp::from_second(DAY - 200).ok(),
        ..PodFacts::default()
    };
    (0..count).map(|n| Arc::new(pod(n))).collect()
}

/// What a Pod tells at `at` seconds: requests finished so far, running and waiting.
pub fn told(n: usize, at: u64, finished: f64, running: f64, waiting: f64) -> Latest {
    let mut histogram = Histogram::empty(&Arc::from([0.01, 0.025, 0.05, 0.1]));
    histogram.record(0.015, finished);
    let scrape = Scrape {
        at: Duration::from_secs(at),
        finished: Some(finished),
        prompt_tokens: Some(finished * 1000.0),
        generation_tokens: Some(finished * 200.0),
        running: Some(running),
        waiting: Some(waiting),
        cache_use: None,
        ttft: None,
        per_token: Some(histogram.clone()),
        inter_token: Some(histogram),
    };
    Latest {
        id: format!("pod-{n}").into(),
        engine: None,
        scrape: Some(Arc::new(scrape)),
        failure: None,
        failures: 0,
    }
}

/// A Pod that never told anything.
pub fn failed(n: usize) -> Latest {
    Latest {
        scrape: None,
        failure: Some(ScrapeError {
            at: Duration::ZERO,
            cause: Cause::Status { status: 404 },
        }),
        failures: 3,
        ..told(n, 0, 0.0, 0.0, 0.0)
    }
}

/// A decision in which everything is seen.
pub fn decided(replicas: u32, reason: Reason) -> Decided {
    let decision = Decision {
        replicas,
        reason,
        message: format!("{replicas} replicas"),
        capacity: Capacity {
            rate: 12.31,
            utilization: 0.5,
            concurrency: 40.0,
            bound: Bound::PerToken,
            unreachable: None,
        },
        latency_observable: true,
        inputs: Inputs {
            current: replicas,
            scraped: replicas,
            arrivals: 151.0,
            ready_for: 166.2,
            waiting: 0.0,
            startup_seconds: 62.0,
            unloaded_step_seconds: 0.0074,
            utilization: 0.5,
            ..Inputs::default()
        },
    };
    Decided {
        replicas,
        at: Timestamp::from_second(DAY).unwrap(),
        message: decision.message.clone(),
        decision,
        bounds: Bounds { min: 2, max: 20 },
        most: 20,
        latency: Latency::Exported,
        sight: Sight::default(),
        course: Course::Follow,
        zero: None,
    }
}
