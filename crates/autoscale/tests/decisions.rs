//! What a decision must always be, whatever is observed.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{sync::Arc, time::Duration};

use autoscale::{
    Bounds, Config, Decision, Planner, Reason, Targets,
    estimate::{Expected, StepTime},
    observe::{Histogram, Phase, Replica, Scrape, Snapshot},
};
use proptest::prelude::*;

const BOUNDS: Bounds = Bounds { min: 1, max: 100 };

fn config() -> Config {
    Config {
        targets: Targets {
            ttft: Some(Duration::from_secs(1)),
            per_token: Some(Duration::from_millis(50)),
            ..Targets::default()
        },
        expected: Expected {
            step_time: StepTime {
                base: 7.26e-3,
                per_request: 4.4e-6,
                per_context_token: 0.0762e-6,
                per_prompt_token: 33.7e-6,
            },
            prompt_tokens: 1000.0,
            output_tokens: 200.0,
            max_sequences: Some(256),
        },
        startup: Duration::from_mins(1),
        lead: Duration::from_secs(15),
        risk: 0.05,
    }
}

fn token_bounds() -> Arc<[f64]> {
    Arc::from([0.01, 0.025, 0.05, 0.075, 0.1, 0.2].as_slice())
}

/// A replica under a steady load of `rate` requests per second of 1000 prompt and 200 output tokens, `second` seconds after
/// it began to serve at second 0.
fn steady(id: u32, second: u64, rate: f64) -> Replica {
    let time = Duration::from_secs(second + 1000);
    let seconds = Duration::from_secs(second).as_secs_f64();
    let busy = (rate * (8.8e-5 * 200.0 + 33.7e-6 * 1000.0)).min(0.95);
    let per_token = 7.26e-3 / (1.0 - busy);
    let mut times = Histogram::empty(&token_bounds());
    times.record(per_token, rate * seconds);
    let mut ttft = Histogram::empty(&Arc::from([0.1, 0.25, 0.5, 1.0, 2.5].as_slice()));
    ttft.record(0.08, rate * seconds);
    Replica {
        id: Arc::from(format!("replica-{id}")),
        phase: Phase::Serving,
        created: Duration::from_secs(940),
        ready: Some(Duration::from_secs(1000)),
        scrape: Some(Scrape {
            at: time,
            finished: Some(rate * seconds),
            prompt_tokens: Some(rate * seconds * 1000.0),
            generation_tokens: Some(rate * seconds * 200.0),
            running: Some(rate * 200.0 * per_token),
            waiting: Some(0.0),
            cache_use: Some((rate * 200.0 * per_token * 1100.0 / 420_000.0).min(1.0)),
            ttft: Some(ttft),
            per_token: Some(times.clone()),
            inter_token: Some(times),
        }),
    }
}

fn snapshot(second: u64, replicas: Vec<Replica>) -> Snapshot {
    Snapshot {
        now: Duration::from_secs(second + 1000),
        replicas,
        held: 0.0,
    }
}

/// Runs `count` replicas under a steady load for ten minutes.
fn after_ten_minutes(count: u32, rate_each: f64) -> (Planner, Decision) {
    let mut planner = Planner::new(config());
    let mut last = None;
    for second in (0..=600).step_by(5) {
        let replicas = (0..count).map(|id| steady(id, second, rate_each)).collect();
        last = Some(planner.decide(&snapshot(second, replicas), BOUNDS));
    }
    (planner, last.unwrap())
}

#[test]
fn decisions_say_what_they_do() {
    for (count, rate, reason, replicas) in [
        (10, 9.0, Reason::WaitsToShrink, None),
        (4, 2.0, Reason::RateFalls, Some(1)),
        (3, 18.0, Reason::RateRises, None),
    ] {
        let (_, decision) = after_ten_minutes(count, rate);
        assert!(!decision.message.is_empty());
        if let Some(replicas) = replicas {
            assert_eq!(decision.replicas, replicas, "{decision:?}");
        }
        match reason {
            Reason::RateRises => assert!(decision.replicas > count, "{decision:?}"),
            Reason::RateFalls => assert!(decision.replicas < count, "{decision:?}"),
            _ => assert!(decision.replicas <= count, "{decision:?}"),
        }
        assert!(decision.latency_observable);
    }
}

