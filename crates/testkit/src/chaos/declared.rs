//! What is declared: the resources that exist, as the users of a run have last written them. Pure.
//!
//! In: the operations. Out: the body of each resource, and what must come of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::kinds::Kind;

/// Number of namespaces that the resources are in.
pub const NAMESPACES: u32 = 3;
/// Resources that refer to one model or map.
const SHARED_BY: u32 = 4;

/// One resource; kind and number never change, so they are its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Its kind.
    pub kind: Kind,
    /// Counted per kind.
    pub number: u32,
}

impl Id {
    /// Its name; no two kinds share one, and none is the beginning of another.
    pub fn name(self) -> String {
        format!("{}-{:04}", self.kind.prefix(), self.number)
    }

    /// Whose child has this name: all of them begin with their owner's.
    pub fn of_child(name: &str) -> Option<Self> {
        let (prefix, rest) = name.split_once('-')?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.prefix() == prefix)?;
        let number = rest.get(..4)?.parse().ok()?;
        Some(Self { kind, number })
    }

    /// Its namespace.
    pub fn namespace(self) -> String {
        format!("chaos-{}", self.number % NAMESPACES)
    }

    /// `Kind namespace/name`.
    pub fn title(self) -> String {
        format!("{} {}/{}", self.kind, self.namespace(), self.name())
    }

    /// What it refers to: a model or a map of the same namespace.
    pub fn refers_to(self, models: u32, maps: u32) -> Option<Self> {
        let nth = |kind, count: u32| {
            // Of those in the same namespace.
            let here = count
                .saturating_sub(self.number % NAMESPACES)
                .div_ceil(NAMESPACES);
            (here > 0).then(|| Self {
                kind,
                number: (self.number / NAMESPACES / SHARED_BY % here) * NAMESPACES + self.number % NAMESPACES,
            })
        };
        match self.kind {
            Kind::Deployment => nth(Kind::Model, models),
            Kind::AiDeployment if self.number % 2 == 1 => nth(Kind::ModelMap, maps),
            _ => None,
        }
    }
}

/// How a resource was last written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Counts edits; each changes what its Pods, files or labels are.
    pub revision: u32,
    /// Replicas.
    pub replicas: u32,
}

/// All resources that are declared.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    /// Number of models and maps that were ever declared; what refers to them is chosen from these.
    pub models: u32,
    /// See above.
    pub maps: u32,
    /// What exists.
    pub alive: BTreeMap<Id, Written>,
}

impl Declared {
    /// What `id` refers to, whether it exists or not.
    pub fn referent(&self, id: Id) -> Option<Id> {
        id.refers_to(self.models, self.maps)
    }

