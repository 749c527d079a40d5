//! What one labeler has come to, over all nodes. Pure.
//!
//! In: the labelers at work, every node, and what went wrong with which. Out: counts, and for each trouble an example.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    board::Trouble,
    labeler::Labeler,
    node::NodeLabels,
    plan::{Verdict, plan},
    view::View,
};

/// See the module.
#[derive(Debug, Default)]
pub struct Survey {
    /// Nodes that match.
    pub matched: u32,
    /// Nodes of these that carry all its labels.
    pub labeled: u32,
    /// Nodes of these that are to be written to.
    pub missing: u32,
    /// Keys that another labeler sets otherwise.
    pub overruled: BTreeMap<String, Dispute>,
    /// Keys that somebody else has set otherwise.
    pub taken: BTreeMap<String, Dispute>,
    /// Labelers that ask for another value of a key of this one, and do not get it: key and name.
    pub overrules: BTreeSet<(String, Name)>,
    /// Nodes that still carry its labels though nobody asks for them any more.
    pub left: u32,
    /// Nodes that carry its labels though no labeler that can be read asks for them: one cannot be read.
    pub held: u32,
    /// Nodes of `missing` or `left` that could not be written to.
    pub failed: u32,
    /// Nodes of `missing` or `left` of which no attempt is known that failed.
    pub untried: Vec<String>,
    /// Why, of one of `failed`.
    pub trouble: Option<Trouble>,
}

/// A key that a labeler does not get.
#[derive(Debug, PartialEq, Eq)]
pub struct Dispute {
    /// On so many nodes.
    pub nodes: u32,
    /// One of the nodes.
    pub node: String,
    /// Who has it there: a labeler, or a field manager if known.
    pub holder: Option<Holder>,
}

/// Who has a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Another labeler.
    Labeler(Name),
    /// A field manager.
    Manager(Arc<str>),
}

/// Namespace and name of a labeler.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Name {
    fn of(labeler: &Labeler) -> Self {
        Self {
            namespace: labeler.namespace().to_owned(),
            name: labeler.name().to_owned(),
        }
    }

    /// As it is told in `namespace`: a tenant learns no names of another.
    pub fn told_in(&self, namespace: &str) -> String {
        if self.namespace == namespace {
            format!("AutoNodeLabeler {}", self.name)
        } else {
            "a labeler in another namespace".to_owned()
        }
    }
}

/// Looks at every node, in the order given.
pub fn survey<'a>(
    labeler: &Labeler,
    view: &View,
    nodes: impl Iterator<Item = (&'a str, &'a NodeLabels)>,
    trouble: impl Fn(&str) -> Option<Trouble>,
) -> Survey {
    let rules = view.rules();
    let place = view.place_of(labeler);
    let mut survey = Survey::default();
    for (name, labels) in nodes {
        let plan = plan(labels, &rules, view.hold);
        let mut pending = false;
        if let Some(place) = place {
            if let Some(Some(verdict)) = plan.verdicts.get(place) {
                survey.count(name, verdict, view);
                pending |= verdict.missing;
            }
            survey.note_overruled(place, &plan.verdicts, view);
        }
        survey.held += u32::from(labeler.keys().any(|key| plan.held.contains(key)));
        if labeler.keys().any(|key| plan.drops(labels, key)) {
            survey.left += 1;
            pending = true;
        }
        if !pending {
            continue;
        }
        let Some(trouble) = trouble(name) else {
            survey.untried.push(name.to_owned());
            continue;
        };
        survey.failed += 1;
        // One that somebody has to mend is told before one that passes.
        let known = survey.trouble.as_ref();
        if known.is_none_or(|known| known.passes && !trouble.passes) {
            survey.trouble = Some(trouble);
        }
    }
    survey
}

impl Survey {
    /// Nodes are to be written to, and nothing stands against it that does not pass.
    pub fn waits(&self) -> bool {
        self.missing + self.left > 0 && self.trouble.as_ref().is_none_or(|trouble| trouble.passes)
    }

    fn count(&mut self, node: &str, verdict: &Verdict<'_>, view: &View) {
        self.matched += 1;
        self.labeled += u32::from(verdict.is_labeled());
        self.missing += u32::from(verdict.missing);
        for (key, winner) in &verdict.overruled {
            let holder = || view.at(*winner).map(|labeler| Holder::Labeler(Name::of(labeler)));
            dispute(&mut self.overruled, key, node, holder);
        }
        for (key, manager) in &verdict.taken {
            let holder = || manager.map(|manager| Holder::Manager(manager.clone()));
            dispute(&mut self.taken, key, node, holder);
        }
    }

    fn note_overruled(&mut self, place: usize, verdicts: &[Option<Verdict<'_>>], view: &View) {
        for (loser, verdict) in verdicts.iter().enumerate() {
            let lost = verdict.iter().flat_map(|verdict| &verdict.overruled);
            for (key, _) in lost.filter(|(_, winner)| *winner == place) {
                if let Some(loser) = view.at(loser) {
                    self.overrules.insert(((*key).to_owned(), Name::of(loser)));
                }
            }
        }
    }
}

fn dispute(
    disputes: &mut BTreeMap<String, Dispute>,
    key: &str,
    node: &str,
    holder: impl FnOnce() -> Option<Holder>,
) {
    if let Some(known) = disputes.get_mut(key) {
        known.nodes += 1;
    } else {
        let new = Dispute {
            nodes: 1,
            node: node.to_owned(),
            holder: holder(),
        };
        disputes.insert(key.to_owned(), new);
    }
}
