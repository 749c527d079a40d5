//! Where resources are handed in: one cluster with the definitions as `kubectl apply` installs them, and kubectl.

use std::path::PathBuf;

use kube::{
    Api, Client, Error,
    api::{DynamicObject, Patch, PatchParams, PostParams, ValidationDirective},
    core::{ApiResource, GroupVersionKind, Request, Status},
};
use serde_json::{Value, json};
use testkit::Cluster;
use tokio::sync::OnceCell;

use crate::common::{PATIENCE, root};

/// The kinds of this family, with their plurals.
pub const KINDS: [(&str, &str); 3] = [
    ("AIDeployment", "aideployments"),
    ("AIModelMap", "aimodelmaps"),
    ("AutoNodeLabeler", "autonodelabelers"),
];

static DESK: OnceCell<Cluster> = OnceCell::const_new();

/// The shared cluster: a control plane without nodes and without an operator.
pub async fn desk() -> &'static Cluster {
    DESK.get_or_init(|| async {
        let cluster = Cluster::builder().start().await.unwrap();
        let folder = root().join("config/crd");
        let output = cluster
            .kubectl(&["apply", "-f", folder.to_str().unwrap()])
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{said}");
        let client = cluster.admin_client().await.unwrap();
        for (kind, _) in KINDS {
            let api = api(&client, kind);
            testkit::until(format!("{kind} is served"), PATIENCE, async || {
                api.list(&kube::api::ListParams::default()).await.map(drop)
            })
            .await
            .unwrap();
        }
        cluster
    })
    .await
}

/// An administrator's client for the runtime of this test.
pub async fn client() -> Client {
    desk().await.admin_client().await.unwrap()
}

/// What kubectl says, and whether it worked.
pub async fn try_kubectl(args: &[&str]) -> (bool, String) {
    let output = desk().await.kubectl(args).await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// What kubectl says; it has to work.
pub async fn kubectl(args: &[&str]) -> String {
    let (worked, text) = try_kubectl(args).await;
    assert!(worked, "kubectl {args:?}: {text}");
    text
}

/// A file for kubectl to read.
pub fn file(name: &str, content: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
    std::fs::write(&path, content).unwrap();
    path.to_string_lossy().into_owned()
}

/// Resources of a kind of this family, untyped, in the namespace `default`.
pub fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    let (_, plural) = KINDS.into_iter().find(|(name, _)| *name == kind).unwrap();
    let kind = GroupVersionKind::gvk("premlabs.io", "v1alpha1", kind);
    Api::default_namespaced_with(client.clone(), &ApiResource::from_gvk_with_plural(&kind, plural))
}

/// A resource as a person would write it.
pub fn resource(kind: &str, name: &str, spec: &Value) -> DynamicObject {
    let mut resource =
        json!({"apiVersion": "premlabs.io/v1alpha1", "kind": kind, "metadata": {"name": name}});
    resource["spec"] = spec.clone();
    serde_json::from_value(resource).unwrap()
}

/// A dry-run create that takes no unknown field.
pub async fn create(
    client: &Client,
    kind: &str,
    name: &str,
    spec: &Value,
) -> Result<DynamicObject, Box<Status>> {
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let body = serde_json::to_vec(&resource(kind, name, spec)).unwrap();
    let mut request = Request::new(api(client, kind).resource_url())
        .create(&params, body)
        .unwrap();
    let strict = format!("{}&fieldValidation=Strict", request.uri());
    *request.uri_mut() = strict.parse().unwrap();
    client.request(request).await.map_err(refusal)
}

/// Server-side apply, as `kubectl apply --server-side` does it.
pub async fn apply(
    client: &Client,
    manager: &str,
    kind: &str,
    name: &str,
    spec: &Value,
) -> Result<DynamicObject, Box<Status>> {
    let params = PatchParams {
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::apply(manager)
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

/// One way in which a spec is wrong.
pub struct Wrong {
    spec: Value,
    field: &'static str,
    words: &'static str,
}

/// What is handed in, the field that must be named, and words that a person needs to put it right.
pub fn wrong(spec: Value, field: &'static str, words: &'static str) -> Wrong {
    Wrong { spec, field, words }
}

/// Hands in every row as a new resource of `kind`; all must be refused, by field and in plain words.
pub async fn all_refused(kind: &str, table: Vec<Wrong>) {
    let client = client().await;
    let mut problems = Vec::new();
    for row in table {
        match create(&client, kind, "handed-in", &row.spec).await {
            Ok(_) => problems.push(format!("{} was accepted", row.spec)),
            Err(status) if !names(&status, &row) => problems.push(format!(
                "{} must name {} with {:?}:\n   {} {}",
                row.spec, row.field, row.words, status.reason, status.message
            )),
            Err(_) => {}
        }
    }
    assert!(problems.is_empty(), "{kind}:\n{}", problems.join("\n"));
}

/// Hands in every spec; all must be accepted.
pub async fn all_accepted(kind: &str, table: Vec<(&str, Value)>) {
    let client = client().await;
    let mut problems = Vec::new();
    for (what, spec) in table {
        if let Err(status) = create(&client, kind, "handed-in", &spec).await {
            problems.push(format!("{what}: {}", status.message));
        }
    }
    assert!(problems.is_empty(), "{kind}:\n{}", problems.join("\n"));
}

/// Unknown fields are named in the message alone, all others among the causes.
fn names(status: &Status, row: &Wrong) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let named = causes
        .into_iter()
        .any(|cause| cause.field == row.field && cause.message.contains(row.words));
    let unknown = row.words == "unknown field"
        && status
            .message
            .contains(&format!("unknown field \"{}\"", row.field));
    named || unknown
}
