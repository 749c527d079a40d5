//! The end of a labeler: it goes when its labels are gone from the nodes, and never hangs for ever.
//!
//! In: a labeler that is being deleted. Out: its finalizer taken off; an Event when labels had to be left behind.

use k8s_openapi::jiff::Timestamp;
use reconcile::{EventKind, Failure, ObjectKey, Outcome, finalizer};
use tokio::time::Duration;

use super::{
    FINALIZER, labeler::Labeler, reconcile::AutoNodeLabelerReconciler, status::Standing, survey::Survey,
};
use crate::context::failure;

/// Labels that cannot be removed hold a deletion up for this long.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often it is looked at meanwhile, whether or not a node says something.
const LOOK: Duration = Duration::from_secs(5);

impl AutoNodeLabelerReconciler {
    pub(super) async fn terminate(&self, key: &ObjectKey, labeler: &Labeler) -> Result<Outcome, Failure> {
        if !finalizer::has(&labeler.object, FINALIZER) {
            return Ok(Outcome::Done);
        }
        let survey = match self.labelling.view() {
            Some(view) if self.nodes_known() => Some(self.survey(labeler, &view)),
            _ => None,
        };
        let left = survey.as_ref().is_none_or(|survey| survey.left > 0);
        if left {
            let patience = patience_left(labeler);
            // What passes is waited for: the API server that does not answer would not take the finalizer off either.
            let hopeless = survey.as_ref().is_none_or(|survey| {
                survey.failed == survey.left && survey.trouble.as_ref().is_some_and(|trouble| !trouble.passes)
            });
            if !(hopeless && patience.is_zero()) {
                let survey = survey.unwrap_or_default();
                self.write(key, &labeler.object, &Standing::Going(&survey))
                    .await?;
                return Ok(Outcome::RequeueAfter(if patience.is_zero() {
                    LOOK
                } else {
                    patience.min(LOOK)
                }));
            }
            self.tell_left(labeler, survey.as_ref());
        }
        let sink = self.labelling.labelers();
        let finalizers = &self.labelling.finalizers;
        finalizers
            .remove(&labeler.object, FINALIZER, sink)
            .await
            .map_err(|error| failure(&error))?;
        Ok(Outcome::Done)
    }

    fn tell_left(&self, labeler: &Labeler, survey: Option<&Survey>) {
        let keys: Vec<&str> = labeler.keys().collect();
        let note = match survey {
            Some(survey) => format!(
                "{} stays on {} node(s): {}",
                keys.join(", "),
                survey.left,
                survey.trouble.as_ref().map_or("", |trouble| &trouble.message)
            ),
            None => format!(
                "{} may stay on nodes: the operator may not watch Nodes",
                keys.join(", ")
            ),
        };
        tracing::warn!(
            labeler = labeler.name(),
            namespace = labeler.namespace(),
            "deleted without its labels: {note}"
        );
        let context = &self.labelling.context;
        context.tell(&labeler.object, EventKind::Warning, "LabelsLeft", "Label", note);
    }
}

/// How long the deletion may still be held up.
fn patience_left(labeler: &Labeler) -> Duration {
    let since = labeler.object.metadata.deletion_timestamp.as_ref();
    let waited = since.map_or(Duration::ZERO, |since| {
        Duration::try_from(Timestamp::now().duration_since(since.0)).unwrap_or_default()
    });
    PATIENCE.saturating_sub(waited)
}
