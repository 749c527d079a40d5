//! One resource's planner, and what it has to be told each time.
//!
//! In: Pods, scrapes, room. Out: a [`Decided`] each time. It must not believe that an order was carried out before it was told
//! ([`Scaled::order`]): until then it decides about the last one.

use std::{sync::Arc, time::Duration};

use autoscale::{Config, Planner, Reason, idle::Look};
use diagnosis::facts::PodFacts;
use jiff::Timestamp;
use scraper::Latest;

use super::{
    Clocks, Decided, Room, Subject,
    bounds::{Bounded, bounded},
    latency::latency,
    lives::Lives,
    rest::Rest,
    snapshot::{Seen, Sight, snapshot},
    world::QUOTA_MEMORY,
};

/// What is seen of a resource at one moment.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// Its Pods.
    pub pods: &'a [Arc<PodFacts>],
    /// The scraper's newest.
    pub latest: &'a [Latest],
    /// Room for more.
    pub room: Room,
    /// Now.
    pub clocks: Clocks,
    /// Scrapes that are older are none.
    pub freshness: Duration,
}

/// Everything remembered of one resource.
#[derive(Clone, Debug)]
pub struct Scaled {
    config: Config,
    planner: Planner,
    lives: Lives,
    /// The number that was last published.
    ordered: Option<u32>,
    /// When it was last decided, on the scraper's clock.
    last: Option<Duration>,
    /// Requests that waited then.
    waiting: f64,
    /// Whether anybody uses it at all.
    rest: Rest,
    /// Replicas that a quota admitted, with its words, and when it last refused more.
    quota: Option<(Duration, (u32, String))>,
}

impl Scaled {
    /// Knows what the subject's status says.
    pub fn new(subject: &Subject) -> Self {
        let rest = Rest::new(subject);
        let stored = subject.stored.as_ref().and_then(|stored| stored.desired_replicas);
        Self {
            config: subject.config(),
            planner: Planner::new(subject.config()),
            lives: Lives::default(),
            ordered: stored
                .and_then(|stored| u32::try_from(stored).ok())
                .filter(|stored| *stored > 0 || rest.is_zero()),
            last: None,
            waiting: 0.0,
            rest,
            quota: None,
        }
    }

    /// Forgets what was learned when something else is promised, or another model or GPU is used; not when only the expectation
    /// became a little better.
    pub fn adapt(&mut self, subject: &Subject) {
        let config = subject.config();
        if is_other(&config, &self.config) {
            self.config = config;
            self.planner = Planner::new(config);
        }
    }

    /// The number was published.
    pub fn order(&mut self, replicas: u32) {
        self.ordered = Some(replicas);
        self.rest.ordered(replicas);
    }

    /// Whether there are no replicas because nobody uses them.
    pub fn is_zero(&self) -> bool {
        self.rest.is_zero()
    }

    /// For how long nobody used it; `None` while somebody does, or it cannot be seen.
    pub fn quiet_for(&self) -> Option<Duration> {
        self.rest.quiet_for()
    }

