//! What the API server does with bound applies: the table of ADR 2, so that a new server version cannot change it unseen.

use k8s_openapi::{
    api::core::v1::Service, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, CustomResource,
    api::{Patch, PatchParams, PostParams},
    core::CustomResourceExt,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use testkit::until;

use crate::bed::{LIMIT, bed};

#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[kube(group = "test.example.com", version = "v1", kind = "Bound", namespaced)]
struct BoundSpec {
    word: String,
}

/// HTTP status of a forced apply: 200 for success.
async fn apply<K>(api: &Api<K>, object: &Value) -> u16
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let name = object["metadata"]["name"].as_str().unwrap();
    match api
        .patch(
            name,
            &PatchParams::apply("llm-operator").force(),
            &Patch::Apply(object),
        )
        .await
    {
        Ok(_) => 200,
        Err(kube::Error::Api(status)) => status.code,
        Err(error) => panic!("{error}"),
    }
}

fn service(name: &str, bound: (&str, &str)) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, bound.0: bound.1},
        "spec": {"ports": [{"port": 80}]}})
}

#[tokio::test]
async fn version_one_creates_only() {
    let bed = bed("server-version").await;
    let api: Api<Service> = bed.api();
    assert_eq!(apply(&api, &service("a", ("resourceVersion", "1"))).await, 200);
    let before = api.get("a").await.unwrap();
    assert_eq!(apply(&api, &service("a", ("resourceVersion", "1"))).await, 409);
    assert_eq!(api.get("a").await.unwrap(), before);
    let mut zero = service("a", ("resourceVersion", "0"));
    zero["metadata"]["labels"] = json!({"taken": "over"});
    assert_eq!(apply(&api, &zero).await, 200, "zero binds to nothing");
    assert_ne!(api.get("a").await.unwrap(), before);
}

#[tokio::test]
async fn a_uid_updates_only_and_only_that_one() {
    let bed = bed("server-uid").await;
    let api: Api<Service> = bed.api();
    let other = "00000000-0000-0000-0000-000000000000";
    assert_eq!(apply(&api, &service("a", ("uid", other))).await, 409);
    assert!(api.get_opt("a").await.unwrap().is_none());
    assert_eq!(apply(&api, &service("a", ("resourceVersion", "1"))).await, 200);
    let uid = api.get("a").await.unwrap().metadata.uid.unwrap();
    assert_eq!(apply(&api, &service("a", ("uid", other))).await, 422);
    assert_eq!(apply(&api, &service("a", ("uid", &uid))).await, 200);
}

#[tokio::test]
async fn custom_resources_are_bound_alike() {
    let bed = bed("server-custom").await;
    let crds: Api<CustomResourceDefinition> = Api::all(bed.admin.clone());
    crds.create(&PostParams::default(), &Bound::crd()).await.unwrap();
    let api: Api<Bound> = bed.api();
    let object = |bound: (&str, &str)| {
        json!({"apiVersion": "test.example.com/v1", "kind": "Bound",
            "metadata": {"name": "a", bound.0: bound.1}, "spec": {"word": "w"}})
    };
    let served = async || (apply(&api, &object(("resourceVersion", "1"))).await == 200).then_some(());
    until("the CRD is served", LIMIT, served).await.unwrap();
    assert_eq!(apply(&api, &object(("resourceVersion", "1"))).await, 409);
    assert_eq!(
        apply(&api, &object(("uid", "00000000-0000-0000-0000-000000000000"))).await,
        422
    );
}
