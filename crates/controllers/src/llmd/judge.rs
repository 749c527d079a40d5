//! What is to be done about each release, from all that is known of it. Pure.
//!
//! In: the resource, the recorded revisions, what they should be, what has drifted, what is under way. Out: a report per release, and the
//! operation that it asks for. The rules are those of crate `helm`; here they are fed.

use std::{collections::BTreeMap, sync::Arc};

use api::opendatahub_io::components::v1alpha1::{ChartRelease, Llmd};
use helm::{
    Action, Attempts, HelmError, Pass, ReleaseName, Remediation, Request, Secret, State, Step, View,
    manifest::{KindId, Object},
    release::{ReleaseHead, Status, StoredRelease},
};
use k8s_openapi::jiff::Timestamp;
use kube::Resource as _;

use super::{
    RETRY, attempts,
    component::Component,
    desk::Label,
    kinds::Served,
    operate::Work,
    preparation::{Prepared, source_text},
    release_labels,
    request::Asked,
    status::ReleaseReport,
};

/// What an `Llmd` is looked at with.
pub struct Look<'a> {
    /// The resource.
    pub llmd: &'a Llmd,
    /// The time.
    pub now: Timestamp,
    /// What is under way, and since when.
    pub running: Option<(Label, Timestamp)>,
    /// What has ended and is not yet told.
    pub ended: Option<(Label, Result<(), HelmError>)>,
}

/// All that is known of one release.
pub struct Known<'a> {
    /// Which chart's.
    pub component: Component,
    /// Its name.
    pub name: ReleaseName,
    /// What it should be; none when it should not be.
    pub wanted: Option<&'a Prepared>,
    /// Its revisions.
    pub history: &'a [Arc<StoredRelease>],
    /// What of its objects is not as it was made.
    pub drift: &'a [helm::drift::Finding],
}

/// What is to be begun.
pub struct Begin {
    /// Which chart's release.
    pub component: Component,
    /// Its name.
    pub name: ReleaseName,
    /// The step.
    pub step: Step,
    /// How it is done.
    pub what: What,
}

/// How a step is done.
pub enum What {
    /// By Helm, beside the reconciles.
    Work(Work),
    /// By a few requests.
    Unlock(Arc<StoredRelease>),
    /// By a few requests.
    Restore(Vec<(Object, Served)>),
}

/// State and next step of one release.
pub fn judge(look: &Look<'_>, release: &Known<'_>, remediation: Remediation) -> ReleaseReport {
    let running = look
        .running
        .as_ref()
        .filter(|((at, _), _)| *at == release.component);
    let mut tried = tried(look.llmd, release.component);
    if let Some(((at, step), result)) = &look.ended
        && *at == release.component
    {
        tried = tried.end(step, result.as_ref().copied(), look.now);
    }
    let heads: Vec<&ReleaseHead> = release.history.iter().map(|one| one.head()).collect();
    let view = View {
        history: &heads,
        wanted: release.wanted.map(|prepared| &prepared.wanted),
        ours: &release_labels(),
        drift: release.drift,
        running: running.is_some(),
    };
    let request = Request {
        generation: look.llmd.metadata.generation.unwrap_or_default(),
        retry: look
            .llmd
            .meta()
            .annotations
            .as_ref()
            .and_then(|all| all.get(RETRY).cloned()),
    };
    let Pass {
        state,
        step,
        attempts,
    } = helm::pass(&view, tried, &request, remediation, look.now);
    let secrets = release.wanted.map(|prepared| prepared.spec.secrets.as_slice());
    let attempts = Attempts {
        message: attempts
            .message
            .map(|message| blanked(&message, secrets.unwrap_or_default())),
        ..attempts
    };
    ReleaseReport {
        component: release.component,
        namespace: release.name.namespace.clone(),
        wanted: release.wanted.is_some(),
        source: None,
        state,
        step,
        held: false,
        trouble: None,
        running: running.and_then(|((_, step), since)| Some((step.action()?, *since))),
        attempts,
        history: heads.into_iter().map(|head| told(head, secrets)).collect(),
    }
}

/// A revision as a status may show it: what Helm says of a failure can quote a Secret. Where it is not known which texts are secret,
/// it is left out.
fn told(head: &ReleaseHead, secrets: Option<&[Secret]>) -> ReleaseHead {
    let description = match secrets {
        _ if head.status != Status::Failed => head.description.clone(),
        Some(secrets) => blanked(&head.description, secrets),
        None => String::new(),
    };
    ReleaseHead {
        description,
        ..head.clone()
    }
}

/// Shorter texts are everywhere, and tell nothing.
const LEAST_SECRET: usize = 4;

fn blanked(text: &str, secrets: &[Secret]) -> String {
    let long = secrets
        .iter()
        .map(Secret::reveal)
        .filter(|secret| secret.len() >= LEAST_SECRET);
    long.fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
}

/// The releases as they are, while nothing can be said of how they should be.
pub fn untouched(look: &Look<'_>, asked: &Asked, recorded: &[Arc<StoredRelease>]) -> Vec<ReleaseReport> {
    Component::ALL
        .into_iter()
        .filter_map(|component| {
            let history = history_of(component, recorded);
            let history: Vec<ReleaseHead> = history.iter().map(|one| told(one.head(), None)).collect();
            let running = look.running.as_ref().filter(|((at, _), _)| *at == component);
            let wanted = asked.has(component);
            (wanted || !history.is_empty()).then(|| ReleaseReport {
                component,
                namespace: asked.namespace.clone(),
                wanted,
                source: asked.source(component).map(source_text),
                state: standing(&history),
                step: Step::Nothing,
                held: false,
                trouble: None,
                running: running.and_then(|((_, step), since)| Some((step.action()?, *since))),
                attempts: tried(look.llmd, component),
                history,
            })
        })
        .collect()
}

