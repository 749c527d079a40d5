//! What is done, in rounds: a seed and sizes in, operations and faults out. Pure; the same seed gives the same plan.
//!
//! A round has lanes that run side by side. Each lane does one step after the other, with pauses between them. After
//! each round everything is healed and everything must come to rest.

use std::collections::{BTreeMap, BTreeSet};

use super::declared::{Declared, Id, Written};
use super::dice::Dice;
use super::fault::{Fault, Lane};
use super::kinds::Kind;

/// What users do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A resource is created.
    Create(Written),
    /// Its spec is changed.
    Edit(Written),
    /// Only its number of replicas is changed.
    Scale(Written),
    /// It is deleted.
    Delete,
    /// It is deleted, and created again under the same name at once.
    Recreate(Written),
}

impl Operation {
    /// Its name in the summary.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Edit(_) => "edit",
            Self::Scale(_) => "scale",
            Self::Delete => "delete",
            Self::Recreate(_) => "recreate",
        }
    }
}

/// A fault to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ordered {
    /// Which.
    pub fault: Fault,
    /// The resource it hits, if it hits one.
    pub resource: Option<Id>,
    /// A number to choose a node, a request or the like with.
    pub choice: u64,
    /// Milliseconds that it lasts, where it lasts.
    pub hold: u64,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// By a user.
    Operation(Id, Operation),
    /// A fault.
    Fault(Ordered),
}

/// One step of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Milliseconds to wait before it.
    pub pause: u64,
    /// What is done.
    pub action: Action,
}

/// One round.
#[derive(Debug, Clone)]
pub struct Round {
    /// What runs side by side.
    pub lanes: Vec<Vec<Step>>,
    /// What is declared when all operations are done.
    pub declared: Declared,
    /// Resources whose Pods were given a cause to restart.
    pub touched: BTreeSet<Id>,
}

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Resources that exist at the beginning, and about as many at all times.
    pub resources: u32,
    /// Operations in all, the first creations not counted.
    pub operations: u32,
    /// Faults in all.
    pub faults: u32,
    /// Faults of one round.
    pub per_round: u32,
}

/// The resources that exist before the first fault.
pub fn first(sizes: Sizes, dice: &mut Dice) -> Declared {
    let mut declared = Declared::default();
    let mut counts = BTreeMap::new();
    for kind in Kind::ALL {
        let least = if matches!(kind, Kind::Model | Kind::ModelMap) {
            super::declared::NAMESPACES
        } else {
            1
        };
        let count = (sizes.resources * kind.share()).div_ceil(100).max(least);
        counts.insert(kind, count);
    }
    declared.models = counts[&Kind::Model];
    declared.maps = counts[&Kind::ModelMap];
    for (kind, count) in counts {
        for number in 0..count {
            let replicas = u32::try_from(dice.between(1, 2)).unwrap_or(1);
            declared.alive.insert(
                Id { kind, number },
                Written {
                    revision: 0,
                    replicas,
                },
            );
        }
    }
    declared
}

/// All rounds.
pub fn rounds(sizes: Sizes, declared: &Declared, dice: &mut Dice) -> Vec<Round> {
    let count = sizes.faults.div_ceil(sizes.per_round.max(1)).max(1);
    let mut declared = declared.clone();
    let mut planned = Vec::new();
    // Each kind of fault comes once before chance has its way.
    let mut due: Vec<Fault> = Fault::ALL.iter().map(|(fault, _)| *fault).collect();
    let (mut faults, mut operations) = (sizes.faults, sizes.operations);
    for number in 0..count {
        let left = count - number;
        let (some_faults, some_operations) = (faults.div_ceil(left), operations.div_ceil(left));
        faults -= some_faults;
        operations -= some_operations;
        planned.push(round(&mut declared, some_faults, some_operations, &mut due, dice));
    }
    planned
}

fn round(
    declared: &mut Declared,
    faults: u32,
    operations: u32,
    due: &mut Vec<Fault>,
    dice: &mut Dice,
) -> Round {
    let mut touched = BTreeSet::new();
    let mut lanes: BTreeMap<Lane, Vec<Step>> = BTreeMap::new();
    let serving: Vec<Id> = declared
        .alive
        .keys()
        .copied()
        .filter(|id| id.kind.serves())
        .collect();
    for _ in 0..faults {
        let fault = if due.is_empty() {
            dice.weighted(&Fault::ALL).unwrap_or(Fault::EngineCrash)
        } else {
            due.remove(dice.index(due.len()))
        };
        let resource = fault
            .hits_a_resource()
            .then(|| serving[dice.index(serving.len())]);
        if let Some(id) = resource.filter(|_| fault.touches_pods()) {
            touched.insert(id);
        }
        let action = Action::Fault(Ordered {
            fault,
            resource,
            choice: dice.below(1 << 32),
            hold: dice.between(500, 4000),
        });
        lanes.entry(fault.lane()).or_default().push(Step {
            pause: dice.between(50, 500),
            action,
        });
    }
    let users = (0..operations).filter_map(|_| {
        let (id, operation) = operate(declared, dice)?;
        touched.extend(declared.concerned(id));
        Some(Step {
            pause: dice.between(0, 300),
            action: Action::Operation(id, operation),
        })
    });
    let users: Vec<Step> = users.collect();
    let lanes = lanes.into_values().chain([users]).collect();
    Round {
        lanes,
        declared: declared.clone(),
        touched,
    }
}

