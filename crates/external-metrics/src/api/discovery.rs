//! What the API says about itself: groups, versions, the one resource, `OpenAPI`.

use serde_json::{Value, json};

use crate::names::{GROUP, METRIC, VERSION};

/// `/apis`.
pub(crate) fn groups() -> Value {
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [described()] })
}

/// `/apis/<group>`.
pub(crate) fn group() -> Value {
    let mut group = described();
    group["kind"] = json!("APIGroup");
    group["apiVersion"] = json!("v1");
    group
}

/// `/apis/<group>/<version>`. As with other adapters, a metric can be got and nothing else.
pub(crate) fn resources() -> Value {
    json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": format!("{GROUP}/{VERSION}"),
        "resources": [{
            "name": METRIC,
            "singularName": "",
            "namespaced": true,
            "kind": "ExternalMetricValueList",
            "verbs": ["get"],
        }],
    })
}

/// `/apis` in the aggregated form.
pub(crate) fn aggregated() -> Value {
    let resource = json!({
        "resource": METRIC,
        "responseKind": { "group": GROUP, "version": VERSION, "kind": "ExternalMetricValueList" },
        "scope": "Namespaced",
        "singularResource": "",
        "verbs": ["get"],
    });
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [{
            "metadata": { "name": GROUP, "creationTimestamp": null },
            "versions": [{ "version": VERSION, "freshness": "Current", "resources": [resource] }],
        }],
    })
}

/// `/openapi/v2`. It describes nothing, since metrics are not objects; but the API server logs a warning when it is missing.
pub(crate) fn openapi_2() -> Value {
    let info = json!({ "title": "llm-operator external metrics", "version": VERSION });
    json!({ "swagger": "2.0", "info": info, "paths": {} })
}

/// `/openapi/v3`.
pub(crate) fn openapi_3() -> Value {
    json!({ "paths": {} })
}

fn described() -> Value {
    let version = json!({ "groupVersion": format!("{GROUP}/{VERSION}"), "version": VERSION });
    json!({ "name": GROUP, "versions": [version], "preferredVersion": version })
}
