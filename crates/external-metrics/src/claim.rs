//! Whose the API is, and the objects that lead it here. Pure.
//!
//! In: the `APIService` (or Service) as it is, and where we are. Out: what to write, if anything. A cluster has one such
//! `APIService`: one that is not ours is never written.

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::{APIService, APIServiceSpec};
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::names::{API_SERVICE, GROUP, SERVICE, VERSION};

/// Marks what is ours.
const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "llm-operator");
/// Order among groups and versions, as other adapters have it; it decides nothing for a group with one version.
const PRIORITY: i32 = 100;

/// Where this operator's API is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) namespace: String,
    pub(crate) service: String,
    pub(crate) port: u16,
}

impl Place {
    /// The name that the API server expects in the certificate.
    pub(crate) fn host(&self) -> String {
        format!("{}.{}.svc", self.service, self.namespace)
    }

    /// The Service as people write it.
    pub(crate) fn shown(&self) -> String {
        format!("{}/{}", self.namespace, self.service)
    }
}

/// What to do about the `APIService`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// There is none.
    Create,
    /// It is ours and not as it should be.
    Update,
    /// It is as it should be.
    InPlace,
    /// It is another's.
    HeldBy(String),
}

/// Ours is what carries our label **and** leads to our Service: one that leads elsewhere is another installation's, one
/// without the label somebody made by hand.
pub(crate) fn claim(existing: Option<&APIService>, place: &Place, bundle: &str) -> Claim {
    let Some(existing) = existing else {
        return Claim::Create;
    };
    if let Some(holder) = holder(existing, place) {
        return Claim::HeldBy(holder);
    }
    let same = existing
        .spec
        .as_ref()
        .is_some_and(|spec| is_wanted(spec, place, bundle));
    if same { Claim::InPlace } else { Claim::Update }
}

/// Whether it belongs to the operator of this namespace, for whoever removes that one.
pub fn is_ours(existing: &APIService, namespace: &str) -> bool {
    holds(existing, namespace, SERVICE)
}

/// Who has it, if not we.
pub(crate) fn holder(existing: &APIService, place: &Place) -> Option<String> {
    let service = existing.spec.as_ref().and_then(|spec| spec.service.as_ref());
    let Some(service) = service else {
        return Some("the API server itself".to_owned());
    };
    let namespace = service.namespace.clone().unwrap_or_default();
    let name = service.name.clone().unwrap_or_default();
    (!holds(existing, &place.namespace, &place.service)).then(|| format!("{namespace}/{name}"))
}

fn holds(existing: &APIService, namespace: &str, name: &str) -> bool {
    let service = existing.spec.as_ref().and_then(|spec| spec.service.as_ref());
    let leads_here = service.is_some_and(|service| {
        service.namespace.as_deref() == Some(namespace) && service.name.as_deref() == Some(name)
    });
    leads_here && is_labelled(existing)
}

/// Whether the API server reaches what it leads to.
pub(crate) fn is_available(existing: &APIService) -> bool {
    let conditions = existing
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions
        .filter(|condition| condition.type_ == "Available")
        .any(|condition| condition.status == "True")
}

/// Whether the API server verifies us with all these authorities.
pub(crate) fn has_bundle(existing: &APIService, bundle: &str) -> bool {
    let found = existing.spec.as_ref().and_then(|spec| spec.ca_bundle.as_ref());
    found.is_some_and(|found| found.0 == bundle.as_bytes())
}

fn is_wanted(spec: &APIServiceSpec, place: &Place, bundle: &str) -> bool {
    let port = spec.service.as_ref().and_then(|service| service.port);
    // 443 is what no port means.
    port.unwrap_or(443) == i32::from(place.port)
        && spec
            .ca_bundle
            .as_ref()
            .is_some_and(|found| found.0 == bundle.as_bytes())
        && spec.group.as_deref() == Some(GROUP)
        && spec.version.as_deref() == Some(VERSION)
        && spec.group_priority_minimum == PRIORITY
        && spec.version_priority == PRIORITY
}

fn is_labelled(object: &impl ResourceExt) -> bool {
    object
        .labels()
        .get(MANAGED_BY.0)
        .is_some_and(|value| value == MANAGED_BY.1)
}

/// The `APIService` to apply; `version`: of the object that the decision was taken on.
pub(crate) fn api_service(place: &Place, bundle: &str, version: Option<String>) -> Value {
    let bundle = k8s_openapi::ByteString(bundle.as_bytes().to_vec());
    json!({
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": metadata(API_SERVICE, version),
        "spec": {
            "group": GROUP,
            "version": VERSION,
            "groupPriorityMinimum": PRIORITY,
            "versionPriority": PRIORITY,
            "caBundle": bundle,
            "service": { "namespace": place.namespace, "name": place.service, "port": place.port },
        },
    })
}

/// The Secret to apply.
pub(crate) fn secret(name: &str, data: &impl serde::Serialize, version: Option<String>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": metadata(name, version),
        "data": data,
    })
}

/// What to do about the Service of an operator that runs outside the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Alias {
    /// Apply it, on top of this version.
    Apply(Option<String>),
    /// It is as it should be.
    InPlace,
    /// There is another Service of this name.
    Taken,
}

/// Compares the Service that is an alias of `host` with the one that is there.
pub(crate) fn alias(existing: Option<&Service>, host: &str, port: u16) -> Alias {
    let Some(existing) = existing else {
        return Alias::Apply(None);
    };
    let spec = existing.spec.clone().unwrap_or_default();
    if spec.type_.as_deref() != Some("ExternalName") || !is_labelled(existing) {
        return Alias::Taken;
    }
    let ports = spec.ports.unwrap_or_default();
    let same_port = ports.iter().any(|found| found.port == i32::from(port));
    if spec.external_name.as_deref() == Some(host) && same_port {
        Alias::InPlace
    } else {
        Alias::Apply(existing.resource_version())
    }
}

