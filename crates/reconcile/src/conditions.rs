//! Merging of `metav1.Condition` lists. In: the stored conditions, the new findings and the time. Out: the list to
//! store. Pure.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};

/// Longest message the API accepts, in characters.
const MESSAGE_LIMIT: usize = 32_768;

/// What a controller found out about one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Condition type, e.g. `Ready`.
    pub type_: &'static str,
    /// `Some(true)`, `Some(false)`, or `None` for `Unknown`.
    pub status: Option<bool>,
    /// Documented `CamelCase` reason.
    pub reason: String,
    /// One sentence for a human.
    pub message: String,
    /// Generation of the object this was found out about.
    pub observed_generation: i64,
}

/// The list to store: one condition per finding, in the findings' order, then foreign conditions (types that are not
/// in `findings`) as they were. `lastTransitionTime` moves only when a condition's status changes.
pub fn merge(stored: &[Condition], findings: &[Finding], now: Timestamp) -> Vec<Condition> {
    let ours = findings.iter().map(|finding| {
        let status = match finding.status {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        let before = stored.iter().find(|condition| condition.type_ == finding.type_);
        Condition {
            type_: finding.type_.to_owned(),
            status: status.to_owned(),
            reason: finding.reason.clone(),
            message: finding.message.chars().take(MESSAGE_LIMIT).collect(),
            observed_generation: Some(finding.observed_generation),
            last_transition_time: match before {
                Some(before) if before.status == status => before.last_transition_time.clone(),
                _ => Time(whole_seconds(now)),
            },
        }
    });
    let foreign = stored
        .iter()
        .filter(|condition| findings.iter().all(|finding| finding.type_ != condition.type_));
    ours.chain(foreign.cloned()).collect()
}

/// The API stores whole seconds; anything finer would differ from what is read back.
fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(type_: &'static str, status: Option<bool>, message: &str, generation: i64) -> Finding {
        Finding {
            type_,
            status,
            reason: "Because".into(),
            message: message.into(),
            observed_generation: generation,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millisecond(second * 1000 + 123).unwrap()
    }

    #[test]
    fn transition_time_moves_only_with_the_status() {
        let first = merge(&[], &[finding("Ready", Some(false), "0 of 1", 1)], at(100));
        let second = merge(&first, &[finding("Ready", Some(false), "0 of 2", 2)], at(200));
        assert_eq!(second[0].last_transition_time, first[0].last_transition_time);
        assert_eq!(
            (second[0].message.as_str(), second[0].observed_generation),
            ("0 of 2", Some(2))
        );
        let third = merge(&second, &[finding("Ready", Some(true), "2 of 2", 2)], at(300));
        assert_eq!(third[0].last_transition_time.0.as_second(), 300);
        assert_eq!(third[0].last_transition_time.0.subsec_nanosecond(), 0);
    }

    #[test]
    fn the_same_findings_give_the_same_list() {
        let findings = [
            finding("Accepted", Some(true), "ok", 1),
            finding("Ready", None, "?", 1),
        ];
        let first = merge(&[], &findings, at(100));
        assert_eq!(merge(&first, &findings, at(500)), first);
        let types: Vec<_> = first.iter().map(|condition| condition.type_.as_str()).collect();
        assert_eq!(types, ["Accepted", "Ready"]);
    }

    #[test]
    fn foreign_conditions_stay() {
        let foreign = merge(&[], &[finding("TheirOwn", Some(true), "x", 1)], at(1));
        let merged = merge(&foreign, &[finding("Ready", Some(true), "y", 1)], at(2));
        assert_eq!(merged.len(), 2);
        assert_eq!(merged[1], foreign[0]);
    }
}
