//! One reconcile of an `Llmd`.
//!
//! In: its key. Out: at most one step begun, and a status. What takes long runs beside it; see [`super::job`].

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use api::{opendatahub_io::components::v1alpha1::Llmd, shared::State as Word};
use helm::{
    HelmError, ReleaseName, Step,
    manifest::{KindId, Object},
    release::StoredRelease,
};
use k8s_openapi::jiff::Timestamp;
use parking_lot::Mutex;
use reconcile::{Failure, ObjectKey, Outcome, Reconciler, StatusTarget, finalizer};

use super::{
    FINALIZER, NAME,
    component::Component,
    dependencies::{self, Missing},
    desk::Desk,
    judge::{Begin, Known, Look, What, begin_of, history_of, is_outdated, judge, makes, order, untouched},
    leaving::Left,
    leftovers,
    operate::{listed, operate},
    preparation::{Prepared, source_text},
    request::{self, Asked},
    status::{Report, status},
    survey::{API_AGAIN, Again, duration_until, invalid, unavailable},
};
use crate::{
    context::{Context, News, failure},
    kinds::LLMD,
};

/// A kind that is missing is looked for after this time.
const MISSING_LOOK: Duration = Duration::from_secs(15);

/// Lists and renderings are on their way for no longer than this before the status says so.
const PATIENCE: Duration = Duration::from_secs(20);

/// The key of the only `Llmd`.
pub fn key() -> ObjectKey {
    ObjectKey::new(LLMD, "", NAME)
}

/// Keeps llm-d as asked for.
pub struct LlmdReconciler {
    pub(super) context: Arc<Context>,
    pub(super) desk: Arc<Desk>,
    /// Objects of deployed revisions, by the uid of their Secret.
    pub(super) manifests: Mutex<BTreeMap<String, Arc<Vec<Object>>>>,
    /// Since when a look has not been a whole one.
    unfinished_since: Mutex<Option<Timestamp>>,
    /// Since when a namespace is being left.
    pub(super) leaving_since: Mutex<Option<Timestamp>>,
}

impl LlmdReconciler {
    /// A reconciler on shared caches.
    pub fn new(context: Arc<Context>, desk: Arc<Desk>) -> Self {
        Self {
            context,
            desk,
            manifests: Mutex::default(),
            unfinished_since: Mutex::default(),
            leaving_since: Mutex::default(),
        }
    }

    /// Everything but the status: what is found, what is to be begun, when to look again.
    async fn advance(&self, look: &Look<'_>, again: &mut Again) -> (Report, Option<Begin>) {
        let mut report = Report {
            terminating: look.llmd.metadata.deletion_timestamp.is_some(),
            ..Report::default()
        };
        let asked = match Asked::parse(&look.llmd.spec, self.desk.charts_dir.as_deref()) {
            Ok(asked) => asked,
            // Whatever it asks for, it goes.
            Err(_) if report.terminating => Asked::nothing(stored_namespace(look.llmd)),
            Err(errors) => {
                report.obstacle = Some(invalid(&errors));
                return (report, None);
            }
        };
        let asked = if report.terminating {
            asked.without_charts()
        } else {
            asked
        };
        let old = stored_namespace(look.llmd).filter(|old| *old != asked.namespace);
        let namespaces: BTreeSet<String> = old.iter().chain([&asked.namespace]).cloned().collect();
        self.desk.releases.follow(&namespaces);
        self.desk.namespaces.follow(namespaces.iter());
        // What is left in an old namespace goes first.
        if let Some(old) = old {
            match self.leave(look, &asked, &old, &mut report, again).await {
                Left::Nothing => {}
                Left::Something(begin) => return (report, begin),
            }
        }
        report.namespace.clone_from(&asked.namespace);
        let Some(recorded) = self.recorded(&asked.namespace, &mut report, again) else {
            if report.terminating && report.obstacle.is_some() && made_nothing(look.llmd) {
                // Without the right to look there was none to make anything.
                report.obstacle = None;
                report.releases = Some(Vec::new());
            }
            return (report, None);
        };
        let prepared = if asked.is_empty() {
            report.missing = Some(Missing::new());
            Some(BTreeMap::new())
        } else {
            self.prepared(look, &asked, &mut report, again).await
        };
        let Some(prepared) = prepared else {
            report.releases = Some(untouched(look, &asked, &recorded));
            let kinds = self.manifests(&recorded).into_values();
            let kinds: BTreeSet<KindId> = kinds.flat_map(|objects| leftovers::kinds(&objects)).collect();
            let served = self.desk.kinds.look(&kinds).await.unwrap_or_default();
            self.serving(&asked.namespace, &served, &mut report, again).await;
            return (report, None);
        };
        self.act(look, &asked, &recorded, &prepared, &mut report, again)
            .await
    }

