//! What is watched for `DataScienceCluster`s, and whom a change wakes.
//!
//! In: changes of clusters, of the `Llmd` and of the kind's definition. Out: the keys to reconcile. The `Llmd` is watched apart
//! from its own reconciles: what those write into its status wakes them not, and is news here.

use std::sync::Arc;

use api::{
    opendatahub_io::{components::v1alpha1::Llmd, datasciencecluster::v2::DataScienceCluster},
    shared::definition::is_marked,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{CustomResourceExt as _, core::ObjectMeta};
use reconcile::{CacheSpec, ObjectKey, RawObject, WatchCache, Watches};
use serde::Deserialize;

use super::{cluster::Cluster, component::Component};
use crate::{kinds::DATA_SCIENCE_CLUSTER, llmd::NAME};

/// What tells a definition with our component from one without.
const REQUIRED: [&str; 4] = [
    "spec.components.llmd.managementState",
    "spec.components.llmd.modelService",
    "status.components.llmd",
    "status.conditions",
];

/// The caches.
#[derive(Clone)]
pub struct Watched {
    /// Clusters.
    pub clusters: Arc<WatchCache<Cluster>>,
    /// The `Llmd`.
    pub components: Arc<WatchCache<Component>>,
    definition: Arc<WatchCache<bool>>,
}

impl Watched {
    /// Starts the watches.
    pub fn start(watches: &mut Watches) -> Self {
        let clusters = watches.start(
            CacheSpec::raw::<DataScienceCluster>(Cluster::read)
                .cluster_scoped()
                .optional()
                .requires(&REQUIRED)
                .on_change(|change| vec![key(change.name)]),
        );
        let concerned = clusters.clone();
        let components = CacheSpec::raw::<Llmd>(Component::read)
            .cluster_scoped()
            .optional()
            .fields(&format!("metadata.name={NAME}"))
            .on_change(move |_| keys(&concerned));
        let concerned = clusters.clone();
        let definition = CacheSpec::raw::<CustomResourceDefinition>(read_mark)
            .cluster_scoped()
            .optional()
            .fields(&format!("metadata.name={}", DataScienceCluster::crd_name()))
            .on_change(move |change| {
                if change.old == change.new {
                    Vec::new()
                } else {
                    keys(&concerned)
                }
            });
        Self {
            components: watches.start(components),
            definition: watches.start(definition),
            clusters,
        }
    }

    /// Whether the definition of the kind is ours, and with it the whole status.
    pub fn is_own(&self) -> bool {
        let mark = self.definition.get("", DataScienceCluster::crd_name());
        mark.is_some_and(|mark| *mark)
    }

    /// Every cluster.
    pub fn keys(&self) -> Vec<ObjectKey> {
        keys(&self.clusters)
    }

    /// The cluster that was there before `cluster` and before all others, by name.
    pub fn elder(&self, cluster: &Cluster) -> Option<String> {
        let others = self.clusters.list(None).into_iter();
        let first = others.reduce(|a, b| if b.is_older_than(&a) { b } else { a })?;
        first.is_older_than(cluster).then(|| first.name().to_owned())
    }
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new(DATA_SCIENCE_CLUSTER, "", name)
}

fn keys(clusters: &WatchCache<Cluster>) -> Vec<ObjectKey> {
    clusters.names().iter().map(|(_, name)| key(name)).collect()
}

fn read_mark(raw: &RawObject) -> Result<bool, serde_json::Error> {
    #[derive(Deserialize)]
    struct Read {
        metadata: ObjectMeta,
    }
    let Read { metadata } = raw.decode()?;
    Ok(is_marked(&CustomResourceDefinition {
        metadata,
        ..CustomResourceDefinition::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_definition_is_known_by_its_mark() {
        let marked: Vec<bool> = api::optional_crds()
            .into_iter()
            .filter(|crd| crd.metadata.name.as_deref() == Some(DataScienceCluster::crd_name()))
            .flat_map(|crd| {
                let mut foreign = crd.clone();
                foreign.metadata.labels = None;
                [crd, foreign]
            })
            .map(|crd| read_mark(&RawObject::new(&serde_json::to_string(&crd).unwrap()).unwrap()).unwrap())
            .collect();
        assert_eq!(marked, [true, false]);
    }
}
