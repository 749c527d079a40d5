//! Charts as they were and are, with what has to be supplied to each.

use serde_json::json;

use super::*;

const ISTIO: Surroundings = Surroundings {
    destination_rules: true,
};

fn given(charts: &[(Component, Value, Value)]) -> BTreeMap<Component, Given> {
    let one = |(component, defaults, values): &(Component, Value, Value)| {
        let (defaults, values) = (defaults.clone(), values.clone());
        (*component, Given { defaults, values })
    };
    charts.iter().map(one).collect()
}

/// The places of the documents' versions that matter here.
fn infra() -> Value {
    json!({"gateway": {"fullnameOverride": "", "gatewayClassName": "istio"}})
}

fn pool() -> Value {
    json!({
        "inferencePool": {"targetPorts": [{"number": 8000}], "apiVersion": "inference.networking.k8s.io/v1", "targetPortNumber": 8000},
        "provider": {"name": "none"},
    })
}

fn model_service() -> Value {
    json!({"routing": {
        "parentRefs": [{"kind": "Gateway", "name": "inference-gateway"}],
        "servicePort": 8000, "inferencePool": {"create": true, "apiGroup": "inference.networking.x-k8s.io"},
        "httpRoute": {"create": true}, "epp": {"create": true},
    }})
}

#[test]
fn the_documents_three_fit_together() {
    let wired = wired(
        &given(&[
            (Component::Infra, infra(), json!({})),
            (Component::GatewayApi, pool(), json!({})),
            (Component::ModelService, model_service(), json!({})),
        ]),
        ISTIO,
    );
    assert_eq!(
        wired[&Component::Infra],
        json!({"gateway": {"fullnameOverride": "inference-gateway"}})
    );
    assert_eq!(
        wired[&Component::GatewayApi],
        json!({
            "inferencePool": {
                "modelServers": {"matchLabels": {"llm-d.ai/inferenceServing": "true"}},
                "targetPorts": [{"number": 8000}], "targetPortNumber": 8000,
            },
            "provider": {"name": "istio"},
        })
    );
    assert_eq!(
        wired[&Component::ModelService],
        json!({"routing": {
            "inferencePool": {"create": false, "name": "inferencepool", "apiGroup": "inference.networking.k8s.io"},
            "epp": {"create": false},
        }})
    );
}

#[test]
fn alone_each_is_what_its_chart_makes_it() {
    let wired = wired(
        &given(&[(
            Component::ModelService,
            model_service(),
            json!({"decode": {"replicas": 2}}),
        )]),
        ISTIO,
    );
    assert_eq!(
        wired[&Component::ModelService],
        json!({"decode": {"replicas": 2}})
    );
    let wired = super::wired(&given(&[(Component::GatewayApi, pool(), json!({}))]), ISTIO);
    assert_eq!(
        wired[&Component::GatewayApi],
        json!({"inferencePool": {"modelServers": {"matchLabels": {"llm-d.ai/inferenceServing": "true"}}}})
    );
}

#[test]
fn what_a_user_sets_wins_and_is_followed() {
    let wired = wired(
        &given(&[
            (
                Component::Infra,
                infra(),
                json!({"gateway": {"fullnameOverride": "mine", "gatewayClassName": "kgateway"}}),
            ),
            (
                Component::GatewayApi,
                pool(),
                json!({"inferencePool": {"modelServers": {"matchLabels": {"app": "mine"}}, "apiVersion": "inference.networking.x-k8s.io/v1alpha2"}}),
            ),
            (
                Component::ModelService,
                model_service(),
                json!({"routing": {"servicePort": 9000, "epp": {"create": true}}}),
            ),
        ]),
        ISTIO,
    );
    assert_eq!(wired[&Component::Infra]["gateway"]["fullnameOverride"], "mine");
    let pool = &wired[&Component::GatewayApi];
    assert_eq!(
        pool["inferencePool"]["modelServers"]["matchLabels"],
        json!({"app": "mine"})
    );
    assert_eq!(pool["inferencePool"]["targetPorts"], json!([{"number": 9000}]));
    assert_eq!(pool.get("provider"), None, "nothing that this gateway needs");
    let routing = &wired[&Component::ModelService]["routing"];
    assert_eq!(routing["epp"]["create"], true);
    assert_eq!(
        routing["parentRefs"],
        json!([{"kind": "Gateway", "name": "mine"}])
    );
    assert_eq!(
        routing["inferencePool"]["apiGroup"],
        "inference.networking.x-k8s.io"
    );
}

/// From 0.3 the model service routes nothing; from 1.3 the pool's chart can.
#[test]
fn later_charts_get_only_what_they_know() {
    let wired = wired(
        &given(&[
            (
                Component::Infra,
                json!({"gateway": {"fullnameOverride": "", "gatewayClassName": "", "provider": "istio"}}),
                json!({}),
            ),
            (
                Component::GatewayApi,
                json!({
                    "inferencePool": {"targetPorts": [{"number": 8000}]}, "provider": {"name": "none"},
                    "experimentalHttpRoute": {"enabled": false, "inferenceGatewayName": "inference-gateway"},
                }),
                json!({}),
            ),
            (
                Component::ModelService,
                json!({"modelArtifacts": {"labels": {"llm-d.ai/inference-serving": "true"}}, "routing": {"servicePort": 8000}}),
                json!({"modelArtifacts": {"labels": {"team": "a"}}}),
            ),
        ]),
        ISTIO,
    );
    assert_eq!(
        wired[&Component::ModelService],
        json!({"modelArtifacts": {"labels": {"team": "a"}}})
    );
    let pool = &wired[&Component::GatewayApi];
    assert_eq!(
        pool["inferencePool"]["modelServers"]["matchLabels"],
        json!({"llm-d.ai/inference-serving": "true", "team": "a"})
    );
    assert_eq!(
        pool["experimentalHttpRoute"],
        json!({"enabled": true, "inferenceGatewayName": "inference-gateway"})
    );
    assert_eq!(pool["provider"]["name"], "istio");
}

/// The gateway's other kinds may be installed without this one.
#[test]
fn a_kind_that_is_not_there_is_not_asked_for() {
    let charts = given(&[
        (Component::Infra, infra(), json!({})),
        (Component::GatewayApi, pool(), json!({})),
    ]);
    let wired = wired(&charts, Surroundings::default());
    assert_eq!(wired[&Component::GatewayApi].get("provider"), None);
}
