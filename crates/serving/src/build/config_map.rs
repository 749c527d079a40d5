//! Files for the engine.

use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use super::metadata::{metadata, unless_empty};
use crate::plan::ServingPlan;

/// A ConfigMap, when the plan has files.
pub fn config_map(plan: &ServingPlan) -> Option<ConfigMap> {
    let config = plan.config.as_ref()?;
    Some(ConfigMap {
        metadata: ObjectMeta {
            name: Some(config.name.clone()),
            ..metadata(plan)
        },
        data: unless_empty(&config.data),
        ..ConfigMap::default()
    })
}
