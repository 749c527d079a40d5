use super::*;
use crate::observe::{Replica, Scrape};

pub(super) const AFTER: Duration = Duration::from_mins(5);
/// Looks that it takes.
pub(super) const LOOKS: usize = 21;

/// A replica that serves, has finished so many requests and runs so many.
pub(super) fn replica(id: &str, finished: f64, running: f64) -> Replica {
    Replica {
        id: id.into(),
        phase: Phase::Serving,
        created: Duration::ZERO,
        ready: None,
        scrape: Some(Scrape {
            finished: Some(finished),
            running: Some(running),
            waiting: Some(0.0),
            ..Scrape::default()
        }),
    }
}

/// What a story looks at; changed by the test from look to look.
struct Scene {
    idle: Idle,
    now: Duration,
    replicas: Vec<Replica>,
    held: f64,
    unasked: bool,
    told: Option<u32>,
    wake: Option<String>,
    after: Option<Duration>,
    least: u32,
}

impl Scene {
    /// One idle replica, seen for the first time.
    fn new() -> Self {
        Self {
            idle: Idle::awake(false),
            now: Duration::from_hours(1),
            replicas: vec![replica("a", 7.0, 0.0)],
            held: 0.0,
            unasked: false,
            told: Some(1),
            wake: None,
            after: Some(AFTER),
            least: 1,
        }
    }

    /// The next look, 15 s later.
    fn look(&mut self) -> Course {
        self.now += Duration::from_secs(15);
        let snapshot = Snapshot {
            now: self.now,
            replicas: self.replicas.clone(),
            held: self.held,
        };
        self.idle.look(&Look {
            snapshot: &snapshot,
            unasked: self.unasked,
            told: self.told,
            wake: self.wake.as_deref(),
            after: self.after,
            least: self.least,
        })
    }

    /// How many looks until it is to go to zero; `None`: never in an hour. `each` changes the scene before each look.
    fn until_sleep(&mut self, mut each: impl FnMut(&mut Self, usize)) -> Option<usize> {
        (0..240).find(|number| {
            each(self, *number);
            matches!(self.look(), Course::Sleep(_))
        })
    }

    /// Goes to zero, and its workload is told so.
    fn asleep() -> Self {
        let mut scene = Self::new();
        assert_eq!(scene.until_sleep(|_, _| {}), Some(LOOKS));
        scene.idle.took(0);
        scene.told = Some(0);
        scene.replicas.clear();
        assert_eq!(scene.look(), Course::Zero);
        scene
    }
}

#[test]
fn after_a_while_without_a_request_there_are_no_replicas() {
    let mut scene = Scene::new();
    assert_eq!(scene.until_sleep(|_, _| {}), Some(LOOKS));
    assert_eq!(
        scene.look(),
        Course::Sleep(Asleep::Unused(AFTER + Duration::from_secs(15))),
        "until it was done"
    );
    scene.idle.took(0);
    scene.told = Some(1);
    assert_eq!(scene.look(), Course::Zero, "an old number is nobody's wish");
    scene.told = Some(0);
    for _ in 0..1000 {
        assert_eq!(scene.look(), Course::Zero);
    }
}

