//! What one node is to carry of all labelers together, and what each of them is told about it. Pure.
//!
//! In: the node's labels with whose they are, and the rules of the labelers, the oldest first. Out: our labels on it, the
//! step that leads there, a verdict per rule. It depends on nothing that the labelers themselves have set: the same node
//! and the same rules always give the same labels, so nothing can flap.
//!
//! * Facts about the node are the labels that others have set, other installations of this operator excepted. A label of
//!   others is never changed.
//! * In the first round every rule looks at the facts. In the next, `Exists` and `In` look at the labels of the rounds
//!   before as well, since prem-operator's labelers could build on each other; `NotIn` and `DoesNotExist` cannot.
//! * The first to set a key wins: an earlier round, then the older labeler.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use super::{
    node::{Label, NodeLabels},
    rule::Rule,
};

/// See the module.
#[derive(Debug, PartialEq)]
pub struct NodePlan<'a> {
    /// The labels that are to be ours.
    pub labels: BTreeMap<&'a str, &'a str>,
    /// What is told to each rule, in their order; `None` where the node does not match.
    pub verdicts: Vec<Option<Verdict<'a>>>,
    /// Labels among these that no rule asks for; they stay since a rule may be unknown.
    pub held: BTreeSet<&'a str>,
    /// What leads there.
    pub step: Step<'a>,
}

/// The next write.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// None: it is so already.
    Rest,
    /// Claims of an earlier manager on labels of ours have to go first: with them a label could neither change nor go.
    Take(Vec<&'a str>),
    /// Apply the plan's labels.
    Apply,
}

/// How a node that matches stands with one rule.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict<'a> {
    /// A label that it is to get of this rule is not there yet.
    pub missing: bool,
    /// Labels that another rule wants otherwise and gets: key, and the other's place.
    pub overruled: Vec<(&'a str, usize)>,
    /// Labels that somebody else has set otherwise: key, and who, if known.
    pub taken: Vec<(&'a str, Option<&'a Arc<str>>)>,
}

impl Verdict<'_> {
    /// The node carries every label of the rule.
    pub fn is_labeled(&self) -> bool {
        !self.missing && self.overruled.is_empty() && self.taken.is_empty()
    }
}

impl<'a> NodePlan<'a> {
    /// Applies the plan without these labels for now.
    pub fn leave_out<'k>(&mut self, node: &'a NodeLabels, keys: impl Iterator<Item = &'k str>) {
        let before = self.labels.len();
        for key in keys {
            self.labels.remove(key);
        }
        if self.labels.len() < before {
            self.step = step(node, &self.labels);
        }
    }

    /// What the step asks of the API server, to tell whether it asks for the same again; nothing at rest.
    pub fn request(&self) -> Option<(bool, Vec<(String, String)>)> {
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        match &self.step {
            Step::Rest => None,
            Step::Take(keys) => Some((true, keys.iter().map(|key| owned((key, ""))).collect())),
            Step::Apply => Some((
                false,
                self.labels
                    .iter()
                    .map(|(key, value)| owned((key, value)))
                    .collect(),
            )),
        }
    }

    /// Labels that the next apply puts on the node where they are not.
    pub fn adds<'s>(&'s self, node: &'s NodeLabels) -> impl Iterator<Item = &'s str> {
        let keys = self.labels.keys().copied();
        keys.filter(|key| node.get(key).is_none())
    }

    /// Whether `key` is a label of ours on the node that is to go.
    pub fn drops(&self, node: &NodeLabels, key: &str) -> bool {
        node.get(key).is_some_and(|label| label.owner.ours) && !self.labels.contains_key(key)
    }
}

/// Plans one node. With `hold`, labels of ours that no rule asks for stay: a rule may be unknown.
pub fn plan<'a>(node: &'a NodeLabels, rules: &[&'a Rule], hold: bool) -> NodePlan<'a> {
    let mut draft = Draft::of(node, rules, BTreeSet::new());
    for key in draft.claimable(rules) {
        let mut claims = draft.claims.clone();
        claims.insert(key);
        let tried = Draft::of(node, rules, claims);
        if tried.carries_its_claims() {
            draft = tried;
        }
    }
    draft.finish(rules, hold)
}

/// A plan in the making.
struct Draft<'a> {
    node: &'a NodeLabels,
    /// Labels of prem-operator that count as ours: they are to be taken over.
    claims: BTreeSet<&'a str>,
    /// What rules have set: value, and the first rule.
    set: BTreeMap<&'a str, (&'a str, usize)>,
    verdicts: Vec<Option<Verdict<'a>>>,
}

