use super::*;

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A replica that became ready at a second, with what it finished and holds at another.
fn replica(id: &str, ready: f64, at: f64, finished: f64, running: f64) -> Replica {
    Replica {
        id: Arc::from(id),
        phase: Phase::Serving,
        created: Duration::ZERO,
        ready: Some(seconds(ready)),
        scrape: Some(Scrape {
            at: seconds(at),
            finished: Some(finished),
            prompt_tokens: Some(1000.0 * (finished + running)),
            generation_tokens: Some(200.0 * finished + 100.0 * running),
            running: Some(running),
            waiting: Some(0.0),
            ..Scrape::default()
        }),
    }
}

fn unseen(id: &str, ready: f64) -> Replica {
    Replica {
        scrape: None,
        ..replica(id, ready, 0.0, 0.0, 0.0)
    }
}

/// Shows snapshots at their seconds, and tells the arrivals of the last.
fn arrivals(snapshots: &[(f64, &[Replica])]) -> Option<f64> {
    let mut fleet = Fleet::default();
    let mut last = None;
    for (now, replicas) in snapshots {
        last = fleet
            .observe(&Snapshot {
                now: seconds(*now),
                replicas: replicas.to_vec(),
                held: 0.0,
            })
            .arrivals;
    }
    last
}

#[track_caller]
fn assert_rate(told: Option<f64>, real: f64) {
    let told = told.expect("a rate");
    assert!((told / real - 1.0).abs() < 0.01, "{told} instead of {real}");
}

/// 10 requests per second all the time. One replica received them alone for 14.5 of 15 seconds, then two new ones, which were
/// empty, got what came.
#[test]
fn what_new_replicas_receive_is_not_counted_twice() {
    let before = [replica("old", 0.0, 15.0, 100.0, 50.0)];
    let after = [
        replica("old", 0.0, 30.0, 245.0, 50.0),
        replica("new-1", 29.5, 30.0, 0.0, 3.0),
        replica("new-2", 29.5, 30.0, 0.0, 2.0),
    ];
    assert_rate(arrivals(&[(15.0, &before), (30.0, &after)]), 10.0);
    // From then on each has a rate of its own.
    let later = [
        replica("old", 0.0, 45.0, 295.0, 50.0),
        replica("new-1", 29.5, 45.0, 30.0, 23.0),
        replica("new-2", 29.5, 45.0, 30.0, 22.0),
    ];
    assert_rate(arrivals(&[(15.0, &before), (30.0, &after), (45.0, &later)]), 10.0);
}

#[test]
fn new_replicas_that_do_not_answer_yet_do_not_count_as_the_mean_of_the_others() {
    let before = [replica("old", 0.0, 15.0, 100.0, 50.0)];
    let after = [
        replica("old", 0.0, 30.0, 250.0, 50.0),
        unseen("new-1", 29.0),
        unseen("new-2", 29.0),
    ];
    assert_rate(arrivals(&[(15.0, &before), (30.0, &after)]), 10.0);
    // Still none, but by now they have taken their part.
    let later = [
        replica("old", 0.0, 45.0, 300.0, 50.0),
        unseen("new-1", 29.0),
        unseen("new-2", 29.0),
    ];
    assert_rate(arrivals(&[(15.0, &before), (30.0, &after), (45.0, &later)]), 10.0);
}

/// Whatever it served before the operator looked is no traffic of now.
#[test]
fn a_replica_that_appears_with_high_counters_only_gives_a_starting_point() {
    let before = [replica("old", 0.0, 15.0, 100.0, 50.0)];
    let mut veteran = replica("veteran", 3.0, 30.0, 80_000.0, 40.0);
    let old = replica("old", 0.0, 30.0, 250.0, 50.0);
    assert_rate(
        arrivals(&[(15.0, &before), (30.0, &[old.clone(), veteran.clone()])]),
        10.0,
    );
    veteran.ready = None;
    assert_rate(arrivals(&[(15.0, &before), (30.0, &[old, veteran])]), 10.0);
}

/// A restart, or another process that answers for it: how long its counters count is not known.
#[test]
fn a_counter_that_fell_is_no_burst() {
    let before = [
        replica("a", 0.0, 15.0, 100.0, 50.0),
        replica("b", 0.0, 15.0, 9000.0, 50.0),
    ];
    let after = [
        replica("a", 0.0, 30.0, 175.0, 50.0),
        replica("b", 0.0, 30.0, 8500.0, 50.0),
    ];
    assert_rate(arrivals(&[(15.0, &before), (30.0, &after)]), 5.0);
    let alone = [replica("b", 0.0, 15.0, 9000.0, 50.0)];
    assert_eq!(
        arrivals(&[(15.0, &alone), (30.0, &[replica("b", 0.0, 30.0, 8500.0, 50.0)])]),
        None
    );
    let again = [replica("b", 0.0, 45.0, 8575.0, 50.0)];
    assert_rate(
        arrivals(&[
            (15.0, &alone),
            (30.0, &[replica("b", 0.0, 30.0, 8500.0, 50.0)]),
            (45.0, &again),
        ]),
        5.0,
    );
}

#[test]
fn scrapes_close_together_or_repeated_are_no_burst() {
    let before = [replica("a", 0.0, 15.0, 100.0, 50.0)];
    let repeated = [replica("a", 0.0, 15.0, 100.0, 50.0)];
    assert_eq!(arrivals(&[(15.0, &before), (16.0, &repeated)]), None);
    let close = [replica("a", 0.0, 15.5, 105.0, 50.0)];
    assert_rate(arrivals(&[(15.0, &before), (15.5, &close)]), 10.0);
}
