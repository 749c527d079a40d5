//! One reconcile of an `AutoNodeLabeler`: its finalizer and its status. Nodes are labelled by their own reconciles.
//!
//! In: a key. Out: a finalizer, a status, an Event when its state changes.

use std::sync::Arc;

use api::{premlabs_io::v1alpha1::AutoNodeLabeler, shared::State};
use k8s_openapi::jiff::Timestamp;
use reconcile::{Failure, ObjectKey, Outcome, Reconciler, StatusTarget, finalizer};
use tokio::time::Duration;

use super::{
    FINALIZER,
    labeler::{Labeler, Refusal},
    labelling::Labelling,
    status::{Standing, Unseen, status},
    survey::{Survey, survey},
    view::View,
};
use crate::{
    context::{News, failure},
    kinds::AUTO_NODE_LABELER,
};

/// Nodes that are being labelled are no news before this time: most are done by then, and the status is written once.
const LABELING_PATIENCE: Duration = Duration::from_millis(1500);
/// Meanwhile it is looked at again after this time, whether or not a node says something.
const LABELING_LOOK: Duration = Duration::from_millis(500);
/// Nobody tells us when a right comes back while no node changes.
const RIGHTS_LOOK: Duration = Duration::from_secs(20);

/// Keeps finalizers and statuses of labelers.
pub struct AutoNodeLabelerReconciler {
    pub(super) labelling: Arc<Labelling>,
}

impl AutoNodeLabelerReconciler {
    /// A reconciler on shared caches.
    pub fn new(labelling: Arc<Labelling>) -> Self {
        Self { labelling }
    }

    /// What the labeler has come to.
    pub(super) fn survey(&self, labeler: &Labeler, view: &View) -> Survey {
        let labelling = &*self.labelling;
        labelling.board.looking();
        let mut nodes: Vec<_> = labelling
            .nodes()
            .names()
            .into_iter()
            .filter_map(|(_, name)| Some((labelling.nodes().get("", &name)?, name)))
            .collect();
        nodes.sort_by(|(_, a), (_, b)| a.cmp(b));
        let nodes = nodes.iter().map(|(node, name)| (&**name, &node.labels));
        survey(labeler, view, nodes, |node| labelling.board.trouble(node))
    }

    /// Tells one that is not acted on why, and what becomes of labels that it has set before.
    async fn refuse(
        &self,
        key: &ObjectKey,
        labeler: &Labeler,
        refusal: &Refusal,
    ) -> Result<Outcome, Failure> {
        let labelling = &*self.labelling;
        let view = labelling.view().filter(|_| labelling.nodes_known());
        let survey = view.map(|view| self.survey(labeler, &view));
        let waits = survey.as_ref().is_some_and(Survey::waits);
        if labelling.board.waited(key, waits) < LABELING_PATIENCE && waits {
            return Ok(Outcome::RequeueAfter(LABELING_LOOK));
        }
        let standing = Standing::Refused(refusal, survey.as_ref());
        match self.write(key, &labeler.object, &standing).await {
            // The API server may be as unable to write it as we are to read it.
            Err(_) if labeler.is_unreadable() => {
                return Err(Failure::terminal("Unreadable", refusal.to_string()));
            }
            written => written?,
        }
        Ok(match survey {
            None => Outcome::RequeueAfter(RIGHTS_LOOK),
            Some(_) if waits => Outcome::RequeueAfter(LABELING_PATIENCE),
            Some(_) => Outcome::Done,
        })
    }

    /// Stores the status if it differs, and tells a change of state once.
    pub(super) async fn write(
        &self,
        key: &ObjectKey,
        object: &AutoNodeLabeler,
        standing: &Standing<'_>,
    ) -> Result<(), Failure> {
        let context = &self.labelling.context;
        let stored = object.status.as_ref();
        let new = status(object, standing, Timestamp::now());
        let state = new.state.unwrap_or(State::Progressing);
        let reason = new.reason.clone().unwrap_or_default();
        let before = stored.map(|stored| (stored.state, stored.reason.as_deref()));
        let news = News::of(before.unwrap_or_default(), (state, &reason), || {
            let ready = new.conditions.iter().find(|condition| condition.type_ == "Ready");
            ready.map(|ready| ready.message.clone()).unwrap_or_default()
        });
        let target = StatusTarget::of(object);
        let sink = self.labelling.labelers();
        context
            .report(key, (object, &target), (stored, &new), sink, news)
            .await?;
        Ok(())
    }
}

/// Whether no status tells of the present spec.
fn is_new(object: &AutoNodeLabeler) -> bool {
    let conditions = object.status.iter().flat_map(|status| &status.conditions);
    let mut ready = conditions.filter(|condition| condition.type_ == "Ready");
    ready.all(|ready| ready.observed_generation != object.metadata.generation)
}

impl Reconciler for AutoNodeLabelerReconciler {
    fn kind(&self) -> &'static str {
        AUTO_NODE_LABELER
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<Outcome, Failure> {
        let labelling = &*self.labelling;
        let Some(labeler) = labelling.labelers().get(&key.namespace, &key.name) else {
            labelling.board.waited(key, false);
            return labelling.context.gone_or_unreadable(labelling.labelers(), key);
        };
        if labeler.is_going() {
            return self.terminate(key, &labeler).await;
        }
        if let Err(refusal) = labeler.rule(labelling.allow_protected()) {
            return self.refuse(key, &labeler, &refusal).await;
        }
        if !finalizer::has(&labeler.object, FINALIZER) {
            let sink = labelling.labelers();
            if let Err(error) = labelling.finalizers.add(&labeler.object, FINALIZER, sink).await {
                let passes = matches!(error, reconcile::ApplyError::Retryable { .. });
                if !passes {
                    self.write(key, &labeler.object, &Standing::Unwritten(&error))
                        .await?;
                }
                return Err(failure(&error));
            }
        }
        let (view, known) = (labelling.view(), labelling.nodes_known());
        let Some(view) = view.filter(|_| known) else {
            let unseen = if known { Unseen::Labelers } else { Unseen::Nodes };
            self.write(key, &labeler.object, &Standing::Unwatched(unseen))
                .await?;
            return Ok(Outcome::RequeueAfter(RIGHTS_LOOK));
        };
        // Its nodes are woken with it: a look at all of them now would find none done.
        let (new, burst) = (is_new(&labeler.object), labelling.status_burst());
        if new && labelling.board.waited(key, true) < burst {
            return Ok(Outcome::RequeueAfter(burst));
        }
        let survey = self.survey(&labeler, &view);
        let waits = survey.waits();
        if labelling.board.waited(key, waits) < LABELING_PATIENCE && waits {
            return Ok(Outcome::RequeueAfter(burst.max(LABELING_LOOK)));
        }
        self.write(key, &labeler.object, &Standing::Seen(&survey)).await?;
        Ok(if waits {
            Outcome::RequeueAfter(LABELING_PATIENCE)
        } else {
            Outcome::Done
        })
    }
}
