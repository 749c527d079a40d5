//! One run from beginning to end. In: options. Out: a verdict; an error only when the stage itself cannot be set.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::{StreamExt, stream};
use parking_lot::Mutex;

use super::declared::Declared;
use super::dice::Dice;
use super::fault::Fault;
use super::inject::inject;
use super::invariants::{self, Seen};
use super::journal::Journal;
use super::operate::operate;
use super::options::Options;
use super::oracle;
use super::plan::{self, Action, Operation, Round, Step};
use super::replica::Replica;
use super::rest;
use super::stage::Stage;
use super::verdict::{MEMORY_GROWTH, Verdict};
use super::words;
use super::world::World;

/// How often replicas are looked after.
const KEEP: Duration = Duration::from_millis(300);
/// How often the world is looked at while faults happen, and while it comes right.
const WATCH: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_secs(1);
/// First creations at once.
const AT_ONCE: usize = 8;
/// Sentences of one kind of trouble that are printed.
const SHOWN: usize = 25;

/// Does what the seed says, looks at everything, and says what was wrong. A quiet run prints only what is wrong.
pub async fn run(options: &Options, quiet: bool) -> Result<Verdict, String> {
    let journal = Arc::new(Journal::new(quiet));
    let mut dice = Dice::new(options.seed);
    let declared = plan::first(options.sizes, &mut dice);
    let rounds = plan::rounds(options.sizes, &declared, &mut dice);
    journal.say(format!(
        "seed {}: {} resources, {} faults and {} operations in {} rounds",
        options.seed,
        declared.alive.len(),
        options.sizes.faults,
        options.sizes.operations,
        rounds.len()
    ));
    let words = words::known(&options.operator).await?;
    let stage = Stage::start(options, &journal).await?;
    let begin = Instant::now();
    let scene = Scene {
        options,
        journal: &journal,
        stage: &stage,
        words,
    };
    let done = tokio::select! {
        done = scene.play(&declared, &rounds, begin) => done,
        error = keep(&stage, &journal) => return Err(error),
    };
    if !journal.violations().is_empty() {
        scene.keep_logs();
    }
    let (operations, faults) = journal.totals();
    Ok(Verdict {
        seed: options.seed,
        rounds: (done.rounds, rounds.len()),
        operations,
        faults,
        summary: journal.summary(),
        memory: done.memory,
        took: begin.elapsed(),
        violations: journal.violations(),
    })
}

/// Starts replicas again as a kubelet does, and listens for panics.
async fn keep(stage: &Stage, journal: &Journal) -> String {
    loop {
        for replica in &stage.replicas {
            if let Err(error) = replica.keep(journal) {
                return error;
            }
            for line in replica.panics() {
                journal.violation(format!("{} {line}", replica.identity));
            }
        }
        stage.keep_plane(journal).await;
        tokio::time::sleep(KEEP).await;
    }
}

struct Scene<'a> {
    options: &'a Options,
    journal: &'a Journal,
    stage: &'a Stage,
    words: BTreeSet<String>,
}

#[derive(Default)]
struct Done {
    rounds: usize,
    memory: (f64, f64),
}

