//! What every kind that serves a model has in common: the steps from a resource to its objects and its status.
//!
//! In: the key of a resource. Out: its children as asked for, and a status that explains itself. The steps stand in
//! files of their own: dereference -> validate -> plan -> build -> apply -> observe -> status. A kind adds what only it
//! knows: how its spec becomes a plan ([`Planned::accept`]) and how it words the common status.

pub mod desired;
mod expecting;
pub mod observe;
pub mod promised;
pub mod reconcile;
pub mod rejection;
pub mod status;

use std::{fmt::Debug, sync::Arc};

use ::reconcile::WatchCache;
use api::shared::State;
use kube::{Resource, core::object::HasStatus};
use serde::Serialize;
use serving::plan::ServingPlan;

use self::{
    rejection::Rejection,
    status::{Seen, ServingStatus},
};
use crate::{caches::Caches, lookup::Lookup, scaler::Scaler, workload::WorkloadKind};

/// A resource that serves, as caches and triggers see it.
pub trait ServingRoot:
    Resource<DynamicType = ()> + HasStatus<Status: PartialEq> + Send + Sync + 'static
{
    /// Its kind, as in keys, owner references and Events.
    const KIND: &'static str;
    /// The kind that the labels of its Pods tell, as in [`diagnosis::facts::Owner`].
    const POD_OWNER: &'static str;

    /// What it names beside itself, as index keys (`map:<namespace>/<name>` and the like): whoever is named wakes it.
    fn names(&self) -> Vec<String>;

    /// The state in its status.
    fn state(&self) -> Option<State>;

    /// The reason in its status.
    fn reason(&self) -> Option<&str>;
}

/// A kind whose spec becomes a plan.
pub trait Planned: ServingRoot + Clone + Debug {
    /// The field with the number of GPUs, for sentences.
    const GPU_COUNT_FIELD: &'static str;

    /// Dereference, validate and plan. `scaler`: what sets the number of replicas, if it is not the spec.
    ///
    /// # Errors
    /// Something that it names is not there, or fields cannot be used.
    fn accept(&self, known: &dyn Lookup, scaler: Option<&Scaler>) -> Result<ServingPlan, Rejection>;
}

/// What a kind adds to the common steps of [`reconcile`].
pub trait ServingKind: Planned + HasStatus<Status: Serialize + Send + Sync> {
    /// What makes its Pods.
    const WORKLOAD: WorkloadKind;

    /// The field with the number of replicas, for sentences.
    const REPLICAS_FIELD: &'static str;

    /// Where its resources are.
    fn cache(caches: &Caches) -> &Arc<WatchCache<Self>>;

    /// Replicas that the spec asks for; `None`: it leaves them to others.
    fn replicas(&self) -> Option<i32>;

    /// The selector of its Pods as text, for `/scale`.
    fn selector(&self) -> String;

    /// The common part of the status that is stored; nothing is known when there is none.
    fn stored(&self) -> ServingStatus;

    /// The kind's own status.
    fn worded(&self, common: ServingStatus, seen: &Seen<'_>) -> Self::Status;
}
