//! The scraper as its callers see it.
//!
//! In: groups and their targets, changing. Out: the newest of each target, and which groups' rounds are over. One task per target;
//! all end with the scraper, with `stop`, or when their target goes.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::{Arc, Weak},
    time::Duration,
};

use engine_metrics::Reading;
use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::Notify};
use tokio_util::sync::CancellationToken;

use crate::{Cause, Latest, Options, Target, Totals, agent, asker::Asker, group::Group};

/// Asks the targets of groups that are named by `K`. Cheap to clone; all asking ends with the last clone.
#[derive(Debug)]
pub struct Scraper<K>(Arc<Shared<K>>);

impl<K> Clone for Scraper<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Shared<K> {
    asker: Arc<Asker>,
    runtime: Handle,
    stop: CancellationToken,
    state: Mutex<State<K>>,
    over: Notify,
}

#[derive(Debug)]
struct State<K> {
    groups: HashMap<K, Group>,
    /// Groups whose rounds are over, each once.
    over: VecDeque<K>,
    agents: u64,
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static> Scraper<K> {
    /// A scraper without targets, on the runtime that it is called in. Nothing is asked after `stop`.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(options: Options, stop: CancellationToken) -> Self {
        Self(Arc::new(Shared {
            asker: Arc::new(Asker::new(options)),
            runtime: Handle::current(),
            stop,
            state: Mutex::new(State {
                groups: HashMap::new(),
                over: VecDeque::new(),
                agents: 0,
            }),
            over: Notify::new(),
        }))
    }

    /// Time since the start: the clock of all that is told.
    pub fn now(&self) -> Duration {
        self.0.asker.now()
    }

    /// Its limits.
    pub fn options(&self) -> Options {
        self.0.asker.options
    }

    /// The group has exactly these targets now. One that is as before goes on as before; one with another address begins
    /// anew.
    pub fn set(&self, group: &K, targets: Vec<Target>) {
        let shared = &self.0;
        let mut state = shared.state.lock();
        let State { groups, over, agents } = &mut *state;
        let found = groups
            .entry(group.clone())
            .or_insert_with(|| Group::new(shared.asker.options.group_concurrency));
        let wanted = targets.iter().map(|target| (&target.id, target)).collect();
        if found.retain(&wanted) {
            shared.tell(group, found, over);
        }
        for target in targets {
            if found.has(&target.id) {
                continue;
            }
            *agents += 1;
            let stop = shared.stop.child_token();
            let asking = agent::run(
                target.clone(),
                Arc::clone(&shared.asker),
                Arc::clone(&found.gate),
                reporter(shared, group, &target, *agents),
            );
            found.add(target, *agents, stop.clone().drop_guard());
            shared.runtime.spawn(stop.run_until_cancelled_owned(asking));
        }
    }

    /// The group is no more.
    pub fn remove(&self, group: &K) {
        self.0.state.lock().groups.remove(group);
    }

    /// The newest of each target of a group, in no order.
    pub fn latest(&self, group: &K) -> Vec<Latest> {
        let state = self.0.state.lock();
        state.groups.get(group).map(Group::latest).unwrap_or_default()
    }

    /// How many questions a group's targets were asked.
    pub fn totals(&self, group: &K) -> Totals {
        let state = self.0.state.lock();
        state
            .groups
            .get(group)
            .map(|found| found.totals)
            .unwrap_or_default()
    }

    /// Waits until a group's round is over: all of its targets were asked since the last. For one caller at a time; rounds that
    /// end while nobody waits are told once.
    pub async fn round(&self) -> K {
        loop {
            if let Some(group) = self.0.untold() {
                return group;
            }
            self.0.over.notified().await;
        }
    }
}

/// What an agent reports through; it does not keep the scraper.
fn reporter<K: Clone + Eq + Hash + Send + Sync + 'static>(
    shared: &Arc<Shared<K>>,
    group: &K,
    target: &Target,
    agent: u64,
) -> impl Fn(Result<Reading, Cause>) + Send + 'static {
    let shared: Weak<Shared<K>> = Arc::downgrade(shared);
    let (group, id) = (group.clone(), Arc::clone(&target.id));
    move |outcome| {
        if let Some(shared) = shared.upgrade() {
            shared.take(&group, &id, agent, outcome);
        }
    }
}

impl<K: Clone + Eq + Hash> Shared<K> {
    fn take(&self, group: &K, id: &Arc<str>, agent: u64, outcome: Result<Reading, Cause>) {
        let at = self.asker.now();
        let mut state = self.state.lock();
        let State { groups, over, .. } = &mut *state;
        if let Some(found) = groups.get_mut(group)
            && found.take(id, agent, at, outcome)
        {
            self.tell(group, found, over);
        }
    }

    fn tell(&self, group: &K, found: &mut Group, over: &mut VecDeque<K>) {
        if !std::mem::replace(&mut found.untold, true) {
            over.push_back(group.clone());
            self.over.notify_one();
        }
    }

    /// The next group to tell of that still exists.
    fn untold(&self) -> Option<K> {
        let mut state = self.state.lock();
        while let Some(group) = state.over.pop_front() {
            if let Some(found) = state.groups.get_mut(&group)
                && std::mem::take(&mut found.untold)
            {
                return Some(group);
            }
        }
        None
    }
}