#[test]
fn nothing_that_is_used_or_unseen_goes() {
    type Change = fn(&mut Scene, usize);
    let changes: [(&str, Change); 14] = [
        ("never to zero", |scene, _| scene.after = None),
        ("a request runs", |scene, _| {
            scene.replicas[0] = replica("a", 7.0, 1.0);
        }),
        ("requests between two looks", |scene, number| {
            let finished = f64::from(u32::try_from(number / 10).unwrap());
            scene.replicas[0] = replica("a", finished, 0.0);
        }),
        ("its server began anew", |scene, number| {
            let finished = if number % 10 == 0 { 0.0 } else { 7.0 };
            scene.replicas[0] = replica("a", finished, 0.0);
        }),
        ("it waits", |scene, _| {
            scene.replicas[0].scrape.as_mut().unwrap().waiting = Some(1.0);
        }),
        ("it waits outside", |scene, _| scene.held = 1.0),
        ("cannot be scraped", |scene, _| scene.replicas[0].scrape = None),
        ("one of two cannot be scraped", |scene, _| {
            let mut other = replica("b", 1.0, 0.0);
            other.scrape = None;
            scene.replicas = vec![replica("a", 7.0, 0.0), other];
        }),
        ("now and then one cannot be scraped", |scene, number| {
            scene.replicas[0].scrape = (number % 15 != 0).then(|| replica("a", 7.0, 0.0).scrape.unwrap());
        }),
        ("was not asked yet", |scene, _| scene.unasked = true),
        ("counts nothing", |scene, _| {
            let scrape = scene.replicas[0].scrape.as_mut().unwrap();
            *scrape = Scrape {
                finished: None,
                ..scrape.clone()
            };
        }),
        ("does not tell what it holds", |scene, _| {
            scene.replicas[0].scrape.as_mut().unwrap().running = None;
        }),
        ("none serves", |scene, _| {
            scene.replicas[0].phase = Phase::Starting;
        }),
        ("no gauge is a number", |scene, _| {
            scene.replicas[0] = replica("a", 7.0, f64::NAN);
        }),
    ];
    for (what, change) in changes {
        assert_eq!(Scene::new().until_sleep(change), None, "{what}");
    }
}

#[test]
fn the_time_begins_again() {
    type Change = fn(&mut Scene);
    let changes: [(&str, Change); 7] = [
        ("a request", |scene| scene.replicas[0] = replica("a", 8.0, 0.0)),
        ("another replica", |scene| {
            scene.replicas[0] = replica("b", 7.0, 0.0);
        }),
        ("one more replica", |scene| {
            scene.replicas.push(replica("b", 0.0, 0.0));
        }),
        ("somebody asks", |scene| scene.wake = Some("1".to_owned())),
        ("a clock that jumps", |scene| scene.now += Duration::from_hours(5)),
        ("a restart", |scene| scene.idle = Idle::awake(true)),
        ("another time of day", |scene| {
            scene.after = None;
            scene.look();
            scene.after = Some(AFTER);
        }),
    ];
    for (what, change) in changes {
        let mut scene = Scene::new();
        let begins = 15;
        let slept = scene.until_sleep(|scene, number| {
            if number == begins {
                change(scene);
            }
        });
        // What is new is remembered at its first look, and counts from there.
        assert!(
            slept.is_some_and(|slept| (begins + LOOKS - 1..=begins + LOOKS).contains(&slept)),
            "{what}: {slept:?}"
        );
    }
}

#[test]
fn a_clock_that_goes_back_is_no_time() {
    let mut scene = Scene::new();
    let slept = scene.until_sleep(|scene, number| {
        if number % 2 == 1 {
            scene.now -= Duration::from_secs(30);
        }
    });
    assert!(slept.is_none_or(|slept| slept >= 2 * LOOKS - 2), "{slept:?}");
}

#[test]
fn whoever_wants_replicas_gets_them() {
    type Change = fn(&mut Scene);
    let changes: [(&str, Change, u32, Wanted); 6] = [
        (
            "a word",
            |scene| scene.wake = Some("1".to_owned()),
            1,
            Wanted::Asked,
        ),
        ("another number", |scene| scene.told = Some(3), 3, Wanted::Scaled),
        (
            "another number below the least",
            |scene| {
                scene.idle = Idle::zero(Memory { wake: None, least: 2 });
                scene.least = 2;
                scene.told = Some(1);
            },
            2,
            Wanted::Scaled,
        ),
        ("requests", |scene| scene.held = 2.0, 1, Wanted::Held),
        ("a higher least", |scene| scene.least = 2, 2, Wanted::LeastRaised),
        ("a promise to stay", |scene| scene.after = None, 1, Wanted::Kept),
    ];
    for (what, change, replicas, why) in changes {
        let mut scene = Scene::asleep();
        change(&mut scene);
        assert_eq!(scene.look(), Course::Wake(replicas, why), "{what}");
        assert_eq!(
            scene.look(),
            Course::Wake(replicas, why),
            "{what}: until it was done"
        );
        scene.idle.took(replicas);
        scene.held = 0.0;
        for _ in 0..3 {
            assert_eq!(scene.look(), Course::Waking(replicas), "{what}");
        }
        scene.told = Some(replicas);
        assert_eq!(scene.look(), Course::Waking(replicas), "{what}");
        scene.replicas = vec![replica("b", 0.0, 0.0)];
        assert_eq!(scene.look(), Course::Follow, "{what}");
        let after = scene.after;
        scene.after = Some(AFTER);
        if after.is_some() {
            assert_eq!(
                scene.until_sleep(|_, _| {}),
                Some(LOOKS),
                "{what}: and it goes again"
            );
        }
    }
}

