//! One reconcile of a Node: at most one apply, with what all labelers together ask for.
//!
//! In: a key. Out: labels as planned, and the labelers are told. It writes nothing else of a Node.

use std::sync::Arc;

use reconcile::{
    Failure, ObjectKey, Outcome, RawObject, Reconciler,
    labels::{LabelTarget, LabelsWritten},
};

use super::{
    board::Trouble,
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

    async fn bring(&self, name: &str) -> Result<(), Failure> {
        let labelling = &*self.labelling;
        let Some(view) = labelling.view() else {
            return Ok(());
        };
        let rules = view.rules();
        for _ in 0..STEPS {
            let Some(node) = labelling.nodes().get("", name) else {
                return Ok(());
            };
            let plan = plan(&node.labels, &rules, view.hold);
            match self.write(name, &node, &plan).await? {
                None | Some(LabelsWritten::Gone) => return Ok(()),
                Some(LabelsWritten::Written | LabelsWritten::Nothing) => {}
            }
        }
        Err(Failure::terminal(
            "LabelsRefused",
            format!(
                "Node {name} does not carry the labels that were written to it; see which admission policy or webhook \
                 changes them"
            ),
        ))
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
        ended.map(|()| Outcome::Done)
    }
}