/// Forecasts are judged after two horizons of 75 s; before, some of a surplus goes, but not all.
#[test]
fn a_surplus_goes_in_two_steps() {
    let mut planner = Planner::new(config());
    let mut all = Vec::new();
    for second in (0..=300).step_by(5) {
        let seen = (0..12).map(|id| steady(id, second, 2.0)).collect();
        let decision = planner.decide(&snapshot(second, seen), BOUNDS);
        let (needed, kept) = (decision.inputs.for_rate.ceil(), f64::from(decision.replicas));
        match second {
            0..=115 => assert_eq!(decision.replicas, 12, "{second} s: {decision:?}"),
            130..=190 => assert!(needed < kept && kept < 12.0, "{second} s: {decision:?}"),
            _ => {}
        }
        all.push(decision.replicas);
    }
    assert!(all.last() < all.get(30), "{all:?}");
}

#[test]
fn nothing_is_taken_away_blindly() {
    // Four replicas with next to no load: one would do. But one, or all, cannot be scraped.
    for blind in [1, 4] {
        let (mut planner, decision) = after_ten_minutes(4, 0.5);
        assert_eq!(decision.replicas, 1);
        let mut replicas: Vec<Replica> = (0..4).map(|id| steady(id, 605, 0.5)).collect();
        for replica in replicas.iter_mut().take(blind) {
            replica.scrape = None;
        }
        let decision = planner.decide(&snapshot(605, replicas), BOUNDS);
        assert_eq!(
            (decision.replicas, decision.reason),
            (4, Reason::ScrapeFailed),
            "{decision:?}"
        );
        assert!(
            decision.message.contains(&format!("{blind} of 4")),
            "{}",
            decision.message
        );
    }
}

#[test]
fn a_restarted_engine_is_no_burst() {
    let (mut planner, before) = after_ten_minutes(4, 8.0);
    // All processes restart: every counter begins at zero, a few requests later.
    let replicas: Vec<Replica> = (0..4)
        .map(|id| {
            let mut replica = steady(id, 5, 8.0);
            if let Some(scrape) = &mut replica.scrape {
                scrape.at = Duration::from_secs(1605);
            }
            replica
        })
        .collect();
    let after = planner.decide(&snapshot(605, replicas), BOUNDS);
    assert!(after.inputs.arrivals < 2.0 * before.inputs.arrivals, "{after:?}");
    assert!(after.replicas <= before.replicas + 1, "{after:?}");
}

#[test]
fn a_restarted_operator_does_not_take_history_for_traffic() {
    let mut planner = Planner::new(config());
    for second in (50_000..50_060).step_by(5) {
        let replicas = (0..4).map(|id| steady(id, second, 6.0)).collect();
        let decision = planner.decide(&snapshot(second, replicas), BOUNDS);
        assert!(decision.inputs.arrivals < 40.0, "{decision:?}");
        assert_eq!(decision.replicas, 4, "{decision:?}");
    }
}

/// Long answers, and no second look yet: how long a request stays is not known, so what is inside tells no rate.
#[test]
fn what_is_inside_is_not_taken_for_a_rate_where_the_engine_counts() {
    let mut planner = Planner::new(config());
    let old = |id: u32, second: u64| {
        let mut replica = steady(id, second + 9000, 2.0);
        replica.ready = None;
        if let Some(scrape) = &mut replica.scrape {
            scrape.at = Duration::from_secs(second + 1000);
            scrape.running = Some(200.0);
        }
        replica
    };
    planner.decide(&snapshot(0, vec![old(0, 0)]), BOUNDS);
    // The first is replaced by one that is as old: again nobody has two scrapes.
    let decision = planner.decide(&snapshot(15, vec![old(1, 15)]), BOUNDS);
    assert!(decision.inputs.arrivals < 1e-9, "{decision:?}");
    let decision = planner.decide(&snapshot(30, vec![old(1, 30)]), BOUNDS);
    assert!((decision.inputs.arrivals - 2.0).abs() < 0.1, "{decision:?}");
}

