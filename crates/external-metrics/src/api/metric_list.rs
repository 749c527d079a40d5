//! A metric's values: the numbers that a selector finds.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::selector::Selector;
use crate::decisions::{Decisions, Workload};
use crate::names::{GROUP, KIND_LABEL, METRIC, NAME_LABEL, VERSION};

/// The list of what is selected. An empty one makes an autoscaler leave the replicas as they are ("no metrics returned").
pub(crate) fn body(decisions: &dyn Decisions, namespace: &str, selector: &Selector) -> Value {
    let items: Vec<Value> = selected(decisions, namespace, selector)
        .iter()
        .map(item)
        .collect();
    json!({
        "kind": "ExternalMetricValueList",
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "metadata": {},
        "items": items,
    })
}

fn selected(decisions: &dyn Decisions, namespace: &str, selector: &Selector) -> Vec<Workload> {
    let mut found = match (selector.pinned(KIND_LABEL), selector.pinned(NAME_LABEL)) {
        // What autoscalers ask for: one workload, without a look at the others.
        (Some(kind), Some(name)) => decisions
            .replicas(namespace, kind, name)
            .map(|decided| Workload {
                kind_label: kind.to_owned(),
                name: name.to_owned(),
                decided,
            })
            .into_iter()
            .collect(),
        _ => decisions.all(namespace),
    };
    found.retain(|workload| {
        selector.matches(&[(KIND_LABEL, &workload.kind_label), (NAME_LABEL, &workload.name)])
    });
    found.sort_by(|a, b| (&a.kind_label, &a.name).cmp(&(&b.kind_label, &b.name)));
    found
}

fn item(workload: &Workload) -> Value {
    json!({
        "metricName": METRIC,
        "metricLabels": { KIND_LABEL: workload.kind_label, NAME_LABEL: workload.name },
        "timestamp": whole_seconds(workload.decided.at),
        "value": workload.decided.replicas.to_string(),
    })
}

fn whole_seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decisions::Decided;

    struct Three;

    impl Decisions for Three {
        fn replicas(&self, namespace: &str, kind_label: &str, name: &str) -> Option<Decided> {
            let all = self.all(namespace).into_iter();
            all.filter(|workload| workload.kind_label == kind_label && workload.name == name)
                .map(|workload| workload.decided)
                .next()
        }

        fn all(&self, namespace: &str) -> Vec<Workload> {
            let of = |kind: &str, name: &str, replicas| Workload {
                kind_label: kind.to_owned(),
                name: name.to_owned(),
                decided: Decided {
                    replicas,
                    at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
                },
            };
            match namespace {
                "n" => vec![of("k.g", "b", 2), of("k.g", "a", 7), of("o.g", "a", 9)],
                _ => Vec::new(),
            }
        }
    }

    fn values(namespace: &str, selector: &str) -> Vec<String> {
        let body = body(&Three, namespace, &Selector::parse(selector).unwrap());
        let items = body["items"].as_array().unwrap().iter();
        items
            .map(|item| item["value"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn one_many_and_none() {
        assert_eq!(
            values("n", "llm-operator.io/kind=k.g,llm-operator.io/name=a"),
            ["7"]
        );
        assert_eq!(values("n", "llm-operator.io/kind=k.g"), ["7", "2"]);
        assert_eq!(values("n", "llm-operator.io/name in (a),!other"), ["7", "9"]);
        assert_eq!(values("n", ""), ["7", "2", "9"]);
        assert!(values("n", "llm-operator.io/kind=k.g,llm-operator.io/name=z").is_empty());
        assert!(values("n", "llm-operator.io/kind=k.g,llm-operator.io/name=a,other=x").is_empty());
        assert!(values("other", "").is_empty());
    }

    #[test]
    fn the_form_of_an_item() {
        let selector = Selector::parse("llm-operator.io/kind=o.g,llm-operator.io/name=a").unwrap();
        let body = body(&Three, "n", &selector);
        let expected = json!({
            "kind": "ExternalMetricValueList",
            "apiVersion": "external.metrics.k8s.io/v1beta1",
            "metadata": {},
            "items": [{
                "metricName": "llm_operator_desired_replicas",
                "metricLabels": { "llm-operator.io/kind": "o.g", "llm-operator.io/name": "a" },
                "timestamp": "2026-01-02T03:04:05Z",
                "value": "9",
            }],
        });
        assert_eq!(body, expected);
    }
}
