//! One reconcile of a Node: at most one apply, with what all labelers together ask for.
//!
//! In: a key. Out: labels as planned, and the labelers are told. It writes nothing else of a Node.

use std::sync::Arc;

use reconcile::{
    Failure, ObjectKey, Outcome, RawObject, Reconciler,
    labels::{LabelTarget, LabelsWritten},
};

use tokio::time::{Duration, Instant};

use super::{
    board::Trouble,
    fights::Truce,
    labelling::Labelling,
    manager::is_prem_operator,
    node::NodeRecord,
    plan::{NodePlan, Step, plan},
};
use crate::{context::failure, kinds::NODE};

/// Apply, take over from an earlier manager, apply what that was in the way of, and the look that finds it done.
const STEPS: usize = 4;

/// Brings Nodes to what the labelers ask for.
pub struct NodeReconciler {
    labelling: Arc<Labelling>,
}

impl NodeReconciler {
    /// A reconciler on shared caches.
    pub fn new(labelling: Arc<Labelling>) -> Self {
        Self { labelling }
    }

    async fn bring(&self, name: &str) -> Result<Outcome, Failure> {
        let labelling = &*self.labelling;
        let Some(view) = labelling.view_or_skip() else {
            return Ok(Outcome::Done);
        };
        let rules = view.rules();
        let mut before = None;
        for _ in 0..STEPS {
            let Some(node) = labelling.nodes().get("", name) else {
                labelling.board.fights.lock().forget(name);
                return Ok(Outcome::Done);
            };
            let mut plan = plan(&node.labels, &rules, view.hold);
            let truces = self.truces(name, &node, &plan);
            plan.leave_out(&node.labels, truces.iter().map(|truce| &*truce.key));
            if plan.step == Step::Rest
                && let Some(truce) = truces.iter().min_by_key(|truce| truce.pause)
            {
                let message = format!(
                    "Node {name} has lost the label {} {} times; see which program removes it",
                    truce.key, truce.times
                );
                return Err(Failure::retry("LabelsRefused", message).not_before(truce.pause));
            }
            let asked = plan.request();
            if asked.is_some() && asked == before {
                return Err(Failure::terminal(
                    "LabelsRefused",
                    format!(
                        "Node {name} does not carry the labels that were written to it; see which admission policy or \
                         webhook changes them"
                    ),
                ));
            }
            before = asked;
            match self.write(name, &node, &plan).await? {
                // When the cache is behind, what it has not seen yet wakes the node.
                None | Some(LabelsWritten::Gone | LabelsWritten::Nothing) => return Ok(Outcome::Done),
                Some(LabelsWritten::Written) => self.note_added(name, &node, &plan, &truces),
            }
        }
        // Every step was another one: others write to the node as well.
        Ok(Outcome::RequeueAfter(Duration::ZERO))
    }

    /// Labels that somebody removes again and again, and that are not put back yet.
    fn truces(&self, name: &str, node: &NodeRecord, plan: &NodePlan<'_>) -> Vec<Truce> {
        let fights = self.labelling.board.fights.lock();
        fights.truces(name, &node.uid, plan.adds(&node.labels), Instant::now())
    }

    fn note_added(&self, name: &str, node: &NodeRecord, plan: &NodePlan<'_>, truces: &[Truce]) {
        if plan.step == Step::Apply {
            let waits = |key: &str| truces.iter().any(|truce| truce.key == key);
            let all = |key: &str| plan.labels.contains_key(key) || waits(key);
            let mut fights = self.labelling.board.fights.lock();
            fights.added(name, &node.uid, plan.adds(&node.labels), all, Instant::now());
        }
    }

    /// The plan's next step; `None` when there is none.
    async fn write(
        &self,
        name: &str,
        node: &NodeRecord,
        plan: &NodePlan<'_>,
    ) -> Result<Option<LabelsWritten>, Failure> {
        let labelling = &*self.labelling;
        let target = LabelTarget {
            resource: &labelling.node_resource,
            namespace: "",
            name,
            uid: &node.uid,
        };
        // Labels are looked at again after every write; whoever reads the facts has to be woken.
        let news = |raw: &RawObject| {
            NodeRecord::read(raw, &labelling.manager).is_ok_and(|stored| stored.facts != node.facts)
        };
        let written = match &plan.step {
            Step::Rest => return Ok(None),
            Step::Take(keys) => {
                let writer = &labelling.writer;
                writer
                    .take_claims(&target, keys, is_prem_operator, labelling.nodes(), news)
                    .await
            }
            Step::Apply => {
                let writer = &labelling.writer;
                writer.apply(&target, &plan.labels, labelling.nodes(), news).await
            }
        };
        written.map(Some).map_err(|error| failure(&error))
    }
}

impl Reconciler for NodeReconciler {
    fn kind(&self) -> &'static str {
        NODE
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<Outcome, Failure> {
        let ended = self.bring(&key.name).await;
        let trouble = ended.as_ref().err().map(Trouble::from);
        if self.labelling.board.worked_on(&key.name, trouble) {
            self.labelling.tell_labelers();
        }
        ended
    }
}
