//! Where resources are handed in without an operator: a control plane with the definitions as `kubectl apply` installs
//! them from `config/crd`, the kinds of one family, and tables of what must be refused or taken.

use std::path::PathBuf;

use kube::{
    Api, Client, Error,
    api::{DynamicObject, ListParams, Patch, PatchParams, PostParams, ValidationDirective},
    core::{ApiResource, GroupVersionKind, Request, Status},
};
use serde_json::{Value, json};
use testkit::Cluster;

use super::{PATIENCE, root};

/// A cluster without nodes and without an operator.
pub struct Desk {
    /// The control plane.
    pub cluster: Cluster,
    /// The output of `kubectl apply -f config/crd`.
    pub installed: String,
}

impl Desk {
    /// What kubectl says, and whether it worked.
    pub async fn try_kubectl(&self, args: &[&str]) -> (bool, String) {
        let output = self.cluster.kubectl(args).await.unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    /// What kubectl says; it has to work.
    pub async fn kubectl(&self, args: &[&str]) -> String {
        let (worked, text) = self.try_kubectl(args).await;
        assert!(worked, "kubectl {args:?}: {text}");
        text
    }

    /// An administrator's client for the runtime of this test.
    pub async fn client(&self) -> Client {
        self.cluster.admin_client().await.unwrap()
    }
}

/// A file for kubectl to read.
pub fn file(name: &str, content: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
    std::fs::write(&path, content).unwrap();
    path.to_string_lossy().into_owned()
}

/// The kinds of one API group and version.
pub struct Family {
    /// Group and version, as `apiVersion` has them.
    pub group: &'static str,
    /// The version.
    pub version: &'static str,
    /// The kinds with their plurals.
    pub kinds: &'static [(&'static str, &'static str)],
}

impl Family {
    /// A fresh desk that serves this family.
    pub async fn desk(&self) -> Desk {
        let cluster = Cluster::builder().start().await.unwrap();
        let mut desk = Desk {
            cluster,
            installed: String::new(),
        };
        let folder = root().join("config/crd");
        desk.installed = desk.kubectl(&["apply", "-f", folder.to_str().unwrap()]).await;
        let client = desk.client().await;
        for (kind, _) in self.kinds {
            let api = self.api(&client, kind);
            testkit::until(format!("{kind} is served"), PATIENCE, async || {
                api.list(&ListParams::default()).await.map(drop)
            })
            .await
            .unwrap();
        }
        desk
    }

    /// Resources of a kind, untyped, in the namespace `default`.
    pub fn api(&self, client: &Client, kind: &str) -> Api<DynamicObject> {
        let (_, plural) = self.kinds.iter().find(|(name, _)| *name == kind).unwrap();
        let kind = GroupVersionKind::gvk(self.group, self.version, kind);
        Api::default_namespaced_with(client.clone(), &ApiResource::from_gvk_with_plural(&kind, plural))
    }

    /// A resource as a person would write it.
    pub fn resource(&self, kind: &str, name: &str, spec: &Value) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": format!("{}/{}", self.group, self.version), "kind": kind, "metadata": {"name": name}, "spec": spec,
        }))
        .unwrap()
    }

    /// A dry-run create that takes no unknown field.
    pub async fn create(
        &self,
        client: &Client,
        kind: &str,
        name: &str,
        spec: &Value,
    ) -> Result<DynamicObject, Box<Status>> {
        let params = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let body = serde_json::to_vec(&self.resource(kind, name, spec)).unwrap();
        let mut request = Request::new(self.api(client, kind).resource_url())
            .create(&params, body)
            .unwrap();
        let strict = format!("{}&fieldValidation=Strict", request.uri());
        *request.uri_mut() = strict.parse().unwrap();
        client.request(request).await.map_err(refusal)
    }

    /// Server-side apply, as `kubectl apply --server-side` does it.
    pub async fn apply(
        &self,
        client: &Client,
        params: PatchParams,
        kind: &str,
        name: &str,
        spec: &Value,
    ) -> Result<DynamicObject, Box<Status>> {
        let params = PatchParams {
            field_validation: Some(ValidationDirective::Strict),
            ..params
        };
        let answer = self
            .api(client, kind)
            .patch(name, &params, &Patch::Apply(self.resource(kind, name, spec)))
            .await;
        answer.map_err(refusal)
    }

    /// Hands in every row as a new resource of `kind`; all must be refused, by field and in plain words.
    pub async fn all_refused(&self, client: &Client, kind: &str, table: Vec<Wrong>) {
        let mut problems = Vec::new();
        for row in table {
            match self.create(client, kind, "handed-in", &row.spec).await {
                Ok(_) => problems.push(format!("{} was accepted", row.spec)),
                Err(status) => check(&status, &row, &mut problems),
            }
        }
        assert!(problems.is_empty(), "{kind}:\n{}", problems.join("\n"));
    }

    /// Hands in every spec; all must be accepted.
    pub async fn all_accepted(&self, client: &Client, kind: &str, table: Vec<(&str, Value)>) {
        let mut problems = Vec::new();
        for (what, spec) in table {
            if let Err(status) = self.create(client, kind, "handed-in", &spec).await {
                problems.push(format!("{what}: {}", status.message));
            }
        }
        assert!(problems.is_empty(), "{kind}:\n{}", problems.join("\n"));
    }
}

/// `base` with the fields of `more` on top.
pub fn with(mut base: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        base[key] = value.clone();
    }
    base
}

/// What the API server said against it.
pub fn refusal(error: Error) -> Box<Status> {
    match error {
        Error::Api(status) => status,
        other => panic!("the API server did not answer: {other}"),
    }
}

/// One way in which a spec is wrong.
pub struct Wrong {
    /// What is handed in.
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

/// Whether a refusal names the field and has the words. Unknown fields are named in the message alone.
pub fn check(status: &Status, row: &Wrong, problems: &mut Vec<String>) {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let named = causes
        .into_iter()
        .any(|cause| cause.field == row.field && cause.message.contains(row.words));
    let unknown = row.words == "unknown field"
        && status
            .message
            .contains(&format!("unknown field \"{}\"", row.field));
    if !(named && status.reason == "Invalid" || unknown) {
        problems.push(format!(
            "{} must name {} with {:?}:\n   {} {}",
            row.spec, row.field, row.words, status.reason, status.message
        ));
    }
}
