//! Whether anybody uses the model at all: no replicas after a while without a request, and back when they are wanted.
//!
//! In: looks at the replicas, at the number that their workload is told, and at whoever asks for them. Out: a [`Course`] each. It must
//! not go to zero while a request runs or waits, or while it is blind to any replica; not count time during which nobody looked; not
//! believe that a course was taken before it is told ([`Idle::took`]).

mod quiet;

use std::time::Duration;

use crate::observe::{Phase, Snapshot};
use quiet::Quiet;

/// For so long the number that a workload is told may be an older one than ours.
const LATE: Duration = Duration::from_mins(1);

/// What is seen at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The replicas.
    pub snapshot: &'a Snapshot,
    /// A replica is ready that nobody has asked yet.
    pub unasked: bool,
    /// How many replicas their workload is told to have; `None`: there is no workload.
    pub told: Option<u32>,
    /// The last word by which somebody asked for replicas.
    pub wake: Option<&'a str>,
    /// How long without a request until there are none; `None`: there always are some.
    pub after: Option<Duration>,
    /// Fewest replicas while there are some.
    pub least: u32,
}

/// Why there are no replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asleep {
    /// No request for so long.
    Unused(Duration),
    /// Somebody set the workload to zero.
    ByHand,
}

/// Why there are replicas again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Another word than the one known when it went to zero.
    Asked,
    /// Somebody set the workload above zero.
    Scaled,
    /// Requests wait outside.
    Held,
    /// More than before are the fewest.
    LeastRaised,
    /// It must not go to zero any more.
    Kept,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// As many replicas as the planner says.
    Follow,
    /// None, from now on.
    Sleep(Asleep),
    /// Still none.
    Zero,
    /// At least so many, from now on.
    Wake(u32, Wanted),
    /// At least so many, none of which serves yet.
    Waking(u32),
}

/// What a status remembers of a workload that went to zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The word that was known then.
    pub wake: Option<Box<str>>,
    /// The fewest replicas then.
    pub least: u32,
}

#[derive(Clone, Debug)]
enum State {
    /// `told`: its workload was seen to be told a number above zero.
    Awake { quiet: Quiet, told: bool },
    /// `told`: its workload was seen to be told zero. `for_`: so long ago it was ordered.
    Zero {
        memory: Memory,
        told: bool,
        for_: Duration,
    },
    /// As in the others.
    Waking {
        replicas: u32,
        told: bool,
        for_: Duration,
    },
}

/// Everything remembered between two looks.
#[derive(Clone, Debug)]
pub struct Idle {
    state: State,
    last: Option<Duration>,
    seen: Memory,
    /// What the workload was told at the last look.
    told: Option<u32>,
}

impl Idle {
    /// Replicas that nobody knows anything of. `told`: their workload had some before.
    pub fn awake(told: bool) -> Self {
        Self::of(State::Awake {
            quiet: Quiet::default(),
            told,
        })
    }

    /// A workload that went to zero before.
    pub fn zero(memory: Memory) -> Self {
        Self::of(State::Zero {
            memory,
            told: true,
            for_: Duration::ZERO,
        })
    }

    /// A workload that was told this number before, and serves not yet.
    pub fn waking(replicas: u32) -> Self {
        Self::of(State::Waking {
            replicas,
            told: false,
            for_: Duration::ZERO,
        })
    }

    fn of(state: State) -> Self {
        Self {
            state,
            last: None,
            seen: Memory::default(),
            told: None,
        }
    }