    /// Judges every release, and finds the first that has something to be done.
    pub(super) async fn act(
        &self,
        look: &Look<'_>,
        asked: &Asked,
        recorded: &[Arc<StoredRelease>],
        prepared: &BTreeMap<Component, Prepared>,
        report: &mut Report,
        again: &mut Again,
    ) -> (Report, Option<Begin>) {
        let needed: BTreeMap<Component, BTreeSet<KindId>> = prepared
            .iter()
            .map(|(component, one)| (*component, one.kinds()))
            .collect();
        let manifests = self.manifests(recorded);
        let mut kinds: BTreeSet<KindId> = needed.values().flatten().cloned().collect();
        kinds.extend(manifests.values().flat_map(|objects| leftovers::kinds(objects)));
        let served = match self.desk.kinds.look(&kinds).await {
            Ok(served) => served,
            Err(error) => {
                report.obstacle = Some(unavailable(&error));
                again.within(API_AGAIN);
                return (std::mem::take(report), None);
            }
        };
        let missing = dependencies::missing(&needed, |kind| served.contains_key(kind));
        if !missing.is_empty() {
            again.within(MISSING_LOOK);
        }
        self.serving(&asked.namespace, &served, report, again).await;
        let mut releases = Vec::new();
        let mut begin = None;
        let mut outdated = false;
        for component in order(prepared) {
            let wanted = prepared.get(&component);
            let history = history_of(component, recorded);
            let drift = match wanted {
                Some(_) => {
                    self.drift(&asked.namespace, &history, &manifests, &served, again)
                        .await
                }
                None => Vec::new(),
            };
            let name = ReleaseName {
                namespace: asked.namespace.clone(),
                name: component.release().to_owned(),
            };
            let known = Known {
                component,
                name,
                wanted,
                history: &history,
                drift: &drift,
            };
            let mut judged = judge(look, &known, asked.remediation);
            judged.source = asked.source(component).map(source_text);
            judged.trouble = self.desk.troubles.lock().get(&component).cloned();
            judged.held = missing.contains_key(&component) && makes(&judged.step);
            if let Step::Wait { until } = judged.step {
                again.within(duration_until(look.now, until));
            }
            if begin.is_none() && !judged.held && look.running.is_none() {
                begin = begin_of(&judged, &known, &manifests, &served);
            }
            outdated |= is_outdated(&judged, wanted.map(|prepared| prepared.wanted.digest.as_str()));
            if wanted.is_some() || !history.is_empty() {
                releases.push(judged);
            }
        }
        if outdated {
            tracing::info!("what is under way is not wanted any more: it is given up");
            self.give_up(&asked.namespace).await;
            again.within(Duration::ZERO);
        }
        report.missing = Some(missing);
        releases.sort_by_key(|one| one.component);
        report.releases = Some(releases);
        (std::mem::take(report), begin)
    }

    /// Ends what is under way, and sees what has come of it.
    async fn give_up(&self, namespace: &str) {
        self.desk.stop();
        // Until its last process is gone it may still make something.
        self.desk.helm.settled().await;
        listed(&self.desk, namespace).await;
    }

    /// Does what is to be begun, as far as a reconcile does it itself; Helm's work goes on beside it.
    async fn begin(&self, llmd: &Llmd, begin: Begin, now: Timestamp) {
        let desk = &self.desk;
        let (release, namespace) = (&begin.name.name, &begin.name.namespace);
        tracing::info!(release, release_namespace = namespace, "{:?}", begin.step);
        let result = match begin.what {
            What::Work(work) => {
                let timeout = Asked::parse(&llmd.spec, desk.charts_dir.as_deref())
                    .map_or(request::TIMEOUT, |asked| asked.timeout);
                let work = operate(desk.clone(), begin.name, work, timeout);
                desk.operation.start((begin.component, begin.step), key(), work);
                return;
            }
            What::Unlock(release) => {
                let result = desk.releases.unlock(&release, now).await;
                listed(desk, &begin.name.namespace).await;
                result.map_err(|message| HelmError::Failed { message })
            }
            What::Restore(objects) => {
                let mut result = Ok(());
                for (object, kind) in objects {
                    if let Err(error) = desk
                        .objects
                        .restore(
                            &object,
                            &kind,
                            namespace,
                            self.is_scaled(namespace, &object.id.kind.kind, &object.id.name),
                        )
                        .await
                    {
                        result = Err(HelmError::Failed {
                            message: format!("{}: {error}", object.id),
                        });
                    }
                }
                result
            }
        };
        desk.note_end((begin.component, begin.step), result);
    }