/// The revisions of a component's release.
pub fn history_of(component: Component, recorded: &[Arc<StoredRelease>]) -> Vec<Arc<StoredRelease>> {
    let of_release = |one: &&Arc<StoredRelease>| one.head().name.name == component.release();
    recorded.iter().filter(of_release).cloned().collect()
}

/// First what is wanted, in the order of installation; then what is not, in the opposite one.
pub fn order(prepared: &BTreeMap<Component, Prepared>) -> Vec<Component> {
    let wanted = prepared.keys().copied();
    let unwanted = Component::ALL
        .into_iter()
        .rev()
        .filter(|component| !prepared.contains_key(component));
    wanted.chain(unwanted).collect()
}

/// The operation that a judged release asks for.
pub fn begin_of(
    judged: &ReleaseReport,
    release: &Known<'_>,
    manifests: &BTreeMap<String, Arc<Vec<Object>>>,
    served: &BTreeMap<KindId, Served>,
) -> Option<Begin> {
    let prepared = || release.wanted.map(|prepared| Box::new(prepared.clone()));
    let history = release.history;
    let of = |revision: u32| {
        history
            .iter()
            .find(|one| one.head().revision == revision)
            .cloned()
    };
    let what = match &judged.step {
        Step::Install => What::Work(Work::Install(prepared()?)),
        Step::Upgrade { .. } => What::Work(Work::Upgrade(prepared()?, history.to_vec())),
        Step::Rollback { to } => What::Work(Work::Rollback(*to, history.to_vec())),
        Step::Uninstall => What::Work(Work::Uninstall(history.to_vec())),
        Step::Unlock { revision } => What::Unlock(of(*revision)?),
        Step::CorrectDrift { objects } => {
            let deployed = last(history)?;
            let all = manifests.get(&deployed.head().uid)?;
            let drifted = all.iter().filter(|object| objects.contains(&object.id));
            What::Restore(
                drifted
                    .filter_map(|object| Some((object.clone(), served.get(&object.id.kind)?.clone())))
                    .collect(),
            )
        }
        Step::Wait { .. } | Step::Nothing | Step::Stalled { .. } => return None,
    };
    Some(Begin {
        component: judged.component,
        name: release.name.clone(),
        step: judged.step.clone(),
        what,
    })
}

/// Whether what is under way makes what is not wanted any more: then nobody waits for its end. `digest` is that of what is wanted.
pub fn is_outdated(release: &ReleaseReport, digest: Option<&str>) -> bool {
    let makes = matches!(release.running, Some((Action::Install | Action::Upgrade, _)));
    let started = release.attempts.started.as_ref();
    makes && started.is_some_and(|started| digest != Some(started.digest.as_str()))
}

/// Whether a step brings objects into the cluster, for which their kinds must be known.
pub fn makes(step: &Step) -> bool {
    matches!(step, Step::Install | Step::Upgrade { .. })
}

/// The latest revision.
pub fn last(history: &[Arc<StoredRelease>]) -> Option<&Arc<StoredRelease>> {
    history.iter().max_by_key(|one| one.head().revision)
}

/// Where a release stands by its record alone.
fn standing(history: &[ReleaseHead]) -> State {
    let Some(last) = history.iter().max_by_key(|head| head.revision) else {
        return State::Absent;
    };
    let revision = last.revision;
    match last.status {
        Status::Deployed => State::InSync { revision },
        Status::Failed => State::Failed {
            revision,
            good: None,
            message: last.description.clone(),
        },
        status if status.is_pending() => State::Locked {
            revision,
            status,
            since: last.last_deployed,
            gone: false,
        },
        _ => State::Unwanted { revision },
    }
}

fn tried(llmd: &Llmd, component: Component) -> Attempts {
    let releases = llmd.status.iter().flat_map(|status| &status.releases);
    let of_component = |one: &&ChartRelease| one.name == component.release();
    let stored = { releases }.find(of_component);
    attempts::read(stored.and_then(|release| release.attempts.as_ref()))
}

#[cfg(test)]
mod tests {
    use helm::Started;

    use super::*;

    #[test]
    fn what_makes_something_else_is_given_up() {
        let running = |action: Action| ReleaseReport {
            component: Component::Infra,
            namespace: "llm-d".to_owned(),
            wanted: true,
            source: None,
            state: State::Running,
            step: Step::Nothing,
            held: false,
            trouble: None,
            running: Some((action, Timestamp::UNIX_EPOCH)),
            attempts: Attempts {
                started: Some(Started {
                    action,
                    revision: 1,
                    digest: "old".to_owned(),
                    ended: None,
                }),
                ..Attempts::default()
            },
            history: Vec::new(),
        };
        for action in [Action::Install, Action::Upgrade] {
            assert!(!is_outdated(&running(action), Some("old")));
            assert!(is_outdated(&running(action), Some("new")));
            assert!(is_outdated(&running(action), None), "it should not be at all");
        }
        for action in [Action::Rollback, Action::Uninstall] {
            assert!(
                !is_outdated(&running(action), Some("new")),
                "that is on the way in any case"
            );
        }
        let resting = ReleaseReport {
            running: None,
            ..running(Action::Install)
        };
        assert!(!is_outdated(&resting, Some("new")));
    }
}