    /// The reason why `id` cannot be acted on at present.
    pub fn obstacle(&self, id: Id) -> Option<&'static str> {
        let referent = self.referent(id)?;
        (!self.alive.contains_key(&referent)).then_some(match referent.kind {
            Kind::ModelMap => "ModelMapNotFound",
            _ => "ModelNotFound",
        })
    }

    /// Those whose Pods follow from `id`: itself, and what refers to it.
    pub fn concerned(&self, id: Id) -> Vec<Id> {
        let others = self
            .alive
            .keys()
            .copied()
            .filter(|other| self.referent(*other) == Some(id));
        others.chain([id]).collect()
    }

    /// The whole resource.
    pub fn body(&self, id: Id, written: Written) -> Value {
        let (version, kind, _) = id.kind.names();
        json!({
            "apiVersion": version, "kind": kind,
            "metadata": {"name": id.name(), "namespace": id.namespace()},
            "spec": self.spec(id, written),
        })
    }

    fn spec(&self, id: Id, Written { revision, replicas }: Written) -> Value {
        let env = json!([{"name": "REVISION", "value": revision.to_string()}]);
        let referent = self.referent(id).map(Id::name).unwrap_or_default();
        match id.kind {
            Kind::Model => json!({
                "modelName": "GPT-Small", "image": "your-registry/gpt-small:v1",
                "resources": {"cpu": "10m", "memory": "64Mi"}, "env": env,
            }),
            Kind::Deployment => json!({
                "modelRef": referent, "replicas": replicas, "port": 8080,
                "podAnnotations": {"example.com/revision": revision.to_string()},
            }),
            Kind::ModelMap => json!({
                "localai": [{"variant": "base", "engineConfigFile": format!("name: revision-{revision}\n")}],
            }),
            Kind::AiDeployment if referent.is_empty() => json!({
                "engine": {"name": "generic"},
                "endpoint": [{"domain": format!("{}.example.com", id.name()), "port": 8080}],
                "env": env,
                "deployment": {
                    "replicas": replicas,
                    "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
                    "template": {"spec": {"containers": [{"name": "server", "image": "your-registry/gpt-small:v1"}]}},
                },
            }),
            Kind::AiDeployment => json!({
                "engine": {"name": "localai"},
                "models": [{"modelMapRef": {"name": referent, "variant": "base"}}],
                "env": env,
                "deployment": {
                    "replicas": replicas, "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
                },
            }),
            Kind::Labeler => json!({
                "matchExpression": {"key": "kubernetes.io/arch", "operator": "Exists"},
                "labels": {label(id): format!("r{revision}")},
            }),
            Kind::GpuLlm => json!({
                "action": "install", "llmName": id.name(), "gpuCount": id.number % 2,
                "memory": "1Gi", "cpuCores": 1,
                "serviceEnabled": revision % 2 == 1,
                "prompts": [format!("revision {}", revision / 2)],
            }),
            Kind::NamedModel => json!({
                "modelName": "qwen2.5-0.5b", "replicas": replicas, "gpuType": "H100", "serving": {"env": env},
            }),
            Kind::ModelDeployment => json!({
                "model": "qwen2.5-0.5b", "replicas": replicas, "gpuType": "H100", "serving": {"env": env},
            }),
            Kind::Graph => json!({
                "model": {
                    "name": "qwen2.5-0.5b",
                    "placement": {"tensor_parallel_size": 1, "gpu_type": "H100"},
                },
                "sla": {"max_latency_ms": 100 + revision}, "replicas": replicas.max(1),
            }),
        }
    }

    /// Replicas that must serve.
    pub fn replicas(id: Id, written: Written) -> u32 {
        match id.kind {
            Kind::GpuLlm => 1,
            Kind::Graph => written.replicas.max(1),
            kind if kind.scales() => written.replicas,
            _ => 0,
        }
    }

    /// The label that each labeler gives to every node, and its value.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let labelers = self.alive.iter().filter(|(id, _)| id.kind == Kind::Labeler);
        labelers
            .map(|(id, written)| (label(*id), format!("r{}", written.revision)))
            .collect()
    }
}

/// The beginning of the labels that labelers give.
pub const LABEL_DOMAIN: &str = "chaos.example.com/";

fn label(id: Id) -> String {
    format!("{LABEL_DOMAIN}{}", id.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn referents_are_of_the_same_namespace() {
        for number in 0..100 {
            let id = Id {
                kind: Kind::Deployment,
                number,
            };
            let referent = id.refers_to(5, 4).unwrap();
            assert_eq!(referent.namespace(), id.namespace());
            assert!(referent.number < 5);
        }
        let plain = Id {
            kind: Kind::AiDeployment,
            number: 2,
        };
        assert_eq!(plain.refers_to(5, 4), None);
    }

    #[test]
    fn children_are_known_by_their_names() {
        let id = Id {
            kind: Kind::Graph,
            number: 17,
        };
        assert_eq!(Id::of_child(&id.name()), Some(id));
        assert_eq!(Id::of_child("dyn-0017-settings"), Some(id));
        assert_eq!(Id::of_child("kube-root-ca.crt"), None);
    }

    #[test]
    fn what_refers_to_a_missing_model_is_blocked_and_concerned_by_it() {
        let model = Id {
            kind: Kind::Model,
            number: 0,
        };
        let deployment = Id {
            kind: Kind::Deployment,
            number: 0,
        };
        let written = Written {
            revision: 0,
            replicas: 1,
        };
        let mut declared = Declared {
            models: 1,
            maps: 0,
            alive: BTreeMap::from([(deployment, written)]),
        };
        assert_eq!(declared.obstacle(deployment), Some("ModelNotFound"));
        declared.alive.insert(model, written);
        assert_eq!(declared.obstacle(deployment), None);
        assert_eq!(declared.concerned(model), [deployment, model]);
    }
}
