//! The words of the conditions `ScalingActive` and `LatencyObservable`: a closed list with meaning and way out.
//!
//! In: a planner's reason. Out: its word; the page for people.

use autoscale::Reason;

/// Condition: the number of replicas follows the load.
pub const SCALING_ACTIVE: &str = "ScalingActive";
/// Condition: what was promised can be seen.
pub const LATENCY_OBSERVABLE: &str = "LatencyObservable";
/// No replica has answered yet, or none has served a request.
pub(crate) const NOT_SEEN: &str = "NotSeenYet";
/// All that was promised is exported.
pub(crate) const EXPORTED: &str = "Exported";
/// Some of what was promised is not exported.
pub(crate) const NOT_EXPORTED: &str = "NotExported";
/// Nothing is known of the engine's metrics.
pub(crate) const NO_METRICS: &str = "NoMetrics";

/// Nobody used the model for long enough.
pub(crate) const SCALED_TO_ZERO: &str = "ScaledToZero";
/// The bounds allow no more, or no fewer.
pub(crate) const LIMITED: &str = "Limited";
/// Somebody asked for replicas, and none serves yet.
pub(crate) const WAKING: &str = "Waking";
/// Zero replicas are asked for.
pub(crate) const STOPPED: &str = "Stopped";
/// Nothing was decided yet.
pub(crate) const NOT_DECIDED: &str = "NotDecidedYet";
/// Somebody else's autoscaler sets the replicas.
pub(crate) const ANOTHER_AUTOSCALER: &str = "AnotherAutoscaler";

/// The word of a planner's reason.
pub const fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::Enough => "Enough",
        Reason::RateRises => "RateRises",
        Reason::QueueGrows => "QueueGrows",
        Reason::RateFalls => "RateFalls",
        Reason::WaitsToShrink => "WaitsToShrink",
        Reason::ScrapeFailed => "ScrapeFailed",
        Reason::NotObservable => "NotObservable",
        Reason::Unreachable => "Unreachable",
        Reason::Limited => LIMITED,
        Reason::ScaledToZero => SCALED_TO_ZERO,
        Reason::Waking => WAKING,
    }
}

/// Whether the word says that the load is followed and nothing stands against it. These words come and go with the load.
pub(crate) fn follows(word: &str) -> bool {
    matches!(
        word,
        "Enough" | "RateRises" | "QueueGrows" | "RateFalls" | "WaitsToShrink"
    )
}

/// Condition, word, meaning and way out.
const TABLE: [(&str, &str, &str, &str); 18] = [
    (
        SCALING_ACTIVE,
        "Enough",
        "As many replicas as are needed.",
        "Nothing to do.",
    ),
    (
        SCALING_ACTIVE,
        "RateRises",
        "More replicas are needed for the rate that will come, or for the promised throughput.",
        "Nothing to do.",
    ),
    (
        SCALING_ACTIVE,
        "QueueGrows",
        "More replicas are needed for the requests that are there.",
        "Nothing to do.",
    ),
    (
        SCALING_ACTIVE,
        "RateFalls",
        "Fewer replicas are enough.",
        "Nothing to do.",
    ),
    (
        SCALING_ACTIVE,
        "WaitsToShrink",
        "Fewer replicas would be enough, but not for long enough yet.",
        "Nothing to do.",
    ),
    (
        SCALING_ACTIVE,
        "ScrapeFailed",
        "Some or all replicas do not tell their metrics; none is taken away.",
        "See the failure in the message: the engine's log, its metrics option, network policies.",
    ),
    (
        SCALING_ACTIVE,
        "NotObservable",
        "The engine exports nothing that scaling could follow; the number of replicas stays.",
        "Use an engine that exports metrics, or set the number of replicas yourself.",
    ),
    (
        SCALING_ACTIVE,
        "Unreachable",
        "A promise cannot be kept by any number of replicas; the rest is followed.",
        "Use a faster GPU, more GPUs per replica or a smaller model, or promise less.",
    ),
    (
        SCALING_ACTIVE,
        "Limited",
        "More replicas are needed than there may be; the message says what limits.",
        "Raise the most, add nodes, or raise the quota.",
    ),
    (
        SCALING_ACTIVE,
        SCALED_TO_ZERO,
        "Nobody used the model for `idleAfter`, or somebody set its workload to zero: there are no replicas until somebody asks for some.",
        "To wake it: the command in the message.",
    ),
    (
        SCALING_ACTIVE,
        WAKING,
        "Somebody asked for replicas while there were none; none serves yet.",
        "Wait; `Ready` says what for.",
    ),
    (
        SCALING_ACTIVE,
        STOPPED,
        "No replicas are asked for, so nothing is scaled.",
        "Raise the number of replicas to serve.",
    ),
    (
        SCALING_ACTIVE,
        NOT_DECIDED,
        "No number of replicas was decided on yet.",
        "Wait for some seconds.",
    ),
    (
        SCALING_ACTIVE,
        ANOTHER_AUTOSCALER,
        "A HorizontalPodAutoscaler of somebody else sets the number of replicas; the promise is not followed.",
        "Delete that autoscaler, or the promise.",
    ),
    (
        LATENCY_OBSERVABLE,
        EXPORTED,
        "The engine exports the times that were promised.",
        "Nothing to do.",
    ),
    (
        LATENCY_OBSERVABLE,
        NOT_EXPORTED,
        "The engine does not export all that was promised; what it holds is followed instead.",
        "Switch the engine's metrics on, or use one that exports them.",
    ),
    (
        LATENCY_OBSERVABLE,
        NO_METRICS,
        "Nothing is known of the engine's metrics.",
        "Use an engine that exports metrics.",
    ),
    (
        LATENCY_OBSERVABLE,
        NOT_SEEN,
        "No replica has told its metrics yet, or none has served a request.",
        "Wait.",
    ),
];

/// Part of `docs/conditions.md`.
pub fn markdown() -> String {
    let about =
        "\n## ScalingActive and LatencyObservable\n\nWhere a latency or a throughput is promised.\n\n";
    about.to_owned() + &crate::reason::table(TABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_explained() {
        let all = [
            Reason::Enough,
            Reason::RateRises,
            Reason::QueueGrows,
            Reason::RateFalls,
            Reason::WaitsToShrink,
            Reason::ScrapeFailed,
            Reason::NotObservable,
            Reason::Unreachable,
            Reason::Limited,
            Reason::ScaledToZero,
            Reason::Waking,
        ];
        for reason in all.map(word) {
            assert!(TABLE.iter().any(|row| row.1 == reason), "{reason}");
        }
        assert_eq!(all.map(word).iter().filter(|word| follows(word)).count(), 5);
        assert!(markdown().contains("| `LatencyObservable` | `NoMetrics` |"));
    }
}
