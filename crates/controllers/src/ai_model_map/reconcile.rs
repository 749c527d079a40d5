//! One reconcile of an `AIModelMap`: its ConfigMap and its status.
//!
//! In: a key. Out: the ConfigMap as asked for, or pruned, a status, and an Event when the map becomes unusable.

use std::{sync::Arc, time::Duration};

use api::{
    premlabs_io::v1alpha1::{AIModelMap, AIModelMapStatus},
    shared::State,
};
use k8s_openapi::{api::core::v1::ConfigMap, jiff::Timestamp};
use reconcile::{
    ApplyError, DesiredObject, EventKind, Failure, ObjectKey, Outcome as Next, Reconciler, StatusTarget,
};

use super::{
    plan::config_map,
    status::{Outcome, files, status},
};
use crate::{
    apply::{Done, apply},
    context::{Context, News, after_error},
    kinds::AI_MODEL_MAP,
};

/// Keeps the `ConfigMap`s and the statuses of `AIModelMap`s.
#[derive(Clone)]
pub struct AIModelMapReconciler {
    context: Arc<Context>,
}

impl AIModelMapReconciler {
    /// A reconciler on shared caches.
    pub fn new(context: Arc<Context>) -> Self {
        Self { context }
    }
}

impl Reconciler for AIModelMapReconciler {
    fn kind(&self) -> &'static str {
        AI_MODEL_MAP
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<Next, Failure> {
        let context = &*self.context;
        let Some(map) = context.caches.model_maps.get(&key.namespace, &key.name) else {
            return context.gone_or_unreadable(&context.caches.model_maps, key);
        };
        if map.metadata.deletion_timestamp.is_some() {
            // The ConfigMap is left to the garbage collector.
            return Ok(Next::Done);
        }
        let wanted = config_map(&map);
        let applied = match &wanted {
            Ok(config_map) => Some(make(context, &map, config_map.as_ref()).await),
            Err(_) => None,
        };
        let users = context.caches.users_of_map(&key.namespace, &key.name);
        let outcome = Outcome {
            accepted: wanted.as_ref().map(|_| ()).map_err(Vec::as_slice),
            applied: applied.as_ref().map(|applied| applied.as_ref().map(|_| ())),
            users: users.len(),
        };
        let new = status(&map, &outcome, Timestamp::now());
        write(context, key, &map, &new).await?;
        let generation = map.metadata.generation.unwrap_or_default();
        if files(map.status.as_ref(), generation) != files(Some(&new), generation) {
            // A status of ours wakes nobody, and whoever mounts the files has to know where they are.
            context.queue.add_all(users, Duration::ZERO);
        }
        match applied {
            Some(Err(error)) => after_error(&error),
            Some(Ok(done)) => {
                done.tell(context, &*map);
                Ok(Next::Done)
            }
            None => Ok(Next::Done),
        }
    }
}

async fn make(context: &Context, map: &AIModelMap, wanted: Option<&ConfigMap>) -> Result<Done, ApplyError> {
    let objects = wanted.cloned().map(DesiredObject::new).transpose()?;
    let uid = map.metadata.uid.as_deref().unwrap_or_default();
    apply(&context.applier, uid, objects.as_slice(), &[]).await
}

async fn write(
    context: &Context,
    key: &ObjectKey,
    map: &AIModelMap,
    new: &AIModelMapStatus,
) -> Result<(), Failure> {
    let stored = map.status.as_ref();
    let state = new.state.unwrap_or(State::Progressing);
    let wrong = new
        .conditions
        .iter()
        .find(|condition| condition.status == "False");
    let news = wrong
        .filter(|_| matches!(state, State::Invalid | State::Blocked))
        .filter(|wrong| {
            let before = stored.iter().flat_map(|stored| &stored.conditions);
            let mut same = before.filter(|condition| condition.type_ == wrong.type_);
            !same.any(|condition| condition.message == wrong.message)
        })
        .map(|wrong| (EventKind::Warning, wrong.reason.clone(), wrong.message.clone()));
    let news = News { state, event: news };
    let target = StatusTarget::of(map);
    let sink = &*context.caches.model_maps;
    context
        .report(key, (map, &target), (stored, new), sink, news)
        .await?;
    Ok(())
}
