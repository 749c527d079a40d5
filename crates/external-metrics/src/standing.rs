//! Where the API stands, for whoever has to choose how numbers reach the workloads. Pure.

use std::fmt;

use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;

use crate::claim::{self, Place};
use crate::watching::Seen;

/// Where the API stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Not known yet, or about to be claimed.
    #[default]
    Unknown,
    /// It is ours.
    Ours {
        /// Whether the API server reaches it: autoscalers get their numbers.
        available: bool,
    },
    /// Another adapter serves it and is left alone.
    HeldBy {
        /// `<namespace>/<name>` of its Service, or who else has it.
        service: String,
    },
    /// It cannot be ours as things are: a right, the Service or the API server's front proxy is missing.
    NotPermitted {
        /// What is missing and what to do, in one sentence.
        why: String,
    },
}

/// For the log.
impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("not served yet"),
            Self::Ours { available: true } => f.write_str("served by this operator"),
            Self::Ours { available: false } => {
                f.write_str("led to this operator, but the API server does not reach it (yet)")
            }
            Self::HeldBy { service } => write!(f, "served by {service}, which is left alone"),
            Self::NotPermitted { why } => write!(f, "cannot be served: {why}"),
        }
    }
}

/// What is seen becomes a standing. `blocked`: why our own part could not be done.
pub(crate) fn standing(api_service: &Seen<APIService>, blocked: Option<&str>, place: &Place) -> Standing {
    let not_permitted = |why: &str| Standing::NotPermitted { why: why.to_owned() };
    match api_service {
        Seen::Refused(why) => not_permitted(why),
        Seen::Unknown => Standing::Unknown,
        Seen::Absent => blocked.map_or(Standing::Unknown, not_permitted),
        Seen::There(existing) => match (claim::holder(existing, place), blocked) {
            (Some(service), _) => Standing::HeldBy { service },
            (None, Some(why)) => not_permitted(why),
            (None, None) => Standing::Ours {
                available: claim::is_available(existing),
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn standings() {
        let place = Place {
            namespace: "n".to_owned(),
            service: "s".to_owned(),
            port: 443,
        };
        let there = |place: &Place, status: &str| {
            let mut object = claim::api_service(place, "authority", None);
            let condition = serde_json::json!({ "type": "Available", "status": status });
            object["status"] = serde_json::json!({ "conditions": [condition] });
            Seen::There(Arc::new(serde_json::from_value(object).unwrap()))
        };
        let other = Place {
            namespace: "keda".to_owned(),
            ..place.clone()
        };
        let ours = |available| Standing::Ours { available };
        let held = Standing::HeldBy {
            service: "keda/s".to_owned(),
        };
        let refused = |why: &str| Standing::NotPermitted { why: why.to_owned() };
        for (seen, blocked, expected) in [
            (Seen::Unknown, None, Standing::Unknown),
            (Seen::Absent, None, Standing::Unknown),
            (Seen::Absent, Some("no Service"), refused("no Service")),
            (
                Seen::Refused("no right".to_owned()),
                Some("x"),
                refused("no right"),
            ),
            (there(&place, "True"), None, ours(true)),
            (there(&place, "False"), None, ours(false)),
            (there(&place, "True"), Some("no proxy"), refused("no proxy")),
            (there(&other, "True"), None, held.clone()),
            (there(&other, "False"), Some("no proxy"), held),
        ] {
            assert_eq!(standing(&seen, blocked, &place), expected, "{blocked:?}");
        }
    }
}
