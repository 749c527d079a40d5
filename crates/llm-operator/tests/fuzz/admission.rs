//! Real admission, seeded: what the API server refuses it refuses by field; what it and the pipeline accept becomes
//! objects that the API server accepts.

use api::llm_example_com::v1alpha1::{LLMDeployment, LLMModel};
use kube::{
    Api, Client, Error,
    api::{DynamicObject, Patch, PatchParams, PostParams},
    core::{ApiResource, GroupVersionKind, Status},
};
use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::{Config, TestRng, TestRunner},
};
use serde_json::{Value, json};
use testkit::Cluster;
use tokio::sync::OnceCell;

use crate::{
    common::install,
    generate::pairs,
    pipeline::{Outcome, check_errors, outcome},
};

/// Pairs that are tried unless the environment's `FUZZ_CASES` says otherwise. Each costs up to seven requests.
const CASES: usize = 200;

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();

/// A control plane with the definitions, and no controllers.
pub async fn cluster() -> &'static Cluster {
    CLUSTER
        .get_or_init(|| async {
            let cluster = Cluster::builder().bare().start().await.unwrap();
            install(&cluster, true).await;
            cluster
        })
        .await
}

/// An administrator's client.
pub async fn client() -> Client {
    cluster().await.admin_client().await.unwrap()
}

/// The same values in every run.
pub fn seeded() -> TestRunner {
    let seed = TestRng::deterministic_rng(Config::default().rng_algorithm);
    TestRunner::new_with_rng(Config::default(), seed)
}

/// How often what happened.
#[derive(Debug, Default)]
struct Tally {
    refused: usize,
    rejected: usize,
    rendered: usize,
}

/// Every refusal of the server names a field; everything it stores can be read; what the pipeline makes of it the
/// server accepts.
/// Promises: S2-13
#[tokio::test]
async fn accepted_specs_become_accepted_objects() {
    let client = client().await;
    let mut runner = seeded();
    let strategy = pairs();
    let mut tally = Tally::default();
    let mut problems = Vec::new();
    let cases = std::env::var("FUZZ_CASES").map_or(CASES, |text| text.parse().unwrap());
    for _ in 0..cases {
        let (model, deployment) = strategy.new_tree(&mut runner).unwrap().current();
        let stored_model = match create(&client, "LLMModel", "small", &model).await {
            Ok(stored) => Some(stored),
            Err(status) => {
                tally.refused += 1;
                problems.extend(unnamed(&status, &model));
                None
            }
        };
        let stored_deployment = match create(&client, "LLMDeployment", "chat", &deployment).await {
            Ok(stored) => Some(stored),
            Err(status) => {
                tally.refused += 1;
                problems.extend(unnamed(&status, &deployment));
                None
            }
        };
        // Alone each is tried with a plain partner, so that one refusal does not hide the other's rendering.
        let plain_model = json!({"modelName": "Small", "image": "a/b:v1"});
        let plain_deployment = json!({"modelRef": "small", "replicas": 2});
        let model = match stored_model {
            Some(stored) => stored,
            None => create(&client, "LLMModel", "small", &plain_model).await.unwrap(),
        };
        let deployment = match stored_deployment {
            Some(stored) => stored,
            None => create(&client, "LLMDeployment", "chat", &plain_deployment)
                .await
                .unwrap(),
        };
        match rendered(&model, &deployment) {
            Outcome::Rejected(errors) => {
                tally.rejected += 1;
                check_errors(&errors);
            }
            Outcome::Objects(objects) => {
                tally.rendered += 1;
                for object in objects {
                    problems.extend(apply(&client, &object).await.map(|refusal| {
                        format!(
                            "{refusal}\n   of {}\n   and {}",
                            model.data["spec"], deployment.data["spec"]
                        )
                    }));
                }
            }
        }
    }
    println!("{tally:?}");
    assert!(
        problems.is_empty(),
        "{} problems, {tally:?}:\n{}",
        problems.len(),
        problems.join("\n")
    );
    // A generator that makes only nonsense, or only sense, proves nothing.
    let least = cases / 10;
    assert!(
        tally.refused > least && tally.rejected > least && tally.rendered > least,
        "{tally:?}"
    );
}

pub fn rendered(model: &DynamicObject, deployment: &DynamicObject) -> Outcome {
    let model: LLMModel = model.clone().try_parse().unwrap_or_else(|error| {
        panic!(
            "the server stores a model that cannot be read: {error}: {}",
            model.data["spec"]
        )
    });
    let mut deployment: LLMDeployment = deployment.clone().try_parse().unwrap_or_else(|error| {
        panic!(
            "the server stores a deployment that cannot be read: {error}: {}",
            deployment.data["spec"]
        )
    });
    "small".clone_into(&mut deployment.spec.model_ref);
    outcome(model, deployment)
}

/// A dry-run create of a resource of ours.
pub async fn create(
    client: &Client,
    kind: &str,
    name: &str,
    spec: &Value,
) -> Result<DynamicObject, Box<Status>> {
    let group = if kind.starts_with("LLM") {
        "llm.example.com"
    } else {
        "premlabs.io"
    };
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1alpha1", kind));
    let object: DynamicObject = serde_json::from_value(json!({
        "apiVersion": format!("{group}/v1alpha1"), "kind": kind, "metadata": {"name": name}, "spec": spec,
    }))
    .unwrap();
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let api: Api<DynamicObject> = Api::default_namespaced_with(client.clone(), &resource);
    match api.create(&dry_run, &object).await {
        Ok(stored) => Ok(stored),
        Err(Error::Api(status)) => Err(status),
        Err(other) => panic!("the API server did not answer: {other}"),
    }
}

/// A refusal that names no field.
pub fn unnamed(status: &Status, spec: &Value) -> Option<String> {
    let causes = status.details.as_ref().map(|details| details.causes.as_slice());
    // A number that is too large for its field is named in the sentence only.
    let mut causes = causes.unwrap_or_default().iter();
    let named = causes.any(|cause| cause.field.starts_with("spec") || cause.message.contains(" in spec."));
    (status.reason != "Invalid" || !named).then(|| {
        let mut text = spec.to_string();
        text.truncate(text.floor_char_boundary(2000));
        format!(
            "refused without a field: {} {}\n   of {text}",
            status.reason, status.message
        )
    })
}

/// A dry run of what the operator would send; the refusal, if there is one.
pub async fn apply(client: &Client, object: &Value) -> Option<String> {
    let api_version = object["apiVersion"].as_str().unwrap();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let kind = object["kind"].as_str().unwrap();
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    let api: Api<DynamicObject> = Api::default_namespaced_with(client.clone(), &resource);
    let mut params = PatchParams::apply("llm-operator").force();
    params.dry_run = true;
    let answer = api
        .patch(
            object["metadata"]["name"].as_str().unwrap(),
            &params,
            &Patch::Apply(object),
        )
        .await;
    answer.err().map(|error| format!("{kind} is refused: {error}"))
}
