//! What an `LLMDeployment` may say, by the words with which the rest is refused.

use serde_json::json;

use crate::desk::{all_refused, deployment, wrong};

/// Numbers have an end on both sides.
#[tokio::test]
async fn ports_and_seconds() {
    all_refused(
        "LLMDeployment",
        deployment,
        vec![
            wrong(json!({"port": 0}), "spec.port", "greater than or equal to 1"),
            wrong(json!({"port": -8080}), "spec.port", "greater than or equal to 1"),
            wrong(json!({"port": 65536}), "spec.port", "less than or equal to 65535"),
            wrong(json!({"port": "http"}), "spec.port", "must be of type integer"),
            wrong(
                json!({"terminationGracePeriodSeconds": -1}),
                "spec.terminationGracePeriodSeconds",
                "greater than or equal to 0",
            ),
        ],
    )
    .await;
}

/// Options that exclude each other are refused together, and the sentence says which one to remove.
#[tokio::test]
async fn options_that_exclude_each_other() {
    let strategy = |more| json!({ "strategy": more });
    let budget = |more| json!({ "disruptionBudget": more });
    all_refused(
        "LLMDeployment",
        deployment,
        vec![
            wrong(
                strategy(json!({"type": "Recreate", "maxSurge": 1})),
                "spec.strategy",
                "belong to type RollingUpdate",
            ),
            wrong(
                strategy(json!({"type": "BlueGreen"})),
                "spec.strategy.type",
                "\"RollingUpdate\", \"Recreate\"",
            ),
            wrong(
                strategy(json!({"maxSurge": -1})),
                "spec.strategy.maxSurge",
                "a percentage such as \"25%\"",
            ),
            wrong(
                strategy(json!({"maxSurge": "a few"})),
                "spec.strategy.maxSurge",
                "a percentage such as \"25%\"",
            ),
            wrong(
                strategy(json!({"maxUnavailable": "101%"})),
                "spec.strategy.maxUnavailable",
                "up to \"100%\"",
            ),
            wrong(
                budget(json!({"minAvailable": 1, "maxUnavailable": 1})),
                "spec.disruptionBudget",
                "not both",
            ),
            wrong(
                budget(json!({"enabled": false, "minAvailable": 1})),
                "spec.disruptionBudget",
                "enabled: false makes no budget",
            ),
            wrong(
                budget(json!({"minAvailable": "half"})),
                "spec.disruptionBudget.minAvailable",
                "a percentage up to",
            ),
            wrong(
                json!({"service": {"type": "ExternalName"}}),
                "spec.service.type",
                "\"ClusterIP\", \"NodePort\", \"LoadBalancer\"",
            ),
            wrong(
                json!({"access": {"from": []}}),
                "spec.access.from",
                "an empty list would admit everyone",
            ),
        ],
    )
    .await;
}

/// The labels by which the operator finds what is its own cannot be set by anybody else.
#[tokio::test]
async fn reserved_labels() {
    let reserved = [
        "llm-operator.io/name",
        "llm-operator.io/anything",
        "app.kubernetes.io/name",
        "app.kubernetes.io/instance",
        "app.kubernetes.io/component",
        "app.kubernetes.io/managed-by",
        "app.kubernetes.io/part-of",
    ];
    let mut table = vec![wrong(
        json!({"podLabels": {"pod-template-hash": "x"}}),
        "spec.podLabels",
        "podLabels may not set",
    )];
    for key in reserved {
        table.push(wrong(
            json!({"podLabels": {key: "x"}}),
            "spec.podLabels",
            "podLabels may not set",
        ));
        table.push(wrong(
            json!({"service": {"labels": {key: "x"}}}),
            "spec.service.labels",
            "labels may not set",
        ));
    }
    all_refused("LLMDeployment", deployment, table).await;
}
