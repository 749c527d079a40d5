//! What a reconcile finds out before it judges: recorded revisions, prepared charts, drift, workloads.
//!
//! In: what is asked for. Out: values for [`super::judge`]; what stands in the way goes into the report.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use helm::{
    manifest::{KindId, Object},
    release::{DeletePolicy, Hook, Status, StoredRelease},
};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::{
    component::Component,
    desk::Last,
    judge::{Look, last},
    kinds::Served,
    objects::{ObjectsError, Serving},
    preparation::{Order, Prepared, prepare},
    reasons::Reason,
    reconcile::{LlmdReconciler, key},
    request::Asked,
    status::{Obstacle, Report},
    wiring::Surroundings,
};
use crate::workload::WorkloadKind;

/// A watch that is being opened is looked at again after this time.
const LISTING: Duration = Duration::from_millis(250);
/// A chart that could not be had is asked for again after this time.
const PREPARE_AGAIN: Duration = Duration::from_secs(30);
/// An API server that does not answer is asked again after this time.
pub const API_AGAIN: Duration = Duration::from_secs(5);

/// When to look again, at the latest.
#[derive(Clone, Copy, Debug, Default)]
pub struct Again {
    /// After this time.
    pub within: Option<Duration>,
    /// Whether what was found is not all there is to find: a list or a rendering is on its way.
    pub unfinished: bool,
}

impl Again {
    /// Not later than this.
    pub fn within(&mut self, time: Duration) {
        self.within = Some(self.within.map_or(time, |before| before.min(time)));
    }

    /// A list is on its way; nobody tells us when an empty one is complete.
    pub fn listing(&mut self) {
        self.within(LISTING);
        self.unfinished = true;
    }
}

impl LlmdReconciler {
    /// What Helm has recorded in a namespace.
    pub(super) fn recorded(
        &self,
        namespace: &str,
        report: &mut Report,
        again: &mut Again,
    ) -> Option<Vec<Arc<StoredRelease>>> {
        if let Some(unreadable) = self.desk.releases.unreadable(namespace) {
            report.obstacle = Some(Obstacle {
                reason: Reason::RecordUnreadable,
                message: unreadable,
            });
            return None;
        }
        let recorded = self.desk.releases.all(namespace);
        if recorded.is_none() {
            self.unlisted(report, again);
        }
        recorded
    }

    /// What is needed is not listed: not yet, or because we may not.
    fn unlisted(&self, report: &mut Report, again: &mut Again) {
        match self.desk.forbidden() {
            None => again.listing(),
            Some(message) => {
                again.within(API_AGAIN);
                report.obstacle = Some(Obstacle {
                    reason: Reason::ApiUnavailable,
                    message: format!(
                        "the operator lacks a right, see config/rbac/charts_role.yaml: {message}"
                    ),
                });
            }
        }
    }

    /// The charts, ready to be installed; none while something stands before that, which the report tells.
    pub(super) async fn prepared(
        &self,
        look: &Look<'_>,
        asked: &Asked,
        report: &mut Report,
        again: &mut Again,
    ) -> Option<BTreeMap<Component, Prepared>> {
        if !self.has_namespace(&asked.namespace, report, again).await {
            return None;
        }
        let references = asked.references();
        let Some(referents) = self.desk.referents.look(&asked.namespace, references.iter()) else {
            report.obstacle = Some(progressing(
                "the ConfigMaps and Secrets that the spec refers to are being read".to_owned(),
            ));
            self.unlisted(report, again);
            return None;
        };
        let charts = match asked.charts(&referents) {
            Ok(charts) => charts,
            Err(errors) => {
                report.obstacle = Some(invalid(&errors));
                return None;
            }
        };
        let around = match self.surroundings().await {
            Ok(around) => around,
            Err(error) => {
                report.obstacle = Some(unavailable(&error));
                again.within(API_AGAIN);
                return None;
            }
        };
        let order = Order {
            namespace: asked.namespace.clone(),
            charts,
            around,
        };
        if let Some((order, result)) = self.desk.preparation.take() {
            *self.desk.prepared.lock() = Some(Last {
                order,
                result: Arc::new(result),
                at: look.now,
            });
        }
        let last = self
            .desk
            .prepared
            .lock()
            .as_ref()
            .map(|last| (last.order == order, last.result.clone(), last.at));
        match last {
            Some((true, result, at)) => match &*result {
                Ok(prepared) => return Some(prepared.clone()),
                Err(unprepared) => {
                    report.obstacle = Some(Obstacle::of(unprepared));
                    let pause = signed(PREPARE_AGAIN);
                    let due = at.checked_add(pause).unwrap_or(look.now);
                    if due > look.now {
                        again.within(duration_until(look.now, due));
                        return None;
                    }
                }
            },
            _ => report.obstacle = None,
        }
        let under_way = self.desk.preparation.running();
        if under_way.as_ref().is_none_or(|(running, _)| *running != order) {
            let names: Vec<&str> = order.charts.keys().map(|component| component.chart()).collect();
            tracing::info!("fetching and rendering {}", names.join(", "));
            let work = prepare(self.desk.helm.clone(), order.clone());
            self.desk.preparation.start(order, key(), work);
        }
        if report.obstacle.is_none() {
            report.obstacle = Some(progressing(
                "the charts are being fetched and rendered".to_owned(),
            ));
            again.unfinished = true;
        }
        None
    }

