//! Kinds of other projects that the charts use: which are missing, and what each is for. Pure.

use std::collections::{BTreeMap, BTreeSet};

use helm::manifest::KindId;

use super::component::Component;

/// Kinds that a chart's objects have and the cluster does not know, per chart.
pub type Missing = BTreeMap<Component, BTreeSet<KindId>>;

/// What is missing, from what each chart needs and whether the cluster serves it.
pub fn missing(needed: &BTreeMap<Component, BTreeSet<KindId>>, serves: impl Fn(&KindId) -> bool) -> Missing {
    needed
        .iter()
        .filter_map(|(component, kinds)| {
            let absent: BTreeSet<KindId> = kinds.iter().filter(|kind| !serves(kind)).cloned().collect();
            (!absent.is_empty()).then_some((*component, absent))
        })
        .collect()
}

/// The sentence about what is missing: each kind with its use, and the charts that wait for it.
pub fn sentence(missing: &Missing) -> String {
    let mut waiting: BTreeMap<&KindId, Vec<&str>> = BTreeMap::new();
    for (component, kinds) in missing {
        for kind in kinds {
            waiting.entry(kind).or_default().push(component.chart());
        }
    }
    let each: Vec<String> = waiting
        .into_iter()
        .map(|(kind, charts)| {
            let (what, way_out) = purpose(kind);
            let names = charts.join(" and ");
            let wait = if charts.len() == 1 { "waits" } else { "wait" };
            format!("{}: {what}; {names} {wait} for it; {way_out}", named(kind))
        })
        .collect();
    format!("the cluster does not know {}", each.join(". It does not know "))
}

fn named(kind: &KindId) -> String {
    format!("{} ({})", kind.kind, kind.api_version())
}

/// What a kind is for, and the way out.
fn purpose(kind: &KindId) -> (&'static str, &'static str) {
    const GATEWAY: &str = "install the CRDs of the Gateway API (https://gateway-api.sigs.k8s.io)";
    const INFERENCE: &str = "install the CRDs of the Gateway API Inference Extension (https://gateway-api-inference-extension.sigs.k8s.io)";
    const ISTIO: &str =
        "install Istio, or choose another gateway by spec.infra.values.gateway.gatewayClassName";
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("gateway.networking.k8s.io", "Gateway") => ("the entrance for requests", GATEWAY),
        ("gateway.networking.k8s.io", "HTTPRoute") => ("the way from the gateway to the pool", GATEWAY),
        ("gateway.networking.k8s.io", _) => ("a part of the Gateway API", GATEWAY),
        ("inference.networking.k8s.io" | "inference.networking.x-k8s.io", "InferencePool") => {
            ("the pool of model servers", INFERENCE)
        }
        ("inference.networking.k8s.io" | "inference.networking.x-k8s.io", _) => {
            ("a part of the Inference Extension", INFERENCE)
        }
        ("telemetry.istio.io", _) => ("access logs of the Istio gateway", ISTIO),
        ("networking.istio.io", _) => ("how the Istio gateway reaches the endpoint picker", ISTIO),
        ("gateway.kgateway.dev" | "agentgateway.dev", _) => (
            "parameters of the gateway",
            "install kgateway, or choose another gateway by spec.infra.values.gateway.gatewayClassName",
        ),
        ("leaderworkerset.x-k8s.io", _) => (
            "model servers over several nodes",
            "install LeaderWorkerSet (https://lws.sigs.k8s.io), or set spec.modelService.values.multinode to false",
        ),
        ("monitoring.coreos.com", _) => (
            "scraping by the Prometheus operator",
            "install its CRDs, or switch monitoring off in the chart's values",
        ),
        ("networking.gke.io" | "monitoring.googleapis.com", _) => (
            "a part of GKE",
            "choose another provider by spec.gatewayAPI.values.provider.name",
        ),
        _ => (
            "used by the chart",
            "install its CRD, or change the values that ask for it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gvk(group: &str, kind: &str) -> KindId {
        KindId {
            group: group.to_owned(),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
        }
    }

    #[test]
    fn each_missing_kind_is_told_once_with_its_use_and_who_waits() {
        let route = gvk("gateway.networking.k8s.io", "HTTPRoute");
        let telemetry = gvk("telemetry.istio.io", "Telemetry");
        let needed = BTreeMap::from([
            (
                Component::Infra,
                BTreeSet::from([gvk("", "ConfigMap"), telemetry]),
            ),
            (Component::GatewayApi, BTreeSet::from([route.clone()])),
            (Component::ModelService, BTreeSet::from([route])),
        ]);
        let missing = missing(&needed, |kind| kind.group.is_empty());
        assert_eq!(missing.len(), 3);
        let sentence = sentence(&missing);
        assert_eq!(
            sentence,
            "the cluster does not know HTTPRoute (gateway.networking.k8s.io/v1): the way from the gateway to the pool; \
             inferencepool and llm-d-modelservice wait for it; install the CRDs of the Gateway API (https://gateway-api.sigs.k8s.io). \
             It does not know Telemetry (telemetry.istio.io/v1): access logs of the Istio gateway; llm-d-infra waits for it; \
             install Istio, or choose another gateway by spec.infra.values.gateway.gatewayClassName"
        );
    }

    #[test]
    fn nothing_is_missing_where_all_is_served() {
        let needed = BTreeMap::from([(Component::Infra, BTreeSet::from([gvk("x", "Y")]))]);
        assert!(missing(&needed, |_| true).is_empty());
    }
}