#[test]
fn a_target_below_the_unloaded_step_is_told_and_not_answered_with_the_maximum() {
    let mut planner = Planner::new(Config {
        targets: Targets {
            per_token: Some(Duration::from_millis(5)),
            ..Targets::default()
        },
        ..config()
    });
    let mut decision = None;
    for second in (0..=300).step_by(5) {
        let replicas = (0..4).map(|id| steady(id, second, 8.0)).collect();
        decision = Some(planner.decide(&snapshot(second, replicas), BOUNDS));
    }
    let decision = decision.unwrap();
    assert_eq!(decision.reason, Reason::Unreachable);
    assert!(decision.replicas < 10, "{decision:?}");
    assert!(decision.message.contains("time per output token") && decision.message.contains("faster GPU"));
}

#[test]
fn an_engine_that_tells_nothing_is_left_alone_and_one_without_latency_is_scaled_by_what_it_holds() {
    let mute = |second: u64, running: Option<f64>| Replica {
        scrape: Some(Scrape {
            at: Duration::from_secs(second + 1000),
            running,
            ..Scrape::default()
        }),
        ..steady(0, second, 1.0)
    };
    let run = |running: Option<f64>| {
        let mut planner = Planner::new(config());
        let mut last = None;
        for second in (0..=300).step_by(5) {
            last = Some(planner.decide(&snapshot(second, vec![mute(second, running)]), BOUNDS));
        }
        last.unwrap()
    };
    let silent = run(None);
    assert_eq!(
        (silent.replicas, silent.reason, silent.latency_observable),
        (1, Reason::NotObservable, false)
    );
    let full = run(Some(1000.0));
    assert!(full.replicas > 1 && !full.latency_observable, "{full:?}");
}

/// A model that was busy before it went to zero comes back small.
#[test]
fn what_came_before_a_long_while_without_replicas_is_forgotten() {
    let (mut planner, busy) = after_ten_minutes(4, 8.0);
    let bounds = Bounds { min: 1, max: 100 };
    assert!(busy.replicas > 2, "{busy:?}");
    let looks = (615..4800).step_by(15);
    let back = looks.map(|second| planner.decide(&snapshot(second, Vec::new()), bounds));
    let back = back.last().unwrap();
    assert_eq!(back.replicas, 1, "{back:?}");
}

