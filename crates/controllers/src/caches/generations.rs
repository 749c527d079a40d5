//! The generation of what a key names: what the log says of a reconcile.

use kube::Resource;
use reconcile::{ObjectKey, WatchCache};

use super::Caches;
use crate::kinds::{
    AI_DEPLOYMENT, AI_LLM_MODEL, AI_MODEL_MAP, AUTO_NODE_LABELER, DATA_SCIENCE_CLUSTER,
    DYNAMO_GRAPH_DEPLOYMENT, LLM_DEPLOYMENT, LLM_MODEL, LLMD, MODEL_DEPLOYMENT, NVIDIA_GPU_LLM,
};

impl Caches {
    /// `None` for what is gone or unreadable, and for kinds without one, such as Nodes.
    pub(crate) fn generation(&self, key: &ObjectKey) -> Option<i64> {
        match key.kind {
            LLM_DEPLOYMENT => of(&self.deployments, key),
            LLM_MODEL => of(&self.models, key),
            AI_DEPLOYMENT => of(&self.ai_deployments, key),
            AI_MODEL_MAP => of(&self.model_maps, key),
            NVIDIA_GPU_LLM => of(&self.gpu_llms, key),
            AI_LLM_MODEL => of(&self.ai_models, key),
            MODEL_DEPLOYMENT => of(&self.model_deployments, key),
            DYNAMO_GRAPH_DEPLOYMENT => of(&self.dynamo_deployments, key),
            LLMD => of(&self.llmds, key),
            AUTO_NODE_LABELER => {
                let labeler = self.labelers.get(&key.namespace, &key.name)?;
                labeler.object.metadata.generation
            }
            DATA_SCIENCE_CLUSTER => {
                let cluster = self.data_science.as_ref()?.clusters.get("", &key.name)?;
                cluster.metadata.generation
            }
            _ => None,
        }
    }
}

fn of<K: Resource + Send + Sync>(cache: &WatchCache<K>, key: &ObjectKey) -> Option<i64> {
    cache.get(&key.namespace, &key.name)?.meta().generation
}
