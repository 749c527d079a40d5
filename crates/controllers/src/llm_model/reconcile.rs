//! One reconcile of an `LLMModel`: its status, and an Event when it becomes unusable.
//!
//! In: a key. Out: a status. It makes no objects.

use std::sync::Arc;

use api::shared::State;
use k8s_openapi::jiff::Timestamp;
use reconcile::{EventKind, Failure, ObjectKey, Outcome, Reconciler, StatusTarget, status::StatusWritten};

use super::status::status;
use crate::{
    context::{Context, failure},
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
        let target = StatusTarget::of(&*model);
        let stored = model.status.as_ref();
        let written = context
            .status
            .write(&target, stored, &new, &*context.caches.models)
            .await
            .map_err(|error| failure(&error))?;
        if written == StatusWritten::Gone {
            return Ok(Outcome::Done);
        }
        let state = new.state.unwrap_or(State::Ready);
        context.metrics.set_state(key, state.as_str());
        let before = stored.and_then(|stored| stored.conditions.first());
        let now = new.conditions.first();
        if let Some(condition) = now.filter(|_| state == State::Invalid)
            && before.is_none_or(|before| before.message != condition.message)
        {
            let (reason, note) = (condition.reason.clone(), condition.message.clone());
            context.tell(&*model, EventKind::Warning, reason, "Reconcile", note);
        }
        Ok(Outcome::Done)
    }
}
