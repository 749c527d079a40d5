//! A small synthetic service, replayed: the figures are pinned loosely, so that a change that makes scaling worse is seen.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use autoscale::sim::{
    Engine, Shape, Workload,
    cluster::{Router, Setup},
    contest::{Contender, Contest},
    report,
    rng::Rng,
    score::Goal,
    trace::Request,
};

/// Half an hour of Poisson arrivals whose rate doubles and falls again, twice.
fn workload() -> Workload {
    let mut rng = Rng::new(11);
    let mut requests = Vec::new();
    let mut at = 0.0;
    while at < 1800.0 {
        let wave = (at / 900.0 * std::f64::consts::TAU).cos();
        at += rng.exponential(60.0 - 20.0 * wave);
        let length = |rng: &mut Rng, mean: f64| rng.exponential(1.0 / mean).clamp(2.0, 10.0 * mean);
        let (prompt, output) = (length(&mut rng, 800.0), length(&mut rng, 150.0));
        let tokens = |length: f64| format!("{length:.0}").parse().unwrap();
        requests.push(Request {
            at,
            prompt: tokens(prompt),
            output: tokens(output),
        });
    }
    Workload::new(&requests, &Shape::default())
}

fn setup(startup: f64) -> Setup {
    Setup {
        engine: Engine::default(),
        gpus: 1,
        startup,
        scrape_every: 5.0,
        initial: 1,
        max: 1000,
        router: Router::Least,
        seed: 1,
    }
}

#[test]
fn ours_keeps_the_promise_near_the_clairvoyants_cost_and_above_the_others() {
    let workload = workload();
    for (startup, attainment, ratio, wrong) in [
        (60.0, 0.99, 1.35, 0.7),
        (60.0, 0.99, 1.35, 1.3),
        (240.0, 0.97, 1.45, 0.7),
    ] {
        let goal = Goal {
            ttft: 1.0,
            per_token: 0.05,
            attainment,
        };
        let contest = Contest::new(&workload, &setup(startup), &goal, wrong).expect("a schedule exists");
        let least = contest.clairvoyant_score();
        assert!(least.attainment >= attainment, "{least:?}");
        let ours = contest.usual(Contender::Ours);
        let cost = ours.score.gpu_hours / least.gpu_hours;
        assert!(
            ours.score.attainment >= attainment,
            "start-up {startup}: {:?}",
            ours.score
        );
        assert!(cost >= 0.97, "cheaper than the clairvoyant? {cost}");
        assert!(
            cost <= ratio,
            "start-up {startup}: {cost} times the clairvoyant's cost"
        );
        for other in [Contender::Hpa, Contender::Saturation, Contender::Load] {
            let other = contest.usual(other);
            let better = other.score.attainment >= ours.score.attainment
                && other.score.gpu_hours <= ours.score.gpu_hours;
            assert!(!better, "{}: {:?}", other.contender.name(), other.score);
        }
        let table = report::table(&contest, std::slice::from_ref(&ours));
        assert_eq!(table.lines().count(), 4, "{table}");
        assert!(report::replicas_svg("t", &contest, &[ours]).contains("clairvoyant"));
    }
}

/// Requests that are longer than expected, all from the first second on: what is under way at the first looks must not be taken
/// for longer ones still, nor what new replicas take over for more of them.
#[test]
fn the_first_decisions_do_not_overshoot() {
    let mut rng = Rng::new(5);
    let mut requests = Vec::new();
    let mut at = 0.0;
    while at < 600.0 {
        at += rng.exponential(30.0);
        requests.push(Request {
            at,
            prompt: 4000,
            output: 400,
        });
    }
    let workload = Workload::new(&requests, &Shape::default());
    let goal = Goal {
        ttft: 2.0,
        per_token: 0.05,
        attainment: 0.99,
    };
    for startup in [20.0, 60.0] {
        let contest = Contest::new(&workload, &setup(startup), &goal, 0.7).expect("a schedule exists");
        let least = contest.clairvoyant_score();
        let ours = contest.usual(Contender::Ours).score;
        assert!(
            ours.max_replicas <= least.max_replicas + 3,
            "start-up {startup}: {ours:?}\n{least:?}"
        );
    }
}

#[test]
fn equal_seeds_give_equal_runs() {
    let workload = workload();
    let goal = Goal {
        ttft: 1.0,
        per_token: 0.05,
        attainment: 0.99,
    };
    let run = || {
        Contest::new(&workload, &setup(20.0), &goal, 0.7)
            .unwrap()
            .usual(Contender::Ours)
            .score
    };
    assert_eq!(run(), run());
}