    /// What of the cluster decides how the charts fit together.
    async fn surroundings(&self) -> Result<Surroundings, kube::Error> {
        let rule = KindId {
            group: "networking.istio.io".to_owned(),
            version: "v1beta1".to_owned(),
            kind: "DestinationRule".to_owned(),
        };
        let served = self.desk.kinds.look(&BTreeSet::from([rule])).await?;
        Ok(Surroundings {
            destination_rules: !served.is_empty(),
        })
    }

    /// Whether the namespace of the releases is there; it is made if it is missing.
    pub(super) async fn has_namespace(&self, name: &str, report: &mut Report, again: &mut Again) -> bool {
        match self.desk.namespaces.get(name) {
            None => {
                report.obstacle = Some(progressing(format!("namespace {name} is being looked for")));
                self.unlisted(report, again);
                false
            }
            Some(Some(facts)) if facts.going => {
                report.obstacle = Some(Obstacle {
                    reason: Reason::NamespaceTerminating,
                    message: format!("namespace {name} is being deleted; it is made again when it is gone"),
                });
                false
            }
            Some(Some(_)) => true,
            Some(None) => match self.desk.namespaces.create(name).await {
                Ok(()) => {
                    again.within(LISTING);
                    report.obstacle = Some(progressing(format!("namespace {name} is made")));
                    false
                }
                Err(error) => {
                    report.obstacle = Some(unavailable(&error));
                    again.within(API_AGAIN);
                    false
                }
            },
        }
    }

    /// What of the deployed revision's objects is not as it was made.
    pub(super) async fn drift(
        &self,
        namespace: &str,
        history: &[Arc<StoredRelease>],
        manifests: &BTreeMap<String, Arc<Vec<Object>>>,
        served: &BTreeMap<KindId, Served>,
        again: &mut Again,
    ) -> Vec<helm::drift::Finding> {
        let Some(deployed) = last(history).filter(|one| one.head().status == Status::Deployed) else {
            return Vec::new();
        };
        let Some(objects) = manifests.get(&deployed.head().uid) else {
            return Vec::new();
        };
        let scaled = |kind: &str, name: &str| self.is_scaled(namespace, kind, name);
        match self.desk.objects.drift(namespace, objects, served, scaled).await {
            Ok(findings) => {
                if let Some(left) = self.desk.objects.held_back_for() {
                    again.within(left);
                }
                findings
            }
            Err(ObjectsError::Unlisted) => {
                again.listing();
                Vec::new()
            }
            Err(ObjectsError::Api(error)) => {
                tracing::warn!("the objects of a release cannot be compared: {error}");
                again.within(API_AGAIN);
                again.unfinished = true;
                Vec::new()
            }
        }
    }

    /// Whether somebody scales a workload of a release.
    pub(super) fn is_scaled(&self, namespace: &str, kind: &str, name: &str) -> bool {
        WorkloadKind::named(kind)
            .is_some_and(|kind| self.context.caches.scaler_of(kind, namespace, name).is_some())
    }

