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
/// As above when every attempt ends with what usually passes.
const LONG_PATIENCE: Duration = Duration::from_mins(10);
/// How often it is looked at meanwhile, whether or not a node says something.
const LOOK: Duration = Duration::from_secs(5);

impl AutoNodeLabelerReconciler {
    pub(super) async fn terminate(&self, key: &ObjectKey, labeler: &Labeler) -> Result<Outcome, Failure> {
        if !finalizer::has(&labeler.object, FINALIZER) {
            return Ok(Outcome::Done);
        }
        let survey = match self.labelling.view() {
            Some(view) if self.labelling.nodes_known() => Some(self.survey(labeler, &view)),
            _ => None,
        };
        let left = survey.as_ref().is_none_or(|survey| survey.left + survey.held > 0);
        if left {
            let waited = waited(labeler);
            let patience = PATIENCE.saturating_sub(waited);
            if !is_hopeless(survey.as_ref(), waited) {
                let survey = survey.unwrap_or_default();
                if patience.is_zero() {
                    self.labelling.tell_nodes(&survey.untried);
                }
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
            Some(survey) if survey.trouble.is_none() => format!(
                "{} stays on {} node(s): another AutoNodeLabeler cannot be read, and may ask for it",
                keys.join(", "),
                survey.held
            ),
            Some(survey) => format!(
                "{} stays on {} node(s): {}",
                keys.join(", "),
                survey.left,
                survey.trouble.as_ref().map_or("", |trouble| &trouble.message)
            ),
            None => format!(
                "{} may stay on nodes: the operator may not watch Nodes, or not AutoNodeLabelers",
                keys.join(", ")
            ),
        };
        tracing::warn!("deleted without its labels: {note}");
        let context = &self.labelling.context;
        context.tell(&labeler.object, EventKind::Warning, "LabelsLeft", "Label", note);
    }
}

/// Since when it is being deleted.
fn waited(labeler: &Labeler) -> Duration {
    let since = labeler.object.metadata.deletion_timestamp.as_ref();
    since.map_or(Duration::ZERO, |since| {
        Duration::try_from(Timestamp::now().duration_since(since.0)).unwrap_or_default()
    })
}

/// Whether labels that are left after this time will not go: no node that carries them can be written to, or somebody who
/// cannot be read may ask for them. What passes is waited for longer: an API server that does not answer would not take
/// the finalizer off either.
fn is_hopeless(survey: Option<&Survey>, waited: Duration) -> bool {
    let Some(survey) = survey else {
        return waited >= PATIENCE;
    };
    let lasting = survey.trouble.as_ref().is_none_or(|trouble| !trouble.passes);
    let patience = if lasting { PATIENCE } else { LONG_PATIENCE };
    survey.failed == survey.left && waited >= patience
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auto_node_labeler::board::Trouble;

    #[test]
    fn a_deletion_never_waits_for_ever() {
        let trouble = |passes| {
            Some(Trouble {
                reason: "Any",
                message: "m".into(),
                passes,
            })
        };
        let failing = |passes| Survey {
            left: 2,
            failed: 2,
            trouble: trouble(passes),
            ..Survey::default()
        };
        let held = Survey {
            held: 3,
            ..Survey::default()
        };
        for (survey, limit) in [
            (None, PATIENCE),
            (Some(failing(false)), PATIENCE),
            (Some(failing(true)), LONG_PATIENCE),
            (Some(held), PATIENCE),
        ] {
            let survey = survey.as_ref();
            assert!(!is_hopeless(survey, limit.mul_f32(0.99)), "{survey:?}");
            assert!(is_hopeless(survey, limit), "{survey:?}");
        }
        let under_way = Survey {
            failed: 1,
            untried: vec!["n".into()],
            ..failing(false)
        };
        assert!(
            !is_hopeless(Some(&under_way), LONG_PATIENCE),
            "a node can still be written to"
        );
    }
}