impl<'a> Draft<'a> {
    fn of(node: &'a NodeLabels, rules: &[&'a Rule], claims: BTreeSet<&'a str>) -> Self {
        let mut draft = Self {
            node,
            claims,
            set: BTreeMap::new(),
            verdicts: rules.iter().map(|_| None).collect(),
        };
        let mut round: Vec<usize> = draft.matching(rules, |_| true);
        while !round.is_empty() {
            for place in round {
                draft.admit(place, rules[place]);
            }
            round = draft.matching(rules, |rule| rule.test.is_positive());
        }
        draft
    }

    /// Labels that prem-operator alone has set as a rule that matches wants them.
    fn claimable(&self, rules: &[&'a Rule]) -> BTreeSet<&'a str> {
        let matching = rules
            .iter()
            .zip(&self.verdicts)
            .filter(|(_, verdict)| verdict.is_some());
        let wanted = matching.flat_map(|(rule, _)| &rule.labels);
        wanted
            .filter(|(key, value)| {
                let label = self.node.get(key);
                label.is_some_and(|label| {
                    label.value == **value
                        && label.owner.earlier
                        && !label.owner.ours
                        && !label.is_of_others()
                })
            })
            .map(|(key, _)| &**key)
            .collect()
    }

    /// Whether every label that is to be taken over is still asked for, with its value, when it is no fact any more. One on
    /// which the rule that names it rests itself is not: taken over it would go, and the rule would end itself.
    fn carries_its_claims(&self) -> bool {
        let mut claims = self.claims.iter();
        claims.all(|key| {
            let set = self.set.get(key).map(|(value, _)| *value);
            set.is_some() && set == self.node.get(key).map(|label| &*label.value)
        })
    }

    /// Whether a label would be there without us.
    fn stays(&self, label: &Label) -> bool {
        !label.is_only_ours() && !self.claims.contains(&*label.key)
    }

    /// What an expression sees.
    fn value(&self, key: &str) -> Option<&'a str> {
        if let Some((value, _)) = self.set.get(key) {
            return Some(value);
        }
        let label = self.node.get(key)?;
        (self.stays(label) && !label.is_set_by_labelers()).then_some(&*label.value)
    }

    /// The rules that match now and did not before.
    fn matching(&self, rules: &[&'a Rule], may: impl Fn(&Rule) -> bool) -> Vec<usize> {
        let new = rules
            .iter()
            .enumerate()
            .filter(|(place, rule)| self.verdicts[*place].is_none() && may(rule));
        new.filter(|(_, rule)| rule.test.passes(self.value(&rule.key)))
            .map(|(place, _)| place)
            .collect()
    }

    /// Enters the labels of a rule that matches.
    fn admit(&mut self, place: usize, rule: &'a Rule) {
        let mut verdict = Verdict::default();
        for (key, value) in &rule.labels {
            if let Some(label) = self.node.get(key).filter(|label| self.stays(label)) {
                if label.value != *value {
                    verdict.taken.push((key, label.owner.other.as_ref()));
                }
                continue;
            }
            match self.set.entry(key) {
                Entry::Vacant(vacant) => {
                    vacant.insert((value, place));
                }
                Entry::Occupied(known) => {
                    let (chosen, winner) = *known.get();
                    if *chosen != **value {
                        verdict.overruled.push((key, winner));
                    }
                }
            }
        }
        self.verdicts[place] = Some(verdict);
    }

    fn finish(mut self, rules: &[&'a Rule], hold: bool) -> NodePlan<'a> {
        let node = self.node;
        let mut labels: BTreeMap<&'a str, &'a str> =
            self.set.iter().map(|(key, (value, _))| (*key, *value)).collect();
        for (rule, verdict) in rules.iter().zip(&mut self.verdicts) {
            let Some(verdict) = verdict else { continue };
            for (key, value) in &rule.labels {
                let known = node.get(key);
                let there = known.is_some_and(|label| label.value == *value);
                let refused = verdict.overruled.iter().any(|(one, _)| *one == &**key)
                    || verdict.taken.iter().any(|(one, _)| *one == &**key);
                verdict.missing |= !there && !refused;
                // What is there as we want it is claimed when it is ours already.
                let ours = known.is_some_and(|label| label.owner.ours);
                if there && ours && !refused {
                    labels.insert(key, value);
                }
            }
        }
        let unasked = node
            .iter()
            .filter(|label| hold && label.owner.ours && !labels.contains_key(&*label.key));
        let unasked: BTreeMap<&str, &str> = unasked.map(|label| (&*label.key, &*label.value)).collect();
        labels.extend(&unasked);
        NodePlan {
            held: unasked.into_keys().collect(),
            step: step(node, &labels),
            labels,
            verdicts: self.verdicts,
        }
    }
}

fn step<'a>(node: &'a NodeLabels, labels: &BTreeMap<&'a str, &'a str>) -> Step<'a> {
    let shared = node
        .iter()
        .filter(|label| label.is_only_ours() && label.owner.earlier);
    let shared: Vec<&str> = shared.map(|label| &*label.key).collect();
    if !shared.is_empty() {
        return Step::Take(shared);
    }
    let lacks = labels.iter().any(|(key, value)| {
        node.get(key)
            .is_none_or(|label| !label.owner.ours || *label.value != **value)
    });
    let too_many = node
        .iter()
        .any(|label| label.owner.ours && !labels.contains_key(&*label.key));
    if lacks || too_many {
        Step::Apply
    } else {
        Step::Rest
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