/// Chooses an operation that is possible, and notes what it declares.
fn operate(declared: &mut Declared, dice: &mut Dice) -> Option<(Id, Operation)> {
    let alive: Vec<Id> = declared.alive.keys().copied().collect();
    let gone = gone(declared);
    let id = *alive.get(dice.index(alive.len()))?;
    let written = declared.alive.get(&id).copied()?;
    let edited = Written {
        revision: written.revision + 1,
        ..written
    };
    let scaled = Written {
        replicas: u32::try_from(dice.below(4)).unwrap_or(1),
        ..written
    };
    // As many come as go.
    let come = if gone.len() < 8 { 3 } else { 16 };
    let choice = dice.weighted(&[(0, 30), (1, 30), (2, 10), (3, 12), (4, come)])?;
    let (id, operation) = match choice {
        1 if id.kind.scales() && scaled != written => (id, Operation::Scale(scaled)),
        2 => (id, Operation::Delete),
        3 => (id, Operation::Recreate(edited)),
        4 if !gone.is_empty() => {
            let (id, revision) = gone[dice.index(gone.len())];
            (
                id,
                Operation::Create(Written {
                    revision,
                    replicas: scaled.replicas.max(1),
                }),
            )
        }
        _ => (id, Operation::Edit(edited)),
    };
    match operation {
        Operation::Delete => drop(declared.alive.remove(&id)),
        Operation::Create(written)
        | Operation::Edit(written)
        | Operation::Scale(written)
        | Operation::Recreate(written) => drop(declared.alive.insert(id, written)),
    }
    Some((id, operation))
}

/// Names that have been used and are free: below the highest number of each kind, and not alive.
fn gone(declared: &Declared) -> Vec<(Id, u32)> {
    let mut ends: BTreeMap<Kind, u32> =
        BTreeMap::from([(Kind::Model, declared.models), (Kind::ModelMap, declared.maps)]);
    for id in declared.alive.keys() {
        let end = ends.entry(id.kind).or_default();
        *end = (*end).max(id.number + 1);
    }
    let all = ends
        .into_iter()
        .flat_map(|(kind, end)| (0..end).map(move |number| Id { kind, number }));
    all.filter(|id| !declared.alive.contains_key(id))
        .map(|id| (id, 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes {
        resources: 100,
        operations: 300,
        faults: 120,
        per_round: 40,
    };

    fn plan(seed: u64) -> Vec<Round> {
        let mut dice = Dice::new(seed);
        let declared = first(SIZES, &mut dice);
        rounds(SIZES, &declared, &mut dice)
    }

    fn actions(rounds: &[Round]) -> Vec<Action> {
        let lanes = rounds.iter().flat_map(|round| &round.lanes);
        lanes.flatten().map(|step| step.action).collect()
    }

    #[test]
    fn a_seed_gives_its_plan_again() {
        assert_eq!(actions(&plan(5)), actions(&plan(5)));
        assert_ne!(actions(&plan(5)), actions(&plan(6)));
    }

    #[test]
    fn all_that_was_asked_for_is_planned_and_every_fault_comes() {
        let rounds = plan(1);
        let actions = actions(&rounds);
        let faults: Vec<Fault> = actions
            .iter()
            .filter_map(|action| match action {
                Action::Fault(ordered) => Some(ordered.fault),
                Action::Operation(..) => None,
            })
            .collect();
        assert_eq!((rounds.len(), faults.len(), actions.len()), (3, 120, 420));
        for (fault, _) in Fault::ALL {
            assert!(faults[..].contains(&fault), "{fault}");
        }
    }

    #[test]
    fn operations_follow_what_is_declared() {
        let mut alive: BTreeSet<Id> = first(SIZES, &mut Dice::new(3)).alive.into_keys().collect();
        let rounds = plan(3);
        for action in actions(&rounds) {
            match action {
                Action::Operation(id, Operation::Create(_)) => assert!(alive.insert(id), "{id:?}"),
                Action::Operation(id, Operation::Delete) => assert!(alive.remove(&id), "{id:?}"),
                Action::Operation(id, _) => assert!(alive.contains(&id), "{id:?}"),
                Action::Fault(_) => {}
            }
        }
        let last = rounds.last().unwrap();
        assert_eq!(alive, last.declared.alive.keys().copied().collect());
        assert!(alive.len() > 80, "about as many as at first: {}", alive.len());
    }
}