#[test]
fn what_concerns_nobody_wakes_nobody() {
    let mut scene = Scene::new();
    scene.wake = Some("1".to_owned());
    scene.least = 3;
    scene.until_sleep(|_, _| {});
    scene.idle.took(0);
    scene.told = Some(0);
    scene.replicas.clear();
    assert_eq!(
        scene.idle.memory(),
        &Memory {
            wake: Some("1".into()),
            least: 3
        }
    );
    let changes: [fn(&mut Scene); 5] = [
        |_| {},
        |scene| scene.wake = None,
        |scene| scene.wake = Some("1".to_owned()),
        |scene| scene.least = 1,
        |scene| scene.told = None,
    ];
    for change in changes {
        change(&mut scene);
        assert_eq!(scene.look(), Course::Zero);
    }
    scene.idle = Idle::zero(scene.idle.memory().clone());
    assert_eq!(scene.look(), Course::Zero, "after a restart");
    scene.wake = Some("2".to_owned());
    assert_eq!(scene.look(), Course::Wake(1, Wanted::Asked));
}

#[test]
fn a_workload_that_somebody_stops_stays_stopped() {
    let mut scene = Scene::new();
    scene.look();
    scene.told = Some(0);
    assert_eq!(scene.look(), Course::Sleep(Asleep::ByHand));
    scene.after = None;
    assert_eq!(
        scene.look(),
        Course::Follow,
        "only where zero is something that happens"
    );

    let mut scene = Scene::new();
    scene.told = Some(0);
    assert_eq!(scene.look(), Course::Follow, "it never had any");

    let mut scene = Scene::asleep();
    scene.wake = Some("1".to_owned());
    scene.look();
    scene.idle.took(1);
    scene.told = Some(1);
    assert_eq!(scene.look(), Course::Waking(1));
    scene.told = Some(0);
    assert_eq!(scene.look(), Course::Sleep(Asleep::ByHand), "while it wakes");

    let mut scene = Scene::asleep();
    scene.told = Some(2);
    assert_eq!(scene.look(), Course::Wake(2, Wanted::Scaled));
    scene.idle.took(2);
    scene.told = Some(0);
    assert_eq!(
        scene.look(),
        Course::Sleep(Asleep::ByHand),
        "whoever woke it changes their mind"
    );
    scene.idle.took(0);
    scene.told = Some(1);
    assert_eq!(scene.look(), Course::Wake(1, Wanted::Scaled), "and again");
}

/// A number that is seen late is not taken for somebody's, but one that stays is.
#[test]
fn an_order_is_given_time_to_be_seen() {
    let mut scene = Scene::new();
    scene.until_sleep(|_, _| {});
    scene.idle.took(0);
    let course = |scene: &mut Scene, looks: usize| (0..looks).map(|_| scene.look()).last();
    assert_eq!(course(&mut scene, 4), Some(Course::Zero));
    assert_eq!(scene.look(), Course::Wake(1, Wanted::Scaled));

    let mut scene = Scene::new();
    scene.idle = Idle::waking(1);
    scene.told = Some(0);
    scene.replicas.clear();
    assert_eq!(course(&mut scene, 5), Some(Course::Waking(1)));
    assert_eq!(scene.look(), Course::Sleep(Asleep::ByHand));
}
