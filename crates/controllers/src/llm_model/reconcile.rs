//! One reconcile of an `LLMModel`: its status, and an Event when it becomes unusable.
//!
//! In: a key. Out: a status. It makes no objects.

use std::sync::Arc;

use api::shared::State;
use k8s_openapi::jiff::Timestamp;
use reconcile::{EventKind, Failure, ObjectKey, Outcome, Reconciler, StatusTarget};

use super::status::status;
use crate::{
    context::{Context, News},
    kinds::LLM_MODEL,
};

/// Keeps the statuses of `LLMModel`s.
#[derive(Clone)]
pub struct LLMModelReconciler {
    context: Arc<Context>,
}

impl LLMModelReconciler {
    /// A reconciler on shared caches.
    pub fn new(context: Arc<Context>) -> Self {
        Self { context }
    }
}

impl Reconciler for LLMModelReconciler {
    fn kind(&self) -> &'static str {
        LLM_MODEL
    }

    async fn reconcile(&self, key: &ObjectKey) -> Result<Outcome, Failure> {
        let context = &*self.context;
        let Some(model) = context.caches.models.get(&key.namespace, &key.name) else {
            return context.gone_or_unreadable(&context.caches.models, key);
        };
        let new = status(&model, Timestamp::now());
        let stored = model.status.as_ref();
        let state = new.state.unwrap_or(State::Ready);
        let before = stored.and_then(|stored| stored.conditions.first());
        let wrong = new.conditions.first().filter(|now| {
            state == State::Invalid && before.is_none_or(|before| before.message != now.message)
        });
        let news = News {
            state,
            event: wrong.map(|wrong| (EventKind::Warning, wrong.reason.clone(), wrong.message.clone())),
        };
        let target = StatusTarget::of(&*model);
        let sink = &*context.caches.models;
        context
            .report(key, (&*model, &target), (stored, &new), sink, news)
            .await?;
        Ok(Outcome::Done)
    }
}
