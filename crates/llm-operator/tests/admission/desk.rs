//! Where resources are handed in: one cluster with the definitions as kubectl applies them from `config/crd`.

use kube::{
    Api, Client, Error,
    api::{DynamicObject, Patch, PatchParams, PostParams, ValidationDirective},
    core::{ApiResource, GroupVersionKind, Status},
};
use serde_json::{Value, json};
use testkit::Cluster;
use tokio::sync::OnceCell;

use crate::common::{PATIENCE, root};

/// What kubectl said while the definitions were installed, and the cluster that has them.
pub struct Desk {
    /// The cluster: a control plane without nodes and without an operator.
    pub cluster: Cluster,
    /// The output of `kubectl apply -f config/crd`.
    pub installed: String,
}

static DESK: OnceCell<Desk> = OnceCell::const_new();

/// The shared cluster.
pub async fn desk() -> &'static Desk {
    DESK.get_or_init(|| async {
        let cluster = Cluster::builder().start().await.unwrap();
        let folder = root().join("config/crd");
        let output = cluster
            .kubectl(&["apply", "-f", folder.to_str().unwrap()])
            .await
            .unwrap();
        let installed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{installed}");
        let client = cluster.admin_client().await.unwrap();
        for kind in ["LLMModel", "LLMDeployment"] {
            let api = api(&client, kind);
            testkit::until(format!("{kind} is served"), PATIENCE, async || {
                api.list(&kube::api::ListParams::default()).await.map(drop)
            })
            .await
            .unwrap();
        }
        Desk { cluster, installed }
    })
    .await
}

/// Resources of a kind of this family, untyped, in the namespace `default`.
pub fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("llm.example.com", "v1alpha1", kind);
    let plural = format!("{}s", kind.kind.to_lowercase());
    Api::default_namespaced_with(client.clone(), &ApiResource::from_gvk_with_plural(&kind, &plural))
}

/// A resource as a person would write it.
pub fn resource(kind: &str, name: &str, spec: &Value) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "llm.example.com/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec,
    }))
    .unwrap()
}

/// The smallest model, with `more` on top.
pub fn model(more: &Value) -> Value {
    with(
        json!({"modelName": "Small", "image": "your-registry/gpt-small:v1"}),
        more,
    )
}

/// The smallest deployment, with `more` on top.
pub fn deployment(more: &Value) -> Value {
    with(json!({"modelRef": "small", "replicas": 1}), more)
}

fn with(mut base: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        base[key] = value.clone();
    }
    base
}

/// One way in which a resource is wrong.
pub struct Wrong {
    /// What is handed in on top of the smallest spec.
    pub spec: Value,
    /// The field that is to be named.
    pub field: &'static str,
    /// Words that a person needs to put it right.
    pub words: &'static str,
}

/// A row of a table.
pub fn wrong(spec: Value, field: &'static str, words: &'static str) -> Wrong {
    Wrong { spec, field, words }
}

/// Hands in every row as a new resource of `kind`; all must be refused, by field and in plain words.
pub async fn all_refused(kind: &str, base: impl Fn(&Value) -> Value, table: Vec<Wrong>) {
    let client = desk().await.cluster.admin_client().await.unwrap();
    let mut accepted = Vec::new();
    for row in table {
        match create(&client, kind, "handed-in", &base(&row.spec)).await {
            Ok(_) => accepted.push(format!("{} was accepted", row.spec)),
            Err(status) => check(&status, &row, &mut accepted),
        }
    }
    assert!(accepted.is_empty(), "{kind}:\n{}", accepted.join("\n"));
}

/// Whether a refusal names the field and has the words.
pub fn check(status: &Status, row: &Wrong, problems: &mut Vec<String>) {
    let named = status.details.as_ref().is_some_and(|details| {
        let causes = details.causes.iter();
        causes
            .into_iter()
            .any(|cause| cause.field == row.field && cause.message.contains(row.words))
    });
    if status.reason != "Invalid" || !named {
        problems.push(format!(
            "{} must name {} with {:?}:\n   {} {}",
            row.spec, row.field, row.words, status.reason, status.message
        ));
    }
}

/// A dry-run create.
pub async fn create(
    client: &Client,
    kind: &str,
    name: &str,
    spec: &Value,
) -> Result<DynamicObject, Box<Status>> {
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let answer = api(client, kind)
        .create(&dry_run, &resource(kind, name, spec))
        .await;
    answer.map_err(refusal)
}

/// Server-side apply, as `kubectl apply --server-side` does it.
pub async fn apply(
    client: &Client,
    kind: &str,
    name: &str,
    spec: &Value,
) -> Result<DynamicObject, Box<Status>> {
    let params = PatchParams {
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::apply("a-person").force()
    };
    let answer = api(client, kind)
        .patch(name, &params, &Patch::Apply(resource(kind, name, spec)))
        .await;
    answer.map_err(refusal)
}

fn refusal(error: Error) -> Box<Status> {
    match error {
        Error::Api(status) => status,
        other => panic!("the API server did not answer: {other}"),
    }
}
