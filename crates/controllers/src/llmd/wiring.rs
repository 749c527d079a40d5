//! The values by which the three charts fit together.
//!
//! In: of each chart that is deployed, its own values and the user's. Out: values to lay below the user's. By themselves the
//! charts do not fit: the route looks for a gateway that has another name, both the model service and the pool's chart bring a
//! pool with an endpoint picker, and the pool's chart refuses to say which Pods it holds.
//!
//! Charts change: a value is supplied only where the version at hand knows its place, and never where a user has set one.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    component::Component,
    values::{at, effective, merged, nested, text_at},
};

/// The gateway's name, as the route of the model service and the pool's chart expect it.
const GATEWAY: &str = "inference-gateway";
/// The label by which a pool knows its Pods, in charts whose values do not name it.
const POOL_LABEL: (&str, &str) = ("llm-d.ai/inferenceServing", "true");
/// Group of the pool's API since it is stable.
const POOL_GROUP: &str = "inference.networking.k8s.io";

/// One chart that is deployed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// The chart's own values.
    pub defaults: Value,
    /// The user's.
    pub values: Value,
}

impl Given {
    /// Whether the chart knows this place.
    fn knows(&self, path: &[&str]) -> bool {
        at(&self.defaults, path).is_some()
    }

    fn effective(&self) -> Value {
        effective(&self.defaults, &self.values)
    }
}

/// What of the cluster decides how charts fit together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Whether Istio's `DestinationRule` is known. With it the pool's chart says how Istio reaches the endpoint picker; Istio's
    /// other kinds may be there without it, and then the chart must not use it.
    pub destination_rules: bool,
}

/// The values of each chart: ours with the user's over them.
pub fn wired(given: &BTreeMap<Component, Given>, around: Surroundings) -> BTreeMap<Component, Value> {
    let supply = |component: Component, own: &Given| match component {
        Component::Infra => infra(own),
        Component::GatewayApi => pool(
            own,
            given.get(&Component::Infra),
            given.get(&Component::ModelService),
            around,
        ),
        Component::ModelService => model_service(
            own,
            given.get(&Component::Infra),
            given.get(&Component::GatewayApi),
        ),
    };
    given
        .iter()
        .map(|(component, own)| {
            let ours = supply(*component, own);
            (*component, merged(ours, own.values.clone()))
        })
        .collect()
}

/// The gateway gets the name that the others look for.
fn infra(own: &Given) -> Value {
    let mut ours = json!({});
    let place = ["gateway", "fullnameOverride"];
    if own.knows(&place) {
        ours = nested(&place, GATEWAY.into());
    }
    ours
}

/// The pool holds the Pods of the model service, and is reached as the gateway's implementation needs it.
fn pool(own: &Given, infra: Option<&Given>, model_service: Option<&Given>, around: Surroundings) -> Value {
    let mut ours = json!({});
    let mut supply = |path: &[&str], value: Value| {
        ours = merged(std::mem::take(&mut ours), nested(path, value));
    };
    let servers = ["inferencePool", "modelServers", "matchLabels"];
    if own.knows(&["inferencePool"]) && at(&own.values, &servers).is_none() {
        supply(&servers, pool_labels(model_service));
    }
    if let Some(port) =
        model_service.and_then(|chart| at(&chart.effective(), &["routing", "servicePort"]).cloned())
    {
        if own.knows(&["inferencePool", "targetPorts"]) {
            supply(
                &["inferencePool", "targetPorts"],
                json!([{"number": port.clone()}]),
            );
        }
        if own.knows(&["inferencePool", "targetPortNumber"]) {
            supply(&["inferencePool", "targetPortNumber"], port);
        }
    }
    if let Some(provider) = infra.and_then(|infra| provider(infra, around))
        && own.knows(&["provider", "name"])
    {
        supply(&["provider", "name"], provider.into());
    }
    // Where the model service makes no route any more, the pool's chart can.
    let routed = model_service.is_some_and(|chart| chart.knows(&["routing", "httpRoute"]));
    if infra.is_some() && !routed && own.knows(&["experimentalHttpRoute", "enabled"]) {
        supply(&["experimentalHttpRoute", "enabled"], true.into());
        supply(
            &["experimentalHttpRoute", "inferenceGatewayName"],
            gateway_name(infra).into(),
        );
    }
    ours
}

/// With the pool's chart, the model service brings no pool and no endpoint picker of its own, and its route leads there.
fn model_service(own: &Given, infra: Option<&Given>, pool: Option<&Given>) -> Value {
    let mut ours = json!({});
    // The route follows a gateway that was given another name.
    let gateway = gateway_name(infra);
    if gateway != GATEWAY
        && let Some(Value::Array(parents)) = at(&own.defaults, &["routing", "parentRefs"])
    {
        let mut parents = parents.clone();
        for parent in parents.iter_mut().filter(|parent| parent["name"] == GATEWAY) {
            parent["name"] = gateway.clone().into();
        }
        ours = merged(ours, nested(&["routing", "parentRefs"], parents.into()));
    }
    let Some(pool) = pool else { return ours };
    if own.knows(&["routing", "inferencePool"]) {
        let version = pool.effective();
        let version = text_at(&version, &["inferencePool", "apiVersion"]).map(str::to_owned);
        let group = version.as_deref().and_then(|version| version.split_once('/'));
        let group = group.map_or(POOL_GROUP, |(group, _)| group);
        let place = json!({"create": false, "name": Component::GatewayApi.release(), "apiGroup": group});
        ours = merged(ours, nested(&["routing", "inferencePool"], place));
    }
    if own.knows(&["routing", "epp", "create"]) {
        ours = merged(ours, nested(&["routing", "epp", "create"], false.into()));
    }
    ours
}

/// The labels that the model service puts on its Pods for a pool.
fn pool_labels(model_service: Option<&Given>) -> Value {
    let labels = model_service.and_then(|chart| {
        let effective = chart.effective();
        at(&effective, &["modelArtifacts", "labels"]).cloned()
    });
    let usable = labels.filter(|labels| labels.as_object().is_some_and(|labels| !labels.is_empty()));
    usable.unwrap_or_else(|| json!({POOL_LABEL.0: POOL_LABEL.1}))
}

/// What the pool's chart calls the gateway's implementation, where it makes a difference to it.
fn provider(infra: &Given, around: Surroundings) -> Option<&'static str> {
    let values = infra.effective();
    let class = text_at(&values, &["gateway", "gatewayClassName"]).unwrap_or_default();
    let provider = text_at(&values, &["gateway", "provider"]).unwrap_or_default();
    match (class, provider) {
        ("istio", _) | ("", "istio") => around.destination_rules.then_some("istio"),
        (class, _) if class.starts_with("gke-") => Some("gke"),
        _ => None,
    }
}

fn gateway_name(infra: Option<&Given>) -> String {
    let set =
        infra.and_then(|infra| text_at(&infra.values, &["gateway", "fullnameOverride"]).map(str::to_owned));
    set.filter(|name| !name.is_empty())
        .unwrap_or_else(|| GATEWAY.to_owned())
}

#[cfg(test)]
#[path = "wiring_tests.rs"]
mod tests;