    /// Objects of the deployed revisions as Helm has made them; each is decoded once.
    pub(super) fn manifests(&self, recorded: &[Arc<StoredRelease>]) -> BTreeMap<String, Arc<Vec<Object>>> {
        let mut known = self.manifests.lock();
        let deployed = recorded
            .iter()
            .filter(|one| one.head().status == Status::Deployed);
        let all: BTreeMap<String, Arc<Vec<Object>>> = deployed
            .filter_map(|one| {
                let uid = &one.head().uid;
                let objects = match known.get(uid) {
                    Some(objects) => objects.clone(),
                    None => Arc::new(objects_of(one)?),
                };
                Some((uid.clone(), objects))
            })
            .collect();
        known.clone_from(&all);
        all
    }

    /// How many of the Pods asked for serve.
    pub(super) async fn serving(
        &self,
        namespace: &str,
        served: &BTreeMap<KindId, Served>,
        report: &mut Report,
        again: &mut Again,
    ) {
        let now = Timestamp::now();
        let deployment = KindId {
            group: "apps".to_owned(),
            version: "v1".to_owned(),
            kind: "Deployment".to_owned(),
        };
        let mut followed = served.clone();
        if !followed.contains_key(&deployment) {
            match self.desk.kinds.look(&BTreeSet::from([deployment])).await {
                Ok(found) => followed.extend(found),
                // Nothing is known of them then, which must not pass for none.
                Err(error) => {
                    tracing::warn!("the workloads of the releases cannot be looked for: {error}");
                    again.within(API_AGAIN);
                    again.unfinished = true;
                    return;
                }
            }
        }
        self.desk.objects.follow(namespace, followed.iter());
        self.desk.pods.follow(namespace);
        let serving = self.desk.objects.serving(namespace, &followed);
        report.serving = serving.map(|all| {
            let explained = |(mut one, object): (Serving, Arc<Value>)| {
                if !one.is_available() {
                    let pods = &self.desk.pods;
                    let around = &self.context.caches;
                    one.message = pods
                        .explain(namespace, &one, &object, around, now)
                        .or(one.message);
                }
                one
            };
            all.into_iter().map(explained).collect()
        });
        if report.serving.is_none() {
            again.listing();
        }
    }
}

fn objects_of(release: &StoredRelease) -> Option<Vec<Object>> {
    let decoded = release.decode().ok()?;
    let objects = helm::manifest::parse(&decoded.manifest).ok()?;
    let name = &release.head().name;
    let own = objects.into_iter().map(|object| object.owned_by(name));
    let lasting = decoded.hooks.iter().filter(|hook| is_lasting(hook));
    let lasting = lasting.filter_map(|hook| helm::manifest::parse(&hook.manifest).ok());
    Some(own.chain(lasting.flatten()).collect())
}

/// Whether a hook is no work that ends but an object that is meant to stay, such as the route of the model service.
fn is_lasting(hook: &Hook) -> bool {
    let of_life = |event: &String| event == "post-install" || event == "post-upgrade";
    let ends = matches!(hook.kind.as_str(), "Job" | "Pod");
    let deleted = hook
        .delete_policies
        .iter()
        .any(|policy| matches!(policy, DeletePolicy::HookSucceeded | DeletePolicy::HookFailed));
    !ends && !deleted && !hook.events.is_empty() && hook.events.iter().all(of_life)
}

fn progressing(message: String) -> Obstacle {
    Obstacle {
        reason: Reason::Progressing,
        message,
    }
}

/// Fields that cannot be used.
pub fn invalid(errors: &[serving::field_error::FieldError]) -> Obstacle {
    let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
    Obstacle {
        reason: Reason::InvalidSpec,
        message: all.join("; "),
    }
}

/// The API server that does not answer.
pub fn unavailable(error: &kube::Error) -> Obstacle {
    Obstacle {
        reason: Reason::ApiUnavailable,
        message: error.to_string(),
    }
}

/// From one time to another, and a little more.
pub fn duration_until(now: Timestamp, until: Timestamp) -> Duration {
    let left = until.duration_since(now);
    Duration::try_from(left).unwrap_or_default() + Duration::from_millis(50)
}

fn signed(duration: Duration) -> k8s_openapi::jiff::SignedDuration {
    k8s_openapi::jiff::SignedDuration::try_from(duration).unwrap_or_default()
}
