//! Whether the cluster serves our definition of a kind, or somebody else's under the same name.
//!
//! In: what the API server publishes of the kind (discovery and OpenAPI v3, which everybody may read) and the properties
//! that our definition has. Out: a [`Served`]. It watches nothing and waits for nothing.

use std::collections::BTreeMap;

use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use kube::{Client, client::Body, core::ApiResource};
use serde::Deserialize;

/// What the cluster serves under the name of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Served {
    /// A definition with all properties that are required.
    Ours,
    /// None, or one that is so new that its schema is not published yet.
    No,
    /// Another definition; a sentence with what it lacks.
    Foreign(String),
}

/// The part of a published document that is compared; descriptions and rules are passed over.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    components: Components,
}

#[derive(Default, Deserialize)]
struct Components {
    #[serde(default)]
    schemas: BTreeMap<String, Component>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(rename = "x-kubernetes-group-version-kind", default)]
    kinds: Vec<Named>,
    #[serde(default)]
    properties: BTreeMap<String, Schema>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    group: String,
    version: String,
    kind: String,
}

#[derive(Deserialize)]
struct Schema {
    #[serde(default)]
    properties: BTreeMap<String, Schema>,
}

/// Whether there is a property at this path below these.
fn has(properties: &BTreeMap<String, Schema>, path: &str) -> bool {
    let (name, below) = path.split_once('.').unwrap_or((path, ""));
    let found = properties.get(name);
    found.is_some_and(|schema| below.is_empty() || has(&schema.properties, below))
}

/// The last published schema of one kind, and what it was found to be. Asked for again it costs an answer without a body.
#[derive(Debug, Default)]
pub(super) struct Look {
    known: Option<(header::HeaderValue, Served)>,
}

impl Look {
    /// Asks the API server.
    pub(super) async fn at(
        &mut self,
        client: &Client,
        resource: &ApiResource,
        required: &[&str],
    ) -> Result<Served, kube::Error> {
        // Small, unlike the schemas of a group that has large kinds of others.
        let listed = match client.list_api_group_resources(&resource.api_version).await {
            Ok(listed) => listed.resources.iter().any(|found| found.kind == resource.kind),
            Err(kube::Error::Api(status)) if status.code == 404 => false,
            Err(error) => return Err(error),
        };
        if !listed {
            self.known = None;
            return Ok(Served::No);
        }
        self.schema(client, resource, required).await
    }

    async fn schema(
        &mut self,
        client: &Client,
        resource: &ApiResource,
        required: &[&str],
    ) -> Result<Served, kube::Error> {
        let mut request = Request::builder().method(Method::GET).uri(format!(
            "/openapi/v3/apis/{}/{}",
            resource.group, resource.version
        ));
        if let Some((tag, _)) = &self.known {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        let request = request.header(header::ACCEPT, "application/json");
        let request = request.body(Body::empty()).map_err(kube::Error::HttpError)?;
        let answer = client.send(request).await?;
        match (answer.status(), &self.known) {
            (StatusCode::NOT_MODIFIED, Some((_, known))) => return Ok(known.clone()),
            (StatusCode::NOT_FOUND, _) => {
                self.known = None;
                return Ok(Served::No);
            }
            (StatusCode::OK, _) => {}
            (status, _) => {
                let status = kube::core::Status {
                    code: status.as_u16(),
                    message: format!("the schema of {} cannot be read: {status}", resource.api_version),
                    ..kube::core::Status::default()
                };
                return Err(kube::Error::Api(status.boxed()));
            }
        }
        let tag = answer.headers().get(header::ETAG).cloned();
        let bytes = answer.into_body().collect().await?.to_bytes();
        let document = serde_json::from_slice(&bytes).map_err(kube::Error::SerdeError)?;
        let served = compare(&document, resource, required);
        self.known = tag.map(|tag| (tag, served.clone()));
        Ok(served)
    }
}

/// What the document says of the kind.
fn compare(document: &Document, resource: &ApiResource, required: &[&str]) -> Served {
    let ours = |kind: &Named| {
        kind.group == resource.group && kind.version == resource.version && kind.kind == resource.kind
    };
    let mut components = document.components.schemas.values();
    let Some(component) = components.find(|component| component.kinds.iter().any(ours)) else {
        return Served::No;
    };
    let missing: Vec<&str> = required
        .iter()
        .copied()
        .filter(|path| !has(&component.properties, path))
        .collect();
    if missing.is_empty() {
        return Served::Ours;
    }
    Served::Foreign(format!(
        "the definition of {} {} in this cluster is not the one that this operator knows (it has no {}); nothing is \
         read or written of it",
        resource.api_version,
        resource.kind,
        missing.join(", no "),
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn resource() -> ApiResource {
        ApiResource {
            group: "example.com".into(),
            version: "v1".into(),
            api_version: "example.com/v1".into(),
            kind: "Graph".into(),
            plural: "graphs".into(),
        }
    }

    fn document(group: &str, version: &str, kind: &str, spec: &Value) -> Value {
        let kind = json!([{"group": group, "version": version, "kind": kind}]);
        json!({"openapi": "3.0.0", "components": {"schemas": {
            "com.example.v1.GraphList": {"type": "object", "x-kubernetes-group-version-kind":
                [{"group": "example.com", "version": "v1", "kind": "GraphList"}]},
            "io.k8s.apimachinery.pkg.apis.meta.v1.Time": {"type": "string", "format": "date-time"},
            "com.example.v1.Graph": {"type": "object", "x-kubernetes-group-version-kind": kind, "properties": {
                "metadata": {"allOf": [{"$ref": "#/components/schemas/io.k8s.ObjectMeta"}], "default": {}},
                "spec": spec,
            }},
        }}})
    }

    #[test]
    fn a_definition_is_known_by_its_properties() {
        let required = ["spec.sla.latency", "spec.model.placement"];
        let ours = json!({"type": "object", "properties": {
            "sla": {"properties": {"latency": {"type": "integer"}}},
            "model": {"properties": {"placement": {"type": "object"}, "name": {"type": "string"}}},
        }});
        let half =
            json!({"properties": {"sla": {"type": "string"}, "model": {"properties": {"placement": {}}}}});
        let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let foreign = |lacks: &str| {
            Served::Foreign(format!(
                "the definition of example.com/v1 Graph in this cluster is not the one that this operator knows (it has \
                 no {lacks}); nothing is read or written of it"
            ))
        };
        let both = "spec.sla.latency, no spec.model.placement";
        let cases = [
            (
                "ours",
                document("example.com", "v1", "Graph", &ours),
                Served::Ours,
            ),
            (
                "one property short",
                document("example.com", "v1", "Graph", &half),
                foreign("spec.sla.latency"),
            ),
            (
                "anything goes",
                document("example.com", "v1", "Graph", &open),
                foreign(both),
            ),
            (
                "another group",
                document("example.org", "v1", "Graph", &ours),
                Served::No,
            ),
            (
                "another version",
                document("example.com", "v2", "Graph", &ours),
                Served::No,
            ),
            (
                "another kind",
                document("example.com", "v1", "Policy", &ours),
                Served::No,
            ),
            ("nothing", json!({}), Served::No),
        ];
        for (name, document, expected) in cases {
            let document: Document = serde_json::from_value(document).unwrap();
            assert_eq!(compare(&document, &resource(), &required), expected, "{name}");
        }
    }
}