    async fn write(
        &self,
        key: &ObjectKey,
        llmd: &Llmd,
        report: &Report,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let told = status(llmd, report, now);
        let stored = llmd.status.as_ref();
        let before = stored.and_then(|status| status.conditions.iter().find(|one| one.type_ == "Ready"));
        let was = before.map(|ready| {
            let word = match (ready.status == "True", told.word) {
                (true, _) => Word::Ready,
                (false, Word::Ready) => Word::Progressing,
                (false, other) => other,
            };
            (Some(word), Some(ready.reason.as_str()))
        });
        let news = News::of(was.unwrap_or_default(), (told.word, &told.reason), || {
            told.message.clone()
        });
        let target = StatusTarget::of(llmd);
        let cache = &*self.context.caches.llmds;
        self.context
            .report(key, (llmd, &target), (stored, &told.status), cache, news)
            .await?;
        Ok(())
    }

    /// For how long what was found has been unfinished.
    fn waited(&self, unfinished: bool, now: Timestamp) -> Duration {
        let mut since = self.unfinished_since.lock();
        if !unfinished {
            *since = None;
            return Duration::ZERO;
        }
        let begun = *since.get_or_insert(now);
        Duration::try_from(now.duration_since(begun)).unwrap_or_default()
    }
}

impl Reconciler for LlmdReconciler {
    fn kind(&self) -> &'static str {
        LLMD
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<Outcome, Failure> {
        let cache = &*self.context.caches.llmds;
        let Some(llmd) = cache.get("", &key.name) else {
            self.desk.stop();
            return self.context.gone_or_unreadable(cache, key);
        };
        let going = llmd.metadata.deletion_timestamp.is_some();
        if going && !finalizer::has(&*llmd, FINALIZER) {
            return Ok(Outcome::Done);
        }
        if going
            && let Some(((_, step), _)) = self.desk.operation.running()
            && step != Step::Uninstall
        {
            // Nobody waits for what is to go.
            self.give_up(&stored_namespace(&llmd).unwrap_or_default()).await;
        }
        if !going && !finalizer::has(&*llmd, FINALIZER) {
            let added = self.desk.finalizers.add(&*llmd, FINALIZER, cache).await;
            added.map_err(|error| failure(&error))?;
            return Ok(Outcome::RequeueAfter(Duration::ZERO));
        }
        let now = Timestamp::now();
        // In this order: what ends between the two counts as running, and wakes us.
        let running = self.desk.operation.running();
        if running.is_none()
            && let Some((label, result)) = self.desk.operation.take()
        {
            self.desk.note_end(label, result);
        }
        let look = Look {
            llmd: &llmd,
            now,
            running,
            ended: self.desk.ended.lock().clone(),
        };
        let mut again = Again::default();
        let (mut report, begin) = self.advance(&look, &mut again).await;
        if let Some(begin) = &begin
            && let Some(releases) = &mut report.releases
            && let Some(release) = releases.iter_mut().find(|one| one.component == begin.component)
        {
            // Written before it is begun: whoever comes after us knows that it was ours.
            let history = release.history.clone();
            release.attempts = release
                .attempts
                .clone()
                .begin(&release.step, &history.iter().collect::<Vec<_>>());
            release.running = begin.step.action().map(|action| (action, now));
        }
        if look.running.is_none() && self.finish(&llmd, &report, now, &mut again).await? {
            return Ok(Outcome::Done);
        }
        // Half a look, such as after a restart, says nothing against what was found before.
        let waited = self.waited(again.unfinished, now);
        if again.unfinished && waited < PATIENCE && is_told(&llmd) {
            return Ok(Outcome::RequeueAfter(again.within.unwrap_or(PATIENCE)));
        }
        self.write(key, &llmd, &report, now).await?;
        // While something stands before the releases, none of them was judged by how it ended.
        if report.obstacle.is_none() {
            *self.desk.ended.lock() = None;
        }
        if let Some(begin) = begin {
            let beside = matches!(begin.what, What::Work(_));
            self.begin(&llmd, begin, now).await;
            if !beside {
                return Ok(Outcome::RequeueAfter(Duration::ZERO));
            }
        }
        Ok(again.within.map_or(Outcome::Done, Outcome::RequeueAfter))
    }
}

/// Whether the status speaks of the present spec.
fn is_told(llmd: &Llmd) -> bool {
    let conditions = llmd.status.iter().flat_map(|status| &status.conditions);
    let mut ready = conditions.filter(|condition| condition.type_ == "Ready");
    let terminating = llmd.metadata.deletion_timestamp.is_some();
    !terminating && ready.any(|ready| ready.observed_generation == llmd.metadata.generation)
}

/// Whether no status has ever told of a release.
fn made_nothing(llmd: &Llmd) -> bool {
    llmd.status
        .as_ref()
        .is_none_or(|status| status.releases.is_empty())
}

fn stored_namespace(llmd: &Llmd) -> Option<String> {
    llmd.status.as_ref().and_then(|status| status.namespace.clone())
}
