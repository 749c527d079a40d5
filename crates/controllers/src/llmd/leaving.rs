//! Leaving a namespace: the old one of an `Llmd` that moved, and the last one of an `Llmd` that goes.
//!
//! In: what Helm has recorded there. Out: whether something is left, the step that follows, and the end of the finalizer. It
//! decides about no release; that is [`super::judge`].

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use api::opendatahub_io::components::v1alpha1::Llmd;
use helm::{State, release::StoredRelease};
use k8s_openapi::jiff::Timestamp;
use reconcile::Failure;

use super::{
    FINALIZER,
    dependencies::Missing,
    judge::{Begin, Look},
    namespace::Removal,
    reasons::Reason,
    reconcile::LlmdReconciler,
    release_labels,
    request::Asked,
    status::{Obstacle, Report},
    survey::Again,
};
use crate::context::failure;

/// What Kubernetes collects in a namespace that is left is looked at again after this time.
const COLLECTING: Duration = Duration::from_secs(1);
/// It is waited for no longer than this: an owner may hang on somebody's finalizer.
const COLLECTED: Duration = Duration::from_secs(40);

/// Whether something is left in an old namespace.
pub enum Left {
    /// Nothing.
    Nothing,
    /// A release, or what Kubernetes collects; with the step that follows.
    Something(Option<Begin>),
}

impl LlmdReconciler {
    /// Uninstalls what is in a namespace that is not asked for any more.
    pub(super) async fn leave(
        &self,
        look: &Look<'_>,
        asked: &Asked,
        old: &str,
        report: &mut Report,
        again: &mut Again,
    ) -> Left {
        old.clone_into(&mut report.namespace);
        let Some(recorded) = self.recorded(old, report, again) else {
            return Left::Something(None);
        };
        let labels = release_labels();
        // Whose a release is, its latest revision says.
        let ours = |one: &Arc<StoredRelease>| {
            let same = recorded
                .iter()
                .filter(|other| other.head().name == one.head().name);
            let latest = { same }.max_by_key(|other| other.head().revision);
            latest.is_some_and(|latest| latest.head().is_ours(&labels))
        };
        let ours: Vec<Arc<StoredRelease>> = recorded.iter().filter(|one| ours(one)).cloned().collect();
        if ours.is_empty() && look.running.is_none() {
            if !self.has_left(old, look.now).await {
                again.within(COLLECTING);
                report.releases = Some(Vec::new());
                report.missing = Some(Missing::new());
                report.serving = Some(Vec::new());
                report.obstacle = Some(Obstacle {
                    reason: Reason::Progressing,
                    message: format!("what was in namespace {old} is being collected"),
                });
                return Left::Something(None);
            }
            return Left::Nothing;
        }
        let mut old_place = asked.clone().without_charts();
        old.clone_into(&mut old_place.namespace);
        let (told, begin) = self
            .act(look, &old_place, &ours, &BTreeMap::new(), report, again)
            .await;
        *report = told;
        Left::Something(begin)
    }

    /// Whether nothing is to be done any more about a namespace without releases. What Kubernetes collects is waited for, for a while.
    async fn has_left(&self, namespace: &str, now: Timestamp) -> bool {
        let removal = self.desk.namespaces.removed(namespace).await;
        let mut since = self.leaving_since.lock();
        let begun = *since.get_or_insert(now);
        let waited = Duration::try_from(now.duration_since(begun)).unwrap_or_default();
        let left = match removal {
            Ok(Removal::Done | Removal::Used) => true,
            Ok(Removal::NotYet) => waited > COLLECTED,
            Err(error) => {
                tracing::warn!(
                    release_namespace = namespace,
                    "what is in the namespace cannot be told: {error}"
                );
                waited > COLLECTED
            }
        };
        if left {
            *since = None;
        }
        left
    }

    /// The end: with its releases gone, it goes.
    pub(super) async fn finish(
        &self,
        llmd: &Llmd,
        report: &Report,
        now: Timestamp,
        again: &mut Again,
    ) -> Result<bool, Failure> {
        let gone = report.terminating
            && report.obstacle.is_none()
            && report.releases.as_ref().is_some_and(|all| {
                all.iter()
                    .all(|one| matches!(one.state, State::Unmanaged { .. } | State::Absent))
            });
        if !gone {
            return Ok(false);
        }
        if !self.has_left(&report.namespace, now).await {
            again.within(COLLECTING);
            return Ok(false);
        }
        let cache = &*self.context.caches.llmds;
        let removed = self.desk.finalizers.remove(llmd, FINALIZER, cache).await;
        removed.map_err(|error| failure(&error))?;
        Ok(true)
    }
}