impl Scene<'_> {
    async fn play(&self, declared: &Declared, rounds: &[Round], begin: Instant) -> Done {
        let mut done = Done::default();
        self.create_all(declared).await;
        let Some(mut before) = self.come_to_rest(declared).await else {
            return done;
        };
        done.memory.0 = self.memory().await;
        for (number, round) in rounds.iter().enumerate() {
            if begin.elapsed() > self.options.limit {
                self.journal
                    .violation(format!("time is up after {number} rounds"));
                break;
            }
            self.journal
                .say(format!("---- round {} of {}", number + 1, rounds.len()));
            let lost = self.turmoil(round).await;
            let Some(after) = self.come_to_rest(&round.declared).await else {
                break;
            };
            self.tell(invariants::restarted_without_cause(
                &before,
                &after,
                &round.touched,
                &lost,
            ));
            before = after;
            done.rounds = number + 1;
            done.memory.1 = self.memory().await;
            let (first, now) = done.memory;
            self.journal.say(format!(
                "---- at rest: leader {now:.1} MB ({:.2} of the first)",
                now / first
            ));
            if !self.journal.violations().is_empty() {
                break;
            }
        }
        let (first, last) = done.memory;
        if last > first * MEMORY_GROWTH {
            let most = first * MEMORY_GROWTH;
            self.journal.violation(format!(
                "{last:.1} MB at rest, {first:.1} before; at most {most:.1}"
            ));
        }
        done
    }

    async fn create_all(&self, declared: &Declared) {
        let all = stream::iter(&declared.alive).map(async |(id, written)| {
            let done = operate(&self.stage.desk, declared, *id, Operation::Create(*written)).await;
            if let Err(error) = done {
                self.journal.violation(error);
            }
        });
        all.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
        self.journal
            .say(format!("{} resources are created", declared.alive.len()));
    }

    /// Operations and faults side by side; the nodes that were lost.
    async fn turmoil(&self, round: &Round) -> BTreeSet<String> {
        let lost = Mutex::new(BTreeSet::new());
        let lanes = round.lanes.iter().map(async |lane| {
            for step in lane {
                self.step(step, round, &lost).await;
            }
        });
        tokio::select! {
            _ = join_all(lanes) => {}
            () = self.watch() => {}
        }
        for replica in &self.stage.replicas {
            replica.proxy.clear();
        }
        if let Err(error) = self.stage.heal_plane().await {
            self.journal.violation(error);
        }
        lost.into_inner()
    }

    async fn step(&self, step: &Step, round: &Round, lost: &Mutex<BTreeSet<String>>) {
        tokio::time::sleep(Duration::from_millis(step.pause)).await;
        let failed = match step.action {
            Action::Operation(id, operation) => {
                let done = operate(&self.stage.desk, &round.declared, id, operation).await;
                done.map(|()| self.journal.operation(operation.name(), id.title()))
            }
            Action::Fault(ordered) => {
                if ordered.fault == Fault::NodeLost {
                    let index = usize::try_from(ordered.choice).unwrap_or_default() % self.stage.nodes.len();
                    lost.lock().insert(self.stage.nodes[index].name.clone());
                }
                let done = inject(self.stage, ordered).await;
                done.map(|what| self.journal.fault(&ordered.fault.to_string(), what))
            }
        };
        if let Err(error) = failed {
            self.journal
                .violation(format!("{:?} could not be done: {error}", step.action));
        }
    }

    /// What must hold at all times. Never ends.
    async fn watch(&self) {
        loop {
            tokio::time::sleep(WATCH).await;
            // While the API server is away nobody sees anything.
            if let Ok(world) = World::look(&self.stage.desk).await {
                self.tell(invariants::controllers(&world));
            }
        }
    }

    /// Waits until everything is as declared and nothing is written any more; the Pods then. None when it does not come.
    async fn come_to_rest(&self, declared: &Declared) -> Option<BTreeMap<String, Seen>> {
        let begin = Instant::now();
        if let Err(wrong) = self.come_right(declared).await {
            self.tell(wrong);
            return None;
        }
        let right = begin.elapsed();
        let patience = self.options.patience;
        if let Err(writes) = rest::wait(&self.stage.cluster, self.options.rest, patience).await {
            self.journal.violation(format!("it writes at rest:\n{writes}"));
            return None;
        }
        let (operator, desk) = (&self.options.operator, &self.stage.desk);
        let world = match World::look(desk).await {
            Ok(world) => world,
            Err(refused) => {
                self.journal
                    .violation(format!("the API server at rest: {refused}"));
                return None;
            }
        };
        self.tell(invariants::at_rest(&world, declared, &self.words));
        match oracle::ask(operator, desk, &world, declared).await {
            Ok(wrong) => self.tell(wrong),
            Err(error) => self.journal.violation(error),
        }
        let (all, pods) = (world.everything().count(), world.pods.len());
        self.journal.say(format!(
            "all is right after {:.1} s and at rest after {:.1} s: {} resources, {all} objects, {pods} of them Pods",
            right.as_secs_f64(),
            begin.elapsed().as_secs_f64(),
            world.resources.len()
        ));
        Some(invariants::seen(&world))
    }

    async fn come_right(&self, declared: &Declared) -> Result<(), Vec<String>> {
        let begin = Instant::now();
        loop {
            let wrong = match World::look(&self.stage.desk).await {
                Ok(world) => invariants::at_rest(&world, declared, &self.words),
                Err(refused) => vec![refused.to_string()],
            };
            if wrong.is_empty() {
                return Ok(());
            }
            if begin.elapsed() > self.options.patience {
                return Err(wrong);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn memory(&self) -> f64 {
        let leader = self.stage.leader().await.ok();
        leader.and_then(Replica::resident).unwrap_or_default()
    }

    fn tell(&self, mut wrong: Vec<String>) {
        let count = wrong.len();
        wrong.truncate(SHOWN);
        for sentence in wrong {
            self.journal.violation(sentence);
        }
        if count > SHOWN {
            self.journal.violation(format!("and {} more", count - SHOWN));
        }
    }

    /// The replicas' logs are worth reading now.
    fn keep_logs(&self) {
        let kept = self
            .options
            .root
            .join(format!("target/chaos/{}", self.options.seed));
        let copied = std::fs::create_dir_all(&kept).and_then(|()| {
            for replica in &self.stage.replicas {
                replica.copy_log(&kept.join(format!("{}.log", replica.identity)))?;
            }
            std::fs::copy(
                self.stage.cluster.directory().join("audit.log"),
                kept.join("audit.log"),
            )
            .map(drop)
        });
        match copied {
            Ok(()) => self.journal.say(format!("logs are kept in {}", kept.display())),
            Err(error) => self.journal.say(format!("logs could not be kept: {error}")),
        }
    }
}