    /// Looks, and says what to do. The same again until it is told that this was done.
    pub fn look(&mut self, look: &Look<'_>) -> Course {
        let now = look.snapshot.now;
        let gap = self
            .last
            .replace(now)
            .map_or(Duration::ZERO, |last| now.saturating_sub(last));
        let word = look.wake.filter(|word| self.seen.wake.as_deref() != Some(*word));
        let asked = word.is_some();
        if let Some(word) = word {
            self.seen.wake = Some(word.into());
        }
        self.seen.least = look.least;
        self.told = look.told;
        match &mut self.state {
            State::Awake { quiet, told } => {
                let for_ = quiet.look(look, gap, asked);
                let stopped = look.told == Some(0);
                *told |= look.told.is_some_and(|told| told > 0);
                match (look.after, for_) {
                    (Some(_), _) if stopped && *told => Course::Sleep(Asleep::ByHand),
                    (Some(after), Some(for_)) if for_ >= after => Course::Sleep(Asleep::Unused(for_)),
                    _ => Course::Follow,
                }
            }
            State::Zero { memory, told, for_ } => {
                *for_ = for_.saturating_add(gap);
                let raised = settled(look.told, told, *for_, |told| told > 0);
                match wanted(memory, look, raised) {
                    Some(why) => {
                        let scaled = look.told.filter(|_| raised).unwrap_or_default();
                        Course::Wake(look.least.max(scaled).max(1), why)
                    }
                    None => Course::Zero,
                }
            }
            State::Waking { replicas, told, for_ } => {
                *for_ = for_.saturating_add(gap);
                let stopped = settled(look.told, told, *for_, |told| told == 0);
                let replicas = *replicas;
                if look.snapshot.count(Phase::Serving) > 0 {
                    let told = *told;
                    self.state = State::Awake {
                        quiet: Quiet::default(),
                        told,
                    };
                    Course::Follow
                } else if stopped && look.after.is_some() {
                    Course::Sleep(Asleep::ByHand)
                } else {
                    Course::Waking(replicas)
                }
            }
        }
    }

    /// So many replicas were ordered.
    pub fn took(&mut self, replicas: u32) {
        self.state = match (&self.state, replicas) {
            (State::Awake { .. } | State::Waking { .. }, 0) => State::Zero {
                memory: self.seen.clone(),
                told: self.told == Some(0),
                for_: Duration::ZERO,
            },
            // Whoever woke it by a number has set that.
            (State::Zero { .. }, 1..) => State::Waking {
                replicas,
                told: self.told.is_some_and(|told| told > 0),
                for_: Duration::ZERO,
            },
            (State::Zero { .. }, 0) | (State::Awake { .. } | State::Waking { .. }, _) => return,
        };
    }

    /// What to remember of a workload that is at zero, or goes there now.
    pub fn memory(&self) -> &Memory {
        match &self.state {
            State::Zero { memory, .. } => memory,
            State::Awake { .. } | State::Waking { .. } => &self.seen,
        }
    }

    /// Whether there are no replicas.
    pub const fn is_zero(&self) -> bool {
        matches!(self.state, State::Zero { .. })
    }

    /// For how long all replicas were seen without a request; `None` while they are not.
    pub const fn quiet_for(&self) -> Option<Duration> {
        match &self.state {
            State::Awake { quiet, .. } => quiet.time(),
            State::Zero { .. } | State::Waking { .. } => None,
        }
    }
}

/// Whether somebody else's number stands against the one that was ordered; `seen`: ours was there. Until it was, the number that
/// is seen may just be old.
fn settled(told: Option<u32>, seen: &mut bool, for_: Duration, against: impl Fn(u32) -> bool) -> bool {
    let Some(told) = told else { return false };
    let against = against(told);
    *seen |= !against;
    against && (*seen || for_ > LATE)
}

fn wanted(memory: &Memory, look: &Look<'_>, raised: bool) -> Option<Wanted> {
    if look.after.is_none() {
        Some(Wanted::Kept)
    } else if look.snapshot.held > 0.0 {
        Some(Wanted::Held)
    } else if look.wake.is_some() && look.wake != memory.wake.as_deref() {
        Some(Wanted::Asked)
    } else if look.least > memory.least {
        Some(Wanted::LeastRaised)
    } else {
        raised.then_some(Wanted::Scaled)
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