    /// Decides. Once a round of scrapes was seen; sooner nothing is new.
    pub fn decide(&mut self, subject: &Subject, view: &View<'_>) -> Decided {
        let room = self.remember_quota(&view.room, view.clocks.scraper);
        let asked = self.ordered.or(room.asked).unwrap_or_default();
        let bounded = bounded(&subject.plan, &room, asked);
        let living = view.pods.iter().filter(|pod| !pod.deleting).count();
        let ordered = *self.ordered.get_or_insert_with(|| {
            let living = u32::try_from(living).unwrap_or(u32::MAX);
            room.asked.unwrap_or(living).max(bounded.bounds.min)
        });
        let latest = subject.metrics.as_ref().map(|_| view.latest);
        let seen = Seen {
            pods: view.pods,
            latest,
            clocks: view.clocks,
            ordered,
            freshness: view.freshness,
            last: self.last.replace(view.clocks.scraper),
            startup: subject.expectation.startup,
        };
        let (snapshot, sight) = snapshot(&seen, &mut self.lives);
        let decision = self.planner.decide(&snapshot, bounded.bounds);
        self.waiting = decision.inputs.waiting;
        let day = view.clocks.day;
        let look = Look {
            snapshot: &snapshot,
            unasked: unasked(view),
            told: room.asked,
            wake: subject.wake.as_deref(),
            after: subject.plan.idle_after,
            least: bounded.bounds.min,
        };
        let (decision, course) = self.rest.decide((subject, day), &look, bounded.bounds, decision);
        Decided {
            replicas: decision.replicas,
            at: Timestamp::from_second(day.as_second()).unwrap_or(day),
            message: sentence(&decision.message, decision.reason, &sight, &bounded),
            bounds: bounded.bounds,
            most: u32::try_from(subject.plan.most).unwrap_or_default(),
            latency: latency(&subject.plan.promise, latest),
            decision,
            sight,
            course,
            zero: self.rest.zero(course),
        }
    }

    /// Whether to decide before the time: clearly more requests wait than the last time, and every replica that answers has told
    /// something since.
    pub fn urgent(&self, latest: &[Latest]) -> bool {
        let Some(last) = self.last else { return false };
        let answering = || latest.iter().filter(|latest| latest.failure.is_none());
        let told = |latest: &Latest| latest.scrape.as_ref().is_some_and(|scrape| scrape.at > last);
        let waiting: f64 = answering()
            .filter_map(|latest| latest.scrape.as_ref()?.waiting)
            .sum();
        answering().all(told) && waiting >= 1.0 + 1.1 * self.waiting
    }

    /// A quota's refusal is over as soon as nothing more is asked for; it is remembered, or every other decision would ask again.
    fn remember_quota(&mut self, room: &Room, now: Duration) -> Room {
        if let Some(refused) = &room.quota {
            self.quota = Some((now, refused.clone()));
        }
        self.quota
            .take_if(|(at, _)| now.saturating_sub(*at) > QUOTA_MEMORY);
        Room {
            quota: self.quota.as_ref().map(|(_, refused)| refused.clone()),
            ..room.clone()
        }
    }
}

/// Whether a Pod is ready that was not asked yet.
fn unasked(view: &View<'_>) -> bool {
    let told = |latest: &Latest| latest.scrape.is_some() || latest.failure.is_some();
    let asked = |uid: &str| {
        view.latest
            .iter()
            .any(|latest| *latest.id == *uid && told(latest))
    };
    view.pods
        .iter()
        .any(|pod| pod.ready && !pod.deleting && !asked(&pod.uid))
}

/// Expectations that differ by less are about the same model on the same GPUs: what was measured is worth more.
const SAME: f64 = 0.2;

fn is_other(one: &Config, other: &Config) -> bool {
    let differs = |a: f64, b: f64| (a - b).abs() > SAME * a.abs().max(b.abs());
    let (new, old) = (&one.expected.step_time, &other.expected.step_time);
    one.targets != other.targets
        || one.expected.max_sequences != other.expected.max_sequences
        || differs(new.base, old.base)
        || differs(new.per_prompt_token, old.per_prompt_token)
}

fn sentence(decision: &str, reason: Reason, sight: &Sight, bounded: &Bounded) -> String {
    let mut sentence = decision.to_owned();
    let mut add = |words: &str| {
        sentence.push_str("; ");
        sentence.push_str(words);
    };
    if reason == Reason::Limited {
        add(&bounded.words());
    }
    if let Some(why) = &sight.reason {
        let Sight { asked, failed, .. } = sight;
        let counts = format!("{failed} of {asked} could not be scraped, the first: {why}");
        // The decision itself tells the counts.
        let first = format!("the first: {why}");
        add(if reason == Reason::ScrapeFailed {
            &first
        } else {
            &counts
        });
    }
    if !sentence.ends_with('.') {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
#[path = "planner_tests.rs"]
mod tests;
