//! `AIDeployment` as caches and triggers see it: the maps that it names, and what its status says.

use api::{premlabs_io::v1alpha1::AIDeployment, shared::State};

use crate::{
    kinds::{AI_DEPLOYMENT, AI_DEPLOYMENT_LABEL},
    serving_kind::ServingRoot,
    triggers,
};

impl ServingRoot for AIDeployment {
    const KIND: &'static str = AI_DEPLOYMENT;
    const POD_OWNER: &'static str = AI_DEPLOYMENT_LABEL;

    fn names(&self) -> Vec<String> {
        let own = self.metadata.namespace.as_deref().unwrap_or_default();
        let entries = self.spec.models.iter().flatten();
        let maps = entries
            .filter_map(|entry| entry.model_map_ref.as_ref())
            .map(|map| {
                let namespace = map.namespace.as_deref().filter(|name| !name.is_empty());
                triggers::named("map", namespace.unwrap_or(own), &map.name)
            });
        let claims = claims(self).map(|claim| triggers::named("claim", own, claim));
        let mut names: Vec<String> = maps.chain(claims).collect();
        names.sort();
        names.dedup();
        names
    }

    fn state(&self) -> Option<State> {
        self.status.as_ref()?.state
    }

    fn reason(&self) -> Option<&str> {
        self.status.as_ref()?.reason.as_deref()
    }
}

/// Names of the claims that the Pod template mounts.
fn claims(resource: &AIDeployment) -> impl Iterator<Item = &str> {
    let deployment = resource.spec.deployment.as_ref();
    let template = deployment.and_then(|deployment| deployment.template.as_ref());
    let volumes = template.and_then(|template| template.0.pointer("/spec/volumes")?.as_array());
    volumes
        .into_iter()
        .flatten()
        .filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName")?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_and_claims_that_it_names_wake_it() {
        let resource: AIDeployment = serde_json::from_value(serde_json::json!({
            "apiVersion": "premlabs.io/v1alpha1", "kind": "AIDeployment",
            "metadata": {"name": "chat", "namespace": "n"},
            "spec": {
                "engine": {"name": "localai"},
                "models": [
                    {"modelMapRef": {"name": "phi", "variant": "small"}},
                    {"modelMapRef": {"name": "phi", "variant": "large", "namespace": ""}},
                    {"modelMapRef": {"name": "phi", "variant": "large", "namespace": "shared"}},
                    {"uri": "tinyllama"},
                ],
                "deployment": {"template": {"spec": {"volumes": [
                    {"name": "a", "persistentVolumeClaim": {"claimName": "weights"}},
                    {"name": "b", "emptyDir": {}},
                ]}}},
            },
        }))
        .unwrap();
        assert_eq!(
            resource.names(),
            ["claim:n/weights", "map:n/phi", "map:shared/phi"]
        );
    }
}
