use diagnosis::facts::ContainerFacts;
use jiff::Timestamp;
use scraper::{Cause, ScrapeError};

use super::*;

/// The time of day at which the scraper runs for 1000 s.
const DAY: i64 = 1_800_000_000;
const NOW: u64 = 1000;

fn clocks() -> Clocks {
    Clocks {
        day: Timestamp::from_second(DAY).unwrap(),
        scraper: Duration::from_secs(NOW),
    }
}

/// A Pod that was made so many seconds ago, and is ready since so many.
fn pod(name: &str, created: i64, ready: Option<i64>) -> PodFacts {
    let ago = |seconds: i64| Timestamp::from_second(DAY - seconds).ok();
    PodFacts {
        name: name.into(),
        uid: name.into(),
        phase: PodPhase::Running,
        created: ago(created),
        ready: ready.is_some(),
        ready_since: ready.and_then(ago),
        ..PodFacts::default()
    }
}

fn told(id: &str, at: u64) -> Latest {
    let scrape = Scrape {
        at: Duration::from_secs(at),
        running: Some(2.0),
        ..Scrape::default()
    };
    Latest {
        id: id.into(),
        engine: None,
        scrape: Some(Arc::new(scrape)),
        failure: None,
        failures: 0,
    }
}

fn failed(id: &str, last: Option<u64>) -> Latest {
    Latest {
        scrape: last.and_then(|at| told(id, at).scrape),
        failure: Some(ScrapeError {
            at: Duration::from_secs(NOW),
            cause: Cause::Status { status: 404 },
        }),
        failures: 9,
        ..told(id, 0)
    }
}

struct Look {
    pods: Vec<PodFacts>,
    latest: Option<Vec<Latest>>,
    ordered: u32,
    last: Option<u64>,
}

impl Look {
    fn take(self, lives: &mut Lives) -> (Vec<Replica>, Sight) {
        let pods: Vec<_> = self.pods.into_iter().map(Arc::new).collect();
        let seen = Seen {
            pods: &pods,
            latest: self.latest.as_deref(),
            clocks: clocks(),
            ordered: self.ordered,
            freshness: Duration::from_secs(15),
            last: self.last.map(Duration::from_secs),
            startup: Duration::from_mins(1),
        };
        let (snapshot, sight) = snapshot(&seen, lives);
        assert_eq!(snapshot.now, clocks().now());
        let stay = snapshot
            .replicas
            .iter()
            .filter(|one| one.phase != Phase::Draining);
        assert_eq!(
            stay.count(),
            usize::try_from(self.ordered).unwrap(),
            "always as ordered"
        );
        (snapshot.replicas, sight)
    }
}

fn ago(time: Duration) -> u64 {
    clocks().now().saturating_sub(time).as_secs()
}

#[test]
fn pods_become_replicas_in_their_phases() {
    let mut going = pod("going", 500, Some(400));
    going.deleting = true;
    let mut never = pod("never", 5, None);
    never.deleting = true;
    let mut over = pod("over", 600, None);
    over.phase = PodPhase::Failed;
    let look = Look {
        pods: vec![
            pod("a", 300, Some(240)),
            pod("b", 30, None),
            pod("unscheduled", 86_400, None),
            going,
            never,
            over,
        ],
        latest: Some(vec![told("a", 998), told("going", 997)]),
        ordered: 3,
        last: None,
    };
    let (replicas, sight) = look.take(&mut Lives::default());
    let find = |id: &str| replicas.iter().find(|replica| &*replica.id == id);
    let a = find("a").unwrap();
    assert_eq!(
        (a.phase, ago(a.created), a.ready.map(ago)),
        (Phase::Serving, 300, Some(240))
    );
    let scrape = a.scrape.as_ref().unwrap();
    assert_eq!((ago(scrape.at), scrape.running), (2, Some(2.0)));
    let b = find("b").unwrap();
    assert_eq!((b.phase, ago(b.created), b.ready), (Phase::Starting, 30, None));
    assert_eq!(
        ago(find("unscheduled").unwrap().created),
        900,
        "that is no start any more"
    );
    assert_eq!(find("going").unwrap().phase, Phase::Draining);
    assert_eq!((find("never"), find("over")), (None, None));
    assert_eq!(
        sight,
        Sight {
            asked: 2,
            ..Sight::default()
        }
    );
}

#[test]
fn old_and_repeated_scrapes_are_none() {
    for (latest, last, usable) in [
        (told("a", 985), None, true),
        (told("a", 984), None, false),
        (told("a", 990), Some(989), true),
        (told("a", 990), Some(990), false),
        (failed("a", Some(995)), Some(980), true),
        (failed("a", Some(970)), None, false),
        (failed("a", None), None, false),
    ] {
        let told = format!("{latest:?} {last:?}");
        let look = Look {
            pods: vec![pod("a", 300, Some(240))],
            latest: Some(vec![latest]),
            ordered: 1,
            last,
        };
        let (replicas, sight) = look.take(&mut Lives::default());
        assert_eq!(replicas[0].phase, Phase::Serving, "{told}");
        assert_eq!(replicas[0].scrape.is_some(), usable, "{told}");
        assert_eq!((sight.asked, sight.failed), (1, u32::from(!usable)), "{told}");
        assert_eq!(sight.reason.is_some(), !usable, "{told}");
    }
}

