//! The status of these kinds: the common one, and the choice.
//!
//! In: a plan and the common status. Out: what a person sees, with what was chosen for the model, and the arithmetic. Pure.

use api::shared::{CataloguedStatus, SizingStatus};
use serving::{plan::ServingPlan, sizing::Sizing};

use crate::serving_kind::status::{Seen, ServingStatus};

/// The common part of a status.
pub fn stored(status: Option<&CataloguedStatus>) -> ServingStatus {
    let stored = status.cloned().unwrap_or_default();
    ServingStatus {
        observed_generation: stored.observed_generation,
        replicas: stored.replicas,
        ready_replicas: stored.ready_replicas,
        selector: stored.selector,
        state: stored.state,
        reason: stored.reason,
        // Told with the sizing.
        model: None,
        image: stored.image,
        gpu: stored.gpu,
        scaling: stored.scaling,
        conditions: stored.conditions,
    }
}

/// The whole status; `stored`: as it is now.
pub fn worded(stored: Option<&CataloguedStatus>, common: ServingStatus, seen: &Seen<'_>) -> CataloguedStatus {
    CataloguedStatus {
        observed_generation: common.observed_generation,
        replicas: common.replicas,
        ready_replicas: common.ready_replicas,
        desired_replicas: Some(seen.desired),
        selector: common.selector,
        state: common.state,
        reason: common.reason,
        image: common.image,
        gpu: common.gpu,
        sizing: sizing(seen.plan, stored.and_then(|stored| stored.sizing.as_ref())),
        scaling: common.scaling,
        conditions: common.conditions,
    }
}

/// What was chosen; without a plan what was chosen before.
///
/// What was free is told as it was when the choice was made: it changes with every Pod of the cluster, and a status must not.
fn sizing(plan: Option<&ServingPlan>, stored: Option<&SizingStatus>) -> Option<SizingStatus> {
    let Some(sizing) = plan.and_then(|plan| plan.sizing.as_deref()) else {
        return stored.cloned();
    };
    let before = stored.and_then(|stored| stored.explanation.as_deref());
    let same = before.filter(|before| before.starts_with(&lasting(sizing)));
    Some(SizingStatus {
        model: Some(sizing.model.clone()),
        source: Some(sizing.source.to_string()),
        engine: Some(sizing.engine.as_str().to_owned()),
        quantization: Some(sizing.quantization.to_string()),
        gpus: i32::try_from(sizing.gpus).ok(),
        gpu_type: Some(sizing.gpu_product.clone()),
        context_length: i64::try_from(sizing.max_model_len).ok(),
        asked: Some(sizing.asked.clone()),
        explanation: Some(same.map_or_else(|| sizing.arithmetic.to_string(), str::to_owned)),
    })
}

/// The part of the arithmetic that depends on the model and its GPUs alone.
fn lasting(sizing: &Sizing) -> String {
    let arithmetic = &sizing.arithmetic;
    format!("{}. {}", arithmetic.chosen, arithmetic.needs)
}

#[cfg(test)]
mod tests {
    use serving::{
        catalogue::Catalogue,
        sizing::{Ask, NodeGpus, size},
    };

    use super::*;

    fn sized(free: u32, gpus: Option<u32>) -> Sizing {
        let node = NodeGpus {
            node: "a".into(),
            product: Some("NVIDIA-H100-80GB-HBM3".into()),
            memory_mib: Some(81_559),
            allocatable: 8,
            free,
        };
        let ask = Ask {
            gpu_type: Some("H100"),
            gpus,
            nodes: Some(&[node]),
            ..Ask::default()
        };
        size(Catalogue::builtin().find("llama-3-70b").unwrap(), &ask).unwrap()
    }

    #[test]
    fn what_was_free_is_told_once() {
        let lasting_of = |sizing: &Sizing| lasting(sizing);
        let (first, later, other) = (sized(8, None), sized(0, None), sized(8, Some(8)));
        assert_ne!(first.arithmetic.to_string(), later.arithmetic.to_string());
        assert_eq!(lasting_of(&first), lasting_of(&later));
        assert!(!first.arithmetic.to_string().starts_with(&lasting_of(&other)));
    }
}