#[test]
fn a_promised_throughput_is_a_floor() {
    let mut planner = Planner::new(Config {
        targets: Targets {
            throughput: Some(20_000.0),
            ..config().targets
        },
        ..config()
    });
    let mut decision = None;
    for second in (0..=300).step_by(5) {
        decision = Some(planner.decide(&snapshot(second, vec![steady(0, second, 1.0)]), BOUNDS));
    }
    let decision = decision.unwrap();
    // A replica makes some 2500 tokens/s within 50 ms.
    assert!((6..=12).contains(&decision.replicas), "{decision:?}");
    assert!(
        decision.message.contains("the promised throughput needs"),
        "{decision:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn more_load_never_means_fewer_replicas(count in 1u32..12, low in 0.1f64..14.0, more in 0.0f64..6.0) {
        let (_, less) = after_ten_minutes(count, low);
        let (_, greater) = after_ten_minutes(count, low + more);
        prop_assert!(less.replicas <= greater.replicas, "{less:?}\n{greater:?}");
    }

    #[test]
    fn never_below_what_the_queue_proves(count in 1u32..12, rate in 0.1f64..12.0, waiting in 0.0f64..500.0) {
        let (mut planner, _) = after_ten_minutes(count, rate);
        let replicas = (0..count).map(|id| {
            let mut replica = steady(id, 605, rate);
            if let Some(scrape) = &mut replica.scrape {
                scrape.waiting = Some(waiting);
            }
            replica
        }).collect();
        let decision = planner.decide(&snapshot(605, replicas), BOUNDS);
        let proven = waiting * f64::from(count) / 60.0 / decision.capacity.rate;
        prop_assert!(f64::from(decision.replicas) >= proven.min(f64::from(BOUNDS.max)).floor(), "{decision:?}");
    }

    #[test]
    fn any_input_gives_a_bounded_decision(
        snapshots in proptest::collection::vec(proptest::collection::vec(any_replica(), 0..5), 1..40),
        min in 0u32..5, more in 0u32..20, risk in any::<f64>(), base in any::<f64>(), attainment in any::<f64>(),
    ) {
        let mut config = config();
        config.risk = risk;
        config.expected.step_time.base = base;
        config.expected.prompt_tokens = -base;
        config.targets.attainment = attainment;
        config.targets.throughput = Some(base);
        let bounds = Bounds { min, max: min + more };
        let mut planner = Planner::new(config);
        for (step, replicas) in snapshots.into_iter().enumerate() {
            let now = Duration::from_secs(5 * u64::try_from(step).unwrap());
            let decision = planner.decide(&Snapshot { now, replicas, held: base }, bounds);
            prop_assert!((bounds.min..=bounds.max).contains(&decision.replicas), "{decision:?}");
            let inputs = decision.inputs;
            for value in [decision.capacity.rate, decision.capacity.utilization, inputs.arrivals, inputs.ready_for,
                inputs.for_rate, inputs.for_queue, inputs.for_throughput] {
                prop_assert!(value.is_finite() && value >= 0.0, "{decision:?}");
            }
        }
    }
}

fn any_number() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        Just(None),
        any::<f64>().prop_map(Some),
        (0.0..1e6).prop_map(Some),
        Just(Some(f64::NAN)),
        Just(Some(f64::INFINITY)),
        Just(Some(1e308)),
    ]
}

fn any_histogram() -> impl Strategy<Value = Option<Histogram>> {
    (
        proptest::collection::vec(any_number(), 0..6),
        any_number(),
        any_number(),
        any::<bool>(),
    )
        .prop_map(|(counts, sum, count, some)| {
            some.then(|| Histogram {
                bounds: token_bounds(),
                cumulative: counts.into_iter().map(|c| c.unwrap_or(0.0)).collect(),
                sum: sum.unwrap_or(0.0),
                count: count.unwrap_or(0.0),
            })
        })
}

fn any_replica() -> impl Strategy<Value = Replica> {
    let numbers = proptest::collection::vec(any_number(), 6);
    let phases = prop_oneof![Just(Phase::Starting), Just(Phase::Serving), Just(Phase::Draining)];
    (
        0u8..6,
        phases,
        0u64..300,
        proptest::option::of(0u64..300),
        any::<bool>(),
        numbers,
        any_histogram(),
        any_histogram(),
    )
        .prop_map(
            |(id, phase, at, ready, scraped, numbers, ttft, per_token)| Replica {
                id: Arc::from(id.to_string()),
                phase,
                created: Duration::from_secs(at),
                ready: ready.map(Duration::from_secs),
                scrape: scraped.then(|| Scrape {
                    at: Duration::from_secs(at),
                    finished: numbers[0],
                    prompt_tokens: numbers[1],
                    generation_tokens: numbers[2],
                    running: numbers[3],
                    waiting: numbers[4],
                    cache_use: numbers[5],
                    ttft,
                    inter_token: per_token.clone(),
                    per_token,
                }),
            },
        )
}