#[test]
fn the_first_failure_is_told_by_name() {
    let look = Look {
        pods: vec![
            pod("b", 300, Some(240)),
            pod("a", 300, Some(240)),
            pod("c", 300, Some(240)),
        ],
        latest: Some(vec![failed("b", None), failed("a", None), told("c", 999)]),
        ordered: 3,
        last: None,
    };
    let (_, sight) = look.take(&mut Lives::default());
    assert_eq!((sight.asked, sight.failed), (3, 2));
    assert!(sight.reason.unwrap().starts_with("a: status 404"));
}

#[test]
fn who_goes_and_answers_no_more_is_no_failure() {
    let mut going = pod("a", 300, Some(240));
    going.deleting = true;
    let look = Look {
        pods: vec![going],
        latest: Some(vec![failed("a", Some(900))]),
        ordered: 0,
        last: None,
    };
    assert_eq!(look.take(&mut Lives::default()), (Vec::new(), Sight::default()));
}

#[test]
fn who_was_not_asked_yet_is_neither_seen_nor_failed() {
    let look = Look {
        pods: vec![pod("a", 86_400, Some(80_000))],
        latest: Some(Vec::new()),
        ordered: 1,
        last: None,
    };
    let (replicas, sight) = look.take(&mut Lives::default());
    assert_eq!(
        (replicas[0].phase, ago(replicas[0].created)),
        (Phase::Starting, 0)
    );
    assert_eq!(sight, Sight::default());
}

#[test]
fn an_engine_without_metrics_tells_nothing_but_is_there() {
    let look = Look {
        pods: vec![pod("a", 300, Some(240))],
        latest: None,
        ordered: 1,
        last: Some(999),
    };
    let (replicas, sight) = look.take(&mut Lives::default());
    let nothing = replicas[0].scrape.as_ref().unwrap();
    assert_eq!((nothing.running, nothing.finished), (None, None));
    assert_eq!(sight, Sight::default());
}

#[test]
fn pods_follow_orders_late() {
    let pods = || {
        vec![
            pod("a", 300, Some(240)),
            pod("b", 200, Some(140)),
            pod("c", 100, None),
        ]
    };
    for (ordered, expected) in [
        (
            5,
            vec![
                ("a", Phase::Serving),
                ("b", Phase::Serving),
                ("c", Phase::Starting),
                ("ordered/3", Phase::Starting),
                ("ordered/4", Phase::Starting),
            ],
        ),
        (
            3,
            vec![
                ("a", Phase::Serving),
                ("b", Phase::Serving),
                ("c", Phase::Starting),
            ],
        ),
        (2, vec![("a", Phase::Serving), ("b", Phase::Serving)]),
        (1, vec![("a", Phase::Serving), ("b", Phase::Draining)]),
    ] {
        let look = Look {
            pods: pods(),
            latest: Some(vec![told("a", 999), told("b", 999)]),
            ordered,
            last: None,
        };
        let (replicas, _) = look.take(&mut Lives::default());
        let found: Vec<_> = replicas
            .iter()
            .map(|replica| (&*replica.id, replica.phase))
            .collect();
        assert_eq!(found, expected, "{ordered} ordered");
        let phantom = replicas.iter().find(|replica| replica.id.starts_with("ordered/"));
        assert!(
            phantom.is_none_or(|phantom| ago(phantom.created) == 0),
            "it has not begun to start"
        );
    }
}

/// The phase of the only Pod and since when it is ready, look by look.
fn life(lives: &mut Lives, pod: PodFacts) -> (Phase, Option<u64>) {
    let look = Look {
        pods: vec![pod],
        latest: Some(vec![told("a", 999)]),
        ordered: 1,
        last: None,
    };
    let (replicas, _) = look.take(lives);
    (replicas[0].phase, replicas[0].ready.map(ago))
}

#[test]
fn a_recovery_is_no_start() {
    // Watched from its beginning: its first readiness counts, and it stays a serving one when it is not ready for a while.
    let mut lives = Lives::default();
    assert_eq!(life(&mut lives, pod("a", 4000, None)), (Phase::Starting, None));
    assert_eq!(
        life(&mut lives, pod("a", 4000, Some(100))),
        (Phase::Serving, Some(100))
    );
    assert_eq!(
        life(&mut lives, pod("a", 4000, None)),
        (Phase::Serving, Some(100))
    );
    assert_eq!(
        life(&mut lives, pod("a", 4000, Some(5))),
        (Phase::Serving, Some(100))
    );
    // Found ready: believed unless it took too long or was restarted.
    let found = |pod| life(&mut Lives::default(), pod);
    assert_eq!(found(pod("a", 4000, Some(3900))), (Phase::Serving, Some(3900)));
    assert_eq!(found(pod("a", 4000, Some(100))), (Phase::Serving, None));
    let restarted = PodFacts {
        containers: [ContainerFacts {
            restarts: 1,
            ..ContainerFacts::default()
        }]
        .into(),
        ..pod("a", 4000, Some(3900))
    };
    assert_eq!(found(restarted), (Phase::Serving, None));
}

#[test]
fn who_is_gone_is_forgotten() {
    let mut lives = Lives::default();
    life(&mut lives, pod("a", 4000, None));
    for _ in 0..2 {
        let look = Look {
            pods: Vec::new(),
            latest: None,
            ordered: 0,
            last: None,
        };
        look.take(&mut lives);
    }
    assert_eq!(
        life(&mut lives, pod("a", 4000, Some(100))),
        (Phase::Serving, None),
        "not watched before"
    );
}
