//! The catalogue of models as this cluster has it.
//!
//! In: one ConfigMap of the operator's namespace. Out: the built-in catalogue with its entries over it. Entries that cannot be
//! read are left out and told in the log; the others hold.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use reconcile::{CacheSpec, Change, ObjectKey, WatchCache, cache::Part};
use serving::catalogue::Catalogue;

use super::roots::ServingRoots;
use crate::{kinds::MODELS_CONFIG_MAP as CONFIG_MAP, triggers::CATALOGUE};

/// See the module.
#[derive(Clone)]
pub(crate) struct CatalogueCache {
    cache: Arc<WatchCache<Arc<Catalogue>>>,
    namespace: Arc<str>,
    builtin: Arc<Catalogue>,
}

impl CatalogueCache {
    pub(super) fn start(watches: &mut Part<'_>, namespace: &str, roots: ServingRoots) -> Self {
        let spec = CacheSpec::typed::<ConfigMap>(|map| Arc::new(read(map)))
            .in_namespace(namespace)
            .fields(&format!("metadata.name={CONFIG_MAP}"))
            .optional()
            .on_change(move |change| changed(change, &roots));
        Self {
            cache: watches.start(spec),
            namespace: namespace.into(),
            builtin: Arc::new(Catalogue::builtin().clone()),
        }
    }

    /// The catalogue as it is now.
    pub(crate) fn get(&self) -> Arc<Catalogue> {
        let own = self.cache.get(&self.namespace, CONFIG_MAP);
        own.map_or_else(|| self.builtin.clone(), |own| (*own).clone())
    }
}

fn read(map: ConfigMap) -> Catalogue {
    let (catalogue, errors) = Catalogue::builtin().overridden_by(&map.data.unwrap_or_default());
    for error in errors {
        tracing::warn!(config_map = CONFIG_MAP, "{error}");
    }
    catalogue
}

/// Everybody who is sized by it.
fn changed(_: &Change<'_, Arc<Catalogue>>, roots: &ServingRoots) -> Vec<ObjectKey> {
    roots.filed_under(CATALOGUE)
}
