//! What carries the number of replicas to the workload.
//!
//! In: where the external metrics API stands, the autoscalers of the workload. Out: a carrier, and a sentence when it is not the usual
//! one. Pure.

use api::shared::Transport;

use crate::scaler::Scaler;

/// Where the external metrics API stands, as the rest of the operator has to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MetricsApi {
    /// Not known yet.
    #[default]
    Unknown,
    /// The operator serves it.
    Ours,
    /// It cannot be used; why, as a clause such as `external.metrics.k8s.io is served by keda/metrics`.
    Unusable(String),
}

/// Who sets the replicas of a workload that scales.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// An autoscaler of ours, which reads the number from us.
    Autoscaler,
    /// The operator itself, on `/scale`; why.
    Scale(String),
    /// An autoscaler of somebody else: our number is not used.
    Theirs(String),
    /// What is there stays until it is known where the metrics API stands.
    Undecided,
}

impl Carrier {
    /// In a status; `None` where our number is carried by nothing.
    pub const fn transport(&self) -> Option<Transport> {
        match self {
            Self::Autoscaler => Some(Transport::Metric),
            Self::Scale(_) => Some(Transport::Scale),
            Self::Theirs(_) | Self::Undecided => None,
        }
    }

    /// What a person should know beside the decision.
    pub fn note(&self) -> Option<String> {
        match self {
            Self::Autoscaler | Self::Undecided => None,
            Self::Scale(why) => Some(format!("The number is set on the workload's /scale: {why}.")),
            Self::Theirs(name) => Some(format!(
                "HorizontalPodAutoscaler {name} sets the number of replicas instead; delete it, or the promise."
            )),
        }
    }
}

/// Chooses; `scaler`: the autoscaler that targets the workload, a person's before ours. `keeps_tolerance`: see
/// [`tolerance`](super::tolerance). Where it is not kept, no autoscaler of ours is asked for, whatever else is known.
pub fn carrier(api: &MetricsApi, scaler: Option<&Scaler>, keeps_tolerance: bool) -> Carrier {
    match (scaler.filter(|scaler| scaler.made_for.is_none()), api) {
        (Some(theirs), _) => Carrier::Theirs(theirs.name.to_string()),
        (None, MetricsApi::Unusable(why)) => Carrier::Scale(why.clone()),
        (None, _) if !keeps_tolerance => Carrier::Scale(
            "this API server does not know the tolerance of autoscalers, which would swallow one replica of ten and more".to_owned(),
        ),
        (None, MetricsApi::Unknown) => Carrier::Undecided,
        (None, MetricsApi::Ours) => Carrier::Autoscaler,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaler(ours: bool) -> Scaler {
        Scaler {
            namespace: "n".into(),
            name: "h".into(),
            target: None,
            made_for: ours.then(|| "1".into()),
            least: 1,
            most: 4,
        }
    }

    #[test]
    fn a_persons_autoscaler_wins_and_ours_needs_the_metrics_api() {
        let unusable = MetricsApi::Unusable("it is served by keda/metrics".into());
        for (api, ours, keeps, expected) in [
            (&MetricsApi::Ours, None, true, Some(Transport::Metric)),
            (&MetricsApi::Ours, Some(true), true, Some(Transport::Metric)),
            (&MetricsApi::Ours, Some(true), false, Some(Transport::Scale)),
            (&unusable, None, true, Some(Transport::Scale)),
            (&unusable, Some(false), true, None),
            (&MetricsApi::Ours, Some(false), true, None),
            (&MetricsApi::Unknown, Some(true), true, None),
            (&MetricsApi::Unknown, Some(true), false, Some(Transport::Scale)),
        ] {
            let scaler = ours.map(scaler);
            let carrier = carrier(api, scaler.as_ref(), keeps);
            assert_eq!(carrier.transport(), expected, "{api:?} {ours:?}");
        }
    }

    #[test]
    fn the_sentence_says_who_has_the_api() {
        let note = carrier(
            &MetricsApi::Unusable("it is served by keda/metrics".into()),
            None,
            true,
        )
        .note();
        assert!(note.unwrap().contains("keda/metrics"));
    }
}