/// The Service to apply: requests of the API server go to `host`, outside the cluster.
pub(crate) fn alias_service(place: &Place, host: &str, version: Option<String>) -> Value {
    let mut metadata = metadata(&place.service, version);
    metadata["namespace"] = json!(place.namespace);
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "type": "ExternalName",
            "externalName": host,
            "ports": [{ "name": "https", "port": place.port, "targetPort": IntOrString::Int(i32::from(place.port)) }],
        },
    })
}

fn metadata(name: &str, version: Option<String>) -> Value {
    let mut metadata = json!({
        "name": name,
        "labels": {
            MANAGED_BY.0: MANAGED_BY.1,
            "app.kubernetes.io/name": "llm-operator",
            "app.kubernetes.io/component": "external-metrics",
            "app.kubernetes.io/part-of": "llm-operator",
        },
    });
    if let Some(version) = version {
        metadata["resourceVersion"] = json!(version);
    }
    metadata
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            namespace: "llm-system".to_owned(),
            service: "metrics".to_owned(),
            port: 443,
        }
    }

    /// Ours, with this change.
    fn changed(change: impl FnOnce(&mut Value)) -> APIService {
        let mut object = api_service(&place(), "authority", None);
        change(&mut object);
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn what_is_ours_is_kept_as_it_should_be() {
        let claimed = |existing: Option<&APIService>| claim(existing, &place(), "authority");
        assert_eq!(claimed(None), Claim::Create);
        assert_eq!(claimed(Some(&changed(|_| {}))), Claim::InPlace);
        let defaulted = changed(|object| {
            object["spec"]["service"].as_object_mut().unwrap().remove("port");
        });
        assert_eq!(claimed(Some(&defaulted)), Claim::InPlace);
        for (field, value) in [
            ("caBundle", json!("b3RoZXI=")),
            ("caBundle", json!(null)),
            ("versionPriority", json!(1)),
            ("groupPriorityMinimum", json!(1)),
        ] {
            let other = changed(|object| object["spec"][field] = value);
            assert_eq!(claimed(Some(&other)), Claim::Update, "{field}");
        }
        let other = changed(|object| object["spec"]["service"]["port"] = json!(8443));
        assert_eq!(claimed(Some(&other)), Claim::Update);
        assert_eq!(claim(Some(&changed(|_| {})), &place(), "other"), Claim::Update);
    }

    #[test]
    fn what_is_another_s_is_told() {
        let keda = changed(|object| {
            object["metadata"]["labels"][MANAGED_BY.0] = json!("Helm");
            object["spec"]["service"] = json!({ "namespace": "keda", "name": "keda-metrics", "port": 443 });
        });
        let other_installation = changed(|object| object["spec"]["service"]["namespace"] = json!("other"));
        let by_hand = changed(|object| object["metadata"]["labels"] = json!({}));
        let local = changed(|object| object["spec"]["service"] = json!(null));
        for (existing, who) in [
            (keda, "keda/keda-metrics"),
            (other_installation, "other/metrics"),
            (by_hand, "llm-system/metrics"),
            (local, "the API server itself"),
        ] {
            assert_eq!(
                claim(Some(&existing), &place(), "authority"),
                Claim::HeldBy(who.to_owned())
            );
        }
    }

    #[test]
    fn whoever_removes_the_operator_takes_only_its_own() {
        let led_to = |namespace: &str, name: &str| {
            changed(|object| object["spec"]["service"] = json!({ "namespace": namespace, "name": name }))
        };
        assert!(is_ours(&led_to("llm-system", SERVICE), "llm-system"));
        assert!(!is_ours(&led_to("other", SERVICE), "llm-system"));
        assert!(!is_ours(&led_to("llm-system", "metrics"), "llm-system"));
        let mut by_hand = led_to("llm-system", SERVICE);
        by_hand.metadata.labels = None;
        assert!(!is_ours(&by_hand, "llm-system"));
    }

    #[test]
    fn availability_is_the_condition() {
        let with = |status: &str| {
            changed(|object| {
                let condition = json!({ "type": "Available", "status": status });
                object["status"] = json!({ "conditions": [condition] });
            })
        };
        assert!(is_available(&with("True")));
        assert!(!is_available(&with("False")) && !is_available(&changed(|_| {})));
    }

    #[test]
    fn the_alias_is_ours_or_taken() {
        let service = |change: fn(&mut Value)| -> Service {
            let mut object = alias_service(&place(), "localhost", Some("7".to_owned()));
            change(&mut object);
            serde_json::from_value(object).unwrap()
        };
        let compared = |existing: Option<&Service>| alias(existing, "localhost", 443);
        assert_eq!(compared(None), Alias::Apply(None));
        assert_eq!(compared(Some(&service(|_| {}))), Alias::InPlace);
        let moved = service(|object| object["spec"]["externalName"] = json!("elsewhere"));
        assert_eq!(compared(Some(&moved)), Alias::Apply(Some("7".to_owned())));
        let moved = service(|object| object["spec"]["ports"][0]["port"] = json!(1));
        assert_eq!(compared(Some(&moved)), Alias::Apply(Some("7".to_owned())));
        let inside = service(|object| object["spec"]["type"] = json!("ClusterIP"));
        assert_eq!(compared(Some(&inside)), Alias::Taken);
        let by_hand = service(|object| object["metadata"]["labels"] = json!({}));
        assert_eq!(compared(Some(&by_hand)), Alias::Taken);
    }
}
