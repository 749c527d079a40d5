//! The prem family at real admission, seeded: what the server refuses it refuses by field, and what it stores our types
//! read. (A template that it stores may still be no Pod; the API server says so when the Deployment is applied.)

use api::premlabs_io::v1alpha1::{AIDeployment, AIModelMap};
use kube::{Resource, api::DynamicObject};
use proptest::strategy::{Strategy as _, ValueTree as _};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    admission::{client, create, seeded, unnamed},
    generate::{schema, specs},
};

/// Specs that are tried of each kind.
const CASES: usize = 120;

/// Tries specs of a schema of this kind; at least a tenth must be stored, or nothing is shown.
async fn stored_is_readable<T: DeserializeOwned + Resource>(kind: &str, schema: &Value) {
    let client = client().await;
    let mut runner = seeded();
    let strategy = specs(schema);
    let (mut stored, mut problems) = (0, Vec::new());
    for _ in 0..CASES {
        let spec = strategy.new_tree(&mut runner).unwrap().current();
        match create(&client, kind, "any", &spec).await {
            Ok(object) => {
                stored += 1;
                problems.extend(unreadable::<T>(object));
            }
            Err(status) => problems.extend(unnamed(&status, &spec)),
        }
    }
    assert!(problems.is_empty(), "{kind}:\n{}", problems.join("\n"));
    assert!(stored > CASES / 10, "{stored} of {CASES} were stored");
}

fn unreadable<T: DeserializeOwned + Resource>(object: DynamicObject) -> Option<String> {
    let spec = object.data["spec"].to_string();
    let read: Result<T, _> = object.try_parse();
    read.err()
        .map(|error| format!("stored and not readable: {error}: {spec}"))
}

#[tokio::test]
async fn maps() {
    stored_is_readable::<AIModelMap>("AIModelMap", &schema("AIModelMap")).await;
}

#[tokio::test]
async fn deployments_without_template() {
    let mut schema = schema("AIDeployment");
    let deployment = &mut schema["properties"]["deployment"]["properties"];
    deployment.as_object_mut().unwrap().remove("template");
    stored_is_readable::<AIDeployment>("AIDeployment", &schema).await;
}

/// Nothing but the template, down to its last field.
#[tokio::test]
async fn templates() {
    let mut schema = schema("AIDeployment");
    let mut deployment = schema["properties"]["deployment"].take();
    let template = deployment["properties"]["template"].take();
    deployment["properties"] = serde_json::json!({ "template": template });
    deployment["required"] = serde_json::json!(["template"]);
    schema["properties"] = serde_json::json!({ "deployment": deployment });
    schema["required"] = serde_json::json!(["deployment"]);
    stored_is_readable::<AIDeployment>("AIDeployment", &schema).await;
}
