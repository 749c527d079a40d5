//! Would a quota have room for an object once its predecessor is gone?
//!
//! In: the words in which the API server refuses the object, and the predecessor, a Pod, as it is. Out: yes, or no when that is
//! not sure. Pure.
//!
//! The words are those of the quota plugin (`exceeded quota: q, requested: a=1,b=2, used: .., limited: ..`), which names only
//! what is exceeded. What a Pod uses is what the plugin counts: the larger of its containers together and its largest init
//! container.

use std::collections::BTreeMap;

use serde_json::Value;

use super::quantity;
use crate::cache::ChildHead;

/// One object, in the units of [`quantity::nano`].
const ONE: i128 = 1_000_000_000;

/// Whether everything that is exceeded has room without `child`.
pub(super) fn has_room_without(message: &str, child: &ChildHead) -> bool {
    let Ok(pod) = serde_json::from_slice::<Value>(&child.content) else {
        return false;
    };
    let (Some(requested), Some(used), Some(limited)) = (
        amounts(message, "requested: "),
        amounts(message, "used: "),
        amounts(message, "limited: "),
    ) else {
        return false;
    };
    !requested.is_empty()
        && requested.iter().all(|(name, wanted)| {
            let (Some(used), Some(limit)) = (used.get(name), limited.get(name)) else {
                return false;
            };
            let freed = freed(name, &pod);
            used - freed + wanted <= *limit
        })
}

/// `a=1,b=2Gi` behind `label`.
fn amounts<'a>(message: &'a str, label: &str) -> Option<BTreeMap<&'a str, i128>> {
    let (_, rest) = message.split_once(label)?;
    let list = rest.split(", ").next()?;
    list.split(',')
        .map(|entry| {
            let (name, amount) = entry.trim().split_once('=')?;
            Some((name, quantity::parse(amount.trim())?))
        })
        .collect()
}

/// What the Pod gives back of what a quota calls `name`.
fn freed(name: &str, pod: &Value) -> i128 {
    match name {
        "pods" | "count/pods" => ONE,
        "cpu" | "memory" | "ephemeral-storage" => usage(pod, "requests", name),
        _ => match (name.strip_prefix("requests."), name.strip_prefix("limits.")) {
            (Some(resource), _) => usage(pod, "requests", resource),
            (_, Some(resource)) => usage(pod, "limits", resource),
            (None, None) => 0,
        },
    }
}

fn usage(pod: &Value, sort: &str, resource: &str) -> i128 {
    let of = |list: &str| -> Vec<i128> {
        let containers = pod["spec"][list].as_array().into_iter().flatten();
        containers
            .filter_map(|container| quantity::nano(&container["resources"][sort][resource]))
            .collect()
    };
    let together: i128 = of("containers").iter().sum();
    of("initContainers").into_iter().fold(together, i128::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::RawObject;

    fn pod() -> std::sync::Arc<ChildHead> {
        RawObject::new(
            r#"{"metadata":{"name":"p","namespace":"n","uid":"u","resourceVersion":"1"},"spec":{
            "initContainers":[{"resources":{"requests":{"memory":"4Gi"}}}],
            "containers":[{"resources":{"requests":{"memory":"3Gi","cpu":"500m","nvidia.com/gpu":"1"},
            "limits":{"memory":"3Gi"}}}]}}"#,
        )
        .and_then(|raw| raw.head())
        .unwrap()
    }

    #[test]
    fn room_is_counted_without_the_predecessor() {
        let refused = |words: &str| format!("pods \"p-trial\" is forbidden: exceeded quota: q, {words}");
        for (words, room) in [
            ("requested: pods=1, used: pods=5, limited: pods=5", true),
            (
                "requested: requests.memory=6Gi, used: requests.memory=8Gi, limited: requests.memory=8Gi",
                false,
            ),
            (
                "requested: requests.memory=4Gi, used: requests.memory=8Gi, limited: requests.memory=8Gi",
                true,
            ),
            (
                "requested: memory=5Gi, used: memory=8Gi, limited: memory=9Gi",
                true,
            ),
            (
                "requested: limits.memory=4Gi, used: limits.memory=8Gi, limited: limits.memory=8Gi",
                false,
            ),
            (
                "requested: cpu=1,pods=1, used: cpu=4,pods=2, limited: cpu=4500m,pods=2",
                true,
            ),
            (
                "requested: cpu=1,pods=1, used: cpu=4,pods=2, limited: cpu=4,pods=2",
                false,
            ),
            (
                "requested: requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=1, limited: requests.nvidia.com/gpu=1",
                true,
            ),
            ("requested: other=1, used: other=1, limited: other=1", false),
            ("words that nobody knows", false),
            ("requested: , used: , limited: ", false),
        ] {
            assert_eq!(has_room_without(&refused(words), &pod()), room, "{words}");
        }
    }
}
