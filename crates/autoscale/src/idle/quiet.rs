//! For how long nobody has used any replica, as far as it was seen.
//!
//! In: looks. Out: a time that only grows while every replica tells that it did nothing since the last look. It begins again with
//! anything else: a request, a replica that is new or cannot be seen, one that does not count what it does, a look that comes late.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::Look;
use crate::observe::{Phase, Replica, Scrape};

/// A look that comes later has missed something, or the clock has jumped.
const LONGEST_GAP: Duration = Duration::from_mins(1);

/// Counters of one replica, which only requests move.
type Counters = [Option<f64>; 3];

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Quiet {
    counters: HashMap<Arc<str>, Counters>,
    time: Option<Duration>,
}

impl Quiet {
    /// Takes a look; `gap`: since the last one, `asked`: somebody has asked for replicas since. Tells for how long it is quiet.
    pub(super) fn look(&mut self, look: &Look<'_>, gap: Duration, asked: bool) -> Option<Duration> {
        if look.after.is_none() {
            *self = Self::default();
            return None;
        }
        let serving = || {
            let all = look.snapshot.replicas.iter();
            all.filter(|replica| replica.phase != Phase::Starting)
        };
        let seen: HashMap<Arc<str>, Counters> = serving()
            .filter_map(|replica| Some((Arc::clone(&replica.id), counters(replica.scrape.as_ref()?))))
            .collect();
        let still = |replica: &Replica| {
            let scrape = replica.scrape.as_ref();
            scrape.is_some_and(empty)
                && seen
                    .get(&replica.id)
                    .is_some_and(|now| self.counters.get(&replica.id) == Some(now))
        };
        let quiet = serving().all(still)
            && look.snapshot.count(Phase::Serving) > 0
            && !look.unasked
            && !asked
            && look.snapshot.held <= 0.0
            && gap <= LONGEST_GAP;
        self.counters = seen;
        self.time = quiet.then(|| self.time.map_or(Duration::ZERO, |time| time.saturating_add(gap)));
        self.time
    }

    /// See [`Self::look`].
    pub(super) const fn time(&self) -> Option<Duration> {
        self.time
    }
}

fn counters(scrape: &Scrape) -> Counters {
    [scrape.finished, scrape.prompt_tokens, scrape.generation_tokens]
}

/// Nothing is inside, and what comes and goes between two scrapes is counted.
fn empty(scrape: &Scrape) -> bool {
    let counts = counters(scrape).iter().any(Option::is_some);
    // Not a number is not nothing.
    let nothing = |gauge: f64| gauge <= 0.0;
    counts && scrape.running.is_some_and(nothing) && scrape.waiting.is_none_or(nothing)
}
